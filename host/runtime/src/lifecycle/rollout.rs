//! A new version beside the one that serves, for some of the requests: how it comes there, how its stage
//! changes, and how it ends, by taking the place of the one that serves or by going.
//!
//! Expand migrations have run for both. What only the new version's data need, and what it gives up,
//! waits until it serves alone. When a host starts, a rollout goes on where it was; the counts begin anew.
//!
//! Invariant: the ledger knows a stage before the table does, and a plugin has at most one candidate.

use std::sync::Arc;

use super::aftermath::Follows;
use super::change::Change;
use super::history::{GenerationRecord, Kind, Presence, State};
use super::ledger::Source;
use super::operation::{Claim, Operation, Outcome};
use super::schema::{Beside, Schema};
use super::scores::Score;
use super::stage::{Caller, Stage};
use super::{Turn, not_recorded, rollout_watch};
use crate::generation::Generation;
use crate::load::{self, LoadError, Prepared, Step};
use crate::runtime::Runtime;
use crate::shadow::Shadow;

/// Who goes on with a rollout when the host starts.
const START: &str = "start";

/// A new version that gets some of the requests of its plugin.
#[derive(Clone)]
pub struct Rollout {
    pub(crate) candidate: Arc<Generation>,
    pub(crate) stage: Stage,
    /// The same for as long as the rollout goes on, also after a restart.
    salt: String,
    pub(super) schema: Option<Schema>,
    pub(super) began_ms: u64,
    /// What the one that serves had done when the rollout began.
    pub(super) stable_before: Score,
    pub(crate) shadow: Arc<Shadow>,
}

/// What is to become of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutOrder {
    /// The new version gets the requests of another stage.
    Stage(Stage),
    /// It takes the place of the one that serves.
    Complete,
    /// It goes; the one that serves gets all requests again.
    Abort,
}

impl Rollout {
    /// The new version.
    #[must_use]
    pub fn candidate(&self) -> &Arc<Generation> {
        &self.candidate
    }

    /// Which requests it gets.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether the new version answers a request.
    #[must_use]
    pub fn answers(&self, caller: &Caller<'_>) -> bool {
        !self.stage.shadow && self.stage.takes(&self.salt, caller)
    }

    /// Whether the new version gets a copy of a request, which is thrown away.
    #[must_use]
    pub fn copies(&self, caller: &Caller<'_>) -> bool {
        self.stage.shadow && self.stage.takes(&self.salt, caller)
    }
}

impl std::fmt::Debug for Rollout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rollout")
            .field("candidate", &self.candidate)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// What a rollout begins with.
pub(super) struct Beginning {
    pub(super) candidate: Arc<Generation>,
    pub(super) stage: Stage,
    pub(super) schema: Option<Schema>,
}

/// Whether a version can be at a stage.
fn check_for(stage: &Stage, is_wasi_http: bool) -> Result<(), String> {
    if stage.shadow && is_wasi_http {
        let reason = "a component of `wasi:http` gets no copies, because what it does cannot be held back; roll \
                      it out to a part of the requests";
        return Err(reason.to_owned());
    }
    stage.check()
}

impl Runtime {
    /// Refuses a change while a rollout of the plugin goes on: which of three versions would be the one
    /// to come back to? The change is tried again by those who follow files.
    pub(super) fn refuse_during_rollout(&self, plugin: &str) -> Result<(), LoadError> {
        let table = self.table();
        let Some(rollout) = table.rollout(plugin) else { return Ok(()) };
        let goes_on = format!(
            "generation {} is being rolled out ({})",
            rollout.candidate.number(),
            rollout.stage
        );
        let remedy = format!(
            "end that with `caplet rollout {plugin} --complete` or `--abort`, then try again"
        );
        Err(Step::Turn.failed(Some(plugin), vec![goes_on, remedy]))
    }

    /// Whether a change may go on by a stage, and no rollout stands in its way.
    pub(super) async fn check_stage(
        &self,
        candidate: &Prepared,
        change: &Change,
        serves: bool,
    ) -> Result<(), LoadError> {
        let plugin = candidate.name();
        self.refuse_during_rollout(plugin)?;
        let refused = |reason: String| Step::Compare.failed(Some(plugin), vec![reason]);
        if let Some(stage) = &change.stage {
            check_for(stage, candidate.inspection.is_wasi_http).map_err(refused)?;
            if !serves {
                let alone = "no version of it serves that could get the other requests";
                return Err(refused(format!("{alone}; bring it without a stage")));
            }
        }
        if change.dry_run {
            return Ok(());
        }
        // What is a candidate here was left by a host that could not start what served.
        let left = (State::Refused, "the host could not go on with it");
        let ended = self.inner.lifecycle.ledger.end_candidates(plugin, left).await;
        ended.map_err(not_recorded(plugin, Step::Compare))
    }

