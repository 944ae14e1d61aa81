//! When a request is sent again: which, how often, after how long. Pure but for chance.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;

use super::options::Retry;

/// What one further attempt costs; a request brings in as much as the budget's percentage.
const ATTEMPT_COST: u64 = 100;

/// The most that is saved up: ten further attempts, so that a quiet service has some, too.
const SAVINGS_MAX: u64 = 10 * ATTEMPT_COST;

/// Whether sending a request twice has the effect of sending it once (RFC 9110, section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE].contains(method)
}

/// Further attempts that may still be made, shared by all requests to a service.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU64::new(SAVINGS_MAX))
    }
}

impl Budget {
    /// A request came in.
    pub(crate) fn earn(&self, options: &Retry) {
        let earned = u64::from(options.budget_percent);
        self.change(|savings| Some((savings + earned).min(SAVINGS_MAX)));
    }

    /// Takes the cost of a further attempt; false when there is not enough.
    pub(crate) fn spend(&self) -> bool {
        self.change(|savings| savings.checked_sub(ATTEMPT_COST))
    }

    fn change(&self, change: impl Fn(u64) -> Option<u64>) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

/// How long to wait before the further attempt `number`, counted from 0: chosen by chance, so that
/// requests that failed together do not come back together.
pub(crate) fn pause(options: &Retry, number: u32) -> Duration {
    let longest = options
        .backoff_ms
        .saturating_mul(1_u64.checked_shl(number).unwrap_or(u64::MAX))
        .min(options.backoff_ms_max);
    Duration::from_millis(fastrand::u64(0..=longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_idempotent_methods_are_sent_again() {
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
            assert!(is_idempotent(&method.parse().unwrap()), "{method}");
        }
        for method in ["POST", "PATCH", "QUERY", "get"] {
            assert!(!is_idempotent(&method.parse().unwrap()), "{method}");
        }
    }

    #[test]
    fn a_budget_is_saved_up_and_spent() {
        let budget = Budget::default();
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
        let options = Retry { budget_percent: 20, ..Retry::default() };
        (0..5).for_each(|_| budget.earn(&options));
        assert!(budget.spend());
        assert!(!budget.spend());
        (0..1_000).for_each(|_| budget.earn(&options));
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
    }

    #[test]
    fn waits_longer_each_time_up_to_a_bound() {
        let options = Retry { backoff_ms: 10, backoff_ms_max: 50, ..Retry::default() };
        let longest = |number| (0..200).map(|_| pause(&options, number).as_millis()).max();
        assert!(longest(0) <= Some(10));
        assert!(longest(1) <= Some(20));
        assert!(longest(63) <= Some(50) && longest(200) <= Some(50));
        assert_eq!(pause(&Retry { backoff_ms: 0, ..options }, 3), Duration::ZERO);
    }
}
