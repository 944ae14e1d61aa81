//! How much CPU time an invocation has used.
//!
//! The time between the begin and the end of each poll of its future is charged to it: guest code and
//! host functions alike, but not the time it waits. Because a poll's wall time also grows when the
//! machine takes the thread away, an invocation is over its budget only when the ticks it has lived
//! through while running say so too.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::engine::TICK;

/// The account of one store. Shared by the store, whose tick asks it, and the future around it.
#[derive(Debug)]
pub(crate) struct Meter {
    base: Instant,
    /// Nanoseconds of finished polls.
    used: AtomicU64,
    /// When the current poll began, in nanoseconds since `base`.
    poll_began: AtomicU64,
    /// Ticks while running.
    ticks: AtomicU32,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
            used: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            ticks: AtomicU32::new(0),
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
        self.meter.used.fetch_add(spent, Relaxed);
        poll
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_both_ticks_and_time_to_be_over_budget() {
        let meter = Meter::new();
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
