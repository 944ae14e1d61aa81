//! How well a generation does: answers, faults and times, as far as two generations are compared by
//! them. Written to with each invocation, so each is one atomic step.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Buckets of times: the first is up to 64 µs, each further one reaches twice as far.
const BUCKETS: usize = 20;
const FIRST_BUCKET_US: u64 = 64;

/// What is counted while a generation serves.
#[derive(Debug)]
pub(crate) struct Scores {
    began: Instant,
    /// Invocations that failed by the plugin's fault, and answers from 500 on.
    n_bad: AtomicU64,
    times: [AtomicU64; BUCKETS],
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Score {
    /// For how long it was counted.
    pub(super) counted: Duration,
    n_bad: u64,
    times: [u64; BUCKETS],
}

impl Default for Scores {
    fn default() -> Self {
        Self { began: Instant::now(), n_bad: AtomicU64::default(), times: Default::default() }
    }
}

impl Scores {
    pub(crate) fn count(&self, is_bad: bool, time: Duration) {
        if is_bad {
            self.n_bad.fetch_add(1, Relaxed);
        }
        self.times[bucket(time)].fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> Score {
        let (counted, n_bad) = (self.began.elapsed(), self.n_bad.load(Relaxed));
        let mut score = Score { counted, n_bad, times: [0; BUCKETS] };
        for (read, time) in score.times.iter_mut().zip(&self.times) {
            *read = time.load(Relaxed);
        }
        score
    }
}

fn bucket(time: Duration) -> usize {
    let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let doublings = us.div_ceil(FIRST_BUCKET_US).max(1).next_power_of_two().trailing_zeros();
    (doublings as usize).min(BUCKETS - 1)
}

impl Score {
    /// What was counted since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut score = *self;
        score.counted = score.counted.saturating_sub(earlier.counted);
        score.n_bad = score.n_bad.saturating_sub(earlier.n_bad);
        for (time, earlier) in score.times.iter_mut().zip(&earlier.times) {
            *time = time.saturating_sub(*earlier);
        }
        score
    }

    pub(crate) fn n(&self) -> u64 {
        self.times.iter().sum()
    }

    pub(crate) fn n_bad(&self) -> u64 {
        self.n_bad
    }

    /// The share of invocations that went wrong, 0 to 1.
    pub(crate) fn bad_share(&self) -> f64 {
        self.n_bad as f64 / self.n().max(1) as f64
    }

    /// The time within which 99 of 100 invocations ended, at most twice too long.
    pub(crate) fn p99(&self) -> Duration {
        let needed = self.n() - self.n() / 100;
        let mut n = 0;
        for (index, count) in self.times.iter().enumerate() {
            n += count;
            if n >= needed {
                return Duration::from_micros(FIRST_BUCKET_US << index);
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_reaches_twice_as_far() {
        for (us, index) in [(0, 0), (64, 0), (65, 1), (128, 1), (129, 2), (u64::MAX, BUCKETS - 1)] {
            assert_eq!(bucket(Duration::from_micros(us)), index, "{us}");
        }
    }

    #[test]
    fn tells_shares_and_times_of_a_while() {
        let scores = Scores::default();
        scores.count(true, Duration::from_secs(1));
        let before = scores.read();
        for n in 0..100 {
            scores.count(n % 4 == 0, Duration::from_millis(1));
        }
        let while_ = scores.read().since(&before);
        assert_eq!((while_.n(), while_.n_bad()), (100, 25));
        assert!((while_.bad_share() - 0.25).abs() < 1e-9);
        assert_eq!(while_.p99(), Duration::from_micros(1_024));
        assert_eq!(Score::default().p99(), Duration::from_micros(64));
    }
}
