//! The share of the processors that each plugin has used of late, and what follows from it.
//!
//! As long as nobody has to wait, or only one plugin is called, everybody may use all there is. When
//! the processors are busy and several plugins are called, one that used more than its equal part is
//! *greedy*: each of its calls has to take a turn before it begins ([`crate::turns`]), and one that
//! used more than its share of the turns is refused until it is below it again.
//!
//! What is measured is wall time of polls, as in [`crate::meter`]: with one thread a processor, both
//! are nearly the same, and reading a clock is cheaper than asking the system.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::fault::Fault;
use crate::turns::{Turn, Turns};

/// How often use is looked at, and how many looks are remembered: half a second.
const PERIOD: Duration = Duration::from_millis(50);
const N_PERIODS: usize = 10;

/// From this part of all processors on, in percent, they are busy.
const BUSY_PERCENT: u64 = 80;

/// A plugin with at least this part of all processors, in percent, has a share of the turns.
const PART_PERCENT_MIN: u64 = 5;

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
}

/// How a plugin stands. Looked at with every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Standing {
    Modest,
    /// Its calls take turns from the beginning.
    Greedy,
    /// It is also refused.
    Over,
}

/// One plugin's share of the processors.
pub(crate) struct Share {
    plugin: Arc<str>,
    percent: u32,
    /// Nanoseconds since the host was started.
    used: AtomicU64,
    standing: AtomicU8,
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

    /// Opens the account of a plugin. `percent` is what it may use of an equal share.
    pub(crate) fn share(&self, plugin: &str, percent: u32) -> Arc<Share> {
        let share = Arc::new(Share {
            plugin: plugin.into(),
            percent,
            used: AtomicU64::new(0),
            standing: AtomicU8::new(Standing::Modest as u8),
            turns: self.turns.clone(),
        });
        let share_of_account = Arc::downgrade(&share);
        let account =
            Account { share: share_of_account, used: 0, periods: [0; N_PERIODS], next: 0 };
        self.accounts.lock().push(account);
        share
    }

    /// Takes account of what was used since the last look, and judges.
    fn look(&self) {
        let mut accounts = self.accounts.lock();
        let mut uses: Vec<(Arc<Share>, u64)> = Vec::with_capacity(accounts.len());
        accounts.retain_mut(|account| {
            let Some(share) = account.share.upgrade() else { return false };
            let used = account.look(&share);
            uses.push((share, used));
            true
        });
        drop(accounts);
        let n_active = uses.iter().filter(|(_, used)| *used > 0).count();
        let n_turns = match n_active {
            // A plugin that has the machine to itself may use all of it.
            0 | 1 => self.n_processors,
            // One processor is left to those who need little.
            _ => (self.n_processors - 1).max(1),
        };
        self.turns.set_n_turns(n_turns);
        self.judge(&uses, n_active, n_turns);
    }

    fn judge(&self, uses: &[(Arc<Share>, u64)], n_active: usize, n_turns: usize) {
        let window = duration_ns(PERIOD) * N_PERIODS as u64;
        let capacity = window * self.n_processors as u64;
        let total: u64 = uses.iter().map(|(_, used)| used).sum();
        let is_busy = self.turns.take_waited_for() || total >= capacity * BUSY_PERCENT / 100;
        let has_part = |used: u64| used >= capacity * PART_PERCENT_MIN / 100;
        let n_parts = uses.iter().filter(|(_, used)| has_part(*used)).count().max(1);
        for (share, used) in uses {
            let weighted = |part: u64| part * u64::from(share.percent) / 100;
            let equal = weighted(capacity / n_active.max(1) as u64);
            let of_turns = weighted(window * n_turns as u64 / n_parts as u64);
            let was_greedy = share.standing() != Standing::Modest;
            // Half of it is enough to stay so: else what it is held to would set it free at once.
            let is_greedy = *used > if was_greedy { equal / 2 } else { equal };
            share.set(match () {
                () if n_active < 2 || !is_busy || !is_greedy => Standing::Modest,
                () if n_parts > 1 && *used > of_turns => Standing::Over,
                () => Standing::Greedy,
            });
        }
    }
}

