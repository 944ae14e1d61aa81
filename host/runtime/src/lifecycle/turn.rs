//! Whose turn it is to change a plugin. One change has the turn; another is refused and told which has it,
//! or waits for it where nobody would ask again. A change that only waits for what follows the last one gives
//! way to a rollback, and begins anew after that.
//!
//! Invariant: the turn is given back by the change that has it, and by no other.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Lifecycle;
use super::aftermath::{Aftermath, Follows};
use super::operation::Operation;
use super::replaced::Replaced;
use crate::generation::Generation;
use crate::load::{LoadError, Step};
use crate::runtime::Runtime;

/// The life of one plugin.
#[derive(Default)]
pub(super) struct Life {
    /// Who changes the plugin.
    holder: watch::Sender<Option<Holder>>,
    /// What goes on after the last change.
    aftermath: Mutex<Option<Arc<Aftermath>>>,
    pub(super) replaced: Arc<Replaced>,
}

/// Who has the turn.
struct Holder {
    operation: Arc<Operation>,
    /// Whether a rollback may take the turn.
    gives_way: bool,
}

/// The right to change a plugin.
pub(super) struct Turn {
    life: Arc<Life>,
    operation: Arc<Operation>,
}

impl Lifecycle {
    /// The right to change `plugin`, for `operation`.
    ///
    /// # Errors
    /// When another operation has it, and this one does not wait. One whose outcome is known is about to
    /// give it back, and is always waited for: whoever has heard the outcome may begin the next change at
    /// once.
    pub(super) async fn turn(
        &self,
        plugin: &str,
        operation: &Arc<Operation>,
    ) -> Result<Turn, LoadError> {
        self.life(plugin).turn(plugin, operation).await
    }

    pub(super) fn life(&self, plugin: &str) -> Arc<Life> {
        self.lives.lock().entry(plugin.to_owned()).or_default().clone()
    }

    /// Waits until nobody changes the plugin.
    pub(super) async fn until_free(&self, plugin: &str) {
        self.life(plugin).until(|holder| holder.is_none()).await;
    }
}

impl Runtime {
    /// Whether a change of the plugin goes on, or a rollout.
    pub(crate) fn is_changing(&self, plugin: &str) -> bool {
        self.has_turn(plugin) || self.table().rollout(plugin).is_some()
    }

    /// Whether a change has the plugin's turn, so that another one would be refused.
    pub(crate) fn has_turn(&self, plugin: &str) -> bool {
        let life = self.inner.lifecycle.lives.lock().get(plugin).cloned();
        life.is_some_and(|life| life.holder.borrow().is_some())
    }
}

impl Holder {
    fn is(&self, operation: &Arc<Operation>) -> bool {
        Arc::ptr_eq(&self.operation, operation)
    }

    fn gives_way_to(&self, operation: &Operation) -> bool {
        self.gives_way && operation.claim().takes_over()
    }
}

impl Life {
    async fn turn(
        self: Arc<Self>,
        plugin: &str,
        operation: &Arc<Operation>,
    ) -> Result<Turn, LoadError> {
        while let Err(other) = self.take(operation) {
            if other.progress().outcome.is_none() && !operation.claim().waits() {
                let other = format!("{} {}", other.change(), other.id());
                let reason =
                    format!("it is being changed ({other}); try again when that has ended");
                return Err(Step::Turn.failed(Some(plugin), vec![reason]));
            }
            let is_open = |holder: Option<&Holder>| {
                holder.is_none_or(|holder| holder.gives_way_to(operation))
            };
            self.until(is_open).await;
        }
        Ok(Turn { life: self, operation: operation.clone() })
    }

    /// Takes the turn for `operation`; fails with the one that has it.
    fn take(&self, operation: &Arc<Operation>) -> Result<(), Arc<Operation>> {
        let mut other = None;
        self.holder.send_if_modified(|holder| {
            let stays = holder.as_ref().filter(|it| !it.gives_way_to(operation));
            other = stays.map(|it| it.operation.clone());
            if other.is_none() {
                let gives_way = operation.claim().gives_way();
                *holder = Some(Holder { operation: operation.clone(), gives_way });
            }
            other.is_none()
        });
        other.map_or(Ok(()), Err)
    }

