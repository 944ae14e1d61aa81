//! What the store costs over the bare engine, and what it gains by group commit.
//!
//! All sides run in one process on the same kind of file, so that their ratio means something. The
//! files are below `CARGO_TARGET_TMPDIR`'s disk, because a commit in memory costs nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_store::sqlite::{Options, Sqlite};
use caplet_store::{Begin, Database, Limits, Migration, Mode, Store, Value};
use divan::Bencher;
use divan::counter::ItemsCount;
use tokio::runtime::{Builder, Runtime};

const SCHEMA: &str = "CREATE TABLE notes (
        id BIGINT PRIMARY KEY,
        tenant TEXT NOT NULL,
        author TEXT NOT NULL,
        body TEXT NOT NULL,
        locked INTEGER NOT NULL,
        created_at BIGINT NOT NULL
    );
    CREATE INDEX notes_by_tenant ON notes (tenant, id)";

const LIST: &str = "SELECT id, author, body, locked, created_at FROM notes
    WHERE tenant = $tenant AND id > $1 ORDER BY id LIMIT 20";

const LIST_JSON: &str = "SELECT id, author, body, locked AS \"locked:bool\",
    created_at AS \"created_at:time\", id AS \"id:key\" FROM notes
    WHERE tenant = $tenant AND id > $1 ORDER BY id LIMIT 21";

const INSERT: &str = "INSERT INTO notes (id, tenant, author, body, locked, created_at)
    VALUES ($1, $tenant, $2, $3, 0, 1700000000000)";

const N_ROWS: i64 = 10_000;
const N_WRITERS: i64 = 64;

fn main() {
    divan::main();
}

struct Bed {
    runtime: Runtime,
    database: Arc<dyn Database>,
    directory: tempfile::TempDir,
    _store: Sqlite,
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn bed(n_rows: i64) -> Bed {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let directory = directory();
    let (store, database) = runtime.block_on(async {
        let store = Sqlite::open(Options::directory(directory.path())).unwrap();
        let database = store.open("bench", Limits::default()).await.unwrap();
        database.migrate(&[Migration::expand(1, "notes", SCHEMA)]).await.unwrap();
        for first in (0..n_rows).step_by(100) {
            let mut write = database.begin(begin(Mode::Write)).await.unwrap();
            for id in first..first + 100 {
                write.execute(INSERT, &row(id)).await.unwrap();
            }
            write.commit().await.unwrap();
        }
        (store, database)
    });
    Bed { runtime, database, directory, _store: store }
}

fn begin(mode: Mode) -> Begin {
    let deadline = Instant::now() + Duration::from_secs(60);
    Begin { mode, tenant: Arc::from("acme"), deadline, tag: None }
}

fn row(id: i64) -> [Value; 3] {
    [
        Value::Integer(id),
        Value::Text("ada".into()),
        Value::Text(
            "A comment of the usual length, with a \"quote\" and a line.\nAnd one more.".into(),
        ),
    ]
}

fn bare(path: &Path) -> rusqlite::Connection {
    let bare = rusqlite::Connection::open(path).unwrap();
    bare.pragma_update(None, "journal_mode", "WAL").unwrap();
    bare.pragma_update(None, "synchronous", "FULL").unwrap();
    bare
}

mod list_of_20 {
    use super::*;

    #[divan::bench]
    fn store_typed(bencher: Bencher) {
        let bed = bed(N_ROWS);
        bencher.bench(|| {
            bed.runtime.block_on(async {
                let mut read = bed.database.begin(begin(Mode::Read)).await.unwrap();
                let rows = read.query(LIST, &[Value::Integer(5000)]).await.unwrap();
                assert_eq!(rows.values.len(), 100);
                read.commit().await.unwrap();
            });
        });
    }

    #[divan::bench]
    fn store_json(bencher: Bencher) {
        let bed = bed(N_ROWS);
        bencher.bench(|| {
            bed.runtime.block_on(async {
                let mut read = bed.database.begin(begin(Mode::Read)).await.unwrap();
                let page = read.query_json(LIST_JSON, &[Value::Integer(5000)], 20).await.unwrap();
                assert_eq!((page.count, page.more), (20, true));
                read.commit().await.unwrap();
                page
            })
        });
    }

