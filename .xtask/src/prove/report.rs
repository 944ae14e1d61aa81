//! All rows of a run, with the machine that it ran on: as JSON for programs, as a page for people, and
//! as lines on the terminal.

use anyhow::{Context, Result};
use serde::Serialize;
use std::{fs, path::Path};

use super::{
    Options, page,
    row::{Row, Verdict},
};
use crate::machine::Machine;

/// The version of the form of `report.json`; grows when a member changes its meaning or goes.
const FORM: u32 = 1;

/// What a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    pub form: u32,
    pub machine: Machine,
    pub minutes: u32,
    pub seed: u64,
    /// Whether it was a short run, in which times are only told.
    pub short: bool,
    /// How the program was built, or where it was taken from.
    pub build: String,
    pub rows: Vec<Row>,
}

impl Report {
    /// An empty report of this machine.
    pub fn new(options: &Options) -> Result<Self> {
        let build = match &options.program {
            Some(program) => program.display().to_string(),
            None if options.is_development() => "development build".to_owned(),
            None => "released build".to_owned(),
        };
        let Options { minutes, seed, short, .. } = *options;
        let machine = Machine::this()?;
        Ok(Self { form: FORM, machine, minutes, seed, short, build, rows: Vec::new() })
    }

    /// Adds a row, and prints it.
    pub fn add(&mut self, row: Row) {
        let verdict = match row.verdict() {
            Verdict::Holds => "ok    ",
            Verdict::Slow => "SLOW  ",
            Verdict::Fails => "FAILED",
        };
        println!("{verdict} {}", row.id);
        for figure in &row.figures {
            let bar = figure.at_most.map_or_else(String::new, |bar| format!(" ({})", bar.text()));
            println!("         {}: {:.1} {}{bar}", figure.name, figure.value, figure.unit);
        }
        for note in &row.notes {
            println!("         {note}");
        }
        self.rows.push(row);
    }

    /// How many rows fail the run: those that do not hold, and in a short run only those in which
    /// something happened that must never happen.
    pub fn n_failed(&self) -> usize {
        let fails = |row: &&Row| !(row.passed || self.short && row.sound);
        self.rows.iter().filter(fails).count()
    }

    /// Writes `report.json` and `report.html`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let files = [
            ("report.json", serde_json::to_string_pretty(self)?),
            ("report.html", page::page(self).into_string()),
        ];
        for (name, text) in files {
            let file = folder.join(name);
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
            println!("Written to {}.", file.display());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{FORM, Report};
    use crate::{
        machine::Machine,
        prove::row::{AtMost, Row},
    };

    fn report(short: bool) -> Report {
        let machine = Machine::this().unwrap();
        let build = "here".to_owned();
        Report { form: FORM, machine, minutes: 1, seed: 1, short, build, rows: Vec::new() }
    }

    #[test]
    fn what_is_slow_fails_a_whole_run_and_no_short_one() {
        let row = || Row::new("a", "b", String::new());
        for (short, n_failed) in [(true, 1), (false, 2)] {
            let mut report = report(short);
            report.add(row().none("dropped", 0));
            report.add(row().held("pause", 51.0, "ms", AtMost(50.0)));
            report.add(row().none("dropped", 1));
            assert_eq!(report.n_failed(), n_failed);
        }
    }

    #[test]
    fn programs_find_the_same_members_each_time() {
        let mut report = report(false);
        report.add(Row::new("a", "b", "c".to_owned()).held("pause", 51.0, "ms", AtMost(50.0)));
        let json = serde_json::to_value(&report).unwrap();
        let names = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let top = ["build", "form", "machine", "minutes", "rows", "seed", "short"];
        let mut found = names(&json);
        found.sort();
        assert_eq!(found, top);
        let row =
            ["duration_s", "figures", "id", "notes", "passed", "replay", "seed", "sound", "what"];
        let mut found = names(&json["rows"][0]);
        found.sort();
        assert_eq!(found, row);
        assert_eq!(
            json["rows"][0]["figures"][0],
            serde_json::json!({
                "name": "pause", "value": 51.0, "unit": "ms", "at_most": 50.0, "met": false
            })
        );
    }
}
