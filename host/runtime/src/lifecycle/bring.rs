//! Carry out: from a candidate to the moment when requests see it. Every step that can fail comes before
//! the swap, and leaves what serves as it is.

use std::sync::Arc;

use bytes::Bytes;

use super::aftermath::Follows;
use super::change::{self, Change};
use super::comparison::{Candidate, Comparison, Decision, Present};
use super::difference::Difference;
use super::history::{GenerationRecord, Kind, NewGeneration, Presence, State};
use super::ledger::Source;
use super::operation::{Operation, Outcome, Plan};
use super::rollout::Beginning;
use super::schema::{Beside, Schema};
use super::watched::Watched;
use super::{Turn, components, not_recorded};
use crate::digest::Digest;
use crate::generation::Generation;
use crate::load::{self, LoadError, Prepared, Step};
use crate::runtime::Runtime;

/// Instances that are started before a generation takes requests, at most.
const WARM_INSTANCES_MAX: usize = 8;

/// A change of a plugin that has its turn.
#[derive(Clone, Copy)]
pub(super) struct Going<'a> {
    pub(super) operation: &'a Arc<Operation>,
    pub(super) change: &'a Change,
    pub(super) turn: &'a Turn,
}

/// How a generation takes the place of the one that serves.
struct Place<'a> {
    present: &'a Present,
    source: Source,
    /// What brought it.
    kind: Kind,
    /// Why the one that serves ends.
    why: String,
}

impl Runtime {
    /// Compares a candidate with what serves, and brings it if nobody has to agree to that first.
    pub(super) async fn bring(
        &self,
        going: Going<'_>,
        mut candidate: Candidate,
    ) -> Result<Outcome, LoadError> {
        let Going { operation, change, .. } = going;
        operation.at(Step::Compare);
        let present = self.present(candidate.prepared.name()).await?;
        present.check_file(&candidate)?;
        if present.record.is_none() {
            candidate.kind = Kind::Install;
        }
        if present.is(&candidate) {
            self.note_source(&present, &candidate).await?;
            return Ok(told(operation, Outcome::Unchanged));
        }
        self.check_stage(&candidate.prepared, change, present.serving.is_some()).await?;
        let before = self.before(&present, &candidate).await;
        let mut comparison = Comparison::of(&before, &candidate);
        drop(before);
        operation.changes(comparison.sentences.clone());
        let beside = match present.record {
            None if change.dry_run => Beside::Nothing,
            _ => Beside::serving(present.serving.as_deref()),
        };
        let schema = Schema::open(&self.inner, &candidate.prepared, beside).await?;
        comparison.differences.extend(rehearse(operation, &present, schema.as_ref()).await?);
        match comparison.decide(change, candidate.waited.as_ref()) {
            Decision::Tell => {
                let migrations = schema.map(|schema| schema.steps()).unwrap_or_default();
                let differences = comparison.differences;
                Ok(told(operation, Outcome::Planned(Plan { differences, migrations })))
            }
            Decision::Wait => self.leave_waiting(going, &candidate, comparison).await,
            Decision::Bring => {
                let new = candidate.record(comparison.sentences, &change.by);
                let schema = self.conclude_last(going, &candidate.prepared, beside).await?;
                self.bring_decided(going, present, (candidate, new), schema).await
            }
        }
    }

    /// Has what follows the last change come to its end: what that has still to do with the data comes before
    /// what this change does. Returns what this one has to do then.
    async fn conclude_last(
        &self,
        going: Going<'_>,
        prepared: &Prepared,
        beside: Beside,
    ) -> Result<Option<Schema>, LoadError> {
        going.turn.conclude().await?;
        let schema = Schema::open(&self.inner, prepared, beside).await?;
        if schema.as_ref().is_some_and(Schema::gives_up_at_once) {
            let patience = self.inner.lifecycle.options.drain_time_max();
            going.turn.wait_for_older(prepared.name(), patience).await?;
        }
        Ok(schema)
    }

    pub(super) async fn present(&self, plugin: &str) -> Result<Present, LoadError> {
        let record = self.inner.lifecycle.ledger.plugin(plugin).await;
        let record = record.map_err(not_recorded(plugin, Step::Compare))?;
        Ok(Present { record, serving: self.table().get(plugin).cloned() })
    }

