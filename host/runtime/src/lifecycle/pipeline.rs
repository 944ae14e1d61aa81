//! The way of a change up to the moment when requests see it. Every step that can fail comes before
//! the swap, and leaves what serves as it is.

use std::sync::Arc;

use super::aftermath::Aftermath;
use super::change::{self, Change, ChangeKind, FileSource};
use super::history::{GenerationRecord, Kind, NewGeneration, PluginRecord, Presence, State};
use super::layer::Set;
use super::ledger::Source;
use super::operation::{Operation, Outcome, Plan};
use super::rollout::Beginning;
use super::schema::{Beside, Schema};
use super::scores::Score;
use super::{Turn, configured, difference, not_recorded};
use crate::digest::Digest;
use crate::generation::Generation;
use crate::load::{self, LoadError, Prepared, Step};
use crate::runtime::Runtime;

/// Instances that are started before a generation takes requests, at most.
const WARM_INSTANCES_MAX: usize = 8;

/// What is to serve.
pub(super) struct Candidate {
    pub(super) prepared: Prepared,
    pub(super) kind: Kind,
    pub(super) file: Option<FileSource>,
    /// Why the generation that serves now ends.
    pub(super) why: String,
}

/// What an aftermath begins with: the old generation, what it had done where the new one is held
/// against it, and the data.
pub(super) type Follows = (Option<Arc<Generation>>, Option<Score>, Option<Schema>);

/// What a plugin is when it is to be changed.
struct Present {
    record: Option<PluginRecord>,
    serving: Option<Arc<Generation>>,
}

impl Runtime {
    pub(super) async fn carry_out(
        &self,
        operation: &Arc<Operation>,
        change: Change,
    ) -> Result<Outcome, LoadError> {
        match &change.kind {
            ChangeKind::Install { component, file, called } => {
                let called = called.as_deref();
                self.install(operation, &change, (component, called), file.clone()).await
            }
            ChangeKind::Approve { plugin } => self.approve(operation, &change, plugin).await,
            ChangeKind::Rollback { plugin, to } => {
                self.roll_back(operation, &change, (plugin, *to)).await
            }
            ChangeKind::Rollout { plugin, order } => {
                self.roll_out(operation, &change, (plugin, order)).await
            }
            ChangeKind::Configure { plugin, part, edit, .. } => {
                self.configure(operation, &change, (plugin, *part, edit)).await
            }
            ChangeKind::Enable { plugin } => self.enable(operation, plugin).await,
            ChangeKind::Disable { plugin } => {
                self.stop(operation, (plugin, &change.by), Presence::Disabled).await
            }
            ChangeKind::Remove { plugin, file_is_gone } => {
                let outcome = self.stop(operation, (plugin, &change.by), Presence::Removed).await?;
                if *file_is_gone {
                    let (ledger, none) = (&self.inner.lifecycle.ledger, Source::default());
                    let forgotten = ledger.set_source(plugin, &none).await;
                    forgotten.map_err(not_recorded(plugin, Step::Swap))?;
                }
                Ok(outcome)
            }
        }
    }

    async fn install(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
        (component, called): (&[u8], Option<&str>),
        file: Option<FileSource>,
    ) -> Result<Outcome, LoadError> {
        let mut prepared = self.prepare_for(operation, (component, called), None).await?;
        let name = prepared.name().to_owned();
        let turn = self.inner.lifecycle.turn(&name, operation).await?;
        // Its settings may have been changed while it was compiled.
        if self.inner.layer_of(&name).await? != prepared.layer {
            prepared = self.prepare_for(operation, (component, called), None).await?;
        }
        let kind = Kind::Upgrade;
        let candidate = Candidate { prepared, kind, file, why: String::new() };
        self.bring(operation, (change, &turn), (candidate, component)).await
    }