    /// Gives a generation that is ready the requests of its stage, beside the one that serves.
    pub(super) async fn begin_rollout(
        &self,
        operation: &Arc<Operation>,
        beginning: Beginning,
        source: &Source,
    ) -> Result<Outcome, LoadError> {
        let Beginning { candidate, stage, schema } = beginning;
        let (plugin, number) = (candidate.name().to_owned(), candidate.number());
        operation.at(Step::Stage);
        let loading = self.inner.loading.lock().await;
        let ledger = &self.inner.lifecycle.ledger;
        let recorded = ledger.stage(&plugin, number, &stage).await;
        recorded.map_err(not_recorded(&plugin, Step::Stage))?;
        let noted = ledger.set_source(&plugin, source).await;
        noted.map_err(not_recorded(&plugin, Step::Stage))?;
        let stable_before =
            self.table().get(&plugin).map(|stable| stable.scores.read()).unwrap_or_default();
        let rollout = Rollout {
            salt: format!("{plugin} {}", candidate.digest()),
            shadow: Arc::new(Shadow::new(self.inner.metrics.shadow(&plugin))),
            candidate,
            stage: stage.clone(),
            schema,
            began_ms: self.inner.clock.now_ms(),
            stable_before,
        };
        self.change_table(|table| table.rollouts.insert(plugin.clone(), Arc::new(rollout)));
        drop(loading);
        tracing::info!(plugin, generation = number, %stage, "a rollout has begun");
        let outcome = Outcome::Staged(number, stage);
        operation.has(Ok(outcome.clone()), true);
        rollout_watch::watch(self, operation, (plugin, number));
        Ok(outcome)
    }

    /// Changes what a rollout is at, or ends it.
    pub(super) async fn roll_out(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
        (plugin, order): (&str, &RolloutOrder),
    ) -> Result<Outcome, LoadError> {
        operation.is_about(plugin);
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        let refused = |reason: String| Step::Compare.failed(Some(plugin), vec![reason]);
        let rollout = self.table().rollout(plugin).cloned();
        let rollout =
            rollout.ok_or_else(|| refused("no version of it is being rolled out".to_owned()))?;
        if let Claim::Watch(judged) = operation.claim()
            && rollout.candidate.number() != judged
        {
            return Ok(Outcome::Unchanged);
        }
        match order {
            RolloutOrder::Stage(stage) => {
                check_for(stage, rollout.candidate.is_wasi_http()).map_err(refused)?;
                self.move_to(operation, &rollout, stage).await
            }
            RolloutOrder::Complete => self.complete(operation, &turn, rollout).await,
            RolloutOrder::Abort => {
                self.abort(operation, rollout, &change.by).await.map(|(outcome, candidate)| {
                    operation.has(Ok(outcome.clone()), true);
                    turn.follow_end(self, &candidate);
                    outcome
                })
            }
        }
    }

    async fn move_to(
        &self,
        operation: &Arc<Operation>,
        rollout: &Rollout,
        stage: &Stage,
    ) -> Result<Outcome, LoadError> {
        let (plugin, number) = (rollout.candidate.name(), rollout.candidate.number());
        operation.at(Step::Stage);
        let _loading = self.inner.loading.lock().await;
        let recorded = self.inner.lifecycle.ledger.stage(plugin, number, stage).await;
        recorded.map_err(not_recorded(plugin, Step::Stage))?;
        let moved = Arc::new(Rollout { stage: stage.clone(), ..rollout.clone() });
        self.change_table(|table| table.rollouts.insert(plugin.to_owned(), moved));
        tracing::info!(plugin, generation = number, %stage, "a rollout is at another stage");
        let outcome = Outcome::Staged(number, stage.clone());
        operation.has(Ok(outcome.clone()), false);
        Ok(outcome)
    }

    /// Puts the candidate in the place of the generation that serves.
    async fn complete(
        &self,
        operation: &Arc<Operation>,
        turn: &Turn,
        rollout: Arc<Rollout>,
    ) -> Result<Outcome, LoadError> {
        let (plugin, number) = (rollout.candidate.name().to_owned(), rollout.candidate.number());
        operation.at(Step::Swap);
        let unknown = not_recorded(&plugin, Step::Swap);
        let ledger = &self.inner.lifecycle.ledger;
        let record = ledger.plugin(&plugin).await.map_err(&unknown)?;
        let source = record.map(|it| Source { file: it.file, digest: it.file_digest });
        let history = ledger.generations(&plugin).await.map_err(&unknown)?;
        let kind = history.iter().find(|it| it.number == number).map(|it| it.kind);
        let is_rollback = kind == Some(Kind::Rollback);
        let ended = if is_rollback { State::RolledBack } else { State::Superseded };
        // What was rolled back is not rolled back again.
        let stable = self.table().get(&plugin).filter(|_| !is_rollback).cloned();
        let watched = self.watched(&rollout.candidate, stable.as_deref()).await?;
        drop(stable);
        let loading = self.inner.loading.lock().await;
        let place = (Presence::Enabled.name(), &source.unwrap_or_default());
        ledger.activate(&plugin, number, place, (ended, "")).await.map_err(unknown)?;
        let candidate = rollout.candidate.clone();
        let old = self.change_table(|table| {
            table.rollouts.remove(&plugin);
            table.plugins.insert(plugin.clone(), candidate.clone())
        });
        candidate.impose_limits();
        drop(loading);
        let follows = Follows { old, watched, schema: rollout.schema.clone() };
        Ok(self.has_come(operation, turn, candidate, follows))
    }