    /// Notes that the file has been read whose component serves already.
    async fn note_source(&self, present: &Present, candidate: &Candidate) -> Result<(), LoadError> {
        let name = candidate.prepared.name();
        let source = present.source_with(candidate);
        let noted = self.inner.lifecycle.ledger.set_source(name, &source).await;
        noted.map_err(not_recorded(name, Step::Compare))
    }

    /// Writes a candidate down that needs an operator's approval.
    async fn leave_waiting(
        &self,
        going: Going<'_>,
        candidate: &Candidate,
        comparison: Comparison,
    ) -> Result<Outcome, LoadError> {
        let plugin = candidate.prepared.name();
        self.keep(plugin, candidate.component.clone()).await?;
        let Comparison { differences, sentences } = comparison;
        let new = candidate.record(sentences, &going.change.by);
        let waited = candidate.waited.as_ref().map(|it| it.number);
        let number = self.wait_for_approval((plugin, waited), &new, &differences).await?;
        Ok(told(going.operation, Outcome::Waiting(number, differences)))
    }

    /// Returns the number by which it waits: the one by which it waited, unless it changes more now.
    async fn wait_for_approval(
        &self,
        (plugin, waited): (&str, Option<u32>),
        new: &NewGeneration,
        differences: &[Difference],
    ) -> Result<u32, LoadError> {
        let ledger = &self.inner.lifecycle.ledger;
        let not_recorded = not_recorded(plugin, Step::Compare);
        let history = self.known_history(plugin).await?;
        let is_it = |it: &GenerationRecord| {
            let is_same = it.digest == new.digest
                && self.inner.set_of(plugin, it).is_ok_and(|set| set == new.set);
            it.state == State::Waiting && (is_same || Some(it.number) == waited)
        };
        if let Some(waiting) = history.iter().find(|it| is_it(it)) {
            let mut needing = differences.iter().filter(|it| it.needs_approval());
            if needing.all(|it| it.is_in(&waiting.reason)) {
                return Ok(waiting.number);
            }
            let more = "it changes more now than it waited for";
            ledger.refuse(plugin, waiting.number, more).await.map_err(&not_recorded)?;
        }
        let reason = change::reason_to_wait(differences);
        ledger.add(plugin, new, (State::Waiting, &reason)).await.map_err(not_recorded)
    }

    async fn keep(&self, plugin: &str, component: Bytes) -> Result<Digest, LoadError> {
        let kept = components::keep(&self.inner.lifecycle.components, component).await;
        kept.map_err(|error| {
            let reason = format!("the component cannot be kept: {error}");
            Step::Compare.failed(Some(plugin), vec![reason])
        })
    }

    /// Writes a candidate down and brings it to its requests. One that fails on the way is written down as
    /// refused.
    async fn bring_decided(
        &self,
        going: Going<'_>,
        present: Present,
        (candidate, new): (Candidate, NewGeneration),
        schema: Option<Schema>,
    ) -> Result<Outcome, LoadError> {
        let name = candidate.prepared.name().to_owned();
        self.keep(&name, candidate.component.clone()).await?;
        let ledger = &self.inner.lifecycle.ledger;
        let number = ledger.add(&name, &new, (State::Preparing, "")).await;
        let number = number.map_err(not_recorded(&name, Step::Compare))?;
        let brought = self.bring_numbered(going, present, (candidate, number), schema).await;
        let brought = brought.map_err(|error| self.inner.redacted(error));
        if let Err(error) = &brought {
            let refused = ledger.refuse(&name, number, &error.reasons.join("; ")).await;
            if let Err(error) = refused {
                tracing::error!(plugin = name, %error, "a refusal was not written down");
            }
        }
        brought
    }

    async fn bring_numbered(
        &self,
        going: Going<'_>,
        present: Present,
        (candidate, number): (Candidate, u32),
        schema: Option<Schema>,
    ) -> Result<Outcome, LoadError> {
        let Going { operation, change, turn } = going;
        let source = present.source_with(&candidate);
        let serving = present.serving.as_deref();
        let is_held_against = serving.is_some_and(|it| candidate.is_held_against(it));
        let n_warm = serving.map_or(1, Generation::n_idle);
        let Candidate { prepared, kind, why, .. } = candidate;
        let generation =
            self.make_ready(operation, (prepared, number), schema.as_ref(), n_warm).await?;
        if let Some(stage) = change.stage.clone() {
            let beginning = Beginning { candidate: generation, stage, schema };
            let begun = self.begin_rollout(operation, beginning, &source).await?;
            turn.abandon();
            return Ok(begun);
        }
        let old = present.serving.as_deref().filter(|_| is_held_against);
        let watched = self.watched(&generation, old).await?;
        let place = Place { present: &present, source, kind, why };
        self.swap(operation, &generation, place).await?;
        let follows = Follows { old: present.serving, watched, schema };
        Ok(self.has_come(operation, turn, generation, follows))
    }