    async fn approve(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
        plugin: &str,
    ) -> Result<Outcome, LoadError> {
        operation.is_about(plugin);
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        let history = self.known_history(plugin).await?;
        let waiting = history.iter().find(|generation| generation.state == State::Waiting);
        let waiting = waiting.ok_or_else(|| {
            Step::Compare.failed(Some(plugin), vec!["nothing waits for approval".to_owned()])
        })?;
        let component = self.component_of(plugin, waiting)?;
        let (kind, set) = match waiting.kind {
            Kind::Configuration => (Kind::Configuration, Some(self.inner.set_of(plugin, waiting)?)),
            _ => (Kind::Upgrade, None),
        };
        let prepared = self.prepare_for(operation, (&component, Some(plugin)), set).await?;
        let candidate = Candidate { prepared, kind, file: None, why: String::new() };
        let change = Change { approved: true, ..change.clone() };
        self.bring(operation, (&change, &turn), (candidate, &component)).await
    }

    async fn roll_back(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
        (plugin, to): (&str, Option<u32>),
    ) -> Result<Outcome, LoadError> {
        operation.is_about(plugin);
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        self.refuse_during_rollout(plugin)?;
        let refused = |reason: String| Step::Compare.failed(Some(plugin), vec![reason]);
        let present = self.present(plugin).await?;
        let Some(record) = &present.record else {
            return Err(refused("it was never installed".to_owned()));
        };
        let history = self.known_history(plugin).await?;
        let target = target(&history, record.generation, to).map_err(refused)?;
        let component = self.component_of(plugin, target)?;
        let set = self.options_of(plugin, target).await?;
        let prepared = self.prepare_for(operation, (&component, Some(plugin)), Some(set)).await?;
        turn.abandon().await;
        let why = format!("rolled back by {}", change.by);
        let candidate = Candidate { prepared, kind: Kind::Rollback, file: None, why };
        let change = Change { approved: true, ..change.clone() };
        self.bring(operation, (&change, &turn), (candidate, &component)).await
    }

    async fn enable(&self, operation: &Arc<Operation>, plugin: &str) -> Result<Outcome, LoadError> {
        operation.is_about(plugin);
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        let present = self.present(plugin).await?;
        let refused = |reason: &str| Step::Compare.failed(Some(plugin), vec![reason.to_owned()]);
        match &present.record {
            None => Err(refused("it was never installed")),
            Some(record) if record.state == Presence::Removed => {
                Err(refused("it was removed; install it again"))
            }
            Some(_) if present.serving.is_some() => {
                operation.has(Ok(Outcome::Unchanged), false);
                Ok(Outcome::Unchanged)
            }
            Some(record) => self.resume(operation, record, &turn).await,
        }
    }

    async fn stop(
        &self,
        operation: &Arc<Operation>,
        (plugin, by): (&str, &str),
        state: Presence,
    ) -> Result<Outcome, LoadError> {
        operation.is_about(plugin);
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        if self.present(plugin).await?.record.is_none() {
            let reason = "it was never installed".to_owned();
            return Err(Step::Compare.failed(Some(plugin), vec![reason]));
        }
        self.end_rollout(operation, plugin, by).await?;
        turn.abandon().await;
        operation.at(Step::Swap);
        let loading = self.inner.loading.lock().await;
        let ledger = &self.inner.lifecycle.ledger;
        let recorded = ledger.set_state(plugin, state.name()).await;
        recorded.map_err(not_recorded(plugin, Step::Swap))?;
        let stopped = self.change(|plugins| plugins.remove(plugin));
        drop(loading);
        operation.has(Ok(Outcome::Stopped), stopped.is_some());
        if let Some(old) = stopped {
            turn.follow(Aftermath::of_end(self, operation, old));
        }
        Ok(Outcome::Stopped)
    }

    /// Compiles, describes and checks a component, step by step. One that has no name of its own is `called`
    /// so.
    pub(super) async fn prepare_for(
        &self,
        operation: &Operation,
        (component, called): (&[u8], Option<&str>),
        set: Option<Set>,
    ) -> Result<Prepared, LoadError> {
        operation.at(Step::Compile);
        let compiled = load::compile(&self.inner, component.to_vec()).await?;
        operation.at(Step::Describe);
        let prepared = load::examine(&self.inner, compiled, called, set).await?;
        operation.is_about(prepared.name());
        Ok(prepared)
    }

