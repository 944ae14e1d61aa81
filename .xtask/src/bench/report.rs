//! What was measured: as a table for people, and as JSON for what compares two runs.

use super::{
    contest::Contest,
    languages::{self, HEAD},
    load::Measured,
    stage::Stage,
};
use crate::machine::Machine;
use anyhow::{Context, Result};
use serde::Serialize;
use std::{fmt::Write, fs, path::Path};

/// What a figure should reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bar) => value >= bar,
            Self::AtMost(bar) => value <= bar,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(bar) => format!("≥ {bar}"),
            Self::AtMost(bar) => format!("≤ {bar}"),
        }
    }
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The host's over a rival's: throughput or memory.
    Ratio,
    Microseconds,
    Milliseconds,
    Mebibytes,
}

impl Unit {
    fn text(self) -> &'static str {
        match self {
            Self::Ratio => "×",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
        }
    }
}

/// What a benchmark is about.
#[derive(Debug, Serialize)]
struct Figure {
    benchmark: String,
    value: f64,
    unit: Unit,
    bar: Option<Bar>,
    met: Option<bool>,
}

/// One side of a benchmark.
#[derive(Debug, Serialize)]
struct Series {
    benchmark: &'static str,
    side: &'static str,
    /// Median of the rounds.
    requests_per_s: f64,
    /// Median of the rounds' 99th percentiles.
    p99_ms: f64,
    /// Median of what its processes held after each round.
    memory_mib: f64,
    /// What each round gave, in their order.
    rounds_requests_per_s: Vec<f64>,
}

/// Everything that was measured in one run.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    rounds: u32,
    seconds: u32,
    /// How long one commit at `synchronous=FULL` took, if it was measured.
    pub commit_us: Option<f64>,
    figures: Vec<Figure>,
    series: Vec<Series>,
    /// What is compared with the first of them.
    pub languages: Vec<languages::Row>,
}

impl Report {
    /// An empty report of this machine.
    pub fn new(stage: &Stage) -> Result<Self> {
        Ok(Self {
            machine: Machine::this()?,
            rounds: stage.rounds,
            seconds: stage.seconds,
            commit_us: None,
            figures: Vec::new(),
            series: Vec::new(),
            languages: Vec::new(),
        })
    }

    /// Adds all sides of a contest, and the first one's ratio to each other one with its bar.
    pub fn compare(
        &mut self,
        contest: &Contest<'_>,
        bars: &[Option<Bar>],
        measured: &[Vec<Measured>],
    ) {
        let sides = contest.sides.iter().zip(measured);
        let series: Vec<_> =
            sides.map(|(side, rounds)| Series::new(contest.name, side.name(), rounds)).collect();
        if let [first, others @ ..] = &series[..] {
            for (other, bar) in others.iter().zip(bars) {
                let benchmark = format!("{}: {} / {}", contest.name, first.side, other.side);
                let ratio = first.requests_per_s / other.requests_per_s;
                self.add(&benchmark, ratio, Unit::Ratio, *bar);
            }
        }
        self.series.extend(series);
    }

    /// Adds a figure.
    pub fn add(&mut self, benchmark: &str, value: f64, unit: Unit, bar: Option<Bar>) {
        let met = bar.map(|bar| bar.is_met(value));
        self.figures.push(Figure { benchmark: benchmark.to_owned(), value, unit, bar, met });
    }

    /// Tables in Markdown: the figures with their bars, what each side did, and the languages.
    pub fn table(&self) -> String {
        let mut text = String::from("| figure | measured | bar | |\n|---|---|---|---|\n");
        for figure in &self.figures {
            let value = format!("{:.2} {}", figure.value, figure.unit.text());
            let bar = figure.bar.map_or_else(String::new, Bar::text);
            let met = figure.met.map_or("", |met| if met { "ok" } else { "missed" });
            line(&mut text, &[&figure.benchmark, &value, &bar, met]);
        }
        if !self.series.is_empty() {
            text.push_str("\n| benchmark | side | requests/s | p99 | memory |\n");
            text.push_str("|---|---|---|---|---|\n");
        }
        for series in &self.series {
            let rate = format!("{:.0}", series.requests_per_s);
            let p99 = format!("{:.2} ms", series.p99_ms);
            let memory = format!("{:.0} MiB", series.memory_mib);
            line(&mut text, &[series.benchmark, series.side, &rate, &p99, &memory]);
        }
        if let Some(first) = self.languages.first() {
            text.push('\n');
            text.push_str(HEAD);
            self.languages.iter().for_each(|row| text.push_str(&row.text(first)));
        }
        if let Some(commit_us) = self.commit_us {
            // Writing to a text cannot fail.
            let _ =
                writeln!(text, "\nOne commit at synchronous=FULL takes {commit_us:.0} µs here.");
        }
        text
    }

    /// Writes everything as JSON.
    pub fn write(&self, file: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
        println!("\nWritten to {}.", file.display());
        Ok(())
    }
}

impl Series {
    fn new(benchmark: &'static str, side: &'static str, rounds: &[Measured]) -> Self {
        let rates: Vec<f64> = rounds.iter().map(|round| round.requests_per_s).collect();
        Self {
            benchmark,
            side,
            requests_per_s: median(&rates),
            p99_ms: median_of(rounds, |round| round.p99_ms),
            memory_mib: median_of(rounds, |round| round.memory_mib),
            rounds_requests_per_s: rates,
        }
    }
}

fn line(text: &mut String, cells: &[&str]) {
    text.push_str(&format!("| {} |\n", cells.join(" | ")));
}

/// The median of one value of each round.
pub fn median_of(rounds: &[Measured], value: impl Fn(&Measured) -> f64) -> f64 {
    median(&rounds.iter().map(value).collect::<Vec<_>>())
}

/// The middle value; of an even number of values the mean of the two in the middle; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, median};

    #[test]
    fn one_odd_round_does_not_move_the_median() {
        assert_eq!(median(&[1.0, 2.0, 900.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn a_bar_that_is_just_reached_is_met() {
        assert!(Bar::AtLeast(1.4).is_met(1.4) && !Bar::AtLeast(1.4).is_met(1.39));
        assert!(Bar::AtMost(5.0).is_met(5.0) && !Bar::AtMost(5.0).is_met(5.01));
    }
}