    /// What a generation will be held against that is about to serve, written down; nothing without an old one.
    pub(super) async fn watched(
        &self,
        new: &Generation,
        old: Option<&Generation>,
    ) -> Result<Option<Watched>, LoadError> {
        let Some(old) = old else { return Ok(None) };
        let watched = Watched::begin(&self.inner, new, old).await;
        watched.map(Some).map_err(not_recorded(new.name(), Step::Swap))
    }

    /// Brings the data and the first instances up.
    async fn make_ready(
        &self,
        operation: &Arc<Operation>,
        (prepared, number): (Prepared, u32),
        schema: Option<&Schema>,
        n_warm: usize,
    ) -> Result<Arc<Generation>, LoadError> {
        operation.at(Step::Expand);
        if let Some(schema) = schema {
            schema.expand(&self.inner, &prepared.digest()).await?;
            if schema.gives_up_at_once() {
                let noted = self.inner.lifecycle.ledger.contracted(prepared.name(), number).await;
                noted.map_err(not_recorded(prepared.name(), Step::Expand))?;
            }
        }
        let database = schema.map(|schema| schema.database.clone());
        operation.at(Step::Warm);
        let generation = Arc::new(load::build(&self.inner, (prepared, number), database));
        generation.warm(n_warm.clamp(1, WARM_INSTANCES_MAX)).await?;
        operation.at(Step::Health);
        generation.check_health().await?;
        Ok(generation)
    }

    /// Gives a generation that is ready all requests.
    async fn swap(
        &self,
        operation: &Operation,
        generation: &Arc<Generation>,
        place: Place<'_>,
    ) -> Result<(), LoadError> {
        let name = generation.name();
        operation.at(Step::Swap);
        let record = place.present.record.as_ref();
        let is_enabled = record.is_none_or(|it| it.state != Presence::Disabled);
        let state = if is_enabled { Presence::Enabled } else { Presence::Disabled };
        let is_rollback = place.kind == Kind::Rollback;
        let ended = if is_rollback { State::RolledBack } else { State::Superseded };
        let _loading = self.inner.loading.lock().await;
        let (ledger, number) = (&self.inner.lifecycle.ledger, generation.number());
        let at = (state.name(), &place.source);
        let swapped = ledger.activate(name, number, at, (ended, &place.why)).await;
        swapped.map_err(not_recorded(name, Step::Swap))?;
        if is_enabled {
            self.change(|plugins| plugins.insert(name.to_owned(), generation.clone()));
            generation.impose_limits();
        }
        Ok(())
    }

    /// Tells that a generation takes requests, or will when its plugin is enabled, and begins what follows.
    pub(super) fn has_come(
        &self,
        operation: &Arc<Operation>,
        turn: &Turn,
        new: Arc<Generation>,
        follows: Follows,
    ) -> Outcome {
        let is_served = self.table().get(new.name()).is_some_and(|it| Arc::ptr_eq(it, &new));
        if !is_served {
            return told(operation, Outcome::Ready(new.number()));
        }
        let outcome = Outcome::Serving(new.number());
        operation.has(Ok(outcome.clone()), true);
        turn.follow_swap(self, new, follows);
        outcome
    }
}

/// Tries what is to be done with the data on a copy of them, if there may be any. Returns what would be lost.
async fn rehearse(
    operation: &Operation,
    present: &Present,
    schema: Option<&Schema>,
) -> Result<Vec<Difference>, LoadError> {
    let Some(schema) = schema.filter(|schema| schema.is_pending()) else { return Ok(Vec::new()) };
    if present.record.is_none() {
        return Ok(Vec::new());
    }
    operation.at(Step::Trial);
    schema.rehearse(present.serving.as_deref()).await
}

/// An outcome that nothing follows.
fn told(operation: &Operation, outcome: Outcome) -> Outcome {
    operation.has(Ok(outcome.clone()), false);
    outcome
}