    async fn present(&self, plugin: &str) -> Result<Present, LoadError> {
        let record = self.inner.lifecycle.ledger.plugin(plugin).await;
        let record = record.map_err(not_recorded(plugin, Step::Compare))?;
        Ok(Present { record, serving: self.table().get(plugin).cloned() })
    }

    async fn known_history(&self, plugin: &str) -> Result<Vec<GenerationRecord>, LoadError> {
        let history = self.inner.lifecycle.ledger.generations(plugin).await;
        history.map_err(not_recorded(plugin, Step::Compare))
    }

    pub(super) fn component_of(
        &self,
        plugin: &str,
        generation: &GenerationRecord,
    ) -> Result<Vec<u8>, LoadError> {
        self.inner.lifecycle.components.read(&generation.digest).map_err(|error| {
            let reason = format!("the component of generation {}: {error}", generation.number);
            Step::Compile.failed(Some(plugin), vec![reason, "install it again".to_owned()])
        })
    }

    /// From the comparison with what serves to the swap.
    pub(super) async fn bring(
        &self,
        operation: &Arc<Operation>,
        (change, turn): (&Change, &Turn),
        (mut candidate, component): (Candidate, &[u8]),
    ) -> Result<Outcome, LoadError> {
        let name = candidate.prepared.name().to_owned();
        operation.at(Step::Compare);
        let present = self.present(&name).await?;
        check_file(&present, &candidate)?;
        if present.record.is_none() {
            candidate.kind = Kind::Install;
        }
        if is_same(&present, &candidate) {
            self.note_source(&present, &candidate).await?;
            operation.has(Ok(Outcome::Unchanged), false);
            return Ok(Outcome::Unchanged);
        }
        self.check_stage(&candidate.prepared, change, present.serving.is_some()).await?;
        let mut differences = match &present.serving {
            Some(serving) => difference::between(serving, &candidate.prepared),
            None => Vec::new(),
        };
        let changes =
            present.serving.as_ref().map(|it| configured::between(it, &candidate.prepared));
        let changes = changes.unwrap_or_default();
        let sentences: Vec<String> = changes.iter().map(|it| it.text.clone()).collect();
        operation.changes(sentences.clone());
        differences.extend(changes);
        // What the last change has still to do with the data comes before what this one does.
        if !change.dry_run {
            turn.conclude().await;
        }
        let beside = Beside::serving(present.serving.as_deref());
        let schema = Schema::open(&self.inner, &candidate.prepared, beside).await?;
        if let (Some(schema), Some(serving)) = (&schema, &present.serving)
            && schema.is_pending()
        {
            operation.at(Step::Trial);
            differences.extend(schema.rehearse(serving).await?);
        }
        if change.dry_run {
            let migrations = schema.map(|schema| schema.steps()).unwrap_or_default();
            let outcome = Ok(Outcome::Planned(Plan { differences, migrations }));
            operation.has(outcome.clone(), false);
            return outcome;
        }
        self.keep(&name, &candidate.prepared.digest(), component)?;
        let new = record_of(&candidate, sentences, &change.by);
        let ledger = &self.inner.lifecycle.ledger;
        if !change.approved && differences.iter().any(difference::Difference::needs_approval) {
            let reason = change::reason_to_wait(&differences);
            self.wait_for_approval(&name, &new, &reason).await?;
            operation.has(Ok(Outcome::Waiting(differences.clone())), false);
            return Ok(Outcome::Waiting(differences));
        }
        let number = ledger.add(&name, &new, (State::Preparing, "")).await;
        let number = number.map_err(not_recorded(&name, Step::Compare))?;
        let source = source_of(&present, &candidate);
        let is_held_against = is_held_against(&present, &candidate);
        let way = (candidate.kind, candidate.why.clone());
        let ready =
            self.make_ready(operation, (candidate, number), (&present, schema.as_ref())).await;
        let brought = match (ready, &change.stage) {
            (Ok(generation), Some(stage)) => {
                let beginning = Beginning { candidate: generation, stage: stage.clone(), schema };
                self.begin_rollout(operation, beginning, &source).await
            }
            (Ok(generation), None) => {
                let swapped = self.swap(operation, &generation, (&present, &source, &way)).await;
                let baseline = present.serving.as_ref().filter(|_| is_held_against);
                let baseline = baseline.map(|serving| serving.scores.read());
                let follows = (present.serving, baseline, schema);
                swapped.map(|()| self.has_come(operation, turn, (generation, follows)))
            }
            (Err(error), _) => Err(error),
        };
        let brought = brought.map_err(|error| self.inner.redacted(error));
        if let Err(error) = &brought {
            let refused = ledger.refuse(&name, number, &error.reasons.join("; ")).await;
            if let Err(error) = refused {
                tracing::error!(plugin = name, %error, "a refusal was not written down");
            }
        }
        brought
    }