    /// Takes the candidate away. What was expanded for it stays: the one that serves can live with it.
    async fn abort(
        &self,
        operation: &Operation,
        rollout: Arc<Rollout>,
        by: &str,
    ) -> Result<(Outcome, Arc<Generation>), LoadError> {
        let candidate = rollout.candidate.clone();
        drop(rollout);
        let (plugin, number) = (candidate.name(), candidate.number());
        operation.at(Step::Stage);
        let _loading = self.inner.loading.lock().await;
        let reason = format!("taken back by {by}");
        let ended = (State::RolledBack, reason.as_str());
        let recorded = self.inner.lifecycle.ledger.end_candidates(plugin, ended).await;
        recorded.map_err(not_recorded(plugin, Step::Stage))?;
        self.inner.lifecycle.life(plugin).replaced.add(&candidate);
        self.change_table(|table| table.rollouts.remove(plugin));
        tracing::info!(plugin, generation = number, by, "a rollout was ended");
        Ok((Outcome::TakenBack(number), candidate))
    }

    /// Ends a rollout of a plugin that is to be taken out of service.
    pub(super) async fn end_rollout(
        &self,
        operation: &Operation,
        plugin: &str,
        by: &str,
    ) -> Result<(), LoadError> {
        let rollout = self.table().rollout(plugin).cloned();
        match rollout {
            Some(rollout) => self.abort(operation, rollout, by).await.map(drop),
            None => Ok(()),
        }
    }

    /// Goes on with the rollout that went on when the host ended. One that cannot is given up.
    pub(super) async fn resume_rollout(&self, plugin: &str, turn: &Turn) {
        let history = self.inner.lifecycle.ledger.generations(plugin).await.unwrap_or_default();
        let Some(record) = history.into_iter().find(|it| it.state == State::Candidate) else {
            return;
        };
        let operation = self.inner.lifecycle.operations.begin("rollout", START.to_owned());
        operation.is_about(plugin);
        // What the version that serves had still to do with the data comes first.
        let brought = match turn.conclude().await {
            Ok(()) => self.bring_candidate_back(&operation, plugin, &record).await,
            Err(overtaken) => Err(overtaken),
        };
        let Err(error) = brought else { return };
        tracing::error!("a rollout does not go on: {error}");
        let reason = format!("it could not be started again: {}", error.reasons.join("; "));
        let ended = (State::Refused, reason.as_str());
        let recorded = self.inner.lifecycle.ledger.end_candidates(plugin, ended).await;
        if let Err(error) = recorded {
            tracing::error!(plugin, %error, "the end of a rollout was not written down");
        }
        operation.has(Err(error), false);
    }

    async fn bring_candidate_back(
        &self,
        operation: &Arc<Operation>,
        plugin: &str,
        record: &GenerationRecord,
    ) -> Result<Outcome, LoadError> {
        let stage = record.stage.clone().unwrap_or_default();
        let stable = self.table().get(plugin).cloned();
        let component = self.component_of(plugin, record).await?;
        let set = match record.kind {
            Kind::Rollback => Some(self.options_of(plugin, record).await?),
            _ => None,
        };
        let prepared = self.prepare_for(operation, (component, Some(plugin)), set).await?;
        operation.at(Step::Expand);
        let beside = Beside::serving(stable.as_deref());
        drop(stable);
        let schema = Schema::open(&self.inner, &prepared, beside).await?;
        if let Some(schema) = &schema {
            schema.expand(&self.inner, &prepared.digest()).await?;
        }
        let database = schema.as_ref().map(|schema| schema.database.clone());
        operation.at(Step::Warm);
        let candidate = Arc::new(load::build(&self.inner, (prepared, record.number), database));
        candidate.warm(1).await?;
        let beginning = Beginning { candidate, stage, schema };
        let place = self.inner.lifecycle.ledger.plugin(plugin).await;
        let place = place.map_err(not_recorded(plugin, Step::Stage))?;
        let source = place.map(|it| Source { file: it.file, digest: it.file_digest });
        self.begin_rollout(operation, beginning, &source.unwrap_or_default()).await
    }
}
