//! The second wall without the first, failing commits, and what the host keeps of a key.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::authorizer::Role;
use super::connection::{Connection, Place};
use super::directory::Directory;
use super::fault::Fault;
use super::statistics::Counters;
use super::writer::Writer;
use super::*;
use crate::IdempotencyKey;

fn place(limits: Limits) -> Arc<Place> {
    let directory = Directory::temporary().unwrap();
    let path = directory.file("test");
    Arc::new(Place::new(path, Arc::new(directory), limits, false))
}

fn connection(place: &Arc<Place>) -> Connection {
    let connection = Connection::open_writer(place).unwrap();
    host_tables::prepare(&connection).unwrap();
    connection.raw().execute_batch("CREATE TABLE IF NOT EXISTS notes (id INTEGER)").unwrap();
    connection
}

/// Prepares and runs without the gate.
fn run_as(connection: &Connection, role: Role, sql: &str) -> Result<(), Fault> {
    let _role = connection.assume(role);
    let run = || {
        let mut statement = connection.raw().prepare(sql)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    };
    run().map_err(|error| connection.fault(error))
}

#[test]
fn sqlite_itself_refuses_what_a_plugin_may_not_do() {
    let place = place(Limits::default());
    let connection = connection(&place);
    let reader = Connection::open_reader(&place).unwrap();
    let hostile = [
        "ATTACH DATABASE ':memory:' AS x",
        "ATTACH DATABASE 'stolen.db' AS x",
        "DETACH DATABASE main",
        "VACUUM",
        "VACUUM INTO 'stolen.db'",
        "PRAGMA writable_schema = 1",
        "PRAGMA journal_mode",
        "PRAGMA mmap_size = 1000000",
        "SELECT * FROM pragma_table_info('notes')",
        "SELECT * FROM pragma_database_list",
        "SELECT load_extension('evil')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT zeroblob(10)",
        "SELECT printf('%d', 1)",
        "SELECT hex('a')",
        "SELECT * FROM json_each('[1]')",
        "SELECT * FROM json_tree('[1]')",
        "SELECT * FROM dbstat",
        "SELECT * FROM sqlite_master",
        "SELECT count(*) FROM sqlite_schema",
        "SELECT * FROM temp.sqlite_master",
        "SELECT * FROM caplet_meta",
        "SELECT count(*) FROM caplet_migrations",
        "SELECT 1 FROM notes WHERE EXISTS (SELECT 1 FROM caplet_idempotency)",
        "DELETE FROM caplet_migrations",
        "UPDATE caplet_meta SET value = 2",
        "INSERT INTO caplet_meta VALUES ('x', 1)",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT x",
        "RELEASE x",
        "CREATE TABLE x (a TEXT)",
        "CREATE TEMP TABLE x (a TEXT)",
        "CREATE INDEX x ON notes (id)",
        "CREATE VIEW x AS SELECT 1",
        "CREATE TRIGGER x AFTER INSERT ON notes BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE x USING fts5(a)",
        "DROP TABLE notes",
        "ALTER TABLE notes RENAME TO x",
        "ALTER TABLE notes ADD COLUMN x TEXT",
        "REINDEX",
        "ANALYZE",
    ];
    for sql in hostile {
        for connection in [&connection, &reader] {
            let result = run_as(connection, Role::Plugin, sql);
            assert!(matches!(result, Err(Fault::Statement(_))), "{sql}: {result:?}");
            assert!(!connection.is_in_transaction(), "{sql}");
        }
    }
    assert!(!Path::new("stolen.db").exists());
    run_as(&connection, Role::Plugin, "INSERT INTO notes VALUES (1)").unwrap();
    run_as(&connection, Role::Plugin, "SELECT lower('A') FROM notes WHERE 'a' LIKE 'a'").unwrap();
    let written = run_as(&reader, Role::Plugin, "INSERT INTO notes VALUES (2)");
    assert!(matches!(written, Err(Fault::Statement(Error::ReadOnly))), "{written:?}");
}

#[test]
fn sqlite_itself_keeps_migrations_within_the_plugins_tables() {
    let connection = connection(&place(Limits::default()));
    for sql in [
        "ATTACH DATABASE ':memory:' AS x",
        "VACUUM INTO 'stolen.db'",
        "PRAGMA writable_schema = 1",
        "CREATE TEMP TABLE x (a TEXT)",
        "CREATE TRIGGER x AFTER INSERT ON notes BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE x USING fts5(a)",
        "CREATE TABLE caplet_x (a TEXT)",
        "CREATE INDEX x ON caplet_meta (value)",
        "DROP TABLE caplet_meta",
        "ALTER TABLE caplet_meta RENAME TO x",
        "DELETE FROM caplet_migrations",
        "SELECT load_extension('evil')",
        "UPDATE sqlite_schema SET sql = ''",
        "COMMIT",
    ] {
        let result = run_as(&connection, Role::Migration, sql);
        assert!(matches!(result, Err(Fault::Statement(_))), "{sql}: {result:?}");
    }
    for sql in [
        "CREATE TABLE x (a TEXT CHECK (length(a) < 5), b INTEGER REFERENCES notes (id))",
        "CREATE UNIQUE INDEX y ON x (a)",
        "ALTER TABLE x ADD COLUMN c TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE x RENAME COLUMN c TO d",
        "ALTER TABLE x DROP COLUMN d",
        "ALTER TABLE x RENAME TO z",
        "CREATE VIEW v AS SELECT a FROM z",
        "DROP VIEW v",
        "DROP INDEX y",
        "DROP TABLE z",
    ] {
        run_as(&connection, Role::Migration, sql)
            .unwrap_or_else(|fault| panic!("{sql}: {fault:?}"));
    }
}