    async fn until(&self, is_so: impl Fn(Option<&Holder>) -> bool) {
        // The sender is in `self`, so it outlives the wait.
        let _ = self.holder.subscribe().wait_for(|holder| is_so(holder.as_ref())).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.life.holder.send_if_modified(|holder| {
            let is_mine = holder.as_ref().is_some_and(|it| it.is(&self.operation));
            if is_mine {
                // What was held, and did not come to an end by this change, goes on.
                if let Some(aftermath) = &*self.life.aftermath.lock() {
                    aftermath.release();
                }
                *holder = None;
            }
            is_mine
        });
    }
}

impl Turn {
    /// Lets what follows the last change come to its end, without waiting for what can be left out. What
    /// this turn holds stays as it is.
    ///
    /// # Errors
    /// When a rollback has taken the turn meanwhile: the change has to begin anew.
    pub(super) async fn conclude(&self) -> Result<(), LoadError> {
        let aftermath = self.life.aftermath.lock().clone();
        let Some(aftermath) = aftermath.filter(|it| !it.is_held()) else { return Ok(()) };
        self.giving_way(aftermath.conclude()).await?;
        *self.life.aftermath.lock() = None;
        Ok(())
    }

    /// Waits until no older generation runs that needs what is to be given up at once; those that have not
    /// begun are sent away in the end.
    ///
    /// # Errors
    /// When one runs on, or a rollback has taken the turn meanwhile.
    pub(super) async fn wait_for_older(
        &self,
        plugin: &str,
        patience: Duration,
    ) -> Result<(), LoadError> {
        let replaced = &self.life.replaced;
        if self.giving_way(replaced.gone_within(patience)).await? {
            return Ok(());
        }
        replaced.close();
        let reason = "invocations of an older version still run, and it gives up what they need";
        let remedy = "try again when they have ended";
        Err(Step::Turn.failed(Some(plugin), vec![reason.to_owned(), remedy.to_owned()]))
    }

    /// Has what follows the last change leave everything as it is. It goes on when this turn ends without
    /// anything else to follow.
    pub(super) async fn hold(&self) {
        let aftermath = self.life.aftermath.lock().clone();
        if let Some(aftermath) = aftermath {
            aftermath.hold().await;
        }
    }

    /// Ends what follows the last change where it is.
    pub(super) fn abandon(&self) {
        let aftermath = self.life.aftermath.lock().take();
        if let Some(aftermath) = aftermath {
            aftermath.abandon();
        }
    }

    /// Begins what follows when `new` serves, in the place of whatever followed the last change.
    pub(super) fn follow_swap(&self, runtime: &Runtime, new: Arc<Generation>, follows: Follows) {
        if let Some(old) = &follows.old {
            self.life.replaced.add(old);
        }
        let by = (&self.operation, self.life.replaced.clone());
        self.follow(Aftermath::of_swap(runtime, by, new, follows));
    }

    /// Begins what follows when `old` takes no more requests.
    pub(super) fn follow_end(&self, runtime: &Runtime, old: &Arc<Generation>) {
        self.life.replaced.add(old);
        let by = (&self.operation, self.life.replaced.clone());
        self.follow(Aftermath::of_end(runtime, by, old));
    }

    fn follow(&self, aftermath: Aftermath) {
        self.abandon();
        *self.life.aftermath.lock() = Some(Arc::new(aftermath));
    }

    /// Waits for something, and gives way to a rollback meanwhile.
    async fn giving_way<T>(&self, awaited: impl Future<Output = T>) -> Result<T, LoadError> {
        let is_other = |holder: Option<&Holder>| !holder.is_some_and(|it| it.is(&self.operation));
        if !self.set_giving_way(true) {
            return Err(self.overtaken());
        }
        let done = tokio::select! {
            biased;
            () = self.life.until(is_other) => None,
            done = awaited => Some(done),
        };
        match done {
            Some(done) if self.set_giving_way(false) => Ok(done),
            _ => Err(self.overtaken()),
        }
    }

