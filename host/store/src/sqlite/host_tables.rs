//! The host's own tables in a plugin's file: the format, the migrations, the idempotency keys.
//!
//! The gate and the authorizer hide them from the plugin.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::OptionalExtension;

use super::connection::Connection;
use super::fault::Fault;
use crate::{Error, IdempotencyKey, Result};

/// The form of the host's tables. A file with a higher number is of a later host.
const FORMAT: i64 = 2;

const CREATE: &str = "
    CREATE TABLE caplet_meta (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE caplet_migrations (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        checksum BLOB NOT NULL,
        applied_at_ms INTEGER NOT NULL,
        phase TEXT NOT NULL DEFAULT 'expand',
        state TEXT NOT NULL DEFAULT 'applied',
        n_rows INTEGER NOT NULL DEFAULT 0,
        n_runs INTEGER NOT NULL DEFAULT 0,
        failure TEXT
    );
    CREATE TABLE caplet_idempotency (
        tenant TEXT NOT NULL,
        subject TEXT NOT NULL,
        operation TEXT NOT NULL,
        key TEXT NOT NULL,
        record BLOB NOT NULL,
        expires_at_ms INTEGER NOT NULL,
        PRIMARY KEY (tenant, subject, operation, key)
    ) WITHOUT ROWID;
    CREATE INDEX caplet_idempotency_by_expiry ON caplet_idempotency (expires_at_ms);
    INSERT INTO caplet_meta (name, value) VALUES ('format', 2);";

/// What a later format has that one did not: the step to each format from the one before.
const STEPS: &[(i64, &str)] = &[(
    2,
    "ALTER TABLE caplet_migrations ADD COLUMN phase TEXT NOT NULL DEFAULT 'expand';
    ALTER TABLE caplet_migrations ADD COLUMN state TEXT NOT NULL DEFAULT 'applied';
    ALTER TABLE caplet_migrations ADD COLUMN n_rows INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE caplet_migrations ADD COLUMN n_runs INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE caplet_migrations ADD COLUMN failure TEXT;
    UPDATE caplet_meta SET value = 2 WHERE name = 'format';",
)];

const RECALL: &str = "SELECT record FROM caplet_idempotency
    WHERE tenant = ?1 AND subject = ?2 AND operation = ?3 AND key = ?4 AND expires_at_ms > ?5";

const REMEMBER: &str = "INSERT OR REPLACE INTO caplet_idempotency
    (tenant, subject, operation, key, record, expires_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Few enough rows that no one notices; more than are kept between two purges.
const PURGE: &str = "DELETE FROM caplet_idempotency WHERE (tenant, subject, operation, key) IN (
    SELECT tenant, subject, operation, key FROM caplet_idempotency
    WHERE expires_at_ms <= ?1 ORDER BY expires_at_ms LIMIT 256)";

/// The kept answers to a subject's requests, and those to others that have its name in them.
const FORGET: &str = "DELETE FROM caplet_idempotency
    WHERE tenant = ?1 AND (subject = ?2 OR instr(record, ?3) > 0)";

const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Makes the tables in an empty file, and brings those of an earlier host up to date.
pub(super) fn prepare(connection: &Connection) -> Result<()> {
    let path = connection.path().display();
    match format(connection).map_err(Fault::into_error)? {
        Some(format) if format > FORMAT => Err(Error::Newer(format!(
            "{path} has format {format} of a later host, this one knows up to {FORMAT}: upgrade the \
             host or restore a backup"
        ))),
        Some(format) => bring_up(connection, format).map_err(Fault::into_error),
        None if is_empty(connection).map_err(Fault::into_error)? => {
            at_once(connection, CREATE).map_err(Fault::into_error)
        }
        None => Err(Error::Unavailable(format!(
            "{path} is a database of something else: move it away, or choose another data directory"
        ))),
    }
}

fn format(connection: &Connection) -> Result<Option<i64>, Fault> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'caplet_meta'";
    let value = "SELECT value FROM caplet_meta WHERE name = 'format'";
    let raw = connection.raw();
    let read = || match raw.query_row(exists, [], |_| Ok(())).optional()? {
        None => Ok(None),
        Some(()) => raw.query_row(value, [], |row| row.get(0)).optional(),
    };
    read().map_err(|error| connection.fault(error))
}