/// Begins as many transactions in one batch, each with a row, and returns what they were told.
async fn commit_batch(writer: &Arc<Writer>, n_members: usize) -> Vec<Result<()>> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut lease = writer.acquire(deadline).await.unwrap();
    let mut told = Vec::new();
    for _ in 1..n_members {
        // Who waits gets the connection, together with the batch.
        let mut next = Box::pin(writer.acquire(deadline));
        assert!(futures_poll(&mut next).await.is_none());
        lease.begin().unwrap();
        lease.connection().raw().execute("INSERT INTO notes VALUES (1)", []).unwrap();
        told.push(lease.finish().unwrap());
        lease = next.await.unwrap();
    }
    lease.begin().unwrap();
    lease.connection().raw().execute("INSERT INTO notes VALUES (1)", []).unwrap();
    told.push(lease.finish().unwrap());
    let mut results = Vec::new();
    for receiver in told {
        results.push(receiver.await.unwrap());
    }
    results
}

async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn nobody_is_told_of_a_commit_that_failed() {
    let place = place(Limits::default());
    let mut connection = connection(&place);
    let n_refusals = std::sync::atomic::AtomicUsize::new(1);
    let refuse = move || {
        let left = n_refusals.load(std::sync::atomic::Ordering::Relaxed);
        n_refusals.store(left.saturating_sub(1), std::sync::atomic::Ordering::Relaxed);
        left > 0
    };
    connection.raw_mut().commit_hook(Some(refuse)).unwrap();
    let counters = Arc::new(Counters::default());
    let writer = Arc::new(Writer::new(
        connection,
        Arc::clone(&place),
        Arc::clone(&counters),
        Handle::current(),
    ));
    let told = commit_batch(&writer, 3).await;
    assert!(told.iter().all(|result| matches!(result, Err(Error::Retry(_)))), "{told:?}");
    assert_eq!((counters.read().commits, counters.read().retries), (0, 3));
    let told = commit_batch(&writer, 3).await;
    assert_eq!(told, [Ok(()), Ok(()), Ok(())]);
    let reader = Connection::open_reader(&place).unwrap();
    let count = "SELECT count(*) FROM notes";
    let n_rows: i64 = reader.raw().query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(n_rows, 3);
}

#[tokio::test]
async fn a_broken_connection_is_opened_again() {
    let place = place(Limits::default());
    let writer = Arc::new(Writer::new(
        connection(&place),
        Arc::clone(&place),
        Arc::default(),
        Handle::current(),
    ));
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut lease = writer.acquire(deadline).await.unwrap();
    lease.begin().unwrap();
    let told = lease.finish().unwrap();
    assert_eq!(told.await.unwrap(), Ok(()));
    let mut lease = writer.acquire(deadline).await.unwrap();
    lease.begin().unwrap();
    lease.mark_broken();
    drop(lease);
    assert_eq!(commit_batch(&writer, 2).await, [Ok(()), Ok(())]);
}

#[test]
fn expired_keys_are_forgotten_in_the_file_too() {
    let connection =
        connection(&place(Limits { idempotency_ttl: Duration::ZERO, ..Limits::default() }));
    for number in 0..300 {
        let key = IdempotencyKey {
            tenant: Arc::from("acme"),
            subject: "ada".to_owned(),
            operation: "create".to_owned(),
            key: number.to_string(),
        };
        let purge = number % 64 == 0;
        host_tables::remember(&connection, &key, b"record", purge).unwrap();
    }
    let count = "SELECT count(*) FROM caplet_idempotency";
    let n_kept: i64 = connection.raw().query_row(count, [], |row| row.get(0)).unwrap();
    assert!(n_kept <= 64, "{n_kept}");
}

/// SQLite may report an interruption of a statement that is done: then its changes are made. That is
/// why a transaction must not go on after one.
#[test]
fn a_statement_may_be_interrupted_after_its_end() {
    let connection = connection(&place(Limits::default()));
    let is_done_and_interrupted = (0..1_000).any(|_| {
        connection.host("BEGIN IMMEDIATE", []).unwrap();
        let armed = connection.budget().arm(Instant::now());
        let inserted = connection.host("INSERT INTO notes VALUES (1)", []);
        drop(armed);
        let is_open = connection.is_in_transaction();
        let count = "SELECT count(*) FROM notes";
        let n_rows: i64 = connection.raw().query_row(count, [], |row| row.get(0)).unwrap();
        if is_open {
            connection.host("ROLLBACK", []).unwrap();
        }
        matches!(inserted, Err(Fault::Interrupted)) && is_open && n_rows == 1
    });
    assert!(is_done_and_interrupted);
}

#[test]
fn a_kept_statement_is_not_prepared_again() {
    let connection = connection(&place(Limits::default()));
    let text = "SELECT id FROM notes WHERE id > $1 ORDER BY id LIMIT $2";
    let prepared_again = |limit: i64| {
        let mut statement = connection.raw().prepare_cached(text).unwrap();
        statement.raw_bind_parameter(1, 0).unwrap();
        statement.raw_bind_parameter(2, limit).unwrap();
        let mut rows = statement.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        statement.get_status(rusqlite::StatementStatus::RePrepare)
    };
    assert_eq!([1, 2, 3].map(prepared_again), [0, 0, 0]);
}
