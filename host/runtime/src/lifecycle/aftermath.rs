//! What follows a swap: the old generation is drained, the new one is watched against it, and when it
//! has proved itself the data are given their new shape. A new generation that does worse is rolled
//! back, once.
//!
//! The aftermath of a change ends before the next change of the plugin goes on: it is either concluded
//! (nothing is watched any longer) or abandoned (the data keep their old shape).

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::change::{Change, ChangeKind};
use super::judge::Judge;
use super::operation::Operation;
use super::schema::Schema;
use super::scores::Score;
use crate::generation::Generation;
use crate::load::{LoadError, Step};
use crate::runtime::{Inner, Runtime};

/// Between two looks at a generation.
const PERIOD: Duration = Duration::from_millis(50);

/// Who rolls back.
const WATCH: &str = "watch";

/// What goes on after a change.
pub(super) struct Aftermath {
    orders: watch::Sender<Order>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Watch as long as was set.
    Watch,
    /// Come to the end.
    Conclude,
    /// Leave everything as it is.
    Abandon,
}

impl Aftermath {
    /// What follows when `new` has taken the place of `old`. It is held against what is known of `before`,
    /// and against nothing without it.
    pub(super) fn of_swap(
        runtime: &Runtime,
        operation: &Arc<Operation>,
        (old, new): (Option<Arc<Generation>>, Arc<Generation>),
        (before, schema): (Option<Score>, Option<Schema>),
    ) -> Self {
        let follow = |orders| Follow {
            inner: Arc::downgrade(&runtime.inner),
            operation: operation.clone(),
            orders,
            options: runtime.inner.lifecycle.options.clone(),
            old,
            judge: Judge::from(new.scores.read()),
            new: Some(new),
            schema,
            before,
        };
        Self::start(follow)
    }

    /// What follows when `old` takes no more requests.
    pub(super) fn of_end(
        runtime: &Runtime,
        operation: &Arc<Operation>,
        old: Arc<Generation>,
    ) -> Self {
        let follow = |orders| Follow {
            inner: Arc::downgrade(&runtime.inner),
            operation: operation.clone(),
            orders,
            options: runtime.inner.lifecycle.options.clone(),
            old: Some(old),
            judge: Judge::from(Score::default()),
            new: None,
            schema: None,
            before: None,
        };
        Self::start(follow)
    }

    fn start(follow: impl FnOnce(watch::Receiver<Order>) -> Follow) -> Self {
        let (orders, taken) = watch::channel(Order::Watch);
        let follow = follow(taken);
        Self { orders, task: tokio::spawn(follow.run()) }
    }

    /// Watches no longer; returns when the data have their new shape, or cannot have it yet.
    pub(super) async fn conclude(self) {
        self.end(Order::Conclude).await;
    }

    /// Leaves everything as it is; what has begun with the data is brought to its end.
    pub(super) async fn abandon(self) {
        self.end(Order::Abandon).await;
    }

    async fn end(self, order: Order) {
        self.orders.send_replace(order);
        if let Err(panicked) = self.task.await {
            tracing::error!(%panicked, "what follows a change has failed");
        }
    }
}

/// One aftermath on its way.
struct Follow {
    inner: Weak<Inner>,
    operation: Arc<Operation>,
    orders: watch::Receiver<Order>,
    options: super::UpgradeOptions,
    old: Option<Arc<Generation>>,
    new: Option<Arc<Generation>>,
    schema: Option<Schema>,
    /// What the old one had done when it was replaced.
    before: Option<Score>,
    judge: Judge,
}

/// Why an aftermath does not come to its good end.
enum End {
    /// The change is being undone.
    Abandoned,
    /// The new generation does worse than the old one.
    Worse(String),
    /// The data could not be given their new shape.
    Failed(LoadError),
}

impl Follow {
    async fn run(mut self) {
        let trouble = match self.prove().await {
            Ok(()) => None,
            Err(End::Abandoned) => None,
            Err(End::Worse(reason)) => Some(self.roll_back(reason)),
            Err(End::Failed(error)) => Some(error.to_string()),
        };
        if let Some(trouble) = &trouble {
            let plugin = self.operation.progress().plugin.unwrap_or_default();
            tracing::error!(plugin, operation = self.operation.id(), "{trouble}");
        }
        self.operation.has_settled(trouble);
    }

