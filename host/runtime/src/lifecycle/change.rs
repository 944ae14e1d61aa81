//! What can be asked for.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::audit::Decision;
use crate::lifecycle::components;
use crate::lifecycle::difference::Difference;
use crate::lifecycle::history::{GenerationRecord, PluginRecord};
use crate::lifecycle::layer::{Edit, Part};
use crate::lifecycle::operation::{Claim, Operation, Outcome};
use crate::lifecycle::rollout::RolloutOrder;
use crate::lifecycle::stage::Stage;
use crate::load::{LoadError, Step};
use crate::runtime::Runtime;
use crate::{Digest, Generation};

/// A change of one plugin.
#[derive(Debug, Clone)]
pub struct Change {
    /// What is changed.
    pub kind: ChangeKind,
    /// Who wants it, for the history.
    pub by: String,
    /// Whether differences that grow the plugin's powers or break its callers are agreed to.
    pub approved: bool,
    /// Whether only to tell what would happen: for what brings a generation.
    pub dry_run: bool,
    /// Which requests the new generation gets at first, beside the one that serves; all of them, when
    /// not given. For what brings a generation: an install, an approval, a rollback.
    pub stage: Option<Stage>,
}

/// What is changed.
#[derive(Debug, Clone)]
pub enum ChangeKind {
    /// A component is to serve: it installs its plugin, or upgrades it.
    Install {
        /// The component.
        component: Bytes,
        /// The file in the plugin folder that it was read from.
        file: Option<FileSource>,
        /// The plugin's name, for a component that has none of its own: one of `wasi:http`.
        called: Option<String>,
    },
    /// The generation that waits is agreed to: what it was told to change. One that changes more by now
    /// waits again.
    Approve {
        /// The plugin.
        plugin: String,
        /// Its number; the only one that waits, when not given.
        expected: Option<u32>,
    },
    /// An earlier generation is to serve again.
    Rollback {
        /// The plugin.
        plugin: String,
        /// Its number; the one that served before, when not given.
        to: Option<u32>,
    },
    /// A rollout that goes on is to be at another stage, or to end.
    Rollout {
        /// The plugin.
        plugin: String,
        /// What is to become of it.
        order: RolloutOrder,
    },
    /// What the operator has set for the plugin is to be otherwise.
    Configure {
        /// The plugin.
        plugin: String,
        /// What of it.
        part: Part,
        /// How.
        edit: Edit,
        /// The generation that must serve when it is its turn, because the change was made for it; any,
        /// when not given.
        expected: Option<u32>,
    },
    /// A disabled plugin is to serve again.
    Enable {
        /// The plugin.
        plugin: String,
    },
    /// The plugin is to take no requests, also after a restart.
    Disable {
        /// The plugin.
        plugin: String,
    },
    /// The plugin is to be forgotten; its data and its history stay.
    Remove {
        /// The plugin.
        plugin: String,
        /// Whether the file is gone that it followed, so that one of the same content is news.
        file_is_gone: bool,
    },
}

/// A file in the plugin folder, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSource {
    /// Its name, without the folder.
    pub file: String,
}

impl Change {
    /// A change that is agreed to by whoever asks for it.
    #[must_use]
    pub fn approved(kind: ChangeKind, by: &str) -> Self {
        Self { kind, by: by.to_owned(), approved: true, dry_run: false, stage: None }
    }
}

impl ChangeKind {
    fn is_load(&self) -> bool {
        !matches!(self, Self::Disable { .. } | Self::Remove { .. } | Self::Rollout { .. })
    }

    /// Whether a dry run of it tells anything.
    pub(super) fn can_be_planned(&self) -> bool {
        matches!(
            self,
            Self::Install { .. }
                | Self::Approve { .. }
                | Self::Rollback { .. }
                | Self::Configure { .. }
        )
    }

