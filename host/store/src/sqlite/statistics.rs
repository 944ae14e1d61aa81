//! What a store did, counted for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What all databases of a store did since it was opened. Each number only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Write transactions that ended well.
    pub transactions: u64,
    /// Commits that changed something: each made one group of transactions durable at once.
    pub commits: u64,
    /// Transactions that were rolled back with [`crate::Error::Retry`].
    pub retries: u64,
    /// Statements that left the calling thread because they took longer than the inline budget.
    pub moved_statements: u64,
    /// Statements and transactions that were ended because they took longer than their limit.
    pub timeouts: u64,
}

/// The numbers while they grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) transactions: Counter,
    pub(super) commits: Counter,
    pub(super) retries: Counter,
    pub(super) moved_statements: Counter,
    pub(super) timeouts: Counter,
}

impl Counters {
    pub(super) fn read(&self) -> Statistics {
        Statistics {
            transactions: self.transactions.read(),
            commits: self.commits.read(),
            retries: self.retries.read(),
            moved_statements: self.moved_statements.read(),
            timeouts: self.timeouts.read(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
