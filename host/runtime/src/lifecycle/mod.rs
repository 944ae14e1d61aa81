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
//!   `configured`: what differs between two of them; `settings_schema`: between what two versions know.
//! - `pipeline`: from what is asked for to a candidate; `comparison`: what it changes and whether that is
//!   agreed to; `bring`: its way up to the swap; `schema`: the data on that way; `aftermath`, `follow`: what
//!   follows; `judge`: whether it does worse, by its `scores`.
//! - `rollout`: a new version beside the one that serves, for the requests of a `stage`; `rollout_watch`:
//!   when it is taken back.
//! - `ledger`, `history`, `described`, `components`: what is remembered; `restore`: how a host starts from it;
//!   `recorded`: the statements of what serves.
//! - `turn`: who may change a plugin; `replaced`: generations that may still run; `watched`: what one is held
//!   against.
//!
//! Invariant: one change of a plugin goes on at a time; the other is refused, and says which goes on.

mod aftermath;
mod bring;
mod change;
mod comparison;
mod components;
mod configure;
mod configured;
mod described;
mod difference;
mod follow;
mod history;
mod judge;
pub(crate) mod layer;
mod ledger;
mod operation;
mod pipeline;
mod recorded;
mod replaced;
mod restore;
pub(crate) mod rollout;
mod rollout_report;
mod rollout_watch;
pub(crate) mod schema;
pub(crate) mod scores;
mod settings_schema;
mod stage;
mod turn;
mod watched;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;

use components::Components;
use ledger::Ledger;
use operation::Operations;
use turn::{Life, Turn};

use crate::clock::Clock;
use crate::host_database::HostDatabase;
use crate::load::{LoadError, Step};
use crate::sealed::Keys;

pub use change::{Change, ChangeKind, FileSource};
pub use configure::{Configuration, Source};
pub use described::{document as description_document, phase_name};
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
    /// How long invocations of an old generation are waited for, in milliseconds. The data keep their old
    /// shape for as long as they go on; where the new one gives it up, those that have not begun by then
    /// are sent away.
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
    components: Arc<Components>,
    operations: Operations,
    lives: Mutex<HashMap<String, Arc<Life>>>,
    written: recorded::Written,
    /// Why plugins could not be brought back at the start, by plugin.
    not_restored: Mutex<BTreeMap<String, String>>,
    options: UpgradeOptions,
}

impl Lifecycle {
    pub(crate) fn open(
        (database, clock, keys): (HostDatabase, Arc<dyn Clock>, Keys),
        folder: Option<&Path>,
        options: UpgradeOptions,
    ) -> std::io::Result<Self> {
        Ok(Self {
            ledger: Ledger::new(database, clock, keys),
            components: Arc::new(Components::open(folder)?),
            operations: Operations::default(),
            lives: Mutex::default(),
            written: recorded::Written::default(),
            not_restored: Mutex::default(),
            options,
        })
    }

    /// Ends what was being prepared when the host ended, before anything else can be prepared.
    pub(crate) async fn end_unfinished(&self) -> caplet_store::Result<()> {
        self.ledger.end_unfinished().await
    }

    /// Encrypts what is kept of the plugins' settings by the present key, if it is not.
    pub(crate) async fn seal_anew(&self) -> caplet_store::Result<()> {
        self.ledger.seal_anew().await
    }
}

/// What the host's own database could not do.
fn not_recorded(plugin: &str, step: Step) -> impl Fn(caplet_store::Error) -> LoadError {
    move |error| step.failed(Some(plugin), vec![format!("it cannot be written down: {error}")])
}
