//! One change on its way: which step it is at, how long each took, what came of it. Whoever began it
//! may wait, look now and then, or go away; the change goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::audit::Audit;
use crate::in_flight::Entered;
use crate::lifecycle::change::{Change, ChangeKind};
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
    claim: Claim,
    /// Whether a rollback has taken the turn from it.
    overtaken: AtomicBool,
    progress: watch::Sender<Progress>,
    /// The log that what comes of it is to be written to, if it is a decision. Given up then: whoever keeps an
    /// operation keeps no database open.
    audit: Mutex<Option<Audit>>,
    /// From when somebody may know what came of it until that is in the log.
    unwritten: Mutex<Option<Entered>>,
}

/// How an operation comes to its turn, and keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is refused while another one has the turn.
    Ordinary,
    /// The same, but it changes nothing: a rollback may take the turn from it.
    Reading,
    /// It takes the turn from one that only waits.
    Urgent,
    /// The same for the watch, which has found the generation of that number to do worse. Nobody else would
    /// ask again, so it waits for its turn; and does nothing when that generation does not serve then.
    Watch(u32),
    /// The same for the start of the host, which brings back what served, and takes no turn from anybody.
    Start,
}

impl Claim {
    pub(super) fn of(change: &Change) -> Self {
        match change.kind {
            _ if change.dry_run => Self::Reading,
            ChangeKind::Rollback { .. } => Self::Urgent,
            _ => Self::Ordinary,
        }
    }

    pub(super) fn takes_over(self) -> bool {
        matches!(self, Self::Urgent | Self::Watch(_))
    }

    pub(super) fn gives_way(self) -> bool {
        self == Self::Reading
    }

    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Watch(_) | Self::Start)
    }
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
    /// Nothing was changed: the generation of that number waits for an operator to agree to its
    /// differences.
    Waiting(u32, Vec<Difference>),
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
    fn new((change, by): (&'static str, String), claim: Claim, audit: Option<Audit>) -> Self {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let (overtaken, progress) = (AtomicBool::new(false), watch::Sender::default());
        let (audit, unwritten) = (Mutex::new(audit), Mutex::new(None));
        Self { id, change, by, claim, overtaken, progress, audit, unwritten }
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

    pub(super) fn claim(&self) -> Claim {
        self.claim
    }

    /// Notes that a rollback has taken the turn from it.
    pub(super) fn is_overtaken(&self) {
        self.overtaken.store(true, Ordering::Relaxed);
    }

    /// Whether a rollback has taken the turn from it since this was asked last.
    pub(super) fn was_overtaken(&self) -> bool {
        self.overtaken.swap(false, Ordering::Relaxed)
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
        *self.unwritten.lock() = self.audit.lock().as_ref().map(Audit::expect);
        self.progress.send_modify(|progress| {
            progress.end_step();
            progress.outcome = Some(outcome);
            progress.settled = !more;
        });
    }

    /// Notes that what came of it is in the log of decisions.
    pub(super) fn is_written(&self) {
        self.unwritten.lock().take();
        self.audit.lock().take();
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
    fn is_migrating(&self) -> bool {
        let going = self.steps.last().filter(|last| last.took.is_none());
        going.is_some_and(|it| matches!(it.step, Step::Trial | Step::Expand | Step::Contract))
    }

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
    /// Begins one that nobody has decided.
    pub(crate) fn begin(&self, change: &'static str, by: String) -> Arc<Operation> {
        self.begin_as((change, by), Claim::Ordinary, None)
    }

    /// Begins one; what is decided by it is written to `audit`.
    pub(crate) fn begin_as(
        &self,
        what: (&'static str, String),
        claim: Claim,
        audit: Option<Audit>,
    ) -> Arc<Operation> {
        let operation = Arc::new(Operation::new(what, claim, audit));
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

    /// A plugin whose data a change has in its hands, for as long as that takes.
    pub(crate) fn migrating(&self) -> Option<String> {
        let all = self.0.lock();
        let mut all = all.iter().map(|operation| operation.progress.borrow());
        let found = all.find(|progress| !progress.settled && progress.is_migrating());
        found.map(|progress| progress.plugin.clone().unwrap_or_default())
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Operation>> {
        self.0.lock().iter().find(|operation| operation.id == id).cloned()
    }
}
