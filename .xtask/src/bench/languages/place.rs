//! A host with the plugins of one language, or with one of each.

use super::make::Made;
use crate::{
    bench::{
        load::{Load, Measured, Request, ask},
        stage::Stage,
    },
    server::Server,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How many ask for lists at once.
const READERS: u32 = 16;

/// How many notes there are.
const NOTES: u32 = 20;

/// The call without host functions. One asks, so that it is not the wait for a processor that is seen.
const CALL: &str = "/api/conformance/calls";

/// How long a plugin may take to be served, when it has to be compiled.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often the host is asked whether it serves it.
const POLL_TIME: Duration = Duration::from_millis(1);

/// The folders of a host.
pub struct Place<'a> {
    stage: &'a Stage,
    folder: PathBuf,
    /// The plugins of one language.
    pub made: &'a Made,
    /// From the first start of the host to the first answer of its plugin, in seconds.
    pub first_answer_s: f64,
}

/// What came of one round.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub lists_per_s: f64,
    pub list_p99_ms: f64,
    /// What a warm call takes, by the host's counters.
    pub call_us: f64,
    /// The linear memory of an instance after these calls.
    pub instance_bytes: f64,
}

impl<'a> Place<'a> {
    /// A host with the plugins of a language, which has compiled them and keeps notes.
    pub fn prepare(stage: &'a Stage, made: &'a Made) -> Result<Self> {
        let mut place = Self { stage, folder: made.folder.join("host"), made, first_answer_s: 0.0 };
        place.install(&made.name(), &made.notes)?;
        let began = Instant::now();
        let server = place.start()?;
        until_answered(&server, &made.list())?;
        place.first_answer_s = began.elapsed().as_secs_f64();
        place.install("conformance", &made.conformance)?;
        until_answered(&server, CALL)?;
        place.fill(&server)?;
        server.stop()?;
        Ok(place)
    }

    /// A host with the notes of all languages.
    pub fn with_all(stage: &'a Stage, all: &'a [Made], folder: &Path) -> Result<Self> {
        let made = all.first().context("there are languages")?;
        let place = Self { stage, folder: folder.to_owned(), made, first_answer_s: 0.0 };
        all.iter().try_for_each(|made| place.install(&made.name(), &made.notes))?;
        Ok(place)
    }

    /// Starts the host, and waits until it listens.
    pub fn start(&self) -> Result<Server> {
        let (data, plugins) = (self.folder.join("data"), self.plugins());
        let settings: [(&str, &OsStr); 2] =
            [("CAPLET_DATA", data.as_ref()), ("CAPLET_PLUGINS", plugins.as_ref())];
        self.stage.start_host(&settings)
    }

    /// Asks both plugins, each in a host of its own: where two are called, the host sees to it that one
    /// does not take the processors from the other.
    pub fn ask(&self) -> Result<Asked> {
        let (lists, ..) = self.load(&self.made.list(), READERS)?;
        let (_, before, after) = self.load(CALL, 1)?;
        let call_us = (after.cpu_s - before.cpu_s) * 1e6 / (after.n_calls - before.n_calls);
        Ok(Asked {
            lists_per_s: lists.requests_per_s,
            list_p99_ms: lists.p99_ms,
            call_us,
            instance_bytes: after.memory_bytes / after.n_instances,
        })
    }

    /// Starts the host, loads it, and ends it. Returns what came of it, and the counters before and after.
    fn load(&self, path: &str, connections: u32) -> Result<(Measured, Counters, Counters)> {
        let server = self.start()?;
        until_answered(&server, path)?;
        let load = Load { requests: vec![Request::get(path)], connections };
        let before = Counters::read(&server)?;
        let measured = load.run(&server, self.stage.seconds, &self.folder.join("wrk.lua"))?;
        let after = Counters::read(&server)?;
        server.stop()?;
        Ok((measured, before, after))
    }

