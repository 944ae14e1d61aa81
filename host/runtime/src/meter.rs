//! How much CPU time an invocation has used.
//!
//! The time between the begin and the end of each poll of its future is charged to it: guest code and
//! host functions alike, but not the time it waits. By the wall clock until its first tick, because short
//! calls would pay for a better one; from then on, and while an instance starts, by the clock of the thread,
//! which stands still while the machine has taken the thread away. What the first polls took beyond a tick may
//! have been such a time, and does not count for the budget.
//!
//! What is charged to an invocation is also charged to its plugin ([`crate::cpu_share`]), and a turn
//! that an invocation took ends as soon as it waits for anything.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use crate::cpu_share::Share;
use crate::engine::TICK;
use crate::turns::Turn;

/// After so many ticks while running, which are 16 to 18 ms, an invocation goes on by turns only.
const TICKS_WITHOUT_TURN_MAX: u32 = 8;

/// A tick in nanoseconds.
const TICK_NS: u64 = TICK.subsec_nanos() as u64;

/// When the clock of the thread was not read.
const UNREAD: u64 = u64::MAX;

/// The account of one store. Shared by the store, whose tick asks it, and the future around it.
pub(crate) struct Meter {
    base: Instant,
    /// Nanoseconds of finished polls.
    used: AtomicU64,
    /// Those of them that may have been somebody else's.
    doubtful: AtomicU64,
    /// When the current poll began, in nanoseconds since `base`.
    poll_began: AtomicU64,
    /// What the clock of its thread said then, in nanoseconds, or [`UNREAD`].
    thread_began: AtomicU64,
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
            doubtful: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            thread_began: AtomicU64::new(UNREAD),
            // As after a tick: a start is rare, and what it took decides for how long its instance is kept.
            ticks: AtomicU32::new(1),
            share,
            holds_turn: AtomicBool::new(false),
            turn: Mutex::new(None),
        }
    }

    /// Begins a new invocation's account.
    pub(crate) fn reset(&self) {
        self.used.store(0, Relaxed);
        self.doubtful.store(0, Relaxed);
        self.ticks.store(0, Relaxed);
    }

    /// Counts a tick and says whether the budget is used up.
    pub(crate) fn tick(&self, budget: Duration) -> bool {
        self.ticks.fetch_add(1, Relaxed);
        self.surely_used() >= budget
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

    /// Notes that a poll begins.
    fn begin_poll(&self) {
        let has_ticked = self.ticks.load(Relaxed) > 0;
        self.thread_began.store(if has_ticked { thread_ns() } else { UNREAD }, Relaxed);
        self.poll_began.store(self.now(), Relaxed);
    }

    /// Charges what the poll took, and ends its turn.
    fn end_poll(&self) {
        let wall = self.now().saturating_sub(self.poll_began.load(Relaxed));
        self.share.charge(wall);
        match self.thread_began.load(Relaxed) {
            UNREAD => {
                self.used.fetch_add(wall, Relaxed);
                if wall > TICK_NS {
                    self.doubtful.fetch_add(wall - TICK_NS, Relaxed);
                }
            }
            began => {
                self.used.fetch_add(thread_ns().saturating_sub(began), Relaxed);
            }
        }
        if self.holds_turn.load(Relaxed) {
            self.holds_turn.store(false, Relaxed);
            self.turn.lock().take();
        }
    }

    /// CPU time of finished polls.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Relaxed))
    }

    /// CPU time with that of the current poll, on whose thread this is called, and without what is doubtful.
    fn surely_used(&self) -> Duration {
        let current = match self.thread_began.load(Relaxed) {
            UNREAD => self.now().saturating_sub(self.poll_began.load(Relaxed)).min(TICK_NS),
            began => thread_ns().saturating_sub(began),
        };
        let finished = self.used.load(Relaxed) - self.doubtful.load(Relaxed);
        Duration::from_nanos(finished + current)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// CPU time of this thread, in nanoseconds.
fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
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
        self.meter.begin_poll();
        let poll = Pin::new(&mut self.future).poll(context);
        self.meter.end_poll();
        poll
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu_share::Processors;
    use crate::limits::Limits;

    /// The account of an instance that starts.
    fn starting() -> Meter {
        Meter::new(Processors::start().unwrap().share("p", &Limits::default()))
    }

    /// The account of an invocation.
    fn meter() -> Meter {
        let meter = starting();
        meter.reset();
        meter
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

    /// Polls a future once under the meter, as a thread does that runs a guest.
    async fn polled(meter: &Arc<Meter>, mut work: impl FnMut() + Unpin) {
        let work = std::future::poll_fn(move |_| {
            work();
            Poll::Ready(())
        });
        Metered::new(work, meter.clone()).await;
    }

    /// Uses the processor for so long.
    fn compute(time: Duration) {
        let began = thread_ns();
        while thread_ns() - began < duration_ns(time) {
            std::hint::spin_loop();
        }
    }

    fn duration_ns(time: Duration) -> u64 {
        u64::try_from(time.as_nanos()).unwrap()
    }

    #[tokio::test]
    async fn is_over_budget_by_the_time_that_the_thread_ran_however_few_ticks_there_were() {
        let meter = Arc::new(meter());
        let budget = TICK * 10;
        polled(&meter, || assert!(!meter.tick(budget))).await;
        polled(&meter, || {
            compute(budget - TICK * 2);
            assert!(!meter.tick(budget), "there is time left");
        })
        .await;
        polled(&meter, || {
            compute(TICK * 2);
            assert!(meter.tick(budget), "three ticks are less than ten, but the time is used");
        })
        .await;
        assert!(meter.used() >= budget);
        meter.reset();
        polled(&meter, || assert!(!meter.tick(budget), "it is another invocation")).await;
    }

    #[tokio::test]
    async fn what_the_machine_did_meanwhile_is_not_charged() {
        let meter = Arc::new(meter());
        let budget = TICK * 2;
        // Whoever waits for a thread does not run on its own.
        let somebody_else = || std::thread::spawn(move || compute(budget * 2)).join().unwrap();
        polled(&meter, || {
            somebody_else();
            assert!(!meter.tick(budget), "the first poll counts as a tick at most");
        })
        .await;
        polled(&meter, || {
            somebody_else();
            assert!(!meter.tick(budget), "the thread did not run");
        })
        .await;
        assert!(meter.used() >= budget, "the first poll is told by the wall clock");

        let meter = Arc::new(starting());
        polled(&meter, somebody_else).await;
        assert!(meter.used() < budget, "a start is not");
    }
}
