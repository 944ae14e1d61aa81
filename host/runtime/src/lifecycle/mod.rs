//! The life of plugins: one way for every change, whoever asks for it (the plugin folder, the command
//! line, the admin API, the application around the host).
//!
//! A change is an [`Operation`]. It brings a new [`Generation`](crate::Generation), step by step:
//! compile, describe, compare with what serves, expand the data, warm, ask for its health, swap. Until
//! the swap nothing that serves is touched, and a step that fails ends the operation. The swap is one
//! transaction of the host's database and one atomic change of the route table. What follows is the
//! aftermath: the old generation is drained, the new one is watched, and only then the data lose their
//! old shape.
//!
//! - `change`: what can be asked for; `operation`: how far it is; `difference`: what needs approval.
//! - `configure`: changes of what the operator has set, `layer`: what was set while the host ran,
//!   `configured`: what differs between two of them.
//! - `pipeline`: the way up to the swap; `schema`: the data on that way; `aftermath`: what follows;
//!   `judge`: whether it does worse, by its `scores`.
//! - `rollout`: a new version beside the one that serves, for the requests of a `stage`; `rollout_watch`:
//!   when it is taken back.
//! - `ledger`, `history`, `components`: what is remembered; `restore`: how a host starts from it;
//!   `recorded`: the statements of what serves.
//!
//! Invariant: one change of a plugin goes on at a time; the other is refused, and says which goes on.

mod aftermath;
mod change;
mod components;
mod configure;
mod configured;
mod difference;
mod history;
mod judge;
pub(crate) mod layer;
mod ledger;
mod operation;
mod pipeline;
mod recorded;
mod restore;
pub(crate) mod rollout;
mod rollout_report;
mod rollout_watch;
pub(crate) mod schema;
pub(crate) mod scores;
mod stage;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::watch;

use aftermath::Aftermath;
use components::Components;
use ledger::Ledger;
use operation::Operations;

use crate::clock::Clock;
use crate::host_database::HostDatabase;
use crate::load::{LoadError, Step};
use crate::sealed::Keys;

pub use change::{Change, ChangeKind, FileSource};
pub use configure::{Configuration, Source};
pub use difference::{Difference, Effect};
pub use history::{GenerationRecord, Kind, PluginRecord, Presence, State};
pub use layer::{Edit, Part};
pub use operation::{Operation, Outcome, Plan, Progress, StepProgress};
pub use rollout::{Rollout, RolloutOrder};
pub use rollout_report::{RolloutReport, SideReport};
pub use stage::{Caller, HeaderRule, Stage};

/// How changes are followed up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpgradeOptions {
    /// How long a new generation is watched before the old shape of its data is given up, in
    /// milliseconds; one that does worse than the old one is rolled back.
    pub watch_ms: u64,
    /// How long invocations of an old generation may go on, in milliseconds; then those that wait
    /// for their turn are sent away, and the data keep their old shape.
    pub drain_ms_max: u64,
}

impl Default for UpgradeOptions {
    fn default() -> Self {
        Self { watch_ms: 30_000, drain_ms_max: 30_000 }
    }
}

impl UpgradeOptions {
    fn watch_time(&self) -> Duration {
        Duration::from_millis(self.watch_ms)
    }

    fn drain_time_max(&self) -> Duration {
        Duration::from_millis(self.drain_ms_max)
    }
}

/// What the host knows of the lives of its plugins.
pub(crate) struct Lifecycle {
    ledger: Ledger,
    components: Components,
    operations: Operations,
    lives: Mutex<HashMap<String, Arc<Life>>>,
    written: recorded::Written,
    options: UpgradeOptions,
}

/// The life of one plugin.
#[derive(Default)]
struct Life {
    /// The operation that changes the plugin.
    changing: watch::Sender<Option<Arc<Operation>>>,
    /// What goes on after the last change.
    aftermath: Mutex<Option<Aftermath>>,
}

/// The right to change a plugin.
struct Turn {
    life: Arc<Life>,
}

impl Lifecycle {
    pub(crate) fn open(
        (database, clock, keys): (HostDatabase, Arc<dyn Clock>, Keys),
        folder: Option<&Path>,
        options: UpgradeOptions,
    ) -> std::io::Result<Self> {
        Ok(Self {
            ledger: Ledger::new(database, clock, keys),
            components: Components::open(folder)?,
            operations: Operations::default(),
            lives: Mutex::default(),
            written: recorded::Written::default(),
            options,
        })
    }

    /// Encrypts what is kept of the plugins' settings by the present key, if it is not.
    pub(crate) async fn seal_anew(&self) -> caplet_store::Result<()> {
        self.ledger.seal_anew().await
    }

    /// The right to change `plugin`, for `operation`.
    ///
    /// # Errors
    /// When another operation has it. One whose outcome is known is about to give it back, and is
    /// waited for: whoever has heard the outcome may begin the next change at once.
    async fn turn(&self, plugin: &str, operation: &Arc<Operation>) -> Result<Turn, LoadError> {
        let life = self.lives.lock().entry(plugin.to_owned()).or_default().clone();
        while let Err(other) = life.take(operation) {
            if other.progress().outcome.is_none() {
                let other = format!("{} {}", other.change(), other.id());
                let reason =
                    format!("it is being changed ({other}); try again when that has ended");
                return Err(Step::Turn.failed(Some(plugin), vec![reason]));
            }
            // The sender is in `life`, so it outlives the wait.
            let _ = life.changing.subscribe().wait_for(Option::is_none).await;
        }
        Ok(Turn { life })
    }
}

impl Life {
    /// Takes the turn for `operation`; fails with the one that has it.
    fn take(&self, operation: &Arc<Operation>) -> Result<(), Arc<Operation>> {
        let mut other = None;
        self.changing.send_if_modified(|changing| {
            other.clone_from(changing);
            changing.get_or_insert_with(|| operation.clone());
            other.is_none()
        });
        other.map_or(Ok(()), Err)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.life.changing.send_replace(None);
    }
}

impl Turn {
    /// Lets what follows the last change come to its end, without waiting for what can be left out.
    async fn conclude(&self) {
        let aftermath = self.life.aftermath.lock().take();
        if let Some(aftermath) = aftermath {
            aftermath.conclude().await;
        }
    }

    /// Ends what follows the last change, so that it can be undone.
    async fn abandon(&self) {
        let aftermath = self.life.aftermath.lock().take();
        if let Some(aftermath) = aftermath {
            aftermath.abandon().await;
        }
    }

    fn follow(&self, aftermath: Aftermath) {
        *self.life.aftermath.lock() = Some(aftermath);
    }
}

/// What the host's own database could not do.
fn not_recorded(plugin: &str, step: Step) -> impl Fn(caplet_store::Error) -> LoadError {
    move |error| step.failed(Some(plugin), vec![format!("it cannot be written down: {error}")])
}