    /// Writes the notes, and looks whether the list has them.
    fn fill(&self, server: &Server) -> Result<()> {
        let authorization = format!("Bearer {}", self.stage.token()?);
        let agent = ureq::Agent::new_with_defaults();
        for number in 1..=NOTES {
            let note = serde_json::json!({ "body": format!("This is note {number}: buy bread.") });
            let path = format!("/api/{}", self.made.name());
            let request = Request::post(&path, note.to_string(), authorization.clone());
            let answer = ask(&agent, server.url(), &request)?;
            if answer.status != 201 {
                bail!("a note was not written: {answer:?}");
            }
        }
        let answer = ask(&agent, server.url(), &Request::get(&self.made.list()))?;
        let members = ["author", "body", "created_at", "id", "pinned"];
        let items = answer.json["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_note = |item: &Value| {
            let item = item.as_object();
            item.is_some_and(|it| {
                it.len() == members.len() && members.iter().all(|name| it.contains_key(*name))
            })
        };
        if items.len() != NOTES as usize || !items.iter().all(is_note) {
            bail!("these are not {NOTES} notes: {answer:?}");
        }
        Ok(())
    }

    /// Puts a component into the plugin folder in one step.
    fn install(&self, name: &str, component: &Path) -> Result<()> {
        fs::create_dir_all(self.plugins())?;
        let partial = self.plugins().join(format!(".{name}.partial"));
        fs::copy(component, &partial)
            .with_context(|| format!("cannot install {}", component.display()))?;
        Ok(fs::rename(partial, self.plugins().join(format!("{name}.wasm")))?)
    }

    fn plugins(&self) -> PathBuf {
        self.folder.join("plugins")
    }
}

/// Waits until the host answers a path, of a plugin that may have to be compiled before.
pub fn until_answered(server: &Server, path: &str) -> Result<()> {
    let (began, url) = (Instant::now(), format!("{}{path}", server.url()));
    while ureq::get(&url).call().is_err() {
        if began.elapsed() > PATIENCE {
            bail!("{path} is not answered after {PATIENCE:?}");
        }
        thread::sleep(POLL_TIME);
    }
    Ok(())
}

/// The host's counters of the plugin that is called.
#[derive(Debug, PartialEq)]
struct Counters {
    cpu_s: f64,
    n_calls: f64,
    n_instances: f64,
    memory_bytes: f64,
}

impl Counters {
    fn read(server: &Server) -> Result<Self> {
        let mut answer = ureq::get(&format!("{}/metrics", server.url())).call()?;
        let text = answer.body_mut().read_to_string()?;
        Ok(Self::parse(&text))
    }

    /// What has not been counted yet is zero.
    fn parse(text: &str) -> Self {
        let value = |name: &str, label: &str| -> f64 {
            let of_plugin = |line: &&str| {
                line.starts_with(name)
                    && line.contains("plugin=\"conformance\"")
                    && line.contains(label)
            };
            let number = text.lines().find(of_plugin).and_then(|line| line.rsplit(' ').next());
            number.and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        Self {
            cpu_s: value("caplet_invocation_cpu_seconds_total{", ""),
            n_calls: value("caplet_invocations_total{", "outcome=\"ok\""),
            n_instances: value("caplet_instances{", ""),
            memory_bytes: value("caplet_plugin_memory_bytes{", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counters;

    #[test]
    fn counters_are_found_by_plugin_and_outcome() {
        let text = "caplet_invocation_cpu_seconds_total{plugin=\"notes\"} 9\n\
            caplet_invocation_cpu_seconds_total{plugin=\"conformance\"} 0.5\n\
            caplet_invocations_total{outcome=\"failed\",plugin=\"conformance\"} 7\n\
            caplet_invocations_total{outcome=\"ok\",plugin=\"conformance\"} 100\n\
            caplet_instances{plugin=\"conformance\"} 2\n\
            caplet_plugin_memory_bytes{plugin=\"conformance\"} 131072\n";
        let expected =
            Counters { cpu_s: 0.5, n_calls: 100.0, n_instances: 2.0, memory_bytes: 131_072.0 };
        assert_eq!(Counters::parse(text), expected);
        assert_eq!(Counters::parse("").n_calls, 0.0);
    }
}
