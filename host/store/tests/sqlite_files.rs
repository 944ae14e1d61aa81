//! What only files can do: be locked, foreign, newer, damaged, and come back after a crash.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_store::sqlite::{Options, Sqlite};
use caplet_store::{Begin, Database, Error, Limits, Migration, Mode, Store, Value};

fn open(directory: &Path) -> Sqlite {
    Sqlite::open(Options::directory(directory)).unwrap()
}

async fn notes(store: &Sqlite) -> Arc<dyn Database> {
    let database = store.open("notes", Limits::default()).await.unwrap();
    let sql = "CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT)";
    database.migrate(&[Migration::expand(1, "notes", sql)]).await.unwrap();
    database
}

fn begin(mode: Mode) -> Begin {
    let deadline = Instant::now() + Duration::from_secs(60);
    Begin { mode, tenant: Arc::from("acme"), deadline, tag: None }
}

async fn add(database: &Arc<dyn Database>, ids: std::ops::Range<i64>) {
    let mut write = database.begin(begin(Mode::Write)).await.unwrap();
    for id in ids {
        let body = Value::Text("x".repeat(1000));
        let sql = "INSERT INTO notes (id, body) VALUES ($1, $2)";
        write.execute(sql, &[Value::Integer(id), body]).await.unwrap();
    }
    write.commit().await.unwrap();
}

async fn count(database: &Arc<dyn Database>) -> caplet_store::Result<Vec<Value>> {
    let mut read = database.begin(begin(Mode::Read)).await?;
    Ok(read.query("SELECT count(body) FROM notes", &[]).await?.values)
}

fn unavailable(result: caplet_store::Result<impl Sized>) -> String {
    match result {
        Err(Error::Unavailable(text)) => text,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opened"),
    }
}

#[tokio::test]
async fn a_directory_has_one_host() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    let database = notes(&first).await;
    let text = unavailable(Sqlite::open(Options::directory(directory.path())));
    assert!(text.contains(directory.path().to_str().unwrap()) && text.contains("stop"), "{text}");
    drop(first);
    unavailable(Sqlite::open(Options::directory(directory.path())));
    database.close().await;
    drop(database);
    open(directory.path());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let text = unavailable(Sqlite::open(Options::directory(file.join("data"))));
    assert!(text.contains(file.to_str().unwrap()), "{text}");
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let database = notes(&store).await;
    add(&database, 0..5).await;
    let mut unfinished = database.begin(begin(Mode::Write)).await.unwrap();
    unfinished.execute("INSERT INTO notes (id, body) VALUES (99, 'lost')", &[]).await.unwrap();
    // The files as they are now, in the middle of a transaction, are what a crash leaves.
    let copy = tempfile::tempdir().unwrap();
    for name in ["notes.db", "notes.db-wal"] {
        fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let recovered = notes(&open(copy.path())).await;
    assert_eq!(count(&recovered).await, Ok(vec![Value::Integer(5)]));
    assert!(recovered.size_bytes() > 0);
}

#[tokio::test]
async fn a_closed_store_leaves_one_file_a_plugin() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let database = notes(&store).await;
    add(&database, 0..5).await;
    assert_eq!(count(&database).await, Ok(vec![Value::Integer(5)]));
    database.close().await;
    let mut names: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["notes.db", "store.lock"]);
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    notes(&open(directory.path())).await.close().await;
    let path = directory.path().join("notes.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute("UPDATE caplet_meta SET value = 99", []).unwrap();
    drop(raw);
    match open(directory.path()).open("notes", Limits::default()).await.map(|_| ()) {
        Err(Error::Newer(text)) => {
            assert!(text.contains("notes.db") && text.contains("99"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_of_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("CREATE TABLE precious (x TEXT)").unwrap();
    drop(raw);
    let opened = open(directory.path()).open("notes", Limits::default()).await;
    assert!(unavailable(opened).contains("something else"));
}

#[tokio::test]
async fn files_that_are_no_databases_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.db");
    fs::write(&path, "this is no database, and it is longer than the header of one".repeat(20))
        .unwrap();
    let store = open(directory.path());
    let text = unavailable(store.open("notes", Limits::default()).await);
    assert!(text.contains("notes.db") && text.contains("backup"), "{text}");
    // Others are served.
    assert!(store.open("other", Limits::default()).await.is_ok());
}

/// A file of 200 rows, closed.
async fn closed_file(directory: &Path) -> std::path::PathBuf {
    let database = notes(&open(directory)).await;
    add(&database, 0..200).await;
    database.close().await;
    directory.join("notes.db")
}

#[tokio::test]
async fn a_shortened_file_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = closed_file(directory.path()).await;
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    let store = open(directory.path());
    let text = match store.open("notes", Limits::default()).await {
        Ok(database) => unavailable(count(&database).await),
        other => unavailable(other),
    };
    assert!(text.contains("damaged"), "{text}");
}

#[tokio::test]
async fn a_damaged_page_is_noticed_and_nothing_crashes() {
    let directory = tempfile::tempdir().unwrap();
    let path = closed_file(directory.path()).await;
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(length / 2)).unwrap();
    file.write_all(&vec![0xa5; usize::try_from(length / 2).unwrap()]).unwrap();
    drop(file);
    let store = open(directory.path());
    let database = store.open("notes", Limits::default()).await.unwrap();
    let text = unavailable(count(&database).await);
    assert!(text.contains("damaged") && text.contains("notes.db"), "{text}");
    // The next one is told the same: the broken reader was not kept.
    unavailable(count(&database).await);
}

#[tokio::test]
async fn a_foreign_lock_makes_writers_fail_and_not_hang() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let database = notes(&store).await;
    add(&database, 0..1).await;
    let raw = rusqlite::Connection::open(directory.path().join("notes.db")).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = database.begin(begin(Mode::Write)).await;
    assert!(unavailable(begun).contains("another process"));
    assert_eq!(count(&database).await, Ok(vec![Value::Integer(1)]), "readers go on");
    raw.execute_batch("ROLLBACK").unwrap();
    drop(raw);
    add(&database, 1..2).await;
    assert_eq!(count(&database).await, Ok(vec![Value::Integer(2)]));
}
