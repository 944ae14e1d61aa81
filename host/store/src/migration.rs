//! What a migration is, and what became of a list of them.

use std::fmt;

/// One step of a plugin's schema history, in the form the backend runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub number: u32,
    /// What it does, in a few words.
    pub name: String,
    /// When it may run, seen from the version before.
    pub phase: Phase,
    /// Its statements in the portable subset.
    pub sql: String,
    /// Its statements for PostgreSQL, where they differ.
    pub postgres: Option<String>,
}

impl Migration {
    /// A step that the version before can live with.
    #[must_use]
    pub fn expand(number: u32, name: impl Into<String>, sql: impl Into<String>) -> Self {
        let (name, sql) = (name.into(), sql.into());
        Self { number, name, phase: Phase::Expand, sql, postgres: None }
    }

    /// The same step in another phase.
    #[must_use]
    pub fn in_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }
}

/// What a migration asks of the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Phase {
    /// The version before can live with it.
    #[default]
    Expand,
    /// One statement that changes some rows, run again and again until it changes none. It may be run
    /// once more at any time, because it then changes only what is not yet as it should be.
    Backfill,
    /// It may break the version before, and there is no way back behind it.
    Contract,
}

impl Phase {
    /// All phases, in the order of an upgrade.
    pub const ALL: [Self; 3] = [Self::Expand, Self::Backfill, Self::Contract];

    /// Its name: `expand`, `backfill`, `contract`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
        }
    }

    /// The phase of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The outcome of a run of migrations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Migrated {
    /// The numbers applied by this run, in order.
    pub applied: Vec<u32>,
    /// The highest number applied so far, 0 when there is none.
    pub schema_version: u32,
}

/// How far a backfill is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfilled {
    /// Its number.
    pub number: u32,
    /// Rows it changed so far, in all runs.
    pub n_rows: u64,
    /// How often it was run so far.
    pub n_runs: u64,
    /// Whether the last run found nothing to change any more.
    pub is_done: bool,
}
