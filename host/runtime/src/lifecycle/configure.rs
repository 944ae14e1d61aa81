//! Changes of what the operator set for a plugin: settings, grants, limits. Each brings a generation of the
//! same component by the way that every change goes. What was set lies in layers: what the host was started
//! with, and over it what was set while it ran (see [`super::layer`]).
//!
//! A rollback brings back the settings of the generation it leads to, because those of a later one may not
//! fit it. Grants and limits are the operator's word about the plugin and not the plugin's: they stay as
//! they are now, whatever serves.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::bring::Going;
use super::change::{Change, ChangeKind};
use super::comparison::Candidate;
use super::history::{GenerationRecord, Kind, Presence};
use super::layer::{Edit, Layer, Part, Set};
use super::not_recorded;
use super::operation::{Operation, Outcome};
use crate::load::{self, LoadError, Step};
use crate::options::PluginOptions;
use crate::runtime::{Inner, Runtime};

/// A part of a plugin's options, as it is now. Secrets are not in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// The generation that serves by it.
    pub generation: u32,
    /// What holds, defaults included.
    pub values: Value,
    /// What of it was set while the host ran.
    pub set: Value,
    /// The secrets that are set, as JSON pointers into the values.
    pub secrets: Vec<String>,
    /// Where each value, and each secret, comes from.
    pub origins: Vec<(String, Source)>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was set while the host ran.
    Set,
    /// What the host was started with: the configuration file, or the environment.
    Configuration,
    /// Nobody set it.
    Default,
    /// The generation had it, and a rollback brought it back.
    Rollback,
}

impl Source {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Configuration => "configuration",
            Self::Default => "default",
            Self::Rollback => "rollback",
        }
    }
}

impl Runtime {
    /// What a plugin that serves is set to; none for one that does not serve.
    #[must_use]
    pub fn configuration(&self, plugin: &str, part: Part) -> Option<Configuration> {
        let generation = self.table().get(plugin).cloned()?;
        let base = self.inner.plugins.get(plugin).cloned().unwrap_or_default();
        let secrets = &generation.context.settings.secrets;
        let of = |options: &PluginOptions| document(options, part);
        let all = match part {
            Part::Settings => generation.context.settings.document(),
            Part::Grants => serde_json::json!({
                "grants": generation.options.grants,
                "redirect_origins": generation.options.redirect_origins,
                "outbound_origins": generation.options.outbound_origins,
            }),
            Part::Limits => serde_json::to_value(generation.limits()).unwrap_or_default(),
        };
        let set = Value::Object(generation.layer.document(part));
        let (base, given) = (of(&base), of(&generation.options));
        let mut origins = Vec::new();
        leaves(&all, &mut String::new(), &mut |pointer, value| {
            let source = if set.pointer(pointer).is_some() {
                Source::Set
            } else if base.pointer(pointer) == Some(value) {
                Source::Configuration
            } else if part == Part::Settings && given.pointer(pointer).is_some() {
                Source::Rollback
            } else {
                Source::Default
            };
            origins.push((pointer.to_owned(), source));
        });
        let is_settings = part == Part::Settings;
        let shown = |document: Value| {
            if is_settings { secrets.take_out(&document) } else { document }
        };
        Some(Configuration {
            generation: generation.number(),
            values: shown(all),
            set: shown(set),
            secrets: secrets.places().filter(|_| is_settings).map(str::to_owned).collect(),
            origins,
        })
    }

    /// Whether a change would be taken for a plugin that serves, as far as this can be told at once.
    ///
    /// # Errors
    /// Why not, with the places in what was given.
    pub async fn check_edit(&self, plugin: &str, part: Part, edit: &Edit) -> Result<(), LoadError> {
        let Some(serving) = self.table().get(plugin).cloned() else { return Ok(()) };
        let set = self.edited(plugin, part, edit).await?;
        let described = (plugin, serving.description(), &serving.inspection);
        load::check_options(&self.inner, described, &set.options).map(drop)
    }

    pub(super) async fn configure(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
        (plugin, part, edit): (&str, Part, &Edit),
    ) -> Result<Outcome, LoadError> {
        operation.is_about(plugin);
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        let refused = |reason: &str| Step::Compare.failed(Some(plugin), vec![reason.to_owned()]);
        let record = self.inner.lifecycle.ledger.plugin(plugin).await;
        let record = record.map_err(not_recorded(plugin, Step::Compare))?;
        let record = record.ok_or_else(|| {
            refused("it was never installed; install it, or set this in the configuration file")
        })?;
        if record.state == Presence::Removed {
            return Err(refused("it was removed; install it again"));
        }
        if let ChangeKind::Configure { expected: Some(expected), .. } = &change.kind
            && *expected != record.generation
        {
            let serves = record.generation;
            let changed = format!("it was made for generation {expected}, and {serves} serves now");
            return Err(refused(&format!("{changed}; read what is set and try again")));
        }
        let known = self.inner.generation_record(plugin, record.generation).await?;
        let component = self.component_of(plugin, &known).await?;
        let set = self.edited(plugin, part, edit).await?;
        let prepared =
            self.prepare_for(operation, (component.clone(), Some(plugin)), Some(set)).await?;
        let kind = Kind::Configuration;
        let why = String::new();
        let candidate = Candidate { prepared, component, kind, file: None, why, waited: None };
        self.bring(Going { operation, change, turn: &turn }, candidate).await
    }

