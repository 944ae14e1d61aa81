//! What goes on after a change, for whoever has the turn: they may have it come to its end, or hold it. What
//! is held leaves everything as it is, and goes on afterwards unless something else follows. What it does is
//! in `follow`.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::follow::Follow;
use super::judge::Judge;
use super::operation::Operation;
use super::replaced::Replaced;
use super::schema::Schema;
use super::scores::Score;
use super::watched::Watched;
use crate::generation::Generation;
use crate::runtime::Runtime;

/// What goes on after a change.
pub(super) struct Aftermath {
    orders: watch::Sender<Order>,
    phase: watch::Receiver<Phase>,
}

/// What an aftermath is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Watch as long as was set.
    Watch,
    /// Come to the end.
    Conclude,
    /// Leave everything as it is, and wait.
    Hold,
    /// Leave everything as it is.
    Abandon,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It does what it does.
    Going,
    /// It is held.
    Resting,
    /// It has asked for a rollback, and touches nothing any more.
    Undoing,
    /// It has ended.
    Ended,
}

/// What an aftermath begins with.
pub(super) struct Follows {
    /// The generation that ended.
    pub(super) old: Option<Arc<Generation>>,
    /// What the new one is held against, if it is.
    pub(super) watched: Option<Watched>,
    /// The data.
    pub(super) schema: Option<Schema>,
}

/// The change that something follows, and the generations that are not gone yet.
type By<'a> = (&'a Arc<Operation>, Arc<Replaced>);

impl Aftermath {
    /// What follows when `new` serves.
    pub(super) fn of_swap(
        runtime: &Runtime,
        by: By<'_>,
        new: Arc<Generation>,
        follows: Follows,
    ) -> Self {
        let Follows { old, watched, schema } = follows;
        let old = old.as_ref().map(Arc::downgrade);
        Self::start(runtime, by, |follow| Follow {
            old,
            judge: Judge::from(new.scores.read()),
            new: Some(new),
            schema,
            watched,
            ..follow
        })
    }

    /// What follows when `old` takes no more requests.
    pub(super) fn of_end(runtime: &Runtime, by: By<'_>, old: &Arc<Generation>) -> Self {
        let old = Some(Arc::downgrade(old));
        Self::start(runtime, by, |follow| Follow { old, ..follow })
    }

    fn start(
        runtime: &Runtime,
        (operation, replaced): By<'_>,
        of: impl FnOnce(Follow) -> Follow,
    ) -> Self {
        let (orders, taken) = watch::channel(Order::Watch);
        let (telling, phase) = watch::channel(Phase::Going);
        let follow = of(Follow {
            inner: Arc::downgrade(&runtime.inner),
            operation: operation.clone(),
            orders: taken,
            phase: telling,
            began: Instant::now(),
            options: runtime.inner.lifecycle.options.clone(),
            old: None,
            replaced,
            judge: Judge::from(Score::default()),
            new: None,
            schema: None,
            watched: None,
        });
        tokio::spawn(follow.run());
        Self { orders, phase }
    }

    /// Has it watch no longer; returns when the data have their new shape, or cannot have it yet, and no
    /// rollback is wanted.
    pub(super) async fn conclude(&self) {
        self.orders.send_replace(Order::Conclude);
        self.until(|phase| phase == Phase::Ended).await;
    }

    /// Has it leave everything as it is; what has begun with the data is brought to its end.
    pub(super) async fn hold(&self) {
        self.orders.send_replace(Order::Hold);
        self.until(|phase| phase != Phase::Going).await;
    }

    pub(super) fn is_held(&self) -> bool {
        *self.orders.borrow() == Order::Hold
    }

    /// Has it go on, if it was held.
    pub(super) fn release(&self) {
        self.orders.send_if_modified(|order| {
            let is_held = *order == Order::Hold;
            *order = if is_held { Order::Watch } else { *order };
            is_held
        });
    }

    /// Has it end where it is.
    pub(super) fn abandon(&self) {
        self.orders.send_replace(Order::Abandon);
    }

    async fn until(&self, is_so: impl Fn(Phase) -> bool) {
        // One whose sender is gone has ended, however.
        let _ = self.phase.clone().wait_for(|phase| is_so(*phase)).await;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What an aftermath was told.
    pub(crate) struct Orders(watch::Receiver<Order>);

    impl Orders {
        pub(crate) fn is_held(&self) -> bool {
            *self.0.borrow() == Order::Hold
        }
    }

    impl Aftermath {
        /// One that touches nothing, and does not end.
        pub(crate) fn at_rest() -> (Self, Orders) {
            let (orders, taken) = watch::channel(Order::Watch);
            let (_, phase) = watch::channel(Phase::Resting);
            (Self { orders, phase }, Orders(taken))
        }
    }
}
