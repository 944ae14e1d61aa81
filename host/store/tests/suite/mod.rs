//! The scenarios, and what they share.

pub mod attacks;
pub mod constraints;
pub mod keys;
pub mod migrations;
pub mod operation;
pub mod phases;
pub mod statements;
pub mod time;
pub mod transactions;
pub mod trials;
pub mod values;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use caplet_store::sqlite::{Options, Sqlite, Statistics};
use caplet_store::{
    Begin, Database, Limits, Migration, Mode, Result, Rows, Store, Transaction, Value,
};

/// A store on fresh ground.
pub struct Ground {
    pub store: Box<dyn Store>,
    sqlite: Sqlite,
    _directory: Option<tempfile::TempDir>,
}

impl Ground {
    pub fn sqlite_file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(Options::directory(directory.path())).unwrap();
        Self { store: Box::new(sqlite.clone()), sqlite, _directory: Some(directory) }
    }

    pub fn sqlite_temporary() -> Self {
        let sqlite = Sqlite::open(Options::temporary()).unwrap();
        Self { store: Box::new(sqlite.clone()), sqlite, _directory: None }
    }

    pub fn statistics(&self) -> Statistics {
        self.sqlite.statistics()
    }

    /// A database with the table `notes`, under the default limits.
    pub async fn notes(&self) -> Notes {
        self.notes_with(Limits::default()).await
    }

    pub async fn notes_with(&self, limits: Limits) -> Notes {
        let database = self.store.open("notes", limits).await.unwrap();
        database.migrate(&[notes_migration()]).await.unwrap();
        Notes { database }
    }
}

/// No ids at all.
pub const NONE: [i64; 0] = [];

pub fn migration(number: u32, sql: &str) -> Migration {
    Migration::expand(number, format!("step {number}"), sql)
}

pub fn notes_migration() -> Migration {
    migration(
        1,
        "CREATE TABLE notes (
            id BIGINT PRIMARY KEY,
            tenant TEXT NOT NULL,
            body TEXT NOT NULL CHECK (body <> 'bad'),
            parent BIGINT REFERENCES notes (id) ON DELETE RESTRICT,
            slug TEXT UNIQUE,
            size REAL,
            data BLOB
        )",
    )
}

/// The database of most scenarios.
pub struct Notes {
    pub database: Arc<dyn Database>,
}

impl Notes {
    pub async fn begin(&self, mode: Mode) -> Result<Box<dyn Transaction>> {
        self.database.begin(begin(mode)).await
    }

    pub async fn read(&self) -> Box<dyn Transaction> {
        self.begin(Mode::Read).await.unwrap()
    }

    pub async fn write(&self) -> Box<dyn Transaction> {
        self.begin(Mode::Write).await.unwrap()
    }

    /// Inserts rows with these ids and commits.
    pub async fn add(&self, ids: impl IntoIterator<Item = i64>) {
        let mut write = self.write().await;
        for id in ids {
            insert(&mut *write, id).await.unwrap();
        }
        write.commit().await.unwrap();
    }

    /// The ids in the table, as a new reader sees them.
    pub async fn ids(&self) -> Vec<i64> {
        let mut read = self.read().await;
        ids(&mut *read).await
    }
}

pub fn begin(mode: Mode) -> Begin {
    begin_within(mode, Duration::from_secs(60))
}

pub fn begin_within(mode: Mode, time: Duration) -> Begin {
    Begin { mode, tenant: Arc::from("acme"), deadline: Instant::now() + time, tag: None }
}

pub async fn insert(transaction: &mut dyn Transaction, id: i64) -> Result<u64> {
    let sql = "INSERT INTO notes (id, tenant, body) VALUES ($1, $tenant, $2)";
    transaction.execute(sql, &[Value::Integer(id), text("hello")]).await
}

pub async fn ids(transaction: &mut dyn Transaction) -> Vec<i64> {
    integers(&transaction.query("SELECT id FROM notes ORDER BY id", &[]).await.unwrap())
}

pub fn integers(rows: &Rows) -> Vec<i64> {
    let integer = |value: &Value| match value {
        Value::Integer(integer) => *integer,
        other => panic!("{other:?} is no integer"),
    };
    rows.values.iter().map(integer).collect()
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Polls a future once: the way to stand in a queue at a known place.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| match Pin::new(&mut *future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
