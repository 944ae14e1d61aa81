//! Running migrations on a connection that has no transaction open.

use std::time::Instant;

use rusqlite::Batch;
use rusqlite::fallible_iterator::FallibleIterator as _;
use sha2::{Digest, Sha256};

use crate::plan::fault as refusal;
use crate::sqlite::authorizer::Role;
use crate::sqlite::connection::Connection;
use crate::sqlite::fault::Fault;
use crate::sqlite::ledger;
use crate::{Backfilled, Error, Limits, Migration, Pace, Phase, Result, State, gate};

/// Applies migrations in one transaction, each unless it is applied. When one fails, nothing is left
/// behind but a note of why.
pub(in crate::sqlite) fn together(
    connection: &Connection,
    migrations: &[Migration],
) -> Result<Vec<u32>> {
    let mut applied = Vec::new();
    let result = in_transaction(connection, || {
        migrations.iter().try_for_each(|migration| {
            if ledger::is_applied(connection, migration.number).map_err(Fault::into_error)? {
                return Ok(());
            }
            let result = one(connection, migration);
            applied.push(migration.number);
            result.map_err(|error| named(migration.number, error))
        })
    });
    result.inspect_err(|error| {
        let failed = migrations.iter().find(|it| applied.last() == Some(&it.number));
        failed.iter().for_each(|migration| note_failure(connection, migration, error));
    })?;
    Ok(applied)
}

/// Runs a backfill once, unless it is done. It stays open when `stays_open` says so, even when there is nothing to do.
pub(in crate::sqlite) fn backfill(
    connection: &Connection,
    migration: &Migration,
    (pace, stays_open): (&Pace, bool),
) -> Result<Backfilled> {
    let checksum = checksum(migration);
    let result = in_transaction(connection, || {
        let mut progress =
            ledger::progress(connection, migration.number, &checksum).map_err(Fault::into_error)?;
        if progress.is_done {
            return Ok(progress);
        }
        if progress.n_runs >= pace.runs_max {
            return Err(endless(&progress));
        }
        let n_rows = change_rows(connection, migration, pace)?;
        progress.n_rows += n_rows;
        progress.n_runs += 1;
        progress.is_done = n_rows == 0;
        let is_over = progress.is_done && !stays_open;
        let state = if is_over { State::Applied } else { State::Running };
        ledger::progressed(connection, migration, &checksum, (&progress, state))
            .map_err(Fault::into_error)?;
        Ok(progress)
    });
    result
        .map_err(|error| named(migration.number, error))
        .inspect_err(|error| note_failure(connection, migration, error))
}

/// Whether this migration could be run at all, seen from its text.
pub(in crate::sqlite) fn check(migration: &Migration, limits: &Limits) -> Result<()> {
    match migration.phase {
        Phase::Backfill => gate::check_backfill(&migration.sql, limits),
        Phase::Expand | Phase::Contract => {
            gate::check_migration(&migration.sql, limits).map(|_| ())
        }
    }
}

/// Over what is applied here; each part is preceded by its length, so that none can pass for another.
pub(in crate::sqlite) fn checksum(migration: &Migration) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(migration.number.to_be_bytes());
    for text in [&migration.name, &migration.sql] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().to_vec()
}

/// Commits what `work` did, or undoes it when that or the commit fails.
pub(in crate::sqlite) fn in_transaction<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    connection.budget().renew();
    connection.host("BEGIN IMMEDIATE", []).map_err(Fault::into_error)?;
    let result = work()
        .and_then(|value| connection.host("COMMIT", []).map(|_| value).map_err(Fault::into_error));
    if connection.is_in_transaction() {
        connection.host("ROLLBACK", []).map_err(Fault::into_error)?;
    }
    result
}

fn one(connection: &Connection, migration: &Migration) -> Result<()> {
    let limits = connection.limits();
    let n_statements = gate::check_migration(&migration.sql, &limits)?;
    let max = limits.migration_time_max;
    let armed = connection.budget().arm(Instant::now() + max);
    let result = run_statements(connection, migration, n_statements);
    drop(armed);
    result.map_err(|fault| match fault {
        Fault::Interrupted => Error::Timeout(format!("it took longer than {max:?}")),
        other => other.into_error(),
    })?;
    ledger::applied(connection, migration, &checksum(migration)).map_err(Fault::into_error)
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

/// Runs the statement of a backfill and returns how many rows it changed.
fn change_rows(connection: &Connection, migration: &Migration, pace: &Pace) -> Result<u64> {
    gate::check_backfill(&migration.sql, &connection.limits())?;
    let armed = connection.budget().arm(Instant::now() + pace.run_time_max);
    let run = || {
        let _role = connection.assume(Role::Plugin);
        let mut statement = connection.raw().prepare_cached(&migration.sql)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    };
    let result = run().map_err(|error| connection.fault(error));
    drop(armed);
    match result {
        Ok(()) => Ok(connection.raw().changes()),
        Err(Fault::Interrupted) => {
            let max = pace.run_time_max;
            let reason = format!("one run took longer than {max:?}: lower its LIMIT");
            Err(Error::Timeout(reason))
        }
        Err(other) => Err(other.into_error()),
    }
}

fn endless(progress: &Backfilled) -> Error {
    Error::Invalid(format!(
        "it was run {} times, changed {} rows and finds more each time: its WHERE must leave out the \
         rows that are done",
        progress.n_runs, progress.n_rows
    ))
}

/// The error with the migration's number. The disk and the file are the operator's business, not the
/// migration's.
fn named(number: u32, error: Error) -> Error {
    match error {
        Error::DiskFull | Error::Unavailable(_) | Error::Migration { .. } => error,
        Error::Timeout(reason) | Error::Invalid(reason) => refusal(number, reason),
        other => refusal(number, other.to_string()),
    }
}

/// What failed is said to the caller; that it cannot be recorded as well is said to the operator.
fn note_failure(connection: &Connection, migration: &Migration, error: &Error) {
    if let Err(fault) = ledger::failed(connection, migration, &checksum(migration), error) {
        let path = connection.path().display();
        let number = migration.number;
        let reason = fault.into_error();
        tracing::warn!(%path, number, %reason, "a failed migration could not be recorded");
    }
}
