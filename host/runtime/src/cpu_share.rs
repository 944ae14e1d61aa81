//! The share of the processors that each plugin has used of late, and what follows from it.
//!
//! As long as nobody has to wait, or only one plugin is called, everybody may use all there is. When
//! the processors are busy and several plugins are called, one that used most of its share is
//! *greedy*: each of its calls runs from its beginning where it gives way to others
//! ([`crate::back_row`]), and has to take a turn first ([`crate::turns`]). Plugins take turns evenly, so
//! that calls which wait in great number are calls over the plugin's share: further ones are refused.
//!
//! What is measured is wall time of polls, as in [`crate::meter`]: with one thread a processor, both
//! are nearly the same, and reading a clock is cheaper than asking the system.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::back_row::HAS_PRIORITIES;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::turns::{Turn, Turns};

/// How often use is looked at, and how many looks are remembered: half a second.
const PERIOD: Duration = Duration::from_millis(50);
const N_PERIODS: usize = 10;

/// From this part of all processors on, in percent, they are busy. What gives way to others has less of
/// them than it could use when the machine has other things to do: it must not pass for idle then.
const BUSY_PERCENT: u64 = 50;

/// Who was called in so many last periods, one minute, is there. A plugin that is called now and then is
/// to find its neighbours giving way already.
const N_PERIODS_PRESENT: u32 = 1_200;

/// The processors of the machine, shared by all plugins of a host.
pub(crate) struct Processors {
    n_processors: usize,
    turns: Arc<Turns>,
    accounts: Mutex<Vec<Account>>,
}

/// What one plugin, with all its generations, has used of late.
struct Account {
    share: Weak<Share>,
    /// In nanoseconds, at the last look.
    used: u64,
    /// Use between two looks, in nanoseconds; the oldest is overwritten next.
    periods: [u64; N_PERIODS],
    next: usize,
    /// Periods since calls used anything.
    n_idle: u32,
}

/// What an account says.
struct Use {
    share: Arc<Share>,
    /// Nanoseconds in all periods that are remembered.
    used: u64,
    is_present: bool,
}

/// One plugin's share of the processors.
pub(crate) struct Share {
    plugin: Arc<str>,
    percent: AtomicU32,
    n_waiting_max: AtomicUsize,
    /// Nanoseconds since the host was started.
    used: AtomicU64,
    is_greedy: AtomicBool,
    /// Whether it was ever called. What only started, or said what it is, is nobody's neighbour.
    was_called: AtomicBool,
    /// Calls that wait for a turn.
    n_waiting: AtomicUsize,
    turns: Arc<Turns>,
}

