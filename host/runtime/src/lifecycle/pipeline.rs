//! What is asked for, made a candidate: prepared, with the turn of its plugin. How it comes to its requests is
//! in [`super::bring`]; what is taken out of service ends here.

use std::sync::Arc;

use bytes::Bytes;

use super::bring::Going;
use super::change::{Change, ChangeKind, FileSource};
use super::comparison::{Candidate, Waited};
use super::history::{GenerationRecord, Kind, Presence, State};
use super::layer::Set;
use super::ledger::Source;
use super::operation::{Claim, Operation, Outcome};
use super::{components, not_recorded};
use crate::load::{self, LoadError, Prepared, Step};
use crate::runtime::Runtime;

impl Runtime {
    pub(super) async fn carry_out(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
    ) -> Result<Outcome, LoadError> {
        if change.dry_run && !change.kind.can_be_planned() {
            let reason = format!("{} has nothing to tell beforehand", change.kind.name());
            return Err(Step::Compare.failed(None, vec![reason]));
        }
        match &change.kind {
            ChangeKind::Install { component, file, called } => {
                let called = called.as_deref();
                self.install(operation, change, (component.clone(), called), file.clone()).await
            }
            ChangeKind::Approve { plugin, expected } => {
                self.approve(operation, change, (plugin, *expected)).await
            }
            ChangeKind::Rollback { plugin, to } => {
                self.roll_back(operation, change, (plugin, *to)).await
            }
            ChangeKind::Rollout { plugin, order } => {
                self.roll_out(operation, change, (plugin, order)).await
            }
            ChangeKind::Configure { plugin, part, edit, .. } => {
                self.configure(operation, change, (plugin, *part, edit)).await
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
        (component, called): (Bytes, Option<&str>),
        file: Option<FileSource>,
    ) -> Result<Outcome, LoadError> {
        let mut prepared = self.prepare_for(operation, (component.clone(), called), None).await?;
        let name = prepared.name().to_owned();
        let turn = self.inner.lifecycle.turn(&name, operation).await?;
        // Its settings may have been changed while it was compiled.
        if self.inner.layer_of(&name).await? != prepared.layer {
            prepared = self.prepare_for(operation, (component.clone(), called), None).await?;
        }
        let kind = Kind::Upgrade;
        let why = String::new();
        let candidate = Candidate { prepared, component, kind, file, why, waited: None };
        self.bring(Going { operation, change, turn: &turn }, candidate).await
    }

    async fn approve(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
        (plugin, expected): (&str, Option<u32>),
    ) -> Result<Outcome, LoadError> {
        operation.is_about(plugin);
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        let history = self.known_history(plugin).await?;
        let waiting = waiting(&history, expected);
        let waiting = waiting.map_err(|reason| Step::Compare.failed(Some(plugin), vec![reason]))?;
        let component = self.component_of(plugin, waiting).await?;
        let (kind, set) = match waiting.kind {
            Kind::Configuration => (Kind::Configuration, Some(self.inner.set_of(plugin, waiting)?)),
            _ => (Kind::Upgrade, None),
        };
        let prepared = self.prepare_for(operation, (component.clone(), Some(plugin)), set).await?;
        let why = String::new();
        let waited = Some(Waited { number: waiting.number, reason: waiting.reason.clone() });
        let candidate = Candidate { prepared, component, kind, file: None, why, waited };
        self.bring(Going { operation, change, turn: &turn }, candidate).await
    }

    async fn roll_back(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
        (plugin, to): (&str, Option<u32>),
    ) -> Result<Outcome, LoadError> {
        operation.is_about(plugin);
        let turn = self.inner.lifecycle.turn(plugin, operation).await?;
        if let Claim::Watch(judged) = operation.claim()
            && self.table().get(plugin).is_none_or(|it| it.number() != judged)
        {
            return Ok(Outcome::Unchanged);
        }
        self.refuse_during_rollout(plugin)?;
        let refused = |reason: String| Step::Compare.failed(Some(plugin), vec![reason]);
        let present = self.present(plugin).await?;
        let Some(record) = &present.record else {
            return Err(refused("it was never installed".to_owned()));
        };
        let history = self.known_history(plugin).await?;
        let target = target(&history, record.generation, to).map_err(refused)?;
        if !change.dry_run {
            // Compiling takes time, in which what follows the last upgrade might take the way back away.
            turn.hold().await;
        }
        let component = self.component_of(plugin, target).await?;
        let set = self.options_of(plugin, target).await?;
        let prepared =
            self.prepare_for(operation, (component.clone(), Some(plugin)), Some(set)).await?;
        let why = format!("rolled back by {}", change.by);
        let kind = Kind::Rollback;
        let candidate = Candidate { prepared, component, kind, file: None, why, waited: None };
        let change = &Change { approved: true, ..change.clone() };
        self.bring(Going { operation, change, turn: &turn }, candidate).await
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
            Some(record) => {
                turn.hold().await;
                self.resume(operation, record, &turn).await
            }
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
        turn.hold().await;
        operation.at(Step::Swap);
        let loading = self.inner.loading.lock().await;
        let ledger = &self.inner.lifecycle.ledger;
        let recorded = ledger.set_state(plugin, state.name()).await;
        recorded.map_err(not_recorded(plugin, Step::Swap))?;
        let stopped = self.change(|plugins| plugins.remove(plugin));
        self.inner.lifecycle.not_restored.lock().remove(plugin);
        drop(loading);
        operation.has(Ok(Outcome::Stopped), stopped.is_some());
        if let Some(old) = stopped {
            turn.follow_end(self, &old);
        }
        Ok(Outcome::Stopped)
    }

    /// Compiles, describes and checks a component, step by step. One that has no name of its own is `called`
    /// so.
    pub(super) async fn prepare_for(
        &self,
        operation: &Operation,
        (component, called): (Bytes, Option<&str>),
        set: Option<Set>,
    ) -> Result<Prepared, LoadError> {
        operation.at(Step::Compile);
        let compiled = load::compile(&self.inner, component).await?;
        operation.at(Step::Describe);
        let prepared = load::examine(&self.inner, compiled, called, set).await?;
        operation.is_about(prepared.name());
        Ok(prepared)
    }

    pub(super) async fn known_history(
        &self,
        plugin: &str,
    ) -> Result<Vec<GenerationRecord>, LoadError> {
        let history = self.inner.lifecycle.ledger.generations(plugin).await;
        history.map_err(not_recorded(plugin, Step::Compare))
    }

    pub(super) async fn component_of(
        &self,
        plugin: &str,
        generation: &GenerationRecord,
    ) -> Result<Bytes, LoadError> {
        let read = components::read(&self.inner.lifecycle.components, &generation.digest).await;
        read.map_err(|error| {
            let reason = format!("the component of generation {}: {error}", generation.number);
            Step::Compile.failed(Some(plugin), vec![reason, "install it again".to_owned()])
        })
    }
}

/// The generation that is agreed to: the one of that number, or the only one that waits. Whoever agrees without
/// a number cannot have meant one that came later than another.
fn waiting(
    history: &[GenerationRecord],
    expected: Option<u32>,
) -> Result<&GenerationRecord, String> {
    let all: Vec<_> = history.iter().filter(|it| it.state == State::Waiting).collect();
    let numbers = || all.iter().map(|it| it.number.to_string()).collect::<Vec<_>>().join(", ");
    match (expected, &all[..]) {
        (_, []) => Err("nothing waits for approval".to_owned()),
        (None, [waiting]) => Ok(waiting),
        (None, _) => Err(format!(
            "the generations {} wait for approval; say the number of the one that is agreed to",
            numbers()
        )),
        (Some(number), _) => all.iter().find(|it| it.number == number).copied().ok_or_else(|| {
            format!("generation {number} does not wait for approval; these do: {}", numbers())
        }),
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
