//! How fast a backfill may go, and how long.

use std::time::Duration;

/// The limits of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// The pause between two runs, in which others write undisturbed.
    pub pause: Duration,
    /// How long one run may hold the writer.
    pub run_time_max: Duration,
    /// How often it may be run in all: one that still changes rows then is taken to be endless.
    pub runs_max: u64,
    /// How long [`crate::Database::backfill`] may take in all.
    pub time_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(5),
            run_time_max: Duration::from_secs(1),
            runs_max: 100_000,
            time_max: Duration::from_secs(3600),
        }
    }
}
