//! One change on its way: which step it is at, how long each took, what came of it. Whoever began it
//! may wait, look now and then, or go away; the change goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::lifecycle::difference::Difference;
use crate::lifecycle::stage::Stage;
use crate::load::{LoadError, Step};

/// Operations that are remembered after their end.
const KEPT_MAX: usize = 200;

/// A change on its way, or one that has ended.
pub struct Operation {
    id: String,
    change: &'static str,
    by: String,
    progress: watch::Sender<Progress>,
}

/// How far an operation is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The plugin, once it is known.
    pub plugin: Option<String>,
    /// The steps so far, in their order; the last one may still be going on.
    pub steps: Vec<StepProgress>,
    /// What came of it: known when requests see the change, or never will.
    pub outcome: Option<Result<Outcome, LoadError>>,
    /// Whether all that follows is done too: the old generation is gone, the new one has proved
    /// itself and the data have their new shape.
    pub settled: bool,
    /// What it changes in what the operator has set, one sentence each.
    pub changes: Vec<String>,
    /// What went wrong after the change took effect.
    pub trouble: Option<String>,
}

/// One step of an operation.
#[derive(Debug, Clone)]
pub struct StepProgress {
    /// Which.
    pub step: Step,
    /// When it began.
    pub began: Instant,
    /// How long it took; none while it goes on.
    pub took: Option<Duration>,
}

/// What a change came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The generation of that number takes requests.
    Serving(u32),
    /// It was so already.
    Unchanged,
    /// It is ready, and will take requests when the plugin is enabled.
    Ready(u32),
    /// Nothing was changed: the differences need an operator's approval.
    Waiting(Vec<Difference>),
    /// Nothing was changed, as was asked: what would change.
    Planned(Plan),
    /// The plugin no longer takes requests.
    Stopped,
    /// The generation of that number gets the requests of a stage, beside the one that serves.
    Staged(u32, Stage),
    /// The generation of that number gets no more requests; the one that serves gets all.
    TakenBack(u32),
}

/// What a change would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What changes for others.
    pub differences: Vec<Difference>,
    /// The migrations that would run, in their order, and what is known of each.
    pub migrations: Vec<String>,
}

impl Operation {
    fn new(change: &'static str, by: String) -> Self {
        let id = uuid::Uuid::now_v7().simple().to_string();
        Self { id, change, by, progress: watch::Sender::new(Progress::default()) }
    }

    /// What it is called: 32 hexadecimal digits, which sort by time.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is done: `install`, `rollback` and so on.
    #[must_use]
    pub fn change(&self) -> &'static str {
        self.change
    }

    /// Who began it.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until requests see the change, or never will.
    ///
    /// # Errors
    /// Why they never will; what served before serves on.
    pub async fn outcome(&self) -> Result<Outcome, LoadError> {
        let mut progress = self.progress.subscribe();
        loop {
            if let Some(outcome) = &progress.borrow_and_update().outcome {
                return outcome.clone();
            }
            // The sender is in `self`, so it outlives the wait.
            let _ = progress.changed().await;
        }
    }

    /// Waits until all that follows is done too.
    pub async fn settled(&self) {
        let mut progress = self.progress.subscribe();
        let _ = progress.wait_for(|progress| progress.settled).await;
    }

    /// Waits for something new, at most `patience`.
    pub async fn changed(&self, patience: Duration) {
        let mut progress = self.progress.subscribe();
        if progress.borrow_and_update().settled {
            return;
        }
        let _ = tokio::time::timeout(patience, progress.changed()).await;
    }

    /// Notes that a step begins, and says so.
    pub(super) fn at(&self, step: Step) {
        self.progress.send_modify(|progress| {
            progress.end_step();
            let plugin = progress.plugin.as_deref().unwrap_or_default();
            tracing::debug!(operation = self.id, plugin, step = step.name(), "changing a plugin");
            progress.steps.push(StepProgress { step, began: Instant::now(), took: None });
        });
    }

    pub(super) fn is_about(&self, plugin: &str) {
        self.progress.send_modify(|progress| progress.plugin = Some(plugin.to_owned()));
    }

    pub(super) fn changes(&self, changes: Vec<String>) {
        self.progress.send_modify(|progress| progress.changes = changes);
    }

    /// Notes what came of it. `more` says whether something follows.
    pub(super) fn has(&self, outcome: Result<Outcome, LoadError>, more: bool) {
        self.progress.send_modify(|progress| {
            progress.end_step();
            progress.outcome = Some(outcome);
            progress.settled = !more;
        });
    }

    pub(super) fn has_settled(&self, trouble: Option<String>) {
        self.progress.send_modify(|progress| {
            progress.end_step();
            progress.settled = true;
            progress.trouble = trouble;
        });
    }
}

impl Progress {
    fn end_step(&mut self) {
        if let Some(last) = self.steps.last_mut() {
            last.took.get_or_insert_with(|| last.began.elapsed());
        }
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").field("id", &self.id).field("change", &self.change).finish()
    }
}

/// The operations of a host, the last ones.
#[derive(Default)]
pub(crate) struct Operations(Mutex<VecDeque<Arc<Operation>>>);

impl Operations {
    pub(crate) fn begin(&self, change: &'static str, by: String) -> Arc<Operation> {
        let operation = Arc::new(Operation::new(change, by));
        let mut all = self.0.lock();
        // One that goes on is remembered whatever its age.
        if all.len() >= KEPT_MAX
            && let Some(ended) = all.iter().position(|it| it.progress.borrow().settled)
        {
            all.remove(ended);
        }
        all.push_back(operation.clone());
        operation
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Operation>> {
        self.0.lock().iter().find(|operation| operation.id == id).cloned()
    }
}
