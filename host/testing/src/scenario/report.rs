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
