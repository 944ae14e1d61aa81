//! How a host starts from what it remembers: every plugin that is enabled serves by the generation
//! that the ledger names, whatever was going on when the host ended. What is to be compiled anew, such as
//! after a new version of the host, keeps nothing else waiting.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::aftermath::Follows;
use super::described::Described;
use super::history::{GenerationRecord, Kind, NewGeneration, PluginRecord, Presence, State};
use super::ledger::Source;
use super::operation::{Claim, Operation, Outcome};
use super::schema::{Beside, Schema};
use super::watched::Watched;
use super::{Turn, components, not_recorded};
use crate::arrivals::Arriving;
use crate::compiler::ahead::Ahead;
use crate::digest::Digest;
use crate::engine::World;
use crate::load::{self, LoadError, Prepared, Step};
use crate::runtime::Runtime;

/// What could not be brought back, and why.
type Failed = Vec<(String, LoadError)>;

/// Who changes plugins when the host starts.
const START: &str = "start";

impl Runtime {
    /// Brings back what served when the host ended, one plugin after the other; those that have to be
    /// compiled after all others. Their compiling is waited for as long as
    /// [`crate::EngineOptions::compile_wait_ms`] says, and goes on after that. What cannot be brought
    /// back is logged, and what is known of it by then returned, by plugin.
    pub async fn restore(&self) -> Vec<(String, LoadError)> {
        let lifecycle = &self.inner.lifecycle;
        if !lifecycle.components.is_durable() {
            return Vec::new();
        }
        let unknown = |error: caplet_store::Error| {
            tracing::error!(%error, "what served before cannot be looked up");
            Vec::new()
        };
        let plugins = match lifecycle.ledger.plugins().await {
            Ok(plugins) => plugins,
            Err(error) => return unknown(error),
        };
        let enabled = plugins.into_iter().filter(|plugin| plugin.state == Presence::Enabled);
        let arriving = |it: PluginRecord| (self.inner.arrivals.begin(&it.name, true), it);
        let all: Vec<(Arriving, PluginRecord)> = enabled.map(arriving).collect();
        let (mut failed, mut compiling) = (Failed::new(), Vec::new());
        for (arriving, record) in all {
            match self.uncompiled(&record).await {
                Some(component) => compiling.push((component, arriving, record)),
                None => failed.extend(self.restore_and_tell(&record.name).await),
            }
        }
        self.forget_unused_components().await;
        failed.extend(self.restore_when_compiled(compiling).await);
        failed
    }

    /// Brings back what has to be compiled, the smallest first. Returns what failed while it was waited for.
    async fn restore_when_compiled(&self, mut all: Vec<(Bytes, Arriving, PluginRecord)>) -> Failed {
        all.sort_by_key(|(component, ..)| component.len());
        let mut compiling = JoinSet::new();
        for (component, arriving, record) in all {
            arriving.compiles(true);
            let mut ahead = Ahead::begin(&self.inner, Digest::of(&component), &component);
            let runtime = self.clone();
            compiling.spawn(async move {
                if let Some(ahead) = &mut ahead {
                    ahead.done().await;
                }
                arriving.compiles(false);
                runtime.restore_and_tell(&record.name).await
            });
        }
        let rest = tokio::spawn(all_failed(compiling));
        match tokio::time::timeout(self.inner.compile_wait, rest).await {
            Ok(Ok(failed)) => failed,
            // It goes on, and tells in the log what fails.
            _ => Failed::new(),
        }
    }

    /// The plugins that are enabled, and could not be brought back when the host started, with the reason.
    #[must_use]
    pub fn not_restored(&self) -> Vec<(String, String)> {
        let table = self.table();
        let failed = self.inner.lifecycle.not_restored.lock().clone();
        failed.into_iter().filter(|(plugin, _)| table.get(plugin).is_none()).collect()
    }

    /// The component of the generation that served, where its code is not in the cache.
    async fn uncompiled(&self, record: &PluginRecord) -> Option<Bytes> {
        let lifecycle = &self.inner.lifecycle;
        let history = lifecycle.ledger.generations(&record.name).await.ok()?;
        let known = history.iter().find(|generation| generation.number == record.generation)?;
        let is_kept = |world| self.inner.is_in_cache(world, &known.digest);
        if is_kept(World::Plugin) {
            return None;
        }
        // Nearly all are plugins, which are not read for this when their code is kept.
        let component = components::read(&lifecycle.components, &known.digest).await.ok()?;
        let world = World::of(&component);
        (world == World::Plugin || !is_kept(world)).then_some(component)
    }

    async fn restore_and_tell(&self, plugin: &str) -> Option<(String, LoadError)> {
        let error = self.restore_one(plugin).await.err()?;
        tracing::error!("not restored: {error}");
        Some((plugin.to_owned(), error))
    }

