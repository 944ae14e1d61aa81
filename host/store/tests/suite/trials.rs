//! Trying migrations on a copy.

use caplet_store::{Error, Phase, Trial};

use super::phases::plan;
use super::*;

async fn tried(notes: &Notes, later: &[Migration], old: &[&str]) -> Trial {
    let list = [&[notes_migration()], later].concat();
    let plan = plan(notes, &list, Some(1)).await;
    let old: Vec<_> = old.iter().map(|text| (*text).to_owned()).collect();
    notes.database.trial(&plan, &old).await.unwrap()
}

fn changes(trial: &Trial) -> Vec<String> {
    trial.steps.iter().flat_map(|step| &step.tables).map(ToString::to_string).collect()
}

pub async fn a_trial_says_what_each_step_does_and_changes_nothing(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(0..25).await;
    let later = [
        migration(2, "CREATE TABLE tags (x TEXT); INSERT INTO tags VALUES ('a')"),
        migration(3, "ALTER TABLE notes ADD COLUMN label TEXT"),
        migration(
            4,
            "UPDATE notes SET label = body WHERE id IN
                (SELECT id FROM notes WHERE label IS NULL LIMIT 10)",
        )
        .in_phase(Phase::Backfill),
        migration(5, "ALTER TABLE notes DROP COLUMN size; DELETE FROM notes")
            .in_phase(Phase::Contract),
        migration(6, "DROP TABLE tags").in_phase(Phase::Contract),
    ];
    let trial = tried(&notes, &later, &[]).await;
    assert!(trial.is_clean(), "{trial:?}");
    assert_eq!(
        changes(&trial),
        [
            "table tags: new, 1 rows",
            "table notes: 25 rows before, 25 after; with label",
            "table notes: 25 rows before, 0 after; without size",
            "table tags: 1 rows before, the table is gone",
        ]
    );
    let is_destructive: Vec<_> =
        trial.steps.iter().map(|step| step.tables.iter().any(|it| it.is_destructive())).collect();
    assert_eq!(is_destructive, [false, false, false, true, true]);
    assert_eq!(trial.steps[2].n_runs, 4);
    assert!(trial.copy_bytes > 0);
    assert_eq!(notes.ids().await, (0..25).collect::<Vec<_>>());
    let list = [&[notes_migration()], later.as_slice()].concat();
    let after = plan(&notes, &list, Some(1)).await;
    assert_eq!((after.schema_version, after.recorded.len()), (1, 1));
    let nothing = tried(&notes, &[], &["SELECT id FROM notes"]).await;
    assert_eq!(nothing, Trial::default(), "nothing to try");
}

pub async fn statements_that_would_fail_are_found(ground: &Ground) {
    let notes = ground.notes().await;
    let insert = "INSERT INTO notes (id, tenant, body) VALUES ($1, $tenant, $2)";
    let rebuilt = "CREATE TABLE built (id BIGINT PRIMARY KEY, tenant TEXT NOT NULL,
            body TEXT NOT NULL, label TEXT NOT NULL);
        INSERT INTO built SELECT id, tenant, body, 'none' FROM notes;
        DROP TABLE notes; ALTER TABLE built RENAME TO notes";
    for (change, statement, reason) in [
        ("ALTER TABLE notes DROP COLUMN size", "SELECT size FROM notes", "no such column"),
        ("ALTER TABLE notes DROP COLUMN size", "SELECT * FROM notes", "and were id, tenant"),
        ("ALTER TABLE notes RENAME TO pages", insert, "no such table"),
        ("ALTER TABLE notes RENAME COLUMN body TO text", insert, "no column named body"),
        (rebuilt, insert, "notes.label is NOT NULL"),
        ("CREATE UNIQUE INDEX u ON notes (tenant, body)", insert, "(body, tenant) must be unique"),
        (
            "CREATE UNIQUE INDEX u ON notes (tenant, body)",
            "UPDATE notes SET body = $1",
            "must be unique now",
        ),
    ] {
        let harmless = "SELECT 1 + 1";
        let trial = tried(&notes, &[migration(2, change)], &[harmless, statement]).await;
        assert_eq!((trial.n_statements, trial.broken.len()), (2, 1), "{change}: {trial:?}");
        assert!(!trial.is_clean() && trial.failure.is_none());
        let broken = &trial.broken[0];
        assert_eq!(broken.statement, statement);
        assert!(broken.reason.contains(reason), "{change}: {}", broken.reason);
    }
}

