//! How a host starts from what it remembers: every plugin that is enabled serves by the generation
//! that the ledger names, whatever was going on when the host ended.

use std::collections::HashSet;
use std::sync::Arc;

use super::aftermath::Aftermath;
use super::history::{GenerationRecord, Kind, NewGeneration, PluginRecord, Presence, State};
use super::ledger::Source;
use super::operation::{Operation, Outcome};
use super::schema::{Beside, Schema, tag};
use super::{Turn, not_recorded};
use crate::load::{self, LoadError, Prepared, Step};
use crate::runtime::Runtime;

/// Who changes plugins when the host starts.
const START: &str = "start";

impl Runtime {
    /// Brings back what served when the host ended, one plugin after the other. What cannot be brought
    /// back is logged and returned, by plugin.
    pub async fn restore(&self) -> Vec<(String, LoadError)> {
        let lifecycle = &self.inner.lifecycle;
        if !lifecycle.components.is_durable() {
            return Vec::new();
        }
        let unknown = |error: caplet_store::Error| {
            tracing::error!(%error, "what served before cannot be looked up");
            Vec::new()
        };
        if let Err(error) = lifecycle.ledger.end_unfinished().await {
            return unknown(error);
        }
        let plugins = match lifecycle.ledger.plugins().await {
            Ok(plugins) => plugins,
            Err(error) => return unknown(error),
        };
        let mut failed = Vec::new();
        for record in plugins.iter().filter(|plugin| plugin.state == Presence::Enabled) {
            if let Err(error) = self.restore_one(record).await {
                tracing::error!("not restored: {error}");
                failed.push((record.name.clone(), error));
            }
        }
        self.forget_unused_components().await;
        failed
    }

    async fn restore_one(&self, record: &PluginRecord) -> Result<(), LoadError> {
        let operation = self.inner.lifecycle.operations.begin("restore", START.to_owned());
        operation.is_about(&record.name);
        let turn = self.inner.lifecycle.turn(&record.name, &operation).await?;
        let resumed = self.resume(&operation, record, &turn).await;
        self.inner.metrics.loaded(resumed.is_ok());
        if let Err(error) = &resumed {
            operation.has(Err(error.clone()), false);
        } else {
            self.resume_rollout(&record.name, &turn).await;
        }
        resumed.map(drop)
    }

    /// Puts the generation that the ledger names into the table.
    pub(super) async fn resume(
        &self,
        operation: &Arc<Operation>,
        record: &PluginRecord,
        turn: &Turn,
    ) -> Result<Outcome, LoadError> {
        let name = &record.name;
        let ledger = &self.inner.lifecycle.ledger;
        let history = ledger.generations(name).await.map_err(not_recorded(name, Step::Compare))?;
        let known = history.iter().find(|generation| generation.number == record.generation);
        let known = known.ok_or_else(|| {
            let reason = format!("generation {} is not in the history", record.generation);
            Step::Compare.failed(Some(name), vec![reason])
        })?;
        let component = self.component_of(name, known)?;
        operation.at(Step::Compile);
        let compiled = load::compile(&self.inner, component).await?;
        operation.at(Step::Describe);
        let set = match known.kind {
            Kind::Rollback => Some(self.options_of(name, known).await?),
            _ => None,
        };
        let prepared = load::examine(&self.inner, compiled, Some(name), set).await?;
        let number = self.number_of(known, &prepared).await?;
        operation.at(Step::Expand);
        let schema = Schema::open(&self.inner, &prepared, Beside::Itself).await?;
        if let Some(schema) = &schema {
            schema.expand(number).await?;
            let texts = ledger.statements(name, number).await;
            let texts = texts.map_err(not_recorded(name, Step::Expand))?;
            schema.database.restore_statements(tag(number), &texts);
        }
        let database = schema.as_ref().map(|schema| schema.database.clone());
        operation.at(Step::Warm);
        let generation = Arc::new(load::build(&self.inner, (prepared, number), database));
        operation.at(Step::Swap);
        let _loading = self.inner.loading.lock().await;
        let source = Source { file: record.file.clone(), digest: record.file_digest.clone() };
        let state = (Presence::Enabled.name(), &source);
        let activated = ledger.activate(name, number, state, (State::Superseded, "")).await;
        activated.map_err(not_recorded(name, Step::Swap))?;
        self.change(|plugins| plugins.insert(name.clone(), generation.clone()));
        generation.impose_limits();
        operation.has(Ok(Outcome::Serving(number)), true);
        turn.follow(Aftermath::of_swap(self, operation, (None, generation), (None, schema)));
        Ok(Outcome::Serving(number))
    }

    /// The number of the generation that is known, or a new one where the operator has changed the
    /// plugin's options meanwhile.
    async fn number_of(
        &self,
        known: &GenerationRecord,
        prepared: &Prepared,
    ) -> Result<u32, LoadError> {
        let name = prepared.name();
        if self.inner.set_of(name, known)? == prepared.set() {
            return Ok(known.number);
        }
        let new = NewGeneration {
            digest: known.digest.clone(),
            version: known.version.clone(),
            // What came back keeps its settings, also at the start after this one.
            kind: if known.kind == Kind::Rollback { Kind::Rollback } else { Kind::Configuration },
            rights: known.rights.clone(),
            set: prepared.set(),
            changes: vec!["what the host was started with has changed".to_owned()],
            created_by: START.to_owned(),
        };
        let added = self.inner.lifecycle.ledger.add(name, &new, (State::Preparing, "")).await;
        added.map_err(not_recorded(name, Step::Compare))
    }

    async fn forget_unused_components(&self) {
        let lifecycle = &self.inner.lifecycle;
        let forgotten = match lifecycle.ledger.digests().await {
            Ok(needed) => {
                let needed: HashSet<String> = needed.into_iter().collect();
                lifecycle.components.retain(&needed).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = forgotten {
            tracing::warn!(error, "components that nobody needs are not removed");
        }
    }
}
