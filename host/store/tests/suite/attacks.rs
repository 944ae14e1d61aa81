//! What a hostile plugin may try, one row each, and that nothing comes of it.

use caplet_store::Error;

use super::*;

const HOSTILE: &[&str] = &[
    "ATTACH DATABASE 'stolen.db' AS stolen",
    "DETACH DATABASE main",
    "VACUUM",
    "VACUUM INTO 'stolen.db'",
    "PRAGMA writable_schema = 1",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA temp_store_directory = '/tmp'",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_info('notes')",
    "SELECT load_extension('evil')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT writefile('stolen', 'x')",
    "SELECT edit('x')",
    "SELECT zeroblob(1000000000)",
    "SELECT randomblob(1000000000)",
    "SELECT printf('%1000000000d', 1)",
    "SELECT 1; DROP TABLE notes",
    "SELECT 1; SELECT 2",
    "BEGIN",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "END",
    "ROLLBACK",
    "ROLLBACK TO member",
    "SAVEPOINT x",
    "RELEASE member",
    "CREATE TABLE x (a TEXT)",
    "CREATE TEMP TABLE x (a TEXT)",
    "CREATE TRIGGER x AFTER INSERT ON notes BEGIN DELETE FROM notes; END",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "DROP TABLE notes",
    "ALTER TABLE notes RENAME TO x",
    "REINDEX",
    "ANALYZE",
    "EXPLAIN SELECT 1",
    "SELECT * FROM caplet_migrations",
    "SELECT * FROM main.caplet_migrations",
    "SELECT * FROM \"CAPLET_idempotency\"",
    "DELETE FROM caplet_migrations",
    "UPDATE caplet_meta SET value = 99",
    "INSERT INTO caplet_idempotency VALUES ('a', 'b', 'c', 'd', 'e', 1)",
    "SELECT (SELECT count(*) FROM caplet_migrations)",
    "WITH x AS (SELECT * FROM caplet_migrations) SELECT * FROM x",
    "SELECT sql FROM sqlite_master",
    "SELECT sql FROM sqlite_schema",
    "SELECT * FROM temp.sqlite_schema",
    "SELECT * FROM dbstat",
    "SELECT * FROM json_each",
    "UPDATE sqlite_master SET sql = ''",
    "SET ROLE postgres",
    "SET statement_timeout = 0",
    "COPY notes TO PROGRAM 'sh'",
    "DO 'BEGIN END'",
    "LISTEN x",
    "NOTIFY x",
    "SELECT pg_sleep(10)",
    "SELECT set_config('a', 'b', false)",
    "SELECT * FROM other.notes",
];

pub async fn hostile_statements_are_refused(ground: &Ground) {
    refuse_all(ground, Mode::Read).await;
}

pub async fn hostile_statements_are_refused_while_writing(ground: &Ground) {
    refuse_all(ground, Mode::Write).await;
}

async fn refuse_all(ground: &Ground, mode: Mode) {
    let limits = Limits { statements_max: 10_000, ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    notes.add([1]).await;
    let mut transaction = notes.begin(mode).await.unwrap();
    let mut passed = Vec::new();
    for statement in HOSTILE {
        let results = [
            transaction.query(statement, &[]).await.map(|_| ()),
            transaction.query_json(statement, &[], 1).await.map(|_| ()),
            transaction.execute(statement, &[]).await.map(|_| ()),
        ];
        if !results.iter().all(|result| matches!(result, Err(Error::Invalid(_)))) {
            passed.push((statement, results));
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
    assert_eq!(ids(&mut *transaction).await, [1]);
    transaction.commit().await.unwrap();
    assert_eq!(notes.ids().await, [1]);
    assert!(notes.database.migrate(&[notes_migration()]).await.unwrap().applied.is_empty());
}

pub async fn values_cannot_grow_without_end(ground: &Ground) {
    let notes = ground.notes().await;
    let mut read = notes.read().await;
    let doubling = "WITH RECURSIVE c (n, s) AS (
                        SELECT 1, 'xxxxxxxxxxxxxxxx' UNION ALL SELECT n + 1, s || s FROM c WHERE n < 40)
                    SELECT max(length(s)) FROM c";
    let grown = read.query(doubling, &[]).await;
    assert!(matches!(grown, Err(Error::TooLarge { .. })), "{grown:?}");
    let pattern = text(&format!("%{}", "a%".repeat(40)));
    let matched = read.query("SELECT 1 WHERE $1 LIKE $2", &[text("a"), pattern]).await;
    assert!(matches!(matched, Err(Error::Invalid(_))), "{matched:?}");
    let wide: Vec<_> = (0..101).map(|column| format!("{column} AS c{column}")).collect();
    let wide = read.query(&format!("SELECT {}", wide.join(", ")), &[]).await;
    assert!(matches!(wide, Err(Error::Invalid(_))), "{wide:?}");
    let long = format!("SELECT '{}'", "x".repeat(256 << 10));
    assert!(matches!(read.query(&long, &[]).await, Err(Error::TooLarge { .. })));
    let rows = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < $1)
                SELECT n FROM c";
    let thousand = read.query(rows, &[Value::Integer(1000)]).await.unwrap();
    assert_eq!(thousand.values.len(), 1000);
    let more = read.query(rows, &[Value::Integer(1001)]).await;
    assert!(matches!(more, Err(Error::TooLarge { .. })), "{more:?}");
}

pub async fn bombs_end_in_time(ground: &Ground) {
    let limits = Limits { statement_time_max: Duration::from_millis(60), ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    notes.add(1..=150).await;
    let bombs = [
        "SELECT count(*) FROM notes a, notes b, notes c, notes d, notes e",
        "SELECT a.body FROM notes a, notes b, notes c, notes d ORDER BY a.body || b.body || c.id DESC LIMIT 1",
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION SELECT n + 1 FROM c) SELECT max(n) FROM c",
        "SELECT count(*) FROM notes a WHERE (SELECT count(*) FROM notes b, notes c, notes d, notes e) > a.id",
        "SELECT count(n) FROM (SELECT row_number() OVER (ORDER BY a.id) AS n
         FROM notes a, notes b, notes c, notes d) AS x",
    ];
    for bomb in bombs {
        let begun = Instant::now();
        let mut read = notes.read().await;
        let ended = read.query(bomb, &[]).await;
        assert!(matches!(ended, Err(Error::Timeout(_))), "{bomb}: {ended:?}");
        // Generous, for a loaded machine: without a limit each takes minutes.
        assert!(begun.elapsed() < Duration::from_secs(5), "{bomb}: {:?}", begun.elapsed());
    }
}
