//! Migrations seen from the files: what is in them, byte for byte, after failures, crashes and trials.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_store::sqlite::{Options, Sqlite};
use caplet_store::{
    Begin, Database, Error, Limits, Migration, Mode, Pace, Phase, Plan, Result, State, Store, Value,
};
use proptest::prelude::*;
use rusqlite::types::Value as Raw;

const NOTES: &str = "CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL, label TEXT)";

/// A statement of the version that serves.
const INSERT: &str = "INSERT INTO notes (id, body) VALUES ($1, $2)";

const FILL: &str = "UPDATE notes SET label = body WHERE id IN
    (SELECT id FROM notes WHERE label IS NULL ORDER BY id LIMIT 10)";

fn open(directory: &Path) -> Sqlite {
    Sqlite::open(Options::directory(directory)).unwrap()
}

fn step(number: u32, phase: Phase, sql: &str) -> Migration {
    Migration::expand(number, format!("step {number}"), sql).in_phase(phase)
}

fn begin(mode: Mode) -> Begin {
    let deadline = Instant::now() + Duration::from_secs(60);
    Begin { mode, tenant: Arc::from("acme"), deadline, tag: None }
}

/// A database of 25 notes.
async fn notes(store: &Sqlite, limits: Limits) -> Arc<dyn Database> {
    let database = store.open("notes", limits).await.unwrap();
    database.migrate(&[step(1, Phase::Expand, NOTES)]).await.unwrap();
    for id in 0..25 {
        add(&database, id, "hello").await.unwrap();
    }
    database
}

async fn add(database: &Arc<dyn Database>, id: i64, body: &str) -> Result<()> {
    let mut write = database.begin(begin(Mode::Write)).await?;
    write.execute(INSERT, &[Value::Integer(id), Value::Text(body.to_owned())]).await?;
    write.commit().await
}

/// Schema and rows of the plugin's own tables.
fn dump(directory: &Path) -> String {
    let raw = rusqlite::Connection::open(directory.join("notes.db")).unwrap();
    let list = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema
        WHERE tbl_name NOT LIKE 'caplet_%' ORDER BY type, name";
    let mut statement = raw.prepare(list).unwrap();
    let entries = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let mut text = String::new();
    for entry in entries.unwrap() {
        let (kind, name, sql): (String, String, String) = entry.unwrap();
        writeln!(text, "{kind} {name}: {sql}").unwrap();
        if kind == "table" {
            rows(&raw, &name, &mut text);
        }
    }
    text
}

fn rows(raw: &rusqlite::Connection, table: &str, text: &mut String) {
    let mut statement = raw.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
    let n_columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let values = (0..n_columns).map(|index| row.get::<_, Raw>(index).unwrap());
        writeln!(text, "  {:?}", values.collect::<Vec<_>>()).unwrap();
    }
}

/// Runs all phases of a plan, each step and each run of a backfill in so much time.
async fn upgrade(database: &Arc<dyn Database>, plan: &Plan, time_max: Duration) -> Result<()> {
    database.set_limits(limits(time_max));
    database.expand(plan).await?;
    database.backfill(plan, &Pace { run_time_max: time_max, ..Pace::default() }).await?;
    database.contract(plan).await.map(drop)
}

fn limits(migration_time_max: Duration) -> Limits {
    Limits { migration_time_max, database_bytes_max: 160 << 10, ..Limits::default() }
}

/// Enough for whatever comes to an end, on a busy machine too.
const LONG: Duration = Duration::from_secs(60);

/// What has no end is given this much.
const SHORT: Duration = Duration::from_millis(100);

/// What goes wrong, in a schema step and in a backfill.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    (
        "SQL error",
        "CREATE TABLE a (x TEXT); ALTER TABLE nowhere ADD COLUMN y TEXT",
        "UPDATE notes SET nowhere = 1 WHERE id IN (SELECT id FROM notes LIMIT 1)",
        "no such",
    ),
    (
        "constraint",
        "CREATE TABLE a (x TEXT); UPDATE notes SET label = 'x'; UPDATE notes SET id = 1",
        "UPDATE notes SET id = 1 WHERE id IN (SELECT id FROM notes LIMIT 3)",
        "unique",
    ),
    (
        "time",
        "CREATE TABLE a (x BIGINT); INSERT INTO a
            WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT n FROM c WHERE n > 1",
        "UPDATE notes SET label = 'x' WHERE id IN
            (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT 1 FROM c)
            SELECT n FROM c WHERE n > 1 LIMIT 1)",
        "longer than 100ms",
    ),
    (
        "full",
        "CREATE TABLE a (x TEXT); INSERT INTO a
            WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000)
            SELECT 'a text that is long enough to fill some pages of the file ' || n FROM c",
        "INSERT INTO notes (id, body)
            WITH RECURSIVE c (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM c WHERE n < 5000)
            SELECT n, 'a text that is long enough to fill some pages of the file' FROM c LIMIT 5000",
        "full",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_in_any_phase_leaves_the_schema_as_it_was_and_is_recorded() {
    for phase in Phase::ALL {
        for (what, schema, backfill, reason) in FAULTS {
            let sql = if phase == Phase::Backfill { backfill } else { schema };
            fails(phase, what, sql, reason).await;
        }
    }
}