/// Makes the table of notes anew, with these changes of its definition.
fn rebuilt(changes: &[(&str, &str)]) -> String {
    let mut columns =
        "id BIGINT PRIMARY KEY, tenant TEXT NOT NULL, body TEXT NOT NULL CHECK (body <> 'bad'),
        parent BIGINT, slug TEXT UNIQUE, size REAL, data BLOB"
            .to_owned();
    for (from, to) in changes {
        assert!(columns.contains(from), "{from}");
        columns = columns.replace(from, to);
    }
    format!(
        "CREATE TABLE built ({columns}); INSERT INTO built SELECT id, tenant, body, parent, slug, coalesce(size, 1), data FROM notes;
        DROP TABLE notes; ALTER TABLE built RENAME TO notes"
    )
}

const INSERT: &str = "INSERT INTO notes (id, tenant, body) VALUES ($1, $tenant, $2)";
const RESIZE: &str = "UPDATE notes SET size = $1 WHERE id = $2";

pub async fn rules_that_the_version_before_does_not_know_are_found(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add([1]).await;
    let people = "CREATE TABLE people (id TEXT PRIMARY KEY);
        INSERT INTO people (id) SELECT DISTINCT tenant FROM notes";
    let note_of = |action: &str| {
        format!("CREATE TABLE stars (note BIGINT NOT NULL REFERENCES notes (id) {action})")
    };
    for (change, statement, reason) in [
        (rebuilt(&[("'bad'", "'bad' AND length(body) < 99")]), INSERT, "CHECK (body <> 'bad' AND"),
        (rebuilt(&[("BLOB", "BLOB, CHECK (size > 0)")]), RESIZE, "CHECK (size > 0)"),
        (rebuilt(&[("REAL", "REAL NOT NULL DEFAULT 1")]), RESIZE, "notes.size is NOT NULL now"),
        (
            "CREATE UNIQUE INDEX u ON notes (lower(body))".to_owned(),
            INSERT,
            "(lower(body)) must be",
        ),
        (
            "CREATE UNIQUE INDEX u ON notes (body) WHERE size IS NULL".to_owned(),
            INSERT,
            "(body WHERE size IS NULL) must be unique",
        ),
        (
            format!(
                "{people}; {}",
                rebuilt(&[("tenant TEXT", "tenant TEXT REFERENCES people (id)")])
            ),
            INSERT,
            "notes (tenant) must refer to a row of people",
        ),
        (note_of(""), "DELETE FROM notes WHERE id = $1", "rows of stars keep rows of notes"),
        (note_of(""), "UPDATE notes SET id = $1 WHERE id = $2", "ON UPDATE CASCADE"),
    ] {
        let trial = tried(&notes, &[migration(2, &change)], &[statement]).await;
        assert_eq!(trial.broken.len(), 1, "{change}: {trial:?}");
        let told = &trial.broken[0].reason;
        assert!(told.contains(reason), "{change}: {told}");
    }
    for (change, statement) in [
        (rebuilt(&[(" CHECK (body <> 'bad')", "")]), INSERT),
        (rebuilt(&[("'bad'", "'bad' OR size > 0")]), INSERT),
        (rebuilt(&[("BLOB", "BLOB, CHECK (size > 0)")]), INSERT),
        (rebuilt(&[("REAL", "REAL NOT NULL DEFAULT 1")]), INSERT),
        (rebuilt(&[("parent BIGINT", "parent BIGINT REFERENCES notes (id)")]), INSERT),
        (rebuilt(&[("parent BIGINT", "parent BIGINT REFERENCES notes (id)")]), RESIZE),
        ("CREATE UNIQUE INDEX u ON notes (body) WHERE size = 1".to_owned(), INSERT),
        ("CREATE UNIQUE INDEX u ON notes (tenant, parent)".to_owned(), INSERT),
        (
            "ALTER TABLE notes ADD COLUMN kind TEXT DEFAULT 'x' CHECK (kind = 'x')".to_owned(),
            INSERT,
        ),
        (note_of("ON DELETE CASCADE"), "DELETE FROM notes WHERE id = $1"),
    ] {
        let trial = tried(&notes, &[migration(2, &change)], &[statement]).await;
        assert!(trial.is_clean() && trial.n_statements == 1, "{change}: {trial:?}");
    }
}

