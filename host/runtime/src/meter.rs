//! How much CPU time an invocation has used.
//!
//! The time between the begin and the end of each poll of its future is charged to it: guest code and
//! host functions alike, but not the time it waits. Because a poll's wall time also grows when the
//! machine takes the thread away, an invocation is over its budget only when the ticks it has lived
//! through while running say so too.
//!
//! What is charged to an invocation is also charged to its plugin ([`crate::cpu_share`]), and a turn
//! that an invocation took ends as soon as it waits for anything.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::cpu_share::Share;
use crate::engine::TICK;
use crate::turns::Turn;

/// After so many ticks while running, which are 16 to 18 ms, an invocation goes on by turns only.
const TICKS_WITHOUT_TURN_MAX: u32 = 8;

/// The account of one store. Shared by the store, whose tick asks it, and the future around it.
pub(crate) struct Meter {
    base: Instant,
    /// Nanoseconds of finished polls.
    used: AtomicU64,
    /// When the current poll began, in nanoseconds since `base`.
    poll_began: AtomicU64,
    /// Ticks while running.
    ticks: AtomicU32,
    share: Arc<Share>,
    holds_turn: AtomicBool,
    turn: Mutex<Option<Turn>>,
}

impl Meter {
    pub(crate) fn new(share: Arc<Share>) -> Self {
        Self {
            base: Instant::now(),
            used: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            ticks: AtomicU32::new(0),
            share,
            holds_turn: AtomicBool::new(false),
            turn: Mutex::new(None),
        }
    }

    /// Begins a new invocation's account.
    pub(crate) fn reset(&self) {
        self.used.store(0, Relaxed);
        self.ticks.store(0, Relaxed);
    }

    /// Counts a tick and says whether the budget is used up.
    pub(crate) fn tick(&self, budget: Duration) -> bool {
        let ticks = self.ticks.fetch_add(1, Relaxed) + 1;
        TICK * ticks >= budget && self.used_with_current_poll() >= budget
    }

    /// Whether it may go on by turns only.
    pub(crate) fn runs_long(&self) -> bool {
        self.ticks.load(Relaxed) > TICKS_WITHOUT_TURN_MAX
    }

    /// Whether it has to take a turn before it begins.
    pub(crate) fn is_greedy(&self) -> bool {
        self.share.is_greedy()
    }

    /// Waits for the plugin's turn. Returns whether there was one before the deadline.
    pub(crate) async fn take_turn(&self, deadline: Instant) -> bool {
        let Ok(turn) = tokio::time::timeout_at(deadline.into(), self.share.clone().turn()).await
        else {
            return false;
        };
        *self.turn.lock() = Some(turn);
        self.holds_turn.store(true, Relaxed);
        true
    }

    fn charge(&self, spent: u64) {
        self.used.fetch_add(spent, Relaxed);
        self.share.charge(spent);
        if self.holds_turn.load(Relaxed) {
            self.holds_turn.store(false, Relaxed);
            self.turn.lock().take();
        }
    }

    /// CPU time of finished polls.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Relaxed))
    }

    fn used_with_current_poll(&self) -> Duration {
        let current = self.now().saturating_sub(self.poll_began.load(Relaxed));
        self.used() + Duration::from_nanos(current)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A future whose polls are charged to a [`Meter`].
pub(crate) struct Metered<F> {
    future: F,
    meter: Arc<Meter>,
}

impl<F: Future + Unpin> Metered<F> {
    pub(crate) fn new(future: F, meter: Arc<Meter>) -> Self {
        Self { future, meter }
    }
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = self.meter.now();
        self.meter.poll_began.store(began, Relaxed);
        let poll = Pin::new(&mut self.future).poll(context);
        let spent = self.meter.now().saturating_sub(began);
        self.meter.charge(spent);
        poll
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu_share::Processors;
    use crate::limits::Limits;

    fn meter() -> Meter {
        Meter::new(Processors::start().unwrap().share("p", &Limits::default()))
    }

    #[tokio::test]
    async fn a_turn_ends_with_the_poll_that_uses_it() {
        let meter = Arc::new(meter());
        assert!(meter.take_turn(Instant::now() + TICK).await);
        assert!(meter.turn.lock().is_some());
        Metered::new(std::future::ready(()), meter.clone()).await;
        assert!(meter.turn.lock().is_none());
    }

    #[test]
    fn runs_long_after_some_ticks() {
        let meter = meter();
        let long_after = (1..100).find(|_| {
            meter.tick(Duration::MAX);
            meter.runs_long()
        });
        assert_eq!(long_after, Some(TICKS_WITHOUT_TURN_MAX + 1));
    }

    #[test]
    fn needs_both_ticks_and_time_to_be_over_budget() {
        let meter = meter();
        let budget = TICK * 2;
        assert!(!meter.tick(budget), "one tick is less than two");
        meter.used.store(0, Relaxed);
        meter.poll_began.store(u64::MAX, Relaxed);
        assert!(!meter.tick(budget), "no time was spent");
        meter.used.store(u64::try_from(budget.as_nanos()).unwrap(), Relaxed);
        assert!(meter.tick(budget));
        meter.reset();
        assert!(!meter.tick(budget));
    }
}