    /// The word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Install { .. } => "install",
            Self::Approve { .. } => "approve",
            Self::Rollback { .. } => "rollback",
            Self::Rollout { .. } => "rollout",
            Self::Configure { part, .. } => part.name(),
            Self::Enable { .. } => "enable",
            Self::Disable { .. } => "disable",
            Self::Remove { .. } => "remove",
        }
    }
}

/// Who changes plugins when the application around the host does.
const APPLICATION: &str = "application";

impl Runtime {
    /// Begins a change, which goes on by itself. Must be called within a tokio runtime.
    pub fn begin(&self, change: Change) -> Arc<Operation> {
        let claim = Claim::of(&change);
        self.begin_as(change, claim)
    }

    pub(super) fn begin_as(&self, change: Change, claim: Claim) -> Arc<Operation> {
        let (what, audit) = ((change.kind.name(), change.by.clone()), self.inner.audit.clone());
        let operation = self.inner.lifecycle.operations.begin_as(what, claim, Some(audit));
        let (runtime, going_on) = (self.clone(), operation.clone());
        let is_load = change.kind.is_load();
        let in_flight = self.inner.in_flight.enter();
        tokio::spawn(async move {
            let (changing, operation) = (runtime.clone(), going_on.clone());
            let work =
                tokio::spawn(async move { changing.carry_out_anew(&operation, &change).await });
            let outcome = work.await.unwrap_or_else(|panicked| {
                let reason = format!("the host failed: {panicked}");
                Err(Step::Compare.failed(None, vec![reason]))
            });
            let outcome = outcome.map_err(|error| runtime.inner.redacted(error));
            if is_load {
                runtime.inner.metrics.loaded(outcome.is_ok());
            }
            runtime.inner.audit.note(decision(&going_on, &outcome)).await;
            // A change that took effect has said so itself: something may follow it.
            if going_on.progress().outcome.is_none() {
                going_on.has(outcome, false);
            }
            going_on.is_written();
            // A host that ends waits for it as for a call.
            drop(in_flight);
        });
        operation
    }

    /// Carries a change out, and once more from its beginning when a rollback came before it.
    async fn carry_out_anew(
        &self,
        operation: &Arc<Operation>,
        change: &Change,
    ) -> Result<Outcome, LoadError> {
        loop {
            let outcome = self.carry_out(operation, change).await;
            if !operation.was_overtaken() {
                return outcome;
            }
            let plugin = operation.progress().plugin.unwrap_or_default();
            tracing::info!(plugin, operation = operation.id(), "a rollback came before the change");
            self.inner.lifecycle.until_free(&plugin).await;
        }
    }

    /// Loads a component: installs its plugin, or replaces the generation that serves now. Requests
    /// in flight finish on the old one. Whatever differs is agreed to.
    ///
    /// # Errors
    /// Why it was not loaded; what served before serves on.
    pub async fn load(&self, component: Vec<u8>) -> Result<Arc<Generation>, LoadError> {
        self.load_as(component, None).await
    }

    /// The same, for a component that has no name of its own, one of `wasi:http`: it is `called` so.
    ///
    /// # Errors
    /// Why it was not loaded; what served before serves on.
    pub async fn load_as(
        &self,
        component: Vec<u8>,
        called: Option<&str>,
    ) -> Result<Arc<Generation>, LoadError> {
        let digest = Digest::of(&component);
        let called = called.map(ToOwned::to_owned);
        let kind = ChangeKind::Install { component: component.into(), file: None, called };
        self.begin(Change::approved(kind, APPLICATION)).outcome().await?;
        let table = self.table();
        let serving = table.iter().find(|generation| generation.digest() == digest);
        serving.cloned().ok_or_else(|| {
            Step::Swap.failed(None, vec!["it is disabled; enable it first".to_owned()])
        })
    }