    /// Returns whether the turn was not lost.
    fn set_giving_way(&self, gives_way: bool) -> bool {
        let mut is_mine = false;
        self.life.holder.send_if_modified(|holder| {
            let mine = holder.as_mut().filter(|it| it.is(&self.operation));
            is_mine = mine.is_some();
            mine.map(|it| it.gives_way = gives_way).is_some()
        });
        is_mine
    }

    fn overtaken(&self) -> LoadError {
        self.operation.is_overtaken();
        let plugin = self.operation.progress().plugin;
        let reason = "a rollback came before it; try again".to_owned();
        Step::Turn.failed(plugin.as_deref(), vec![reason])
    }
}

#[cfg(test)]
mod tests {
    use super::super::operation::{Claim, Operations, Outcome};
    use super::*;

    const PLUGIN: &str = "notes";

    fn operation(claim: Claim) -> Arc<Operation> {
        Operations::default().begin_as(("install", "ada".to_owned()), claim, None)
    }

    async fn taken(life: &Arc<Life>, claim: Claim) -> Result<Turn, LoadError> {
        life.clone().turn(PLUGIN, &operation(claim)).await
    }

    fn holds(turn: &Turn) -> bool {
        turn.life.holder.borrow().as_ref().is_some_and(|it| it.is(&turn.operation))
    }

    /// A turn that waits in the background for what never comes.
    fn waiting(turn: Turn) -> tokio::task::JoinHandle<(Turn, Result<(), LoadError>)> {
        tokio::spawn(async move {
            let waited = turn.giving_way(std::future::pending()).await;
            (turn, waited)
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_only_waits_gives_way_to_a_rollback_and_to_no_other() {
        let life = Arc::new(Life::default());
        let waiting = waiting(taken(&life, Claim::Ordinary).await.unwrap());
        tokio::task::yield_now().await;
        let other = taken(&life, Claim::Ordinary).await.err().expect("it is refused");
        assert!(other.to_string().contains("it is being changed (install"), "{other}");
        let rollback = taken(&life, Claim::Urgent).await.expect("it takes the turn");
        let (lost, waited) = waiting.await.unwrap();
        assert_eq!(waited.unwrap_err().step, Step::Turn);
        assert!(lost.operation.was_overtaken() && !lost.operation.was_overtaken());
        drop(lost);
        assert!(holds(&rollback), "only the one that has the turn gives it back");
        drop(rollback);
        assert!(life.holder.borrow().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_works_keeps_its_turn_and_the_watch_waits_for_it() {
        let life = Arc::new(Life::default());
        let install = taken(&life, Claim::Ordinary).await.unwrap();
        assert!(taken(&life, Claim::Urgent).await.is_err());
        let watch = tokio::spawn({
            let life = life.clone();
            async move { taken(&life, Claim::Watch(2)).await }
        });
        tokio::task::yield_now().await;
        assert!(holds(&install) && !watch.is_finished());
        drop(install);
        assert!(holds(&watch.await.unwrap().expect("its turn has come")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dry_run_stands_in_nobodys_way_who_rolls_back() {
        let life = Arc::new(Life::default());
        let dry_run = taken(&life, Claim::Reading).await.unwrap();
        assert!(taken(&life, Claim::Ordinary).await.is_err());
        let rollback = taken(&life, Claim::Watch(2)).await.expect("it takes the turn");
        assert!(holds(&rollback) && !holds(&dry_run));
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_outcome_is_known_is_waited_for() {
        let life = Arc::new(Life::default());
        let install = taken(&life, Claim::Ordinary).await.unwrap();
        install.operation.has(Ok(Outcome::Unchanged), false);
        let next = tokio::spawn({
            let life = life.clone();
            async move { taken(&life, Claim::Ordinary).await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        drop(install);
        assert!(holds(&next.await.unwrap().expect("its turn has come")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_held_goes_on_when_nothing_else_follows() {
        let life = Arc::new(Life::default());
        let (aftermath, orders) = Aftermath::at_rest();
        *life.aftermath.lock() = Some(Arc::new(aftermath));
        let rollback = taken(&life, Claim::Urgent).await.unwrap();
        rollback.hold().await;
        rollback.conclude().await.expect("what is held is left alone");
        assert!(orders.is_held());
        drop(rollback);
        assert!(!orders.is_held());
    }
}
