//! How long the statement that runs on a connection may still take.
//!
//! SQLite asks through its progress handler; whoever runs a statement arms the budget before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Steps of SQLite's virtual machine between two looks at the clock. A step may copy a value of up
/// to 1 MiB; 128 small ones take about 1 µs, of which a look at the clock takes 3 %.
const STEPS_BETWEEN_CHECKS: i32 = 128;

/// Checks that a statement passes on the calling thread whatever the clock says. Some 2 000 steps are
/// no work: when they took long, the machine was busy with something else.
const INLINE_CHECKS_MIN: u32 = 16;

/// When there is no end.
const NEVER: u64 = u64::MAX;

/// Shared by a connection's progress handler and its user.
#[derive(Debug)]
pub(super) struct Budget {
    origin: Instant,
    /// Nanoseconds after `origin`.
    ends_at_ns: AtomicU64,
    n_free_checks: AtomicU32,
    is_cancelled: AtomicBool,
}

impl Budget {
    /// Makes the budget of `connection` and installs its handler.
    pub(super) fn install(connection: &mut rusqlite::Connection) -> rusqlite::Result<Arc<Self>> {
        let budget = Arc::new(Self {
            origin: Instant::now(),
            ends_at_ns: AtomicU64::new(NEVER),
            n_free_checks: AtomicU32::new(0),
            is_cancelled: AtomicBool::new(false),
        });
        let asked = Arc::clone(&budget);
        connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || asked.is_spent()))?;
        Ok(budget)
    }

    /// Interrupts what runs after `end`, until the guard is dropped.
    #[must_use]
    pub(super) fn arm(&self, end: Instant) -> Armed<'_> {
        self.arm_after(end, 0)
    }

    /// As [`Self::arm`], for a statement on the calling thread.
    #[must_use]
    pub(super) fn arm_inline(&self, end: Instant) -> Armed<'_> {
        self.arm_after(end, INLINE_CHECKS_MIN)
    }

    fn arm_after(&self, end: Instant, n_free_checks: u32) -> Armed<'_> {
        self.n_free_checks.store(n_free_checks, Ordering::Relaxed);
        let nanoseconds = end.saturating_duration_since(self.origin).as_nanos();
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or(NEVER);
        self.ends_at_ns.store(nanoseconds, Ordering::Relaxed);
        Armed(self)
    }

    /// Interrupts what runs now and what runs next, until [`Self::renew`].
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Takes a [`Self::cancel`] back.
    pub(super) fn renew(&self) {
        self.is_cancelled.store(false, Ordering::Relaxed);
    }

    fn is_spent(&self) -> bool {
        let end = self.ends_at_ns.load(Ordering::Relaxed);
        if end == NEVER {
            return false;
        }
        let n_free_checks = self.n_free_checks.load(Ordering::Relaxed);
        if n_free_checks > 0 {
            self.n_free_checks.store(n_free_checks - 1, Ordering::Relaxed);
            return false;
        }
        self.is_cancelled.load(Ordering::Relaxed)
            || self.origin.elapsed().as_nanos() >= u128::from(end)
    }
}

/// The budget is armed while this lives; host statements run without one.
pub(super) struct Armed<'a>(&'a Budget);

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.0.ends_at_ns.store(NEVER, Ordering::Relaxed);
    }
}
