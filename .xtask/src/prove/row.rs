//! One thing that was tried: what, whether it held, and the figures by which one can tell.

use serde::Serialize;
use std::time::Duration;

use super::{plot::Plot, samples::number};

/// The most that a figure may be for its row to hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AtMost(pub f64);

impl AtMost {
    fn is_met(self, value: f64) -> bool {
        value <= self.0
    }

    /// As people write it.
    pub fn text(self) -> String {
        format!("≤ {}", self.0)
    }
}

/// A number that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    /// The most that it may be; none where the number is only told.
    pub at_most: Option<AtMost>,
    pub met: Option<bool>,
}

/// How a row did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    /// Nothing went wrong, but a figure missed its bar.
    Slow,
    Fails,
}

/// One thing that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What it is called, here and in the tests.
    pub id: String,
    /// What was done, and what should come of it.
    pub what: String,
    /// Whether every figure met its bar, and nothing went wrong.
    pub passed: bool,
    /// Whether nothing happened that must never happen, on a machine of any speed.
    pub sound: bool,
    pub figures: Vec<Figure>,
    /// What went wrong, or is to be known about the figures.
    pub notes: Vec<String>,
    /// The command that does it again.
    pub replay: String,
    pub seed: Option<u64>,
    pub duration_s: f64,
    #[serde(skip)]
    pub plots: Vec<Plot>,
}

impl Row {
    /// A row that holds so far.
    pub fn new(id: &str, what: &str, replay: String) -> Self {
        Self {
            id: id.to_owned(),
            what: what.to_owned(),
            passed: true,
            sound: true,
            figures: Vec::new(),
            notes: Vec::new(),
            replay,
            seed: None,
            duration_s: 0.0,
            plots: Vec::new(),
        }
    }

    /// A scenario that could not be tried to its end.
    pub fn broken(scenario: &str, error: &anyhow::Error) -> Self {
        let only = scenario.to_lowercase();
        let row = Self::new(&only, "The scenario runs to its end.", replay(&only, 1));
        row.failed(format!("{error:#}"))
    }

    /// The same row with a figure that is only told.
    pub fn told(mut self, name: &str, value: f64, unit: &'static str) -> Self {
        self.figures.push(Figure { name: name.to_owned(), value, unit, at_most: None, met: None });
        self
    }

    /// The same row with a figure that has a bar, which depends on the machine.
    pub fn held(mut self, name: &str, value: f64, unit: &'static str, bar: AtMost) -> Self {
        let met = bar.is_met(value);
        self.passed &= met;
        let (at_most, met) = (Some(bar), Some(met));
        self.figures.push(Figure { name: name.to_owned(), value, unit, at_most, met });
        self
    }

    /// The same row with a number of things that must not happen at all.
    pub fn none(self, name: &str, n: usize) -> Self {
        let row = self.held(name, number(n), "", AtMost(0.0));
        Self { sound: row.sound && n == 0, ..row }
    }

    /// How it did.
    pub fn verdict(&self) -> Verdict {
        match (self.passed, self.sound) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Slow,
            (false, false) => Verdict::Fails,
        }
    }

    /// The same row with something to be known.
    pub fn note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    /// The same row, which does not hold.
    pub fn failed(mut self, reason: String) -> Self {
        self.passed = false;
        self.sound = false;
        self.note(reason)
    }

    /// The same row with a picture.
    pub fn plot(mut self, plot: Plot) -> Self {
        self.plots.push(plot);
        self
    }

    /// The same row with what is needed to do it again.
    pub fn measured(mut self, seed: u64, duration: Duration) -> Self {
        self.seed = Some(seed);
        self.duration_s = duration.as_secs_f64();
        self
    }
}

/// The command that does a scenario again.
pub fn replay(scenario: &str, seed: u64) -> String {
    format!("cargo xtask prove --only {scenario} --seed {seed}")
}

#[cfg(test)]
mod tests {
    use super::{AtMost, Row, Verdict};

    #[test]
    fn one_bar_that_is_missed_fails_the_row() {
        let row = || Row::new("a", "b", String::new()).held("c", 1.0, "ms", AtMost(1.0));
        assert!(row().told("d", 9.0, "ms").passed);
        assert!(!row().none("e", 1).none("f", 0).passed);
        assert!(!row().failed("why".to_owned()).passed);
        assert_eq!(row().verdict(), Verdict::Holds);
        assert_eq!(row().held("d", 9.0, "ms", AtMost(1.0)).verdict(), Verdict::Slow);
        assert_eq!(row().none("e", 1).verdict(), Verdict::Fails);
        assert_eq!(row().failed("why".to_owned()).verdict(), Verdict::Fails);
        assert!(!row().held("g", f64::NAN, "", AtMost(2.0)).passed, "nothing was measured");
    }
}