    async fn wait_for_approval(
        &self,
        plugin: &str,
        new: &NewGeneration,
        reason: &str,
    ) -> Result<(), LoadError> {
        let history = self.known_history(plugin).await?;
        let waits = |it: &GenerationRecord| {
            it.state == State::Waiting
                && it.digest == new.digest
                && self.inner.set_of(plugin, it).is_ok_and(|set| set == new.set)
        };
        if history.iter().any(waits) {
            return Ok(());
        }
        let added = self.inner.lifecycle.ledger.add(plugin, new, (State::Waiting, reason)).await;
        added.map(drop).map_err(not_recorded(plugin, Step::Compare))
    }

    fn keep(&self, plugin: &str, digest: &Digest, component: &[u8]) -> Result<(), LoadError> {
        self.inner.lifecycle.components.keep(digest, component).map_err(|error| {
            let reason = format!("the component cannot be kept: {error}");
            Step::Compare.failed(Some(plugin), vec![reason])
        })
    }

    /// Notes that the file has been read whose component serves already.
    async fn note_source(&self, present: &Present, candidate: &Candidate) -> Result<(), LoadError> {
        let name = candidate.prepared.name();
        let source = source_of(present, candidate);
        let noted = self.inner.lifecycle.ledger.set_source(name, &source).await;
        noted.map_err(not_recorded(name, Step::Compare))
    }

    /// Brings the data and the first instances up.
    async fn make_ready(
        &self,
        operation: &Arc<Operation>,
        (candidate, number): (Candidate, u32),
        (present, schema): (&Present, Option<&Schema>),
    ) -> Result<Arc<Generation>, LoadError> {
        operation.at(Step::Expand);
        if let Some(schema) = schema {
            schema.expand(number).await?;
        }
        let database = schema.map(|schema| schema.database.clone());
        operation.at(Step::Warm);
        let built = load::build(&self.inner, (candidate.prepared, number), database);
        let generation = Arc::new(built);
        let n_warm = present.serving.as_ref().map_or(1, |old| old.n_idle());
        generation.warm(n_warm.clamp(1, WARM_INSTANCES_MAX)).await?;
        operation.at(Step::Health);
        generation.check_health().await?;
        Ok(generation)
    }

    /// Gives a generation that is ready all requests. `way` is what brought it, and why the one that
    /// serves ends.
    async fn swap(
        &self,
        operation: &Operation,
        generation: &Arc<Generation>,
        (present, source, way): (&Present, &Source, &(Kind, String)),
    ) -> Result<(), LoadError> {
        let (name, (kind, why)) = (generation.name(), way);
        operation.at(Step::Swap);
        let is_enabled = present.record.as_ref().is_none_or(|it| it.state != Presence::Disabled);
        let state = if is_enabled { Presence::Enabled } else { Presence::Disabled };
        let ended = if *kind == Kind::Rollback { State::RolledBack } else { State::Superseded };
        let _loading = self.inner.loading.lock().await;
        let (ledger, number) = (&self.inner.lifecycle.ledger, generation.number());
        let swapped = ledger.activate(name, number, (state.name(), source), (ended, why)).await;
        swapped.map_err(not_recorded(name, Step::Swap))?;
        if is_enabled {
            self.change(|plugins| plugins.insert(name.to_owned(), generation.clone()));
            generation.impose_limits();
        }
        Ok(())
    }