    /// Takes a plugin out of service. Requests in flight finish; its data stays.
    /// Returns whether it was loaded.
    pub async fn remove(&self, plugin: &str) -> bool {
        let was_loaded = self.table().get(plugin).is_some();
        let kind = ChangeKind::Remove { plugin: plugin.to_owned(), file_is_gone: true };
        let removed = self.begin(Change::approved(kind, APPLICATION)).outcome().await;
        was_loaded && removed.is_ok()
    }

    /// Keeps a component, so that it can be installed by its digest. What no generation uses is
    /// forgotten when the host starts again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn keep_component(&self, component: Bytes) -> std::io::Result<Digest> {
        components::keep(&self.inner.lifecycle.components, component).await
    }

    /// The component of that digest, in hexadecimal digits, if it is kept.
    pub async fn kept_component(&self, digest: &str) -> Option<Bytes> {
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_digest {
            return None;
        }
        components::read(&self.inner.lifecycle.components, digest).await.ok()
    }

    /// A plugin whose data are being migrated now, or are tried to be on a copy. That is not cut short, so
    /// whoever wants the databases has to wait.
    #[must_use]
    pub fn migrating(&self) -> Option<String> {
        self.inner.lifecycle.operations.migrating()
    }

    /// An operation, while it goes on and for some time after.
    #[must_use]
    pub fn operation(&self, id: &str) -> Option<Arc<Operation>> {
        self.inner.lifecycle.operations.get(id)
    }

    /// All plugins that were ever installed, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plugins(&self) -> caplet_store::Result<Vec<PluginRecord>> {
        self.inner.lifecycle.ledger.plugins().await
    }

    /// The generations of a plugin, the newest first; the oldest of very many are forgotten.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn history(&self, plugin: &str) -> caplet_store::Result<Vec<GenerationRecord>> {
        self.inner.lifecycle.ledger.generations(plugin).await
    }

    /// What a generation said of itself, as [`crate::description_document`]; none for one that is not known
    /// any more, or was written down by a host of before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn description_of(
        &self,
        plugin: &str,
        number: u32,
    ) -> caplet_store::Result<Option<serde_json::Value>> {
        self.inner.lifecycle.ledger.description(plugin, number).await
    }
}

/// What came of an operation, for the log of decisions.
pub(super) fn decision(operation: &Operation, outcome: &Result<Outcome, LoadError>) -> Decision {
    let plugin = operation.progress().plugin.unwrap_or_default();
    let (came_to, more) = match outcome {
        Ok(Outcome::Serving(number)) => ("serving", json!({ "generation": number })),
        Ok(Outcome::Ready(number)) => ("ready", json!({ "generation": number })),
        Ok(Outcome::Unchanged) => ("unchanged", json!({})),
        Ok(Outcome::Planned(_)) => ("planned", json!({})),
        Ok(Outcome::Stopped) => ("stopped", json!({})),
        Ok(Outcome::Staged(number, stage)) => {
            ("staged", json!({ "generation": number, "stage": stage }))
        }
        Ok(Outcome::TakenBack(number)) => ("taken-back", json!({ "generation": number })),
        Ok(Outcome::Waiting(number, differences)) => {
            ("waiting", json!({ "generation": number, "reason": reason_to_wait(differences) }))
        }
        Err(error) => ("refused", json!({ "step": error.step.name(), "reasons": error.reasons })),
    };
    let changes = operation.progress().changes;
    let detail = json!({
        "operation": operation.id(), "outcome": came_to, "more": more, "changes": changes,
    });
    let actor = operation.by().to_owned();
    // By its id it is found again by whoever asks why.
    let request = outcome.as_ref().map_or_else(|_| operation.id().to_owned(), |_| String::new());
    Decision { actor, plugin, action: operation.change(), detail, request }
}

/// What waits for approval, in one line.
pub(super) fn reason_to_wait(differences: &[Difference]) -> String {
    let texts: Vec<&str> = differences
        .iter()
        .filter(|difference| difference.needs_approval())
        .map(|difference| difference.text.as_str())
        .collect();
    texts.join("; ")
}
