//! What many answers say together: how many failed and how, how long they took, and how long nobody was
//! answered at all.

use std::{collections::BTreeMap, time::Duration};

use super::{
    caller::Outcome,
    load::Sample,
    question::{Kind, Target},
    row::Row,
};

/// How many examples of what went wrong are told.
const EXAMPLES_MAX: usize = 5;

/// The samples of one load, in the order of their answers.
pub struct Samples(pub Vec<Sample>);

/// A time in which somebody waited and nobody was answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pause {
    pub begun: Duration,
    pub length: Duration,
}

impl Pause {
    pub fn ms(&self) -> f64 {
        self.length.as_secs_f64() * 1_000.0
    }
}

impl Samples {
    /// How many are so.
    pub fn count(&self, is_so: impl Fn(&Outcome) -> bool) -> usize {
        self.0.iter().filter(|sample| is_so(&sample.outcome)).count()
    }

    /// Those of one plugin.
    pub fn of(&self, target: Target) -> Self {
        Self(self.0.iter().filter(|sample| sample.question.of == target).cloned().collect())
    }

    /// The latencies of the good answers of a kind whose requests were due in one of the windows.
    pub fn latencies_ms(&self, kind: Kind, is_in: impl Fn(Duration) -> bool) -> Vec<f64> {
        self.good(kind).filter(|sample| is_in(sample.due)).map(Sample::latency_ms).collect()
    }

    fn good(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Sample> {
        let is_good = move |sample: &&Sample| {
            sample.question.kind == kind && matches!(sample.outcome, Outcome::Good(_))
        };
        self.0.iter().filter(is_good)
    }

    /// The longest time from `from` to `to` in which a fast request waited and none was answered.
    pub fn pause(&self, from: Duration, to: Duration) -> Pause {
        let mut longest = Pause::default();
        let mut waited = |begun: Duration, answered: Duration| {
            let length = answered.saturating_sub(begun);
            if length > longest.length {
                longest = Pause { begun, length };
            }
        };
        // From the last answer to the first: when the earliest was due of those answered later, and
        // when the next one was answered.
        let mut due_first = to;
        let mut next = to;
        for sample in self.good(Kind::Fast).rev().filter(|sample| sample.done >= from) {
            if sample.done <= to {
                waited(sample.done.max(due_first), next);
                next = sample.done;
            }
            due_first = due_first.min(sample.due);
        }
        waited(from.max(due_first), next);
        longest
    }

    /// A row with how many requests there were of each kind, and with none that failed.
    pub fn judged(&self, row: Row) -> Row {
        let mut asked = BTreeMap::new();
        for sample in &self.0 {
            *asked.entry(sample.question).or_insert(0) += 1;
        }
        let row = asked.into_iter().fold(row, |row, (question, n)| {
            row.told(&format!("requests: {}", question.name()), number(n), "")
        });
        let row = row
            .none("no connection", self.count(|it| matches!(it, Outcome::Unreached(_))))
            .none("dropped", self.count(|it| matches!(it, Outcome::Dropped(_))))
            .none("answers from 500 on", self.count(|it| matches!(it, Outcome::Error(..))))
            .none("refused", self.count(|it| *it == Outcome::Refused))
            .none("of two versions", self.count(|it| matches!(it, Outcome::Mixed(_))))
            .none("other wrong answers", self.count(|it| matches!(it, Outcome::Wrong(_))));
        self.examples().into_iter().fold(row, Row::note)
    }

    /// What went wrong, each sort of it once.
    fn examples(&self) -> Vec<String> {
        let mut sorts: BTreeMap<String, (usize, Duration)> = BTreeMap::new();
        for sample in &self.0 {
            if !matches!(sample.outcome, Outcome::Good(_)) {
                let text = format!("{}: {}", sample.question.name(), sample.outcome);
                sorts.entry(text).or_insert((0, sample.done)).0 += 1;
            }
        }
        let mut sorts: Vec<_> = sorts.into_iter().collect();
        sorts.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
        let told = sorts.into_iter().take(EXAMPLES_MAX);
        told.map(|(text, (n, first))| {
            format!("{n} × {text} (first at {:.1} s)", first.as_secs_f64())
        })
        .collect()
    }
}

/// The value below which so many hundredths of the values are; 0 of none.
pub fn percentile(values: &[f64], hundredths: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // The numbers are small and positive.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let place = (number(sorted.len()) * hundredths / 100.0).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// A count as a figure.
pub fn number(n: usize) -> f64 {
    // A count is far below what a float holds exactly.
    #[allow(clippy::cast_precision_loss)]
    let n = n as f64;
    n
}

#[cfg(test)]
mod tests {
    use super::{Samples, percentile};
    use crate::prove::{
        caller::Outcome,
        load::Sample,
        question::{Kind, Question, Target},
        row::Row,
    };
    use std::time::Duration;

    fn sample(kind: Kind, due_ms: u64, done_ms: u64, outcome: Outcome) -> Sample {
        let at = Duration::from_millis;
        let question = Question { of: Target::Upgrade, kind };
        Sample { question, due: at(due_ms), sent: at(due_ms), done: at(done_ms), outcome }
    }

    #[test]
    fn a_pause_is_when_somebody_waits_and_nobody_is_answered() {
        let fast = |due, done| sample(Kind::Fast, due, done, Outcome::Good(1));
        let slow = sample(Kind::Slow, 0, 30, Outcome::Good(1));
        let at = Duration::from_millis;
        let pause = |samples: Vec<_>, from, to| Samples(samples).pause(at(from), at(to)).ms();
        let answers = vec![fast(10, 10), fast(20, 20), slow, fast(30, 55), fast(60, 60)];
        assert!((pause(answers.clone(), 0, 60) - 25.0).abs() < 0.001, "from when it was due");
        assert!((pause(answers, 100, 140)).abs() < 0.001, "nobody asked");
        let late = vec![fast(10, 11), fast(20, 90), fast(30, 91)];
        assert!((pause(late.clone(), 0, 100) - 70.0).abs() < 0.001, "until the first is answered");
        assert!((pause(late, 50, 80) - 30.0).abs() < 0.001, "within the window alone");
    }

    #[test]
    fn one_dropped_request_fails_the_row_and_is_told() {
        let dropped = Outcome::Dropped("reset".to_owned());
        let samples = Samples(vec![sample(Kind::Write, 0, 5, dropped)]);
        let row = samples.judged(Row::new("a", "b", String::new()));
        let note = "upgrade, write: no answer: reset";
        assert!(!row.passed && row.notes[0].contains(note), "{:?}", row.notes);
    }

    #[test]
    fn latencies_begin_when_a_request_was_due() {
        let samples = Samples(vec![sample(Kind::Fast, 10, 250, Outcome::Good(1))]);
        let all = samples.latencies_ms(Kind::Fast, |_| true);
        assert!((percentile(&all, 99.0) - 240.0).abs() < 0.001);
        assert!(samples.of(Target::Tags).0.is_empty());
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 99.0), 99.0);
        assert_eq!(percentile(&values, 50.0), 50.0);
        assert_eq!(percentile(&[7.0], 99.0), 7.0);
        assert_eq!(percentile(&[], 99.0), 0.0);
    }
}