    pub(super) fn has_come(
        &self,
        operation: &Arc<Operation>,
        turn: &Turn,
        (new, (old, baseline, schema)): (Arc<Generation>, Follows),
    ) -> Outcome {
        let is_served = self.table().get(new.name()).is_some_and(|it| Arc::ptr_eq(it, &new));
        if is_served {
            let outcome = Outcome::Serving(new.number());
            operation.has(Ok(outcome.clone()), true);
            turn.follow(Aftermath::of_swap(self, operation, (old, new), (baseline, schema)));
            outcome
        } else {
            let outcome = Outcome::Ready(new.number());
            operation.has(Ok(outcome.clone()), false);
            outcome
        }
    }
}

/// The generation that a rollback leads to.
fn target(
    history: &[GenerationRecord],
    present: u32,
    to: Option<u32>,
) -> Result<&GenerationRecord, String> {
    let found = match to {
        Some(number) => history.iter().find(|it| it.number == number),
        None => history.iter().find(|it| it.number < present && it.state == State::Superseded),
    };
    match found {
        Some(target) if target.number == present => {
            Err(format!("generation {present} serves already"))
        }
        Some(target) if target.served_ms.is_some() => Ok(target),
        Some(target) => Err(format!("generation {} has never served", target.number)),
        None => Err(match to {
            Some(number) => format!("there is no generation {number}"),
            None => "there is no generation before this one that served".to_owned(),
        }),
    }
}

/// Two files may not follow one plugin: which one serves would be a matter of chance.
fn check_file(present: &Present, candidate: &Candidate) -> Result<(), LoadError> {
    let (Some(record), Some(source)) = (&present.record, &candidate.file) else { return Ok(()) };
    let is_other = !record.file.is_empty() && record.file != source.file;
    if is_other && present.serving.is_some() {
        let taken =
            format!("`{}` serves this name already; remove one of the two files", record.file);
        Err(Step::Compare.failed(Some(candidate.prepared.name()), vec![taken]))
    } else {
        Ok(())
    }
}

fn is_same(present: &Present, candidate: &Candidate) -> bool {
    let Some(serving) = &present.serving else { return false };
    serving.digest() == candidate.prepared.digest()
        && serving.options == candidate.prepared.options
        && serving.layer == candidate.prepared.layer
        && !serving.is_failing()
}

/// Whether a new generation is watched against the one before. What was rolled back is not rolled back
/// again: the host does that once. And a rollback would not bring other grants and limits.
fn is_held_against(present: &Present, candidate: &Candidate) -> bool {
    let Some(serving) = &present.serving else { return false };
    match candidate.kind {
        Kind::Rollback => false,
        Kind::Configuration => serving.options.settings != candidate.prepared.options.settings,
        Kind::Install | Kind::Upgrade => true,
    }
}

fn source_of(present: &Present, candidate: &Candidate) -> Source {
    match (&candidate.file, &present.record) {
        (Some(file), _) => {
            Source { file: file.file.clone(), digest: candidate.prepared.digest().to_string() }
        }
        (None, Some(record)) => {
            Source { file: record.file.clone(), digest: record.file_digest.clone() }
        }
        (None, None) => Source::default(),
    }
}

fn record_of(candidate: &Candidate, changes: Vec<String>, by: &str) -> NewGeneration {
    let prepared = &candidate.prepared;
    NewGeneration {
        digest: prepared.digest().to_string(),
        version: prepared.description().version.clone(),
        kind: candidate.kind,
        rights: prepared.inspection.rights.iter().map(|right| right.name.to_owned()).collect(),
        set: prepared.set(),
        changes,
        created_by: by.to_owned(),
    }
}