    /// Into the same values, on the same file, with a kept statement.
    #[divan::bench]
    fn bare_typed(bencher: Bencher) {
        let bed = bed(N_ROWS);
        let bare = bare(&bed.directory.path().join("bench.db"));
        bencher.bench_local(|| {
            let mut statement = bare.prepare_cached(LIST).unwrap();
            let mut rows = statement.query((("acme"), 5000_i64)).unwrap();
            let mut values = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                values.push((
                    row.get::<_, i64>(0).unwrap(),
                    row.get::<_, String>(1).unwrap(),
                    row.get::<_, String>(2).unwrap(),
                    row.get::<_, i64>(3).unwrap(),
                    row.get::<_, i64>(4).unwrap(),
                ));
            }
            assert_eq!(values.len(), 20);
            values
        });
    }

    /// Into the same JSON, by way of `serde_json::Value`, as one would write it by hand.
    #[divan::bench]
    fn bare_json(bencher: Bencher) {
        let bed = bed(N_ROWS);
        let bare = bare(&bed.directory.path().join("bench.db"));
        bencher.bench_local(|| {
            let mut statement = bare.prepare_cached(LIST).unwrap();
            let mut rows = statement.query((("acme"), 5000_i64)).unwrap();
            let mut items = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                items.push(serde_json::json!({
                    "id": row.get::<_, i64>(0).unwrap(),
                    "author": row.get::<_, String>(1).unwrap(),
                    "body": row.get::<_, String>(2).unwrap(),
                    "locked": row.get::<_, i64>(3).unwrap() != 0,
                    "created_at": rfc3339(row.get(4).unwrap()),
                }));
            }
            serde_json::to_vec(&items).unwrap()
        });
    }

    /// What a transaction costs that does nothing.
    #[divan::bench]
    fn store_nothing(bencher: Bencher) {
        let bed = bed(0);
        bencher.bench(|| {
            bed.runtime.block_on(async {
                bed.database.begin(begin(Mode::Read)).await.unwrap().commit().await.unwrap();
            });
        });
    }
}

fn rfc3339(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).unwrap().to_string()
}

/// 64 writers, each of which inserts one row and waits until it is durable.
#[divan::bench_group(sample_count = 30, sample_size = 4)]
mod writers_64 {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[divan::bench]
    fn store_group_commit(bencher: Bencher) {
        let bed = bed(0);
        let next = Arc::new(AtomicI64::new(0));
        bencher.counter(ItemsCount::new(N_WRITERS as u64)).bench(|| {
            bed.runtime.block_on(async {
                let tasks: Vec<_> = (0..N_WRITERS)
                    .map(|_| {
                        let (database, next) = (Arc::clone(&bed.database), Arc::clone(&next));
                        tokio::spawn(async move {
                            let mut write = database.begin(begin(Mode::Write)).await.unwrap();
                            let id = next.fetch_add(1, Ordering::Relaxed);
                            write.execute(INSERT, &row(id)).await.unwrap();
                            write.commit().await.unwrap();
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        });
    }

    /// One connection behind a lock, one commit a row: what one writes by hand.
    #[divan::bench]
    fn bare_one_by_one(bencher: Bencher) {
        let directory = directory();
        let bare = bare(&directory.path().join("bench.db"));
        bare.execute_batch(SCHEMA).unwrap();
        let next = AtomicI64::new(0);
        bencher.counter(ItemsCount::new(N_WRITERS as u64)).bench_local(|| {
            for _ in 0..N_WRITERS {
                let id = next.fetch_add(1, Ordering::Relaxed);
                let mut statement = bare.prepare_cached(INSERT).unwrap();
                statement.execute((id, "acme", "ada", "A comment of the usual length.")).unwrap();
            }
        });
    }
}

/// One writer alone: what the hand-over costs over the commit.
#[divan::bench_group(sample_count = 50, sample_size = 8)]
mod writers_1 {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[divan::bench]
    fn store(bencher: Bencher) {
        let bed = bed(0);
        let next = AtomicI64::new(0);
        bencher.bench(|| {
            bed.runtime.block_on(async {
                let mut write = bed.database.begin(begin(Mode::Write)).await.unwrap();
                let id = next.fetch_add(1, Ordering::Relaxed);
                write.execute(INSERT, &row(id)).await.unwrap();
                write.commit().await.unwrap();
            });
        });
    }

    #[divan::bench]
    fn bare(bencher: Bencher) {
        let directory = directory();
        let bare = super::bare(&directory.path().join("bench.db"));
        bare.execute_batch(SCHEMA).unwrap();
        let next = AtomicI64::new(0);
        bencher.bench_local(|| {
            let id = next.fetch_add(1, Ordering::Relaxed);
            let mut statement = bare.prepare_cached(INSERT).unwrap();
            statement.execute((id, "acme", "ada", "A comment of the usual length.")).unwrap();
        });
    }
}