fn is_empty(connection: &Connection) -> Result<bool, Fault> {
    connection
        .raw()
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| connection.fault(error))
}

fn bring_up(connection: &Connection, format: i64) -> Result<(), Fault> {
    STEPS.iter().filter(|(to, _)| *to > format).try_for_each(|(_, sql)| at_once(connection, sql))
}

fn at_once(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.host("BEGIN IMMEDIATE", [])?;
    let result = connection
        .raw()
        .execute_batch(sql)
        .map_err(|error| connection.fault(error))
        .and_then(|()| connection.host("COMMIT", []));
    if connection.is_in_transaction() {
        connection.host("ROLLBACK", [])?;
    }
    result.map(|_| ())
}

/// The record of a key that has not expired.
pub(super) fn recall(
    connection: &Connection,
    key: &IdempotencyKey,
) -> Result<Option<Vec<u8>>, Fault> {
    connection.with_long_values(|raw| {
        let mut statement = raw.prepare_cached(RECALL)?;
        let parameters = (&*key.tenant, &key.subject, &key.operation, &key.key, now_ms());
        statement.query_row(parameters, |row| row.get(0)).optional()
    })
}

/// Keeps a record, and forgets some that have expired when `purge` is set.
pub(super) fn remember(
    connection: &Connection,
    key: &IdempotencyKey,
    record: &[u8],
    purge: bool,
) -> Result<(), Fault> {
    let ttl_ms = i64::try_from(connection.limits().idempotency_ttl.as_millis()).unwrap_or(i64::MAX);
    let now_ms = now_ms();
    connection.with_long_values(|raw| {
        if purge {
            raw.prepare_cached(PURGE)?.execute([now_ms])?;
        }
        let expires_at_ms = now_ms.saturating_add(ttl_ms);
        let key = (&*key.tenant, &key.subject, &key.operation, &key.key);
        let parameters = (key.0, key.1, key.2, key.3, record, expires_at_ms);
        raw.prepare_cached(REMEMBER)?.execute(parameters).map(|_| ())
    })
}

/// Forgets the kept answers to a subject's requests and those that name it. Returns how many.
pub(super) fn forget(connection: &Connection, tenant: &str, subject: &str) -> Result<usize, Fault> {
    let quoted = serde_json::Value::from(subject).to_string().into_bytes();
    connection
        .with_long_values(|raw| raw.prepare_cached(FORGET)?.execute((tenant, subject, quoted)))
}

/// Writes the log back into the file and cuts it to nothing. Returns whether it could: a snapshot
/// that is being read keeps it.
pub(super) fn empty_log(connection: &Connection) -> Result<bool, Fault> {
    let is_busy: i64 = connection
        .raw()
        .query_row(EMPTY_LOG, [], |row| row.get(0))
        .map_err(|error| connection.fault(error))?;
    Ok(is_busy == 0)
}

/// Unix time in milliseconds.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, gate};

    /// A plugin that could say a host text would be given the host's prepared statement.
    #[test]
    fn the_gate_lets_no_host_text_through() {
        let texts =
            [RECALL, REMEMBER, PURGE, FORGET, EMPTY_LOG, CREATE, "BEGIN", "COMMIT", "ROLLBACK"];
        for text in texts {
            assert!(gate::check(text, &Limits::default()).is_err(), "{text}");
        }
        for text in ["SAVEPOINT member", "RELEASE member", "ROLLBACK TO member"] {
            assert!(gate::check(text, &Limits::default()).is_err(), "{text}");
        }
    }
}
