//! How much one plugin may ask of its store.

use std::time::Duration;

/// The limits of one plugin's database. The defaults are the host's; an operator may change them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest statement, in bytes.
    pub statement_bytes_max: usize,
    /// The longest text or blob, as a parameter or in a row, in bytes.
    pub value_bytes_max: usize,
    /// The highest parameter number.
    pub parameters_max: usize,
    /// Statements in one transaction.
    pub statements_max: u32,
    /// Rows in one result.
    pub rows_max: usize,
    /// Bytes in one result.
    pub result_bytes_max: usize,
    /// How long one statement may run.
    pub statement_time_max: Duration,
    /// How long a writing transaction may hold the writer between two statements.
    pub idle_time_max: Duration,
    /// How long one migration may run.
    pub migration_time_max: Duration,
    /// How long migrations may be tried on a copy, the copying included.
    pub trial_time_max: Duration,
    /// How large the database may grow, in bytes.
    pub database_bytes_max: u64,
    /// How long an idempotency key is kept.
    pub idempotency_ttl: Duration,
    /// How many snapshots may be read at once.
    pub readers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement_bytes_max: 256 << 10,
            value_bytes_max: 1 << 20,
            parameters_max: 999,
            statements_max: 200,
            rows_max: 1_000,
            result_bytes_max: 4 << 20,
            statement_time_max: Duration::from_secs(1),
            idle_time_max: Duration::from_secs(2),
            migration_time_max: Duration::from_secs(300),
            trial_time_max: Duration::from_secs(600),
            database_bytes_max: 1 << 30,
            idempotency_ttl: Duration::from_secs(24 * 3600),
            readers_max: 16,
        }
    }
}
