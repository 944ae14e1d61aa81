//! What came of trying migrations on a copy.

use std::fmt;
use std::time::Duration;

use crate::{Error, Phase};

/// What migrations would do, found out on a copy of the database.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trial {
    /// What was run, in order.
    pub steps: Vec<Tried>,
    /// Statements of the version before that would fail after the expand phase.
    pub broken: Vec<Broken>,
    /// How many statements of the version before were tried.
    pub n_statements: usize,
    /// The size of the copy before the first step, in bytes.
    pub copy_bytes: u64,
    /// How long all of it took.
    pub time: Duration,
    /// Why it ended early: the error the live database would have had.
    pub failure: Option<Error>,
}

impl Trial {
    /// Whether all steps ran and nothing of the version before would fail.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failure.is_none() && self.broken.is_empty()
    }
}

/// What one migration did to the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// How long it took; all runs of a backfill together.
    pub time: Duration,
    /// How often it was run: 1 unless it is a backfill.
    pub n_runs: u64,
    /// Tables that have another number of rows than before, other columns, or are new or gone.
    pub tables: Vec<TableChange>,
}

/// How a table differs from what it was. As text: `table posts: 5000 rows before, 0 after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableChange {
    /// Its name.
    pub table: String,
    /// Its rows before, none when there was no such table.
    pub rows_before: Option<u64>,
    /// Its rows after, none when there is no such table any more.
    pub rows_after: Option<u64>,
    /// Columns that are new.
    pub columns_new: Vec<String>,
    /// Columns that are gone.
    pub columns_gone: Vec<String>,
}

impl TableChange {
    /// Whether rows, a column or the table are gone.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        self.rows_after < self.rows_before || !self.columns_gone.is_empty()
    }
}

impl fmt::Display for TableChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}: ", self.table)?;
        match (self.rows_before, self.rows_after) {
            (Some(before), Some(after)) => write!(f, "{before} rows before, {after} after")?,
            (Some(before), None) => write!(f, "{before} rows before, the table is gone")?,
            (None, Some(after)) => write!(f, "new, {after} rows")?,
            (None, None) => write!(f, "made and dropped")?,
        }
        if !self.columns_new.is_empty() {
            write!(f, "; with {}", self.columns_new.join(", "))?;
        }
        if !self.columns_gone.is_empty() {
            write!(f, "; without {}", self.columns_gone.join(", "))?;
        }
        Ok(())
    }
}

/// A statement of the version before that would fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its text.
    pub statement: String,
    /// Why it would fail.
    pub reason: String,
}
