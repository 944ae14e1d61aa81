//! Whether a new generation does worse than the one that it is held against: by what fails, over all its
//! time, and by what fails and how long invocations take in several windows in a row. A stall of the machine
//! is over in the next window, a slow generation is slow in each; and one that begins to fail after days
//! fails in each from then on, however well it did before.

use std::time::Duration;

use super::scores::Score;

/// Invocations that went wrong before their share says anything.
const BAD_MIN: u64 = 5;

/// The share may be twice the old one's, and this much more.
const BAD_SHARE_MORE: f64 = 0.05;

/// Invocations in a window, and of the old generation, before their times say anything.
pub(super) const TIMED_MIN: u64 = 100;

/// How long a window is at least.
const WINDOW_MIN: Duration = Duration::from_secs(1);

/// So many windows in a row must be too slow, or fail too often.
const WORSE_WINDOWS: u32 = 3;

/// The time of 99 of 100 may be four times the old one's, and this much more.
const P99_TIMES_MAX: u32 = 4;
const P99_MORE: Duration = Duration::from_millis(100);

/// A time is held against a generation that was counted so many times as long. Slow calls of one that
/// served shortly had not ended when it was replaced, and its times would be those of its fast calls.
const COUNTED_TIMES_MIN: u32 = 5;

/// Judges one new generation.
#[derive(Debug)]
pub(super) struct Judge {
    /// What it had done when it began to be watched.
    start: Score,
    /// What it had done when the present window began, and the one that it is held against.
    window: (Score, Score),
    n_slow_windows: u32,
    n_failing_windows: u32,
}

impl Judge {
    /// Judges what a generation does from now on, which has done `start`.
    pub(super) fn from(start: Score) -> Self {
        let window = (start, Score::default());
        Self { start, window, n_slow_windows: 0, n_failing_windows: 0 }
    }

    /// What the generation did since it began to be watched, when it has done `now`.
    pub(super) fn watched(&self, now: &Score) -> Score {
        now.since(&self.start)
    }

    /// Why the generation, which has done `now`, does worse than `before`, if it does.
    pub(super) fn look(&mut self, now: &Score, before: &Score) -> Option<String> {
        fails_more(&self.watched(now), before.bad_share())
            .or_else(|| self.look_at_window(now, before))
    }

    fn look_at_window(&mut self, now: &Score, before: &Score) -> Option<String> {
        let (window, beside) = (now.since(&self.window.0), before.since(&self.window.1));
        if window.counted < WINDOW_MIN || window.n() < TIMED_MIN {
            return None;
        }
        self.window = (*now, *before);
        self.look_at_failures(&window, before.bad_share().max(beside.bad_share()))
            .or_else(|| self.look_at_times(&window, before))
    }

    fn look_at_failures(&mut self, window: &Score, share_before: f64) -> Option<String> {
        let worse = fails_more(window, share_before);
        self.n_failing_windows = if worse.is_some() { self.n_failing_windows + 1 } else { 0 };
        worse.filter(|_| self.n_failing_windows >= WORSE_WINDOWS)
    }

    fn look_at_times(&mut self, window: &Score, before: &Score) -> Option<String> {
        if before.n() < TIMED_MIN {
            return None;
        }
        let (p99, p99_before) = (window.p99(), before.p99());
        let is_slow = before.counted >= p99 * COUNTED_TIMES_MIN
            && p99 > p99_before * P99_TIMES_MAX + P99_MORE;
        self.n_slow_windows = if is_slow { self.n_slow_windows + 1 } else { 0 };
        (self.n_slow_windows >= WORSE_WINDOWS).then(|| {
            format!(
                "99 % of its invocations took up to {p99:?}, {p99_before:?} before, \
                 {WORSE_WINDOWS} times in a row"
            )
        })
    }
}

