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
use super::operation::Operation;
use super::scores::Score;
use crate::generation::Generation;
use crate::load::{self, Step};
use crate::runtime::{Inner, Runtime};

/// Between two looks at a generation.
const PERIOD: Duration = Duration::from_millis(50);

/// Who rolls back.
const WATCH: &str = "watch";

/// Invocations that went wrong before their share says anything.
const BAD_MIN: u64 = 5;

/// The share may be twice the old one's, and this much more.
const BAD_SHARE_MORE: f64 = 0.05;

/// Invocations of each generation before their times say anything.
const TIMED_MIN: u64 = 200;

/// The time of 99 of 100 may be four times the old one's, and this much more.
const P99_TIMES_MAX: u32 = 4;
const P99_MORE: Duration = Duration::from_millis(100);

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
    /// What follows when `new` has taken the place of `old`.
    pub(super) fn of_swap(
        runtime: &Runtime,
        operation: &Arc<Operation>,
        (old, new): (Option<Arc<Generation>>, Arc<Generation>),
    ) -> Self {
        let before = old.as_ref().map(|old| old.scores.read());
        let follow = |orders| Follow {
            inner: Arc::downgrade(&runtime.inner),
            operation: operation.clone(),
            orders,
            options: runtime.inner.lifecycle.options.clone(),
            old,
            new: Some(new),
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
            new: None,
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
    /// What the old one had done when it was replaced.
    before: Option<Score>,
}

/// How the watch ended.
enum Watched {
    Well,
    Abandoned,
    Badly(String),
}

impl Follow {
    async fn run(mut self) {
        let trouble = match self.watched().await {
            Watched::Abandoned => None,
            Watched::Badly(reason) => Some(self.roll_back(reason).await),
            Watched::Well => self.give_up_the_old_shape().await,
        };
        if let Some(trouble) = &trouble {
            let plugin = self.operation.progress().plugin.unwrap_or_default();
            tracing::error!(plugin, operation = self.operation.id(), "{trouble}");
        }
        self.operation.has_settled(trouble);
    }

    /// Drains the old generation and watches the new one.
    async fn watched(&mut self) -> Watched {
        let began = Instant::now();
        if self.old.is_some() {
            self.operation.at(Step::Drain);
        }
        let start = self.new.as_ref().map(|new| new.scores.read()).unwrap_or_default();
        let has_window = self.before.is_some();
        let mut is_watching = false;
        loop {
            match *self.orders.borrow() {
                Order::Abandon => return Watched::Abandoned,
                Order::Conclude | Order::Watch => {}
            }
            if let Some(reason) = self.verdict(&start) {
                return Watched::Badly(reason);
            }
            self.drain(began.elapsed());
            let is_over = !has_window
                || began.elapsed() >= self.options.watch_time()
                || *self.orders.borrow() == Order::Conclude;
            if self.old.is_none() {
                if is_over {
                    return Watched::Well;
                }
                if !is_watching {
                    self.operation.at(Step::Watch);
                    is_watching = true;
                }
            }
            // Whoever gives orders is gone only with the host.
            let _ = tokio::time::timeout(PERIOD, self.orders.changed()).await;
        }
    }

    /// Lets go of the old generation when nobody uses it any more, or took too long.
    fn drain(&mut self, since: Duration) {
        let Some(old) = &self.old else { return };
        let is_free = Arc::strong_count(old) == 1;
        if !is_free && since < self.options.drain_time_max() {
            return;
        }
        if !is_free {
            old.admission.close();
            tracing::warn!(
                plugin = old.name(),
                version = old.version(),
                "invocations of the old generation outlast the time they are given"
            );
        }
        self.old = None;
    }

    /// Why the new generation does worse than the old one, if it does.
    fn verdict(&self, start: &Score) -> Option<String> {
        let (new, before) = (self.new.as_ref()?, self.before.as_ref()?);
        if new.is_failing() {
            return Some("its last invocations all failed by its own fault".to_owned());
        }
        verdict(&new.scores.read().since(start), before)
    }

    /// Brings the generation before back.
    async fn roll_back(&mut self, reason: String) -> String {
        let (Some(inner), Some(new)) = (self.inner.upgrade(), self.new.take()) else {
            return reason;
        };
        let plugin = new.name().to_owned();
        tracing::error!(plugin, version = new.version(), "rolling back: {reason}");
        self.old = None;
        let kind = ChangeKind::Rollback { plugin, to: None };
        let by = format!("{WATCH}: {reason}");
        // The rollback abandons this aftermath and waits for it, so nobody may wait for the rollback
        // here.
        Runtime { inner }.begin(Change::approved(kind, &by));
        format!("rolled back: {reason}")
    }

    /// Gives the data their new shape, for which the old generation must be gone.
    async fn give_up_the_old_shape(&mut self) -> Option<String> {
        let new = self.new.take()?;
        let inner = self.inner.upgrade()?;
        load::finish_migrations(&inner, &self.operation, &new).await.err()
    }
}

/// Why `new` does worse than `before`, if it does.
fn verdict(new: &Score, before: &Score) -> Option<String> {
    let (share, share_before) = (new.bad_share(), before.bad_share());
    if new.n_bad() >= BAD_MIN && share > share_before * 2.0 + BAD_SHARE_MORE {
        return Some(format!(
            "{:.1} % of its invocations failed, {:.1} % before",
            share * 100.0,
            share_before * 100.0
        ));
    }
    let (p99, p99_before) = (new.p99(), before.p99());
    let is_timed = new.n() >= TIMED_MIN && before.n() >= TIMED_MIN;
    if is_timed && p99 > p99_before * P99_TIMES_MAX + P99_MORE {
        return Some(format!("99 % of its invocations took up to {p99:?}, {p99_before:?} before"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::scores::Scores;
    use super::*;

    fn score(n_good: u64, n_bad: u64, ms: u64) -> Score {
        let scores = Scores::default();
        for n in 0..n_good + n_bad {
            scores.count(n < n_bad, Duration::from_millis(ms));
        }
        scores.read()
    }

    #[test]
    fn judges_by_what_is_worse_than_before() {
        for (new, before, is_worse) in [
            (score(100, 0, 1), score(100, 0, 1), false),
            (score(100, 4, 1), score(100, 0, 1), false),
            (score(80, 20, 1), score(100, 0, 1), true),
            (score(80, 20, 1), score(80, 20, 1), false),
            (score(300, 0, 500), score(300, 0, 1), true),
            (score(300, 0, 500), score(300, 0, 400), false),
            (score(100, 0, 500), score(300, 0, 1), false),
            (score(300, 0, 50), score(300, 0, 1), false),
        ] {
            assert_eq!(verdict(&new, &before).is_some(), is_worse, "{new:?} after {before:?}");
        }
    }
}