    async fn restore_one(&self, plugin: &str) -> Result<(), LoadError> {
        let operations = &self.inner.lifecycle.operations;
        let operation = operations.begin_as(("restore", START.to_owned()), Claim::Start, None);
        operation.is_about(plugin);
        let restored = self.restore_in_turn(plugin, &operation).await;
        if let Err(error) = &restored {
            let reason = self.inner.redacted(error.clone()).to_string();
            self.inner.lifecycle.not_restored.lock().insert(plugin.to_owned(), reason);
            self.inner.metrics.loaded(false);
            operation.has(Err(error.clone()), false);
        }
        restored
    }

    async fn restore_in_turn(
        &self,
        plugin: &str,
        operation: &Arc<Operation>,
    ) -> Result<(), LoadError> {
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        // Somebody may have changed the plugin since the ledger was read.
        let present = self.present(plugin).await?;
        let is_enabled = |record: &PluginRecord| record.state == Presence::Enabled;
        match present.record.filter(is_enabled) {
            Some(record) if present.serving.is_none() => {
                self.resume(operation, &record, &turn).await?;
                self.inner.metrics.loaded(true);
                self.resume_rollout(plugin, &turn).await;
            }
            _ => operation.has(Ok(Outcome::Unchanged), false),
        }
        Ok(())
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
        let component = self.component_of(name, known).await?;
        operation.at(Step::Compile);
        let compiled = load::compile(&self.inner, component).await?;
        operation.at(Step::Describe);
        let set = match known.kind {
            Kind::Rollback => Some(self.options_of(name, known).await?),
            _ => None,
        };
        let prepared = load::examine(&self.inner, compiled, Some(name), set).await?;
        let number = self.number_of(known, &prepared).await?;
        let watched = self.watched_before(name, (known.number, number)).await?;
        operation.at(Step::Expand);
        let schema = Schema::open(&self.inner, &prepared, Beside::Nobody).await?;
        if let Some(schema) = &schema {
            schema.expand(&self.inner, &prepared.digest()).await?;
        }
        let database = schema.as_ref().map(|schema| schema.database.clone());
        operation.at(Step::Warm);
        let generation = Arc::new(load::build(&self.inner, (prepared, number), database));
        if let Err(error) = generation.warm(1).await {
            // It served before. Whoever calls it is told the same, and so is the operator.
            tracing::error!("{error}");
        }
        operation.at(Step::Swap);
        let _loading = self.inner.loading.lock().await;
        let source = Source { file: record.file.clone(), digest: record.file_digest.clone() };
        let state = (Presence::Enabled.name(), &source);
        let activated = if number == record.generation {
            ledger.activate_again(name, number, state).await
        } else {
            ledger.activate(name, number, state, (State::Superseded, "")).await
        };
        activated.map_err(not_recorded(name, Step::Swap))?;
        self.change(|plugins| plugins.insert(name.clone(), generation.clone()));
        generation.impose_limits();
        operation.has(Ok(Outcome::Serving(number)), true);
        turn.follow_swap(self, generation, Follows { old: None, watched, schema });
        Ok(Outcome::Serving(number))
    }

    /// What a generation was held against when the host ended, under the number that it has now.
    async fn watched_before(
        &self,
        plugin: &str,
        (known, number): (u32, u32),
    ) -> Result<Option<Watched>, LoadError> {
        let unknown = not_recorded(plugin, Step::Compare);
        let watched = Watched::resume(&self.inner, (plugin, known)).await.map_err(&unknown)?;
        if let Some(watched) = watched.as_ref().filter(|_| known != number) {
            watched.keep(&self.inner, (plugin, number)).await.map_err(unknown)?;
        }
        Ok(watched)
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
            described: Described::of(prepared.description()),
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

/// What failed of all that is brought back. One that panics keeps none of the others from it.
async fn all_failed(mut restoring: JoinSet<Option<(String, LoadError)>>) -> Failed {
    let mut failed = Failed::new();
    while let Some(restored) = restoring.join_next().await {
        match restored {
            Ok(restored) => failed.extend(restored),
            Err(panicked) => tracing::error!(%panicked, "bringing a plugin back has failed"),
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    use super::*;

    async fn panics(told: Arc<tokio::sync::Notify>) -> Option<(String, LoadError)> {
        told.notify_one();
        panic!("as asked")
    }

    #[tokio::test]
    async fn one_that_panics_keeps_no_other_from_coming_back() {
        let is_panicked = Arc::new(tokio::sync::Notify::new());
        let is_back = Arc::new(AtomicBool::new(false));
        let mut restoring = JoinSet::new();
        restoring.spawn(panics(is_panicked.clone()));
        let back = is_back.clone();
        restoring.spawn(async move {
            is_panicked.notified().await;
            tokio::task::yield_now().await;
            back.store(true, SeqCst);
            Some(("echo".to_owned(), Step::Warm.failed(Some("echo"), Vec::new())))
        });
        let failed = all_failed(restoring).await;
        assert!(is_back.load(SeqCst));
        assert_eq!(failed.len(), 1);
    }
}