async fn fails(phase: Phase, what: &str, sql: &str, reason: &str) {
    let context = format!("{what} in {phase}");
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let database = notes(&store, limits(LONG)).await;
    let mut list = vec![step(1, Phase::Expand, NOTES), step(2, phase, sql)];
    let before = dump(directory.path());
    let plan = database.plan(&list, Some(1)).await.unwrap();
    let time_max = if what == "time" { SHORT } else { LONG };
    let error = upgrade(&database, &plan, time_max).await.unwrap_err();
    assert!(error.to_string().contains(reason), "{context}: {error}");
    assert_eq!(dump(directory.path()), before, "{context}");

    let recorded = database.plan(&list, Some(1)).await.unwrap().recorded;
    assert_eq!((recorded[1].number, recorded[1].state), (2, State::Failed), "{context}");
    let failure = recorded[1].failure.as_ref().unwrap();
    assert!(failure.contains(reason), "{context}: {failure}");

    // The version that serves goes on, and the mended migration is taken.
    add(&database, 25, "after").await.unwrap();
    let mended = if phase == Phase::Backfill { FILL } else { "CREATE TABLE b (x TEXT)" };
    list[1] = step(2, phase, mended);
    let plan = database.plan(&list, Some(1)).await.unwrap();
    upgrade(&database, &plan, LONG).await.unwrap();
    let recorded = database.plan(&list, Some(2)).await.unwrap().recorded;
    assert_eq!((recorded[1].state, &recorded[1].failure), (State::Applied, &None), "{context}");
}

/// The files as they are now are what a crash leaves.
fn crash(from: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "store.lock" && !name.to_string_lossy().ends_with("-shm") {
            fs::copy(from.join(&name), copy.path().join(&name)).unwrap();
        }
    }
    copy
}

#[tokio::test]
async fn a_backfill_goes_on_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let database = notes(&store, Limits::default()).await;
    let list = [step(1, Phase::Expand, NOTES), step(2, Phase::Backfill, FILL)];
    let plan = database.plan(&list, Some(1)).await.unwrap();
    let run = database.backfill_step(&plan, &Pace::default()).await.unwrap().unwrap();
    assert_eq!((run.n_rows, run.n_runs, run.is_done), (10, 1, false));

    let crashed = crash(directory.path());
    let store = open(crashed.path());
    let database = store.open("notes", Limits::default()).await.unwrap();
    let plan = database.plan(&list, Some(1)).await.unwrap();
    assert_eq!(plan.pending_in(Phase::Backfill).count(), 1);
    let filled = database.backfill(&plan, &Pace::default()).await.unwrap();
    assert_eq!((filled[0].n_rows, filled[0].n_runs, filled[0].is_done), (25, 4, true));
    assert!(!dump(crashed.path()).contains("Null"));
}

#[tokio::test]
async fn a_trial_leaves_the_file_as_it_was_and_nothing_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let database = notes(&store, Limits::default()).await;
    let before = dump(directory.path());
    let list = [
        step(1, Phase::Expand, NOTES),
        step(2, Phase::Expand, "CREATE TABLE a (x TEXT)"),
        step(3, Phase::Backfill, FILL),
        step(4, Phase::Contract, "DROP TABLE notes"),
    ];
    let plan = database.plan(&list, Some(1)).await.unwrap();
    let trial = database.trial(&plan, &[INSERT.to_owned()]).await.unwrap();
    assert!(trial.is_clean(), "{trial:?}");
    let dropped = &trial.steps[2].tables[0];
    assert_eq!(dropped.to_string(), "table notes: 25 rows before, the table is gone");
    assert_eq!(dump(directory.path()), before);
    assert_eq!(database.plan(&list, Some(1)).await.unwrap().recorded.len(), 1);
    let left = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("trial")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn copies_that_a_crash_left_are_removed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    notes(&open(directory.path()), Limits::default()).await.close().await;
    for name in ["notes.trial.db", "notes.trial.db-wal", "notes.trial.db-shm", "a.trial.db-journal"]
    {
        fs::write(directory.path().join(name), "left over").unwrap();
    }
    let _store = open(directory.path());
    let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["notes.db", "store.lock"]);
}

