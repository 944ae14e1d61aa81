//! What is recorded of a plugin's migrations, in the host's own table.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row};

use super::connection::Connection;
use super::fault::Fault;
use super::host_tables::now_ms;
use crate::{Backfilled, Error, Migration, Phase, Recorded, Result, State};

const READ: &str =
    "SELECT number, name, phase, state, n_rows, n_runs, applied_at_ms, failure, checksum
    FROM caplet_migrations ORDER BY number";

const STATE: &str = "SELECT state FROM caplet_migrations WHERE number = ?1";

/// What an attempt that failed says of a migration that was begun before stays.
const WRITE: &str = "INSERT OR REPLACE INTO caplet_migrations
    (number, name, checksum, applied_at_ms, phase, state, n_rows, n_runs, failure)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const NOTE_FAILURE: &str = "UPDATE caplet_migrations SET failure = ?2 WHERE number = ?1";

const PROGRESS: &str = "SELECT n_rows, n_runs, state = 'applied' FROM caplet_migrations
    WHERE number = ?1 AND state <> 'failed' AND checksum = ?2";

const REOPEN: &str = "UPDATE caplet_migrations SET state = 'running', n_runs = 0
    WHERE number = ?1 AND phase = 'backfill' AND state = 'applied'";

/// All of it, in the order of the numbers.
pub(super) fn read(connection: &Connection) -> Result<Vec<Recorded>, Fault> {
    let read = || {
        let mut statement = connection.raw().prepare_cached(READ)?;
        let rows = statement.query_map([], recorded)?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(|error| connection.fault(error))
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    let unknown = |index| rusqlite::Error::InvalidColumnType(index, "state".into(), Type::Text);
    let (phase, state): (String, String) = (row.get(2)?, row.get(3)?);
    Ok(Recorded {
        number: row.get(0)?,
        name: row.get(1)?,
        phase: Phase::from_name(&phase).ok_or_else(|| unknown(2))?,
        state: State::from_name(&state).ok_or_else(|| unknown(3))?,
        n_rows: count(row.get(4)?),
        n_runs: count(row.get(5)?),
        recorded_at_ms: row.get(6)?,
        failure: row.get(7)?,
        checksum: row.get(8)?,
    })
}

/// Whether the migration is done.
pub(super) fn is_applied(connection: &Connection, number: u32) -> Result<bool, Fault> {
    Ok(state(connection, number)? == Some(State::Applied))
}

fn state(connection: &Connection, number: u32) -> Result<Option<State>, Fault> {
    let read = || {
        let mut statement = connection.raw().prepare_cached(STATE)?;
        statement.query_row([number], |row| row.get::<_, String>(0)).optional()
    };
    let name = read().map_err(|error| connection.fault(error))?;
    Ok(name.and_then(|name| State::from_name(&name)))
}

/// How far a backfill with this text is.
pub(super) fn progress(
    connection: &Connection,
    number: u32,
    checksum: &[u8],
) -> Result<Backfilled, Fault> {
    let read = || {
        let mut statement = connection.raw().prepare_cached(PROGRESS)?;
        let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        statement.query_row((number, checksum), columns).optional()
    };
    let found = read().map_err(|error| connection.fault(error))?;
    let (n_rows, n_runs, is_done) = found.unwrap_or_default();
    Ok(Backfilled { number, n_rows: count(n_rows), n_runs: count(n_runs), is_done })
}

/// Records that a migration is done.
pub(super) fn applied(
    connection: &Connection,
    migration: &Migration,
    checksum: &[u8],
) -> Result<(), Fault> {
    write(connection, migration, checksum, &Entry::new(State::Applied))
}

/// Records how far a backfill is.
pub(super) fn progressed(
    connection: &Connection,
    migration: &Migration,
    checksum: &[u8],
    (progress, state): (&Backfilled, State),
) -> Result<(), Fault> {
    let Backfilled { n_rows, n_runs, .. } = *progress;
    write(connection, migration, checksum, &Entry { n_rows, n_runs, ..Entry::new(state) })
}

/// Records why an attempt failed. It left nothing behind; what was there before stays as it is.
pub(super) fn failed(
    connection: &Connection,
    migration: &Migration,
    checksum: &[u8],
    error: &Error,
) -> Result<(), Fault> {
    let failure = Some(error.to_string());
    match state(connection, migration.number)? {
        None | Some(State::Failed) => {
            write(connection, migration, checksum, &Entry { failure, ..Entry::new(State::Failed) })
        }
        Some(_) => connection.host(NOTE_FAILURE, (migration.number, failure)).map(|_| ()),
    }
}

/// Notes that a backfill must be run to its end again.
pub(super) fn reopen(connection: &Connection, number: u32) -> Result<(), Fault> {
    connection.host(REOPEN, [number]).map(|_| ())
}

struct Entry {
    state: State,
    n_rows: u64,
    n_runs: u64,
    failure: Option<String>,
}

impl Entry {
    fn new(state: State) -> Self {
        Self { state, n_rows: 0, n_runs: 1, failure: None }
    }
}

fn write(
    connection: &Connection,
    migration: &Migration,
    checksum: &[u8],
    entry: &Entry,
) -> Result<(), Fault> {
    let (phase, state) = (migration.phase.as_str(), entry.state.as_str());
    let (n_rows, n_runs) = (entry.n_rows.cast_signed(), entry.n_runs.cast_signed());
    let (number, name) = (migration.number, &migration.name);
    let values = (number, name, checksum, now_ms(), phase, state, n_rows, n_runs, &entry.failure);
    connection.host(WRITE, values).map(|_| ())
}

/// The host counts, and never below nothing.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