    /// Drains the old generation, fills in the data, watches the new one, and gives up the old shape of
    /// the data.
    async fn prove(&mut self) -> Result<(), End> {
        let began = Instant::now();
        let is_gone = self.drain(began).await?;
        let Some(schema) = self.schema.clone() else {
            return self.watch(began).await;
        };
        if !is_gone {
            self.watch(began).await?;
            return Err(End::Failed(Step::Drain.failed(
                self.operation.progress().plugin.as_deref(),
                vec!["its data keep their old shape until the next change or start".to_owned()],
            )));
        }
        let operation = self.operation.clone();
        {
            let filling = schema.backfill(&operation);
            tokio::select! {
                filled = filling => filled.map_err(End::Failed)?,
                end = self.guard() => return Err(end),
            }
        }
        self.watch(began).await?;
        if schema.contract(&operation).await.map_err(End::Failed)? {
            self.note_contract().await;
        }
        Ok(())
    }

    /// Waits until nobody uses the old generation any more. Returns whether it is gone.
    async fn drain(&mut self, began: Instant) -> Result<bool, End> {
        let Some(old) = self.old.take() else { return Ok(true) };
        self.operation.at(Step::Drain);
        while Arc::strong_count(&old) > 1 {
            self.look()?;
            if began.elapsed() >= self.options.drain_time_max() {
                old.admission.close();
                tracing::warn!(
                    plugin = old.name(),
                    version = old.version(),
                    "invocations of the old generation outlast the time they are given"
                );
                return Ok(false);
            }
            self.rest().await;
        }
        Ok(true)
    }

    /// Watches the new generation until it has proved itself, or there is no time for that.
    async fn watch(&mut self, began: Instant) -> Result<(), End> {
        let is_pending = self.schema.as_ref().is_some_and(Schema::is_pending);
        if self.before.is_none() && !is_pending {
            return Ok(());
        }
        self.operation.at(Step::Watch);
        while began.elapsed() < self.options.watch_time() && self.order() == Order::Watch {
            self.look()?;
            self.rest().await;
        }
        self.look()
    }

    /// Returns when the new generation does worse, or everything is to be left as it is.
    async fn guard(&mut self) -> End {
        loop {
            if let Err(end) = self.look() {
                return end;
            }
            self.rest().await;
        }
    }

    fn look(&mut self) -> Result<(), End> {
        if self.order() == Order::Abandon {
            return Err(End::Abandoned);
        }
        self.verdict().map_or(Ok(()), |reason| Err(End::Worse(reason)))
    }

    fn order(&self) -> Order {
        *self.orders.borrow()
    }

    async fn rest(&mut self) {
        // An order may have come before; whoever gives them is gone only with the host.
        if self.order() == Order::Watch {
            let _ = tokio::time::timeout(PERIOD, self.orders.changed()).await;
        } else {
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn note_contract(&self) {
        let (Some(inner), Some(new)) = (self.inner.upgrade(), &self.new) else { return };
        let noted = inner.lifecycle.ledger.contracted(new.name(), new.number()).await;
        if let Err(error) = noted {
            // The plugin's own database knows it, and that is what a rollback is held against.
            tracing::warn!(plugin = new.name(), %error, "a contract step is not in the history");
        }
    }

    /// Why the new generation does worse than the old one, if it does.
    fn verdict(&mut self) -> Option<String> {
        let (new, before) = (self.new.as_ref()?, self.before.as_ref()?);
        if new.is_failing() {
            return Some("its last invocations all failed by its own fault".to_owned());
        }
        let score = new.scores.read();
        // In quarantine it is not called, so that no further invocation would tell more.
        if let Some(quarantined) = new.quarantined()
            && self.judge.watched(&score).bad_share() > before.bad_share()
        {
            return Some(format!("it is in quarantine: {}", quarantined.reason));
        }
        self.judge.look(&score, before)
    }

    /// Brings the generation before back.
    fn roll_back(&mut self, reason: String) -> String {
        let (Some(inner), Some(new)) = (self.inner.upgrade(), self.new.take()) else {
            return reason;
        };
        let plugin = new.name().to_owned();
        tracing::error!(plugin, version = new.version(), "rolling back: {reason}");
        let kind = ChangeKind::Rollback { plugin, to: None };
        let by = format!("{WATCH}: {reason}");
        // The rollback abandons this aftermath and waits for its end, so it is not waited for here.
        Runtime { inner }.begin(Change::approved(kind, &by));
        format!("rolled back: {reason}")
    }
}
