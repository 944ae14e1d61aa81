//! What came of the scenarios, for people.

use std::fmt::Write;

use super::run::{Coverage, Outcome};

/// What came of all files.
pub struct Report {
    /// Of each scenario.
    pub outcomes: Vec<Outcome>,
    /// Which operations were called.
    pub coverage: Coverage,
}

impl Report {
    /// Whether none failed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.failure.is_none())
    }
}

/// The report as a text.
#[must_use]
pub fn text(report: &Report, has_colours: bool) -> String {
    let paint = |code: &str, text: &str| match has_colours {
        true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    };
    let mut text = String::new();
    for outcome in &report.outcomes {
        let Outcome { name, n_steps, duration, failure, .. } = outcome;
        let ms = duration.as_millis();
        let word = if failure.is_none() { paint("32", "ok  ") } else { paint("1;31", "FAIL") };
        let _ = writeln!(text, "{word} {name} ({n_steps} steps, {ms} ms)");
        let Some((place, step, misplay)) = failure else { continue };
        let _ = writeln!(text, "     {place}: {step}");
        for difference in &misplay.differences {
            let place = paint("36", difference.place.trim_end());
            let _ = writeln!(text, "       {place}: {}", difference.text);
        }
        if !misplay.answer.is_empty() {
            let _ = writeln!(text, "       the answer: {}", misplay.answer);
        }
        for line in &misplay.log {
            let _ = writeln!(text, "       the log: {line}");
        }
    }
    text + &summary(report)
}

fn summary(report: &Report) -> String {
    let n_all = report.outcomes.len();
    let n_failed = report.outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let Coverage { all, .. } = &report.coverage;
    let missing = report.coverage.missing();
    let mut text = format!(
        "{n_all} scenarios, {} passed, {n_failed} failed; {} of {} operations called",
        n_all - n_failed,
        all.len() - missing.len(),
        all.len(),
    );
    if !missing.is_empty() {
        let _ = write!(text, "; not called: {}", missing.join(", "));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::{Difference, Misplay};

    #[test]
    fn a_failure_is_told_with_its_place_and_what_was_never_called_is_named() {
        let difference = Difference { place: "body /id".into(), text: "expected 1, got 2".into() };
        let misplay = Misplay { differences: vec![difference], ..Misplay::default() };
        let outcome = |name: &str, failure| Outcome {
            name: name.into(),
            place: "notes.yaml:3".into(),
            n_steps: 2,
            duration: Duration::from_millis(7),
            failure,
        };
        let failure = ("notes.yaml:9".to_owned(), "GET /x as ada".to_owned(), misplay);
        let coverage = Coverage {
            all: ["list", "read"].map(String::from).into(),
            called: ["read".to_owned()].into(),
        };
        let outcomes = vec![outcome("It works", None), outcome("It fails", Some(failure))];
        let report = Report { outcomes, coverage };
        assert_eq!(
            text(&report, false),
            "ok   It works (2 steps, 7 ms)\n\
             FAIL It fails (2 steps, 7 ms)\n     \
             notes.yaml:9: GET /x as ada\n       \
             body /id: expected 1, got 2\n\
             2 scenarios, 1 passed, 1 failed; 1 of 2 operations called; not called: list\n"
        );
        assert!(text(&report, true).contains("\u{1b}[32mok"));
    }
}
