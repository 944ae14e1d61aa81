//! Bringing a plugin's schema up to date.

use std::time::Instant;

use rusqlite::Batch;
use rusqlite::fallible_iterator::FallibleIterator as _;
use sha2::{Digest, Sha256};

use super::authorizer::Role;
use super::connection::Connection;
use super::fault::Fault;
use super::host_tables::now_ms;
use crate::{Error, Migrated, Migration, Result, gate};

/// A migration as it was recorded.
struct Applied {
    number: u32,
    name: String,
    checksum: Vec<u8>,
}

/// Applies what is missing, in order. No other transaction is open on the connection.
pub(super) fn run(connection: &Connection, migrations: &[Migration]) -> Result<Migrated> {
    let applied = read_applied(connection).map_err(Fault::into_error)?;
    check_list(migrations)?;
    check_history(migrations, &applied)?;
    let mut migrated = Migrated {
        applied: Vec::new(),
        schema_version: applied.last().map_or(0, |last| last.number),
    };
    for migration in migrations.iter().skip(applied.len()) {
        apply(connection, migration)?;
        migrated.applied.push(migration.number);
        migrated.schema_version = migration.number;
    }
    Ok(migrated)
}

fn read_applied(connection: &Connection) -> Result<Vec<Applied>, Fault> {
    let read = || {
        let sql = "SELECT number, name, checksum FROM caplet_migrations ORDER BY number";
        let mut statement = connection.raw().prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Applied { number: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? })
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(|error| connection.fault(error))
}

fn check_list(migrations: &[Migration]) -> Result<()> {
    let mut previous = 0;
    for migration in migrations {
        if migration.number <= previous {
            return refuse(
                migration.number,
                "the numbers must begin at 1 or later and grow from one migration to the next",
            );
        }
        previous = migration.number;
    }
    Ok(())
}

/// What was applied must be how the list begins.
fn check_history(migrations: &[Migration], applied: &[Applied]) -> Result<()> {
    for (index, applied) in applied.iter().enumerate() {
        match migrations.get(index) {
            Some(migration) if migration.number == applied.number => {
                if checksum(migration) != applied.checksum {
                    return refuse(
                        applied.number,
                        "it was applied with another text: put the old text back and add a new \
                         migration instead",
                    );
                }
            }
            Some(migration) if migration.number < applied.number => {
                return refuse(
                    migration.number,
                    format!(
                        "it comes before {}, which is already applied: give it a higher number",
                        applied.number
                    ),
                );
            }
            _ => {
                return refuse(
                    applied.number,
                    format!(
                        "it ({}) is applied, but this version of the plugin does not know it: use \
                         the later version that brought it",
                        applied.name
                    ),
                );
            }
        }
    }
    Ok(())
}

fn apply(connection: &Connection, migration: &Migration) -> Result<()> {
    let limits = connection.limits();
    let failed = |error: Error| match error {
        // The disk and the file are the operator's business, not the migration's.
        Error::DiskFull | Error::Unavailable(_) => error,
        Error::Timeout(_) => {
            let max = limits.migration_time_max;
            migration_error(migration.number, format!("it took longer than {max:?}"))
        }
        other => migration_error(migration.number, other.to_string()),
    };
    let n_statements = gate::check_migration(&migration.sql, limits).map_err(failed)?;
    connection.host("BEGIN IMMEDIATE", []).map_err(Fault::into_error)?;
    connection.budget().renew();
    let armed = connection.budget().arm(Instant::now() + limits.migration_time_max);
    let result = run_statements(connection, migration, n_statements)
        .and_then(|()| record(connection, migration));
    drop(armed);
    let result = result.and_then(|()| connection.host("COMMIT", []));
    if connection.is_in_transaction() {
        connection.host("ROLLBACK", []).map_err(Fault::into_error)?;
    }
    result.map(|_| ()).map_err(|fault| failed(fault.into_error()))
}

fn run_statements(
    connection: &Connection,
    migration: &Migration,
    n_statements: usize,
) -> Result<(), Fault> {
    let _role = connection.assume(Role::Migration);
    let run = || {
        let mut n_run = 0;
        let mut batch = Batch::new(connection.raw(), &migration.sql);
        while let Some(mut statement) = batch.next()? {
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            n_run += 1;
        }
        Ok(n_run)
    };
    match run().map_err(|error| connection.fault(error))? {
        n_run if n_run == n_statements => Ok(()),
        n_run => Err(Fault::invalid(format!(
            "the parser sees {n_statements} statements and the engine {n_run}"
        ))),
    }
}

fn record(connection: &Connection, migration: &Migration) -> Result<(), Fault> {
    connection
        .host(
            "INSERT INTO caplet_migrations (number, name, checksum, applied_at_ms)
             VALUES (?1, ?2, ?3, ?4)",
            (migration.number, &migration.name, checksum(migration), now_ms()),
        )
        .map(|_| ())
}

/// Over what is applied here; each part is preceded by its length, so that none can pass for another.
fn checksum(migration: &Migration) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(migration.number.to_be_bytes());
    for text in [&migration.name, &migration.sql] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().to_vec()
}

fn refuse(number: u32, reason: impl Into<String>) -> Result<()> {
    Err(migration_error(number, reason))
}

fn migration_error(number: u32, reason: impl Into<String>) -> Error {
    Error::Migration { number, reason: reason.into() }
}