    /// The options that a change comes to.
    async fn edited(&self, plugin: &str, part: Part, edit: &Edit) -> Result<Set, LoadError> {
        let refused = |reasons| Step::Configure.failed(Some(plugin), reasons);
        let layer = match (self.inner.layer_of(plugin).await, edit) {
            (Ok(layer), _) => layer,
            // What cannot be read any more can be replaced.
            (Err(_), Edit::Replace(_)) if part == Part::Settings => Layer::default(),
            (Err(error), _) => return Err(error),
        };
        let serving = self.table().get(plugin).cloned();
        let secrets = serving
            .map(|it| it.context.settings.secrets.only(&Value::Object(layer.settings.clone())));
        let secrets = secrets.unwrap_or_else(|| Value::Object(Map::new()));
        let layer = layer.edited(part, edit, &secrets).map_err(refused)?;
        self.check_grants(plugin, &layer)?;
        Ok(Set { options: layer.over(self.inner.base_options(plugin)), layer })
    }

    fn check_grants(&self, plugin: &str, layer: &Layer) -> Result<(), LoadError> {
        let rights = caplet_abi::interfaces::RIGHTS.iter().map(|right| right.name);
        let known: Vec<&str> =
            rights.chain(self.inner.interfaces.keys().map(String::as_str)).collect();
        let unknown = |grant: &&String| !known.contains(&grant.as_str());
        match layer.grants.iter().flatten().find(unknown) {
            None => Ok(()),
            Some(grant) => {
                let known = known.join(", ");
                let reason = format!("/grants: there is no right `{grant}`; there are {known}");
                Err(Step::Configure.failed(Some(plugin), vec![reason]))
            }
        }
    }

    /// The options for a generation that comes back: the settings that it had, because those of a later
    /// version may not fit it, and everything else as the operator has it now.
    pub(super) async fn options_of(
        &self,
        plugin: &str,
        generation: &GenerationRecord,
    ) -> Result<Set, LoadError> {
        let had = self.inner.set_of(plugin, generation)?;
        let now = self.inner.layer_of(plugin).await?;
        let layer = Layer { settings: had.layer.settings, ..now };
        let options = layer.over(self.inner.base_options(plugin));
        let options = PluginOptions { settings: had.options.settings, ..options };
        Ok(Set { options, layer })
    }
}

impl Inner {
    /// What the operator has set for a plugin, in all layers.
    ///
    /// # Errors
    /// What was set while the host ran cannot be read.
    pub(crate) async fn present_set(&self, plugin: &str) -> Result<Set, LoadError> {
        let layer = self.layer_of(plugin).await?;
        Ok(Set { options: layer.over(self.base_options(plugin)), layer })
    }

    /// What the host was started with.
    fn base_options(&self, plugin: &str) -> PluginOptions {
        self.plugins.get(plugin).cloned().unwrap_or_default()
    }

    /// What was set for a plugin while the host ran; nothing for one that was never installed.
    pub(super) async fn layer_of(&self, plugin: &str) -> Result<Layer, LoadError> {
        let record = self.lifecycle.ledger.plugin(plugin).await;
        let Some(record) = record.map_err(not_recorded(plugin, Step::Configure))? else {
            return Ok(Layer::default());
        };
        let known = self.generation_record(plugin, record.generation).await?;
        Ok(self.set_of(plugin, &known)?.layer)
    }

    pub(super) fn set_of(
        &self,
        plugin: &str,
        generation: &GenerationRecord,
    ) -> Result<Set, LoadError> {
        self.lifecycle.ledger.set_of(plugin, generation).map_err(|reason| {
            let reason = format!("the settings of generation {}: {reason}", generation.number);
            let remedy = "or replace them: `caplet settings PLUGIN replace`".to_owned();
            Step::Configure.failed(Some(plugin), vec![reason, remedy])
        })
    }

    pub(super) async fn generation_record(
        &self,
        plugin: &str,
        number: u32,
    ) -> Result<GenerationRecord, LoadError> {
        let history = self.lifecycle.ledger.generations(plugin).await;
        let history = history.map_err(not_recorded(plugin, Step::Compare))?;
        history.into_iter().find(|generation| generation.number == number).ok_or_else(|| {
            let reason = format!("generation {number} is not in the history");
            Step::Compare.failed(Some(plugin), vec![reason])
        })
    }
}

/// A part of the options as it is set.
fn document(options: &PluginOptions, part: Part) -> Value {
    match part {
        Part::Settings => options.settings.clone(),
        Part::Grants => {
            let mut grants = Map::new();
            if let Some(names) = &options.grants {
                grants.insert("grants".to_owned(), Value::from(names.as_slice()));
            }
            for (name, origins) in [
                ("redirect_origins", &options.redirect_origins),
                ("outbound_origins", &options.outbound_origins),
            ] {
                if !origins.is_empty() {
                    grants.insert(name.to_owned(), Value::from(origins.as_slice()));
                }
            }
            Value::Object(grants)
        }
        Part::Limits => {
            let limits = options.limits.clone().into_iter();
            Value::Object(limits.collect())
        }
    }
}

/// Visits each value that is no table, with its place.
pub(super) fn leaves(value: &Value, pointer: &mut String, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let length = pointer.len();
                pointer.push('/');
                pointer.push_str(&crate::secrets::escaped(name));
                leaves(value, pointer, visit);
                pointer.truncate(length);
            }
        }
        _ => visit(pointer, value),
    }
}