/// The host's table of migrations as the first format had it.
const FIRST_FORMAT: &str = "
    CREATE TABLE earlier AS SELECT number, name, checksum, applied_at_ms FROM caplet_migrations;
    DROP TABLE caplet_migrations;
    CREATE TABLE caplet_migrations (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        checksum BLOB NOT NULL,
        applied_at_ms INTEGER NOT NULL
    );
    INSERT INTO caplet_migrations SELECT * FROM earlier;
    DROP TABLE earlier;
    UPDATE caplet_meta SET value = 1 WHERE name = 'format';";

#[tokio::test]
async fn a_file_of_the_first_format_is_brought_up() {
    let directory = tempfile::tempdir().unwrap();
    notes(&open(directory.path()), Limits::default()).await.close().await;
    let before = dump(directory.path());
    let raw = rusqlite::Connection::open(directory.path().join("notes.db")).unwrap();
    raw.execute_batch(FIRST_FORMAT).unwrap();
    drop(raw);
    let store = open(directory.path());
    let database = store.open("notes", Limits::default()).await.unwrap();
    assert_eq!(dump(directory.path()), before);
    let list = [step(1, Phase::Expand, NOTES), step(2, Phase::Backfill, FILL)];
    let plan = database.plan(&list, Some(1)).await.unwrap();
    assert_eq!((plan.schema_version, plan.recorded[0].state), (1, State::Applied));
    upgrade(&database, &plan, LONG).await.unwrap();
    let raw = rusqlite::Connection::open(directory.path().join("notes.db")).unwrap();
    let format = raw.query_row("SELECT value FROM caplet_meta", [], |row| row.get::<_, i64>(0));
    assert_eq!(format.unwrap(), 2);
}

/// What an upgrade may be made of, in any order.
fn history() -> impl Strategy<Value = Vec<Migration>> {
    let of_phase = |(index, phase): (usize, Phase)| {
        let number = u32::try_from(index).unwrap() + 2;
        let sql = match phase {
            Phase::Expand => format!("CREATE TABLE t{number} (x BIGINT); UPDATE notes SET body = body || '+'"),
            Phase::Backfill => format!(
                "UPDATE notes SET label = coalesce(label, '') || '{number},' WHERE id IN
                    (SELECT id FROM notes WHERE coalesce(label, '') NOT LIKE '%{number},%' LIMIT 10)"
            ),
            Phase::Contract => format!("CREATE TABLE c{number} (x BIGINT)"),
        };
        step(number, phase, &sql)
    };
    let phases = prop::collection::vec(prop::sample::select(Phase::ALL.to_vec()), 1..6);
    phases.prop_map(move |phases| {
        let later = phases.into_iter().enumerate().map(of_phase);
        std::iter::once(step(1, Phase::Expand, NOTES)).chain(later).collect()
    })
}

/// Upgrades step by step, ending the host after every one of them.
async fn with_crashes(list: &[Migration], serving: Option<u32>) -> Result<String> {
    let mut directory = tempfile::tempdir().unwrap();
    let database = notes(&open(directory.path()), Limits::default()).await;
    database.close().await;
    drop(database);
    for phase in [Phase::Expand, Phase::Backfill, Phase::Contract] {
        loop {
            let store = open(directory.path());
            let database = store.open("notes", Limits::default()).await.unwrap();
            let plan = database.plan(list, serving).await?;
            let goes_on = match phase {
                Phase::Expand => !database.expand(&plan).await?.applied.is_empty(),
                Phase::Backfill => database.backfill_step(&plan, &Pace::default()).await?.is_some(),
                Phase::Contract => !database.contract(&plan).await?.applied.is_empty(),
            };
            let crashed = crash(directory.path());
            drop((database, store));
            directory = crashed;
            if !goes_on {
                break;
            }
        }
    }
    Ok(dump(directory.path()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// However an upgrade is cut into pieces, what comes out is what all at once gives.
    #[test]
    fn an_upgrade_with_crashes_ends_where_one_without_does(list in history()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let store = open(directory.path());
            let database = notes(&store, Limits::default()).await;
            database.migrate(&list).await.unwrap();
            let expected = dump(directory.path());
            for serving in [None, Some(1)] {
                match with_crashes(&list, serving).await {
                    Ok(found) => assert_eq!(found, expected),
                    Err(Error::Migration { reason, .. }) => {
                        assert!(serving.is_some() && reason.contains("in between"), "{reason}");
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
    }
}