fn fails_more(new: &Score, share_before: f64) -> Option<String> {
    let share = new.bad_share();
    let is_worse = new.n_bad() >= BAD_MIN && share > share_before * 2.0 + BAD_SHARE_MORE;
    is_worse.then(|| {
        format!(
            "{:.1} % of its invocations failed, {:.1} % before",
            share * 100.0,
            share_before * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::scores::Scores;
    use super::*;

    /// What a generation has done, second by second.
    struct Record {
        scores: Scores,
        counted: Duration,
    }

    impl Record {
        fn new() -> Self {
            Self { scores: Scores::default(), counted: Duration::ZERO }
        }

        /// Another second, with so many invocations of so many milliseconds.
        fn second(&mut self, n_good: u64, n_bad: u64, ms: u64) -> Score {
            for n in 0..n_good + n_bad {
                self.scores.count(n < n_bad, Duration::from_millis(ms));
            }
            self.counted += Duration::from_secs(1);
            let mut score = self.scores.read();
            score.counted = self.counted;
            score
        }
    }

    /// What a generation did in a minute.
    fn minute(n_good: u64, n_bad: u64, ms: u64) -> Score {
        let mut score = Record::new().second(n_good, n_bad, ms);
        score.counted = Duration::from_secs(60);
        score
    }

    /// In which second a generation is found to be worse, which takes so many milliseconds in each.
    fn found(before: &Score, ms: &[u64]) -> Option<usize> {
        let (mut record, mut judge) = (Record::new(), Judge::from(Score::default()));
        ms.iter().position(|ms| judge.look(&record.second(150, 0, *ms), before).is_some())
    }

    #[test]
    fn a_slow_version_is_slow_in_each_window() {
        let before = minute(300, 0, 1);
        assert_eq!(found(&before, &[500, 500, 500]), Some(2));
        assert_eq!(found(&before, &[1, 500, 500, 500]), Some(3));
        assert_eq!(found(&minute(300, 0, 400), &[500; 9]), None, "as before");
        assert_eq!(found(&before, &[50; 9]), None, "no more than is allowed");
        assert_eq!(found(&minute(50, 0, 1), &[500; 9]), None, "nothing is known of before");
    }

    #[test]
    fn a_stall_is_over_in_the_next_window() {
        assert_eq!(found(&minute(300, 0, 1), &[500, 500, 1, 500, 500, 1]), None);
    }

    #[test]
    fn a_slow_call_is_not_held_against_a_version_that_served_shortly() {
        let mut before = minute(300, 0, 1);
        assert!(found(&before, &[2_000; 3]).is_some());
        before.counted = Duration::from_secs(2);
        assert_eq!(found(&before, &[2_000; 3]), None);
    }

    #[test]
    fn a_window_lasts_until_enough_was_seen() {
        let (mut record, mut judge) = (Record::new(), Judge::from(Score::default()));
        let before = minute(300, 0, 1);
        // Two seconds make a window.
        let found = (1..=9).find(|_| judge.look(&record.second(50, 0, 500), &before).is_some());
        assert_eq!(found, Some(6));
    }

    #[test]
    fn failures_are_judged_by_what_they_were_before() {
        for ((n_good, n_bad), before, is_worse) in [
            ((100, 0), (100, 0), false),
            ((100, 4), (100, 0), false),
            ((80, 20), (100, 0), true),
            ((80, 20), (80, 20), false),
        ] {
            let now = minute(n_good, n_bad, 1);
            let found = Judge::from(Score::default()).look(&now, &minute(before.0, before.1, 1));
            assert_eq!(found.is_some(), is_worse, "{n_good} and {n_bad} after {before:?}");
        }
    }

    #[test]
    fn what_fails_after_days_is_found_within_seconds() {
        let (mut record, mut judge) = (Record::new(), Judge::from(Score::default()));
        let before = minute(300, 0, 1);
        assert_eq!(judge.look(&record.second(1_000_000, 0, 1), &before), None);
        assert_eq!(judge.look(&record.second(100, 50, 1), &before), None);
        assert_eq!(judge.look(&record.second(150, 0, 1), &before), None, "it was over at once");
        let found = (1..=9).find(|_| judge.look(&record.second(100, 50, 1), &before).is_some());
        assert_eq!(found, Some(3));
    }

    #[test]
    fn what_fails_beside_it_as_well_is_not_its_fault() {
        let (mut new, mut old) = (Record::new(), Record::new());
        let mut judge = Judge::from(Score::default());
        judge.look(&new.second(1_000_000, 0, 1), &old.second(1_000_000, 0, 1));
        for _ in 0..9 {
            assert_eq!(judge.look(&new.second(100, 50, 1), &old.second(100, 50, 1)), None);
        }
    }

    #[test]
    fn what_was_before_the_watch_does_not_count() {
        let mut record = Record::new();
        let start = record.second(50, 50, 1);
        let mut judge = Judge::from(start);
        assert_eq!(judge.look(&record.second(100, 0, 1), &minute(100, 0, 1)), None);
    }
}
