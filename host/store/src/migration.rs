//! What a migration is, and what became of a list of them.

/// One step of a plugin's schema history, in the form the backend runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub number: u32,
    /// What it does, in a few words.
    pub name: String,
    /// Its statements in the portable subset.
    pub sql: String,
    /// Its statements for PostgreSQL, where they differ.
    pub postgres: Option<String>,
}

/// The outcome of a run of migrations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Migrated {
    /// The numbers applied by this run, in order.
    pub applied: Vec<u32>,
    /// The highest number applied so far, 0 when there is none.
    pub schema_version: u32,
}
