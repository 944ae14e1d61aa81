//! Changes of the plugin in a rig: making them, waiting for what they come to, and seeing what they left. The
//! kinds are those of `upgrade`, whose versions the fixtures `upgrade-…` are.

use std::path::Path;
use std::sync::Arc;

use caplet_runtime::{
    Change, ChangeKind, Difference, Edit, Effect, GenerationState, LoadError, Operation, Outcome,
    Part, UpgradeOptions,
};
use caplet_tests::PATIENCE;
use serde_json::Value;

use super::{Rig, Setup, bytes_of, in_time, text};

/// The plugin that the fixtures `upgrade-…` are versions of.
pub const UPGRADE: &str = "upgrade";

pub fn install(guest: &str) -> ChangeKind {
    ChangeKind::Install { component: bytes_of(guest).into(), file: None, called: None }
}

pub fn rollback(to: Option<u32>) -> ChangeKind {
    ChangeKind::Rollback { plugin: UPGRADE.to_owned(), to }
}

pub fn approve(expected: Option<u32>) -> ChangeKind {
    ChangeKind::Approve { plugin: UPGRADE.to_owned(), expected }
}

pub fn disable() -> ChangeKind {
    ChangeKind::Disable { plugin: UPGRADE.to_owned() }
}

pub fn enable() -> ChangeKind {
    ChangeKind::Enable { plugin: UPGRADE.to_owned() }
}

/// Sets what an object names.
pub fn merge(plugin: &str, part: Part, patch: Value) -> ChangeKind {
    let Value::Object(patch) = patch else { panic!("{patch} is no object") };
    let (plugin, edit) = (plugin.to_owned(), Edit::Merge(patch));
    ChangeKind::Configure { plugin, part, edit, expected: None }
}

/// A change that an operator agrees to.
pub fn agreed(kind: ChangeKind) -> Change {
    Change::approved(kind, "ada")
}

/// A change that nobody has agreed to.
pub fn asked(kind: ChangeKind) -> Change {
    Change { approved: false, ..agreed(kind) }
}

/// Waits for all that follows a change. Returns what went wrong in it.
pub async fn settled(operation: &Operation) -> Option<String> {
    in_time("all that follows the change", operation.settled()).await;
    operation.progress().trouble
}

/// Whether one of the differences has that effect and says that.
pub fn has(differences: &[Difference], effect: Effect, text: &str) -> bool {
    differences.iter().any(|it| it.effect == effect && it.text.contains(text))
}

impl Setup {
    /// New versions are watched no longer than it takes to look.
    pub fn hasty() -> Self {
        let upgrade = UpgradeOptions { watch_ms: 0, drain_ms_max: 2_000 };
        Self { upgrade, ..Self::default() }
    }

    /// What the host knows and has is kept at a place, from where another one goes on.
    pub fn kept_at(self, place: &Path) -> Self {
        Self { kept: Some(place.to_owned()), ..self }
    }

    /// A runtime with the first version of `upgrade`, which has these notes and has listed them.
    pub async fn with_notes(self, notes: &[&str]) -> Rig {
        let rig = self.load("upgrade-v1").await;
        for note in notes {
            rig.post(&format!("/notes/{note}")).await.expect("the note is written");
        }
        rig.notes().await;
        rig
    }
}

impl Rig {
    /// Begins a change that an operator agrees to.
    pub fn begin(&self, kind: ChangeKind) -> Arc<Operation> {
        self.runtime.begin(agreed(kind))
    }

    /// A change that an operator agrees to, once it has taken effect.
    pub async fn changed(&self, kind: ChangeKind) -> Arc<Operation> {
        let operation = self.begin(kind);
        operation.outcome().await.expect("the change takes effect");
        operation
    }

    /// Why a change that an operator agrees to is not made.
    pub async fn refused(&self, kind: ChangeKind) -> LoadError {
        self.begin(kind).outcome().await.expect_err("the change is refused")
    }

    /// What a change comes to that nobody has agreed to.
    pub async fn asked(&self, kind: ChangeKind) -> Result<Outcome, LoadError> {
        self.runtime.begin(asked(kind)).outcome().await
    }

    /// Asks for a version that has to wait. Returns its number and why.
    pub async fn kept_waiting(&self, guest: &str) -> (u32, Vec<Difference>) {
        match self.asked(install(guest)).await {
            Ok(Outcome::Waiting(number, differences)) => (number, differences),
            outcome => panic!("{guest}: {outcome:?}"),
        }
    }

    /// The states of all generations, the first one first.
    pub async fn states(&self) -> Vec<GenerationState> {
        let mut history = self.runtime.history(&self.plugin).await.expect("the history is read");
        history.reverse();
        history.into_iter().map(|generation| generation.state).collect()
    }

    /// The version of `upgrade` that answers.
    pub async fn version(&self) -> String {
        text(&self.get("/version").await.expect("an answer")).to_owned()
    }

    /// What `upgrade` answers when it is asked for its notes.
    pub async fn notes(&self) -> String {
        text(&self.get("/notes").await.expect("an answer")).to_owned()
    }

    /// Ends the host, so that another one can be started at its place.
    pub async fn end(self) {
        assert!(self.runtime.shutdown(PATIENCE).await, "something goes on");
        self.runtime.database().close().await;
    }
}

/// Runs one host from its start to its end: nothing of it is left afterwards.
pub fn host_life(life: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("threads").block_on(life);
}