pub async fn statements_that_go_on_are_left_alone(ground: &Ground) {
    let notes = ground.notes().await;
    let old = [
        "INSERT INTO notes (id, tenant, body) VALUES ($1, $tenant, $2)",
        "SELECT * FROM notes",
        "UPDATE notes SET body = $1 WHERE id = $2",
        "DELETE FROM notes WHERE id = $1",
        // These could not be run before either.
        "SELECT nothing FROM nowhere",
        "DROP TABLE notes",
    ];
    for change in [
        "ALTER TABLE notes ADD COLUMN label TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX notes_by_body ON notes (body)",
        "CREATE UNIQUE INDEX u ON notes (tenant, id)",
        "ALTER TABLE notes ADD COLUMN label TEXT; CREATE UNIQUE INDEX u ON notes (label)",
        "CREATE TABLE tags (x TEXT NOT NULL)",
    ] {
        let trial = tried(&notes, &[migration(2, change)], &old).await;
        assert!(trial.is_clean() && trial.n_statements == 4, "{change}: {trial:?}");
    }
    // After the contract phase the version before is gone.
    let contract = migration(2, "DROP TABLE notes").in_phase(Phase::Contract);
    assert!(tried(&notes, &[contract], &old).await.is_clean());
}

pub async fn a_step_that_fails_is_said(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add([1]).await;
    let endless = "INSERT INTO notes (id, tenant, body)
        WITH RECURSIVE c (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c) SELECT n, '', '' FROM c";
    for (sql, phase, reason) in [
        ("INSERT INTO notes (id) VALUES (1)", Phase::Expand, "not-null"),
        ("ALTER TABLE nowhere ADD COLUMN a TEXT", Phase::Expand, "no such table"),
        (endless, Phase::Expand, "longer than 50ms"),
        ("DROP TABLE nowhere", Phase::Contract, "no such table"),
        (
            "UPDATE notes SET body = NULL WHERE id IN (SELECT id FROM notes LIMIT 1)",
            Phase::Backfill,
            "not-null",
        ),
    ] {
        // Little time is given only to what has no end: on a busy machine all else could take as long.
        let migration_time_max = Duration::from_millis(if sql == endless { 50 } else { 60_000 });
        notes.database.set_limits(Limits { migration_time_max, ..Limits::default() });
        let trial = tried(&notes, &[migration(2, sql).in_phase(phase)], &[]).await;
        match &trial.failure {
            Some(Error::Migration { number: 2, reason: found }) => {
                assert!(found.contains(reason), "{sql}: {found}");
            }
            other => panic!("{sql}: {other:?}"),
        }
        assert!(!trial.is_clean());
    }
    assert_eq!(notes.ids().await, [1]);
}

pub async fn an_endless_trial_ends_in_time(ground: &Ground) {
    let limits = Limits { trial_time_max: Duration::from_millis(200), ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    notes.add([1]).await;
    let endless = "UPDATE notes SET size = 1 WHERE id IN (SELECT id FROM notes LIMIT 1)";
    let endless = migration(2, endless).in_phase(Phase::Backfill);
    let trial = tried(&notes, &[endless], &[]).await;
    let failure = trial.failure.unwrap().to_string();
    assert!(failure.contains("migration 2") && failure.contains("trial"), "{failure}");
}

pub async fn a_trial_blocks_no_one(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(0..10).await;
    let mut writer = notes.write().await;
    insert(&mut *writer, 10).await.unwrap();
    let add = [migration(2, "ALTER TABLE notes ADD COLUMN label TEXT")];
    let (first, second) = tokio::join!(tried(&notes, &add, &[]), tried(&notes, &add, &[]));
    assert!(first.is_clean() && second.is_clean(), "two trials wait for each other");
    insert(&mut *writer, 11).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(notes.ids().await, (0..12).collect::<Vec<_>>());
    assert_eq!(changes(&first), ["table notes: 10 rows before, 10 after; with label"]);
}