impl Account {
    /// What was used in all periods that are remembered.
    fn look(&mut self, share: &Share) -> u64 {
        let used = share.used.load(Relaxed);
        self.periods[self.next] = used - self.used;
        self.next = (self.next + 1) % N_PERIODS;
        self.used = used;
        self.periods.iter().sum()
    }
}

impl Share {
    /// Notes that the plugin used a processor for so long.
    pub(crate) fn charge(&self, nanoseconds: u64) {
        self.used.fetch_add(nanoseconds, Relaxed);
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// [`Fault::CpuShare`] while the plugin is over its share.
    pub(crate) fn enter(&self) -> Result<(), Fault> {
        match self.standing() {
            Standing::Modest | Standing::Greedy => Ok(()),
            Standing::Over => Err(Fault::CpuShare),
        }
    }

    /// Whether a call has to take a turn before it begins.
    pub(crate) fn is_greedy(&self) -> bool {
        self.standing() != Standing::Modest
    }

    /// Waits for the plugin's turn.
    pub(crate) fn turn(&self) -> impl Future<Output = Turn> + Send + 'static {
        self.turns.clone().take(self.plugin.clone())
    }

    fn standing(&self) -> Standing {
        match self.standing.load(Relaxed) {
            0 => Standing::Modest,
            1 => Standing::Greedy,
            _ => Standing::Over,
        }
    }

    /// Written to only when it changes: a cache line that all threads read stays shared.
    fn set(&self, standing: Standing) {
        if self.standing() != standing {
            self.standing.store(standing as u8, Relaxed);
        }
    }
}

fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two processors and plugins that use so many milliseconds in each of `n` periods.
    fn used(processors: &Processors, uses: &[(&Arc<Share>, u64)], n: usize) {
        for _ in 0..n {
            for (share, ms) in uses {
                share.charge(ms * 1_000_000);
            }
            processors.look();
        }
    }

    #[test]
    fn who_is_alone_may_use_all() {
        let processors = Processors::new(2);
        let (alone, _quiet) = (processors.share("a", 100), processors.share("b", 100));
        used(&processors, &[(&alone, 100)], 20);
        assert_eq!(alone.standing(), Standing::Modest);
    }

    #[test]
    fn who_uses_more_than_others_takes_turns_only_while_all_are_busy() {
        let processors = Processors::new(2);
        let (flood, light) = (processors.share("a", 100), processors.share("b", 100));
        used(&processors, &[(&flood, 95), (&light, 2)], 10);
        assert_eq!(flood.standing(), Standing::Greedy, "the other one does not want more");
        assert_eq!(light.standing(), Standing::Modest);
        used(&processors, &[(&flood, 40), (&light, 2)], 10);
        assert_eq!(flood.standing(), Standing::Modest, "the processors are not busy");
    }

    #[test]
    fn who_uses_more_than_the_share_beside_busy_others_is_refused_until_below() {
        let processors = Processors::new(2);
        let (flood, other) = (processors.share("a", 100), processors.share("b", 100));
        used(&processors, &[(&flood, 70), (&other, 20)], 10);
        assert_eq!(flood.enter(), Err(Fault::CpuShare));
        assert_eq!(other.enter(), Ok(()));
        used(&processors, &[(&flood, 0), (&other, 20)], 10);
        assert_eq!(flood.enter(), Ok(()));
    }

    #[test]
    fn a_share_may_be_larger_than_others() {
        let processors = Processors::new(2);
        let (large, other) = (processors.share("a", 200), processors.share("b", 100));
        used(&processors, &[(&large, 80), (&other, 20)], 10);
        assert_eq!(large.standing(), Standing::Modest);
    }

    #[test]
    fn what_is_gone_has_no_account() {
        let processors = Processors::new(2);
        drop(processors.share("a", 100));
        processors.look();
        assert!(processors.accounts.lock().is_empty());
    }
}
