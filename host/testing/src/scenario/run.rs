//! A file of scenarios against a component: each in a host of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use caplet_runtime::Compiler;
use caplet_store::{Rows, Value as StoreValue};
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::file::{Scenario, ScenarioFile, Step, Stored};
use super::logs::Logs;
use super::pattern::{Comparison, Extent, fill_text};
use super::play::{Misplay, Player};
use crate::{Builder, TestHost, operations};

/// What is tested.
pub struct Subject {
    /// The name that the component has to give.
    pub plugin: String,
    /// The component.
    pub component: Vec<u8>,
    /// Where compiled code is kept.
    pub cache: Option<PathBuf>,
    /// What compiles it.
    pub compiler: Compiler,
    /// What hears its log.
    pub logs: Logs,
    /// Only scenarios whose names have this in them.
    pub filter: Option<String>,
}

/// What came of a scenario.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Where it stands: `tests/notes.yaml:12`.
    pub place: String,
    /// How many steps were played.
    pub n_steps: usize,
    /// How long it took.
    pub duration: Duration,
    /// The step that failed: where it stands, what it does, and why it failed.
    pub failure: Option<(String, String, Misplay)>,
}

/// Which operations of the plugin were called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// All of them.
    pub all: BTreeSet<String>,
    /// Those that were called.
    pub called: BTreeSet<String>,
}

impl Coverage {
    /// Those that were never called.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        self.all.difference(&self.called).map(String::as_str).collect()
    }

    /// Adds what another file has called.
    pub fn add(&mut self, other: Self) {
        self.all.extend(other.all);
        self.called.extend(other.called);
    }
}

/// Runs the scenarios of a file.
pub async fn run(file: &ScenarioFile, subject: &Subject) -> (Vec<Outcome>, Coverage) {
    let mut outcomes = Vec::new();
    let mut coverage = Coverage::default();
    let is_wanted = |scenario: &&Spanned<Scenario>| {
        subject.filter.as_ref().is_none_or(|part| scenario.value.name.contains(part))
    };
    for scenario in file.scenarios.iter().filter(is_wanted) {
        let begin = Instant::now();
        let mut stage = Stage { file, subject, coverage: &mut coverage, n_steps: 0 };
        let failure = stage.play(&scenario.value).await.err();
        outcomes.push(Outcome {
            name: scenario.value.name.clone(),
            place: file.place(scenario.referenced.line()),
            n_steps: stage.n_steps,
            duration: begin.elapsed(),
            failure,
        });
    }
    (outcomes, coverage)
}

/// One scenario.
struct Stage<'a> {
    file: &'a ScenarioFile,
    subject: &'a Subject,
    coverage: &'a mut Coverage,
    n_steps: usize,
}