impl Processors {
    /// Looks at the use of the processors for as long as the host lives.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let n_processors = std::thread::available_parallelism().map_or(1, usize::from);
        let processors = Self::new(n_processors);
        let weak = Arc::downgrade(&processors);
        std::thread::Builder::new().name("caplet-share".into()).spawn(move || {
            while let Some(processors) = weak.upgrade() {
                processors.look();
                drop(processors);
                std::thread::sleep(PERIOD);
            }
        })?;
        Ok(processors)
    }

    fn new(n_processors: usize) -> Arc<Self> {
        let (turns, accounts) = (Turns::new(n_processors), Mutex::default());
        Arc::new(Self { n_processors, turns, accounts })
    }

    /// Opens the account of a plugin.
    pub(crate) fn share(&self, plugin: &str, limits: &Limits) -> Arc<Share> {
        let share = Arc::new(Share {
            plugin: plugin.into(),
            percent: limits.cpu_share_percent.into(),
            n_waiting_max: limits.cpu_waiting_max.into(),
            used: AtomicU64::new(0),
            is_greedy: AtomicBool::new(false),
            was_called: AtomicBool::new(false),
            n_waiting: AtomicUsize::new(0),
            turns: self.turns.clone(),
        });
        let share_of_account = Arc::downgrade(&share);
        let account = Account {
            share: share_of_account,
            used: 0,
            periods: [0; N_PERIODS],
            next: 0,
            n_idle: N_PERIODS_PRESENT,
        };
        self.accounts.lock().push(account);
        share
    }

    /// Takes account of what was used since the last look, and judges.
    fn look(&self) {
        let mut accounts = self.accounts.lock();
        let mut uses: Vec<Use> = Vec::with_capacity(accounts.len());
        accounts.retain_mut(|account| {
            let Some(share) = account.share.upgrade() else { return false };
            uses.push(account.look(share));
            true
        });
        drop(accounts);
        let n_active = uses.iter().filter(|it| it.used > 0).count();
        let n_turns = match n_active {
            // A plugin that has the machine to itself may use all of it, and so may those that give way.
            0 | 1 => self.n_processors,
            _ if HAS_PRIORITIES => self.n_processors,
            // One processor is left to those who need little.
            _ => (self.n_processors - 1).max(1),
        };
        self.turns.set_n_turns(n_turns);
        self.judge(&uses, n_active);
    }

    fn judge(&self, uses: &[Use], n_active: usize) {
        let capacity = duration_ns(PERIOD) * (N_PERIODS * self.n_processors) as u64;
        let total: u64 = uses.iter().map(|it| it.used).sum();
        let is_alone = uses.iter().filter(|it| it.is_present).count() <= 1;
        let is_busy = self.turns.take_waited_for() || total >= capacity * BUSY_PERCENT / 100;
        for Use { share, used, .. } in uses {
            let part =
                capacity / n_active.max(1) as u64 * u64::from(share.percent.load(Relaxed)) / 100;
            // Less than the whole, because many that want all get an equal part each. And less to stay
            // so: else what a plugin is held to would set it free at once.
            let used_max = if share.is_greedy() { part / 8 } else { part * 3 / 4 };
            share.set_greedy(!is_alone && is_busy && *used > used_max);
        }
    }
}

impl Account {
    fn look(&mut self, share: Arc<Share>) -> Use {
        let used = share.used.load(Relaxed);
        let used_now = used - self.used;
        let is_called = used_now > 0 && share.was_called.load(Relaxed);
        self.n_idle = if is_called { 0 } else { self.n_idle.saturating_add(1) };
        self.periods[self.next] = used_now;
        self.next = (self.next + 1) % N_PERIODS;
        self.used = used;
        let is_present = self.n_idle < N_PERIODS_PRESENT;
        Use { share, used: self.periods.iter().sum(), is_present }
    }
}

impl Share {
    /// Holds the plugin to these limits from now on.
    pub(crate) fn limit(&self, limits: &Limits) {
        self.percent.store(limits.cpu_share_percent, Relaxed);
        self.n_waiting_max.store(limits.cpu_waiting_max, Relaxed);
    }

    /// Notes that the plugin used a processor for so long.
    pub(crate) fn charge(&self, nanoseconds: u64) {
        self.used.fetch_add(nanoseconds, Relaxed);
    }

    /// Lets a call through. While the plugin is greedy it counts as one that waits until what is
    /// returned is dropped, which is to be when it begins.
    ///
    /// # Errors
    /// [`Fault::CpuShare`] while the plugin is greedy and enough of its calls wait.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Option<Waiting>, Fault> {
        // Written to only when it changes, as below.
        if !self.was_called.load(Relaxed) {
            self.was_called.store(true, Relaxed);
        }
        if !self.is_greedy() {
            return Ok(None);
        }
        let waiting = Waiting::new(self.clone());
        let n_waiting_max = self.n_waiting_max.load(Relaxed);
        if waiting.n_before >= n_waiting_max { Err(Fault::CpuShare) } else { Ok(Some(waiting)) }
    }

    /// Whether a call has to take a turn before it begins.
    pub(crate) fn is_greedy(&self) -> bool {
        self.is_greedy.load(Relaxed)
    }

    /// Waits for the plugin's turn.
    pub(crate) async fn turn(self: Arc<Self>) -> Turn {
        let _waiting = Waiting::new(self.clone());
        self.turns.clone().take(self.plugin.clone()).await
    }

    /// Written to only when it changes: a cache line that all threads read stays shared.
    fn set_greedy(&self, is_greedy: bool) {
        if self.is_greedy() != is_greedy {
            self.is_greedy.store(is_greedy, Relaxed);
        }
    }
}

/// A call that waits, until it is dropped.
pub(crate) struct Waiting {
    share: Arc<Share>,
    /// How many waited already.
    n_before: usize,
}

