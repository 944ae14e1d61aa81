//! All rows of a run, with the machine that it ran on: as JSON for programs, as a page for people, and
//! as lines on the terminal.

use anyhow::{Context, Result};
use serde::Serialize;
use std::{fs, path::Path};

use super::{Options, page, row::Row};
use crate::machine::Machine;

/// What a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub minutes: u32,
    pub seed: u64,
    /// How the program was built, or where it was taken from.
    pub build: String,
    pub rows: Vec<Row>,
}

impl Report {
    /// An empty report of this machine.
    pub fn new(options: &Options) -> Result<Self> {
        let build = match &options.program {
            Some(program) => program.display().to_string(),
            None if options.dev => "development build".to_owned(),
            None => "released build".to_owned(),
        };
        let Options { minutes, seed, .. } = *options;
        Ok(Self { machine: Machine::this()?, minutes, seed, build, rows: Vec::new() })
    }

    /// Adds a row, and prints it.
    pub fn add(&mut self, row: Row) {
        println!("{} {}", if row.passed { "ok    " } else { "FAILED" }, row.id);
        for figure in &row.figures {
            let bar = figure.at_most.map_or_else(String::new, |bar| format!(" ({})", bar.text()));
            println!("         {}: {:.1} {}{bar}", figure.name, figure.value, figure.unit);
        }
        for note in &row.notes {
            println!("         {note}");
        }
        self.rows.push(row);
    }

    /// How many rows do not hold.
    pub fn n_failed(&self) -> usize {
        self.rows.iter().filter(|row| !row.passed).count()
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