impl Stage<'_> {
    async fn play(&mut self, scenario: &Scenario) -> Result<(), (String, String, Misplay)> {
        let Subject { plugin, logs, .. } = self.subject;
        let started = self.builder(scenario).try_start().await;
        let mut host = started.map_err(|error| {
            let place = self.file.place(1);
            (place, "loading the plugin".to_owned(), Misplay::of("component", error.to_string()))
        })?;
        if host.host().runtime().table().get(plugin).is_none() {
            let text = format!("expected the plugin `{plugin}`, got one of another name");
            let misplay = Misplay::of("component", text);
            return Err((self.file.place(1), "loading the plugin".to_owned(), misplay));
        }
        self.coverage.all.extend(operations(&host, plugin));
        let mut player = Player::new(plugin, &self.file.people, logs.clone());
        for step in self.file.seed.iter().chain(&scenario.steps) {
            self.n_steps += 1;
            let played = self.step(&mut host, &mut player, &step.value).await;
            played.map_err(|misplay| {
                (self.file.place(step.referenced.line()), told(&step.value), misplay)
            })?;
        }
        Ok(())
    }

    fn builder(&self, scenario: &Scenario) -> Builder {
        let Subject { plugin, component, cache, compiler, .. } = self.subject;
        let mut builder =
            TestHost::builder().component(component.clone()).compiler(compiler.clone());
        if let Some(cache) = cache {
            builder = builder.cache(cache);
        }
        if let Some(settings) = scenario.settings.as_ref().or(self.file.settings.as_ref()) {
            builder = builder.settings(plugin, settings.clone());
        }
        if let Some(grants) = &self.file.grants {
            let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
            builder = builder.grants(plugin, &grants);
        }
        builder
    }

    async fn step(
        &mut self,
        host: &mut TestHost,
        player: &mut Player<'_>,
        step: &Step,
    ) -> Result<(), Misplay> {
        let plugin = self.subject.plugin.as_str();
        if let Some(target) = &step.request {
            let exchange = player.exchange(host.host(), target, step).await?;
            self.coverage.called.extend(exchange.operation.clone());
            player.check(step, &exchange)?;
            for stored in step.expect.iter().flat_map(|expect| &expect.stored) {
                look(host, player, stored).await?;
            }
        } else if let Some(time) = &step.advance {
            let time = humantime::parse_duration(time);
            let time = time.map_err(|reason| Misplay::of("advance", reason.to_string()))?;
            host.clock().advance(time);
        } else if let Some(settings) = &step.settings {
            let changed = host.try_change_settings(plugin, settings.clone()).await;
            changed.map_err(|error| Misplay::of("settings", error.to_string()))?;
        } else if let Some(stored) = &step.stored {
            look(host, player, stored).await?;
        } else {
            let restarted = host.restart().await;
            restarted.map_err(|error| Misplay::of("restart", error.to_string()))?;
        }
        Ok(())
    }
}

/// Holds the rows of a query against those expected.
async fn look(host: &TestHost, player: &mut Player<'_>, stored: &Stored) -> Result<(), Misplay> {
    let place = format!("stored `{}` ", stored.query);
    let query = fill_text(&stored.query, &player.variables);
    let query = query.map_err(|reason| Misplay::of(&place, reason))?;
    let tenant = stored.tenant.as_deref().unwrap_or("default");
    let rows = host.try_rows(player.plugin, tenant, &query, &[]).await;
    let rows = rows.map_err(|error| Misplay::of(&place, error.to_string()))?;
    let mut differences = Vec::new();
    let variables = &mut player.variables;
    Comparison { variables, extent: Extent::Whole, differences: &mut differences }.compare(
        &place,
        &json!(stored.rows),
        &as_json(&rows),
    );
    if differences.is_empty() { Ok(()) } else { Err(Misplay { differences, ..Misplay::default() }) }
}

/// Rows as JSON: an object each.
fn as_json(rows: &Rows) -> Value {
    let width = rows.columns.len().max(1);
    let row = |values: &[StoreValue]| {
        let members = rows.columns.iter().zip(values);
        members.map(|(name, value)| (name.clone(), value_as_json(value))).collect::<Map<_, _>>()
    };
    rows.values.chunks(width).map(row).map(Value::Object).collect()
}

fn value_as_json(value: &StoreValue) -> Value {
    match value {
        StoreValue::Null => Value::Null,
        StoreValue::Integer(number) => json!(number),
        StoreValue::Real(number) => json!(number),
        StoreValue::Text(text) => json!(text),
        StoreValue::Blob(bytes) => json!(bytes),
    }
}

/// A step in a few words.
fn told(step: &Step) -> String {
    let Step { request, person, advance, settings, stored, .. } = step;
    match (request, advance, settings, stored) {
        (Some(request), ..) => {
            format!("{request} as {}", person.as_deref().unwrap_or("nobody known"))
        }
        (_, Some(time), ..) => format!("advance {time}"),
        (_, _, Some(_), _) => "settings".to_owned(),
        (.., Some(stored)) => format!("stored {}", stored.query),
        _ => "restart".to_owned(),
    }
}