impl Waiting {
    fn new(share: Arc<Share>) -> Self {
        let n_before = share.n_waiting.fetch_add(1, Relaxed);
        Self { share, n_before }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.share.n_waiting.fetch_sub(1, Relaxed);
    }
}

fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Two processors and plugins whose calls use so many milliseconds in each of `n` periods.
    fn used(processors: &Processors, uses: &[(&Arc<Share>, u64)], n: usize) {
        for _ in 0..n {
            for (share, ms) in uses {
                let _ = share.enter();
                share.charge(ms * 1_000_000);
            }
            processors.look();
        }
    }

    fn share(processors: &Processors, percent: u32) -> Arc<Share> {
        let limits = Limits { cpu_share_percent: percent, cpu_waiting_max: 1, ..Limits::default() };
        processors.share("p", &limits)
    }

    #[test]
    fn who_is_alone_may_use_all() {
        let processors = Processors::new(2);
        let (alone, _quiet) = (share(&processors, 100), share(&processors, 100));
        used(&processors, &[(&alone, 100)], 20);
        assert!(!alone.is_greedy());
    }

    #[test]
    fn who_uses_more_than_others_is_greedy_only_while_all_are_busy() {
        let processors = Processors::new(2);
        let (flood, light) = (share(&processors, 100), share(&processors, 100));
        used(&processors, &[(&flood, 95), (&light, 2)], 10);
        assert!(flood.is_greedy() && !light.is_greedy());
        used(&processors, &[(&flood, 50), (&light, 35)], 10);
        assert!(flood.is_greedy(), "it is what it is held to");
        used(&processors, &[(&flood, 40), (&light, 2)], 10);
        assert!(!flood.is_greedy(), "the processors are not busy");
    }

    #[test]
    fn who_is_called_now_and_then_is_there_for_a_minute() {
        let processors = Processors::new(2);
        let (flood, seldom) = (share(&processors, 100), share(&processors, 100));
        used(&processors, &[(&seldom, 1)], 1);
        used(&processors, &[(&flood, 95)], 1_199);
        assert!(flood.is_greedy());
        used(&processors, &[(&flood, 95)], 1);
        assert!(!flood.is_greedy(), "it has been alone for a minute");
    }

    #[test]
    fn who_only_starts_is_no_neighbour() {
        let processors = Processors::new(2);
        let (alone, started) = (share(&processors, 100), share(&processors, 100));
        started.charge(50_000_000);
        used(&processors, &[(&alone, 100)], 20);
        assert!(!alone.is_greedy());
        used(&processors, &[(&alone, 100), (&started, 1)], 20);
        assert!(alone.is_greedy());
    }

    #[test]
    fn a_share_may_be_larger_than_others() {
        let processors = Processors::new(2);
        let (large, other) = (share(&processors, 300), share(&processors, 100));
        used(&processors, &[(&large, 80), (&other, 20)], 10);
        assert!(!large.is_greedy());
    }

    #[test]
    fn who_is_greedy_is_refused_while_its_calls_wait() {
        let processors = Processors::new(2);
        let (flood, light) = (share(&processors, 100), share(&processors, 100));
        used(&processors, &[(&flood, 95), (&light, 2)], 10);
        assert!(flood.enter().is_ok());
        let n_turns = if HAS_PRIORITIES { 2 } else { 1 };
        let turn = |_| flood.clone().turn().now_or_never().expect("it is free");
        let held: Vec<Turn> = (0..n_turns).map(turn).collect();
        let mut second = flood.clone().turn().boxed();
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(flood.enter().err(), Some(Fault::CpuShare));
        assert!(light.enter().is_ok());
        drop(held);
        assert!(second.now_or_never().is_some());
        let waiting = flood.enter();
        assert!(waiting.is_ok());
        assert_eq!(flood.enter().err(), Some(Fault::CpuShare), "the call before has not begun");
        drop(waiting);
        assert!(flood.enter().is_ok());
    }

    #[test]
    fn what_is_gone_has_no_account() {
        let processors = Processors::new(2);
        drop(share(&processors, 100));
        processors.look();
        assert!(processors.accounts.lock().is_empty());
    }
}
