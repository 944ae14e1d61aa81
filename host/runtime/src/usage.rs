//! What an invocation took: CPU, and the store's share of its wall time. Kept for the counters, and
//! for the log line of a slow call.

use std::time::Duration;

/// What one invocation took, over all its attempts.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// How long it waited for its turn before it ran.
    pub(crate) queue: Duration,
    /// CPU time, host functions included.
    pub(crate) cpu: Duration,
    pub(crate) store: StoreUsage,
}

/// What an invocation asked of its store.
#[derive(Debug, Default)]
pub(crate) struct StoreUsage {
    pub(crate) n_statements: u32,
    /// Statements, begin and commit.
    pub(crate) time: Duration,
    /// The wait for the begin of the transaction: for whoever writes before.
    pub(crate) begin: Duration,
    /// The wait for its commit: for the disk.
    pub(crate) commit: Duration,
    pub(crate) slowest: Option<(Duration, String)>,
}

impl StoreUsage {
    /// Adds a statement. Takes its text, which whoever ran it has no more use for: keeping the
    /// slowest one costs no copy.
    pub(crate) fn statement(&mut self, took: Duration, text: String) {
        self.n_statements += 1;
        self.time += took;
        if self.slowest.as_ref().is_none_or(|(slowest, _)| took > *slowest) {
            self.slowest = Some((took, text));
        }
    }

    /// Adds the wait for the begin of the transaction.
    pub(crate) fn begun(&mut self, took: Duration) {
        self.begin += took;
        self.time += took;
    }

    /// Adds the wait for its commit.
    pub(crate) fn committed(&mut self, took: Duration) {
        self.commit += took;
        self.time += took;
    }

    /// Adds what another attempt of the same invocation asked for.
    pub(crate) fn add(&mut self, other: Self) {
        self.n_statements += other.n_statements;
        self.time += other.time;
        self.begin += other.begin;
        self.commit += other.commit;
        let own = self.slowest.take();
        self.slowest = own.into_iter().chain(other.slowest).max_by_key(|(took, _)| *took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn keeps_the_slowest_statement_of_all_attempts() {
        let mut first = StoreUsage::default();
        first.statement(ms(2), "b".to_owned());
        first.statement(ms(1), "a".to_owned());
        assert_eq!(first.slowest, Some((ms(2), "b".to_owned())));
        let mut second = StoreUsage::default();
        second.begun(ms(4));
        second.committed(ms(1));
        second.statement(ms(3), "c".to_owned());
        first.add(second);
        assert_eq!((first.n_statements, first.time), (3, ms(11)));
        assert_eq!((first.begin, first.commit), (ms(4), ms(1)));
        assert_eq!(first.slowest, Some((ms(3), "c".to_owned())));
        first.add(StoreUsage::default());
        assert_eq!(first.slowest, Some((ms(3), "c".to_owned())));
    }
}
