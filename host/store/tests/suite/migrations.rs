//! The schema's history.

use caplet_store::{Error, Migrated, Phase};

use super::*;

async fn open(ground: &Ground) -> Arc<dyn Database> {
    ground.store.open("history", Limits::default()).await.unwrap()
}

async fn columns(database: &Arc<dyn Database>, table: &str) -> Result<Vec<String>> {
    let mut read = database.begin(begin(Mode::Read)).await.unwrap();
    read.query(&format!("SELECT * FROM {table}"), &[]).await.map(|rows| rows.columns)
}

/// The number and the reason of a refusal.
fn refusal(result: Result<Migrated>) -> (u32, String) {
    match result {
        Err(Error::Migration { number, reason }) => (number, reason),
        other => panic!("{other:?}"),
    }
}

pub async fn migrations_are_applied_once_and_in_order(ground: &Ground) {
    let database = open(ground).await;
    let none = database.migrate(&[]).await.unwrap();
    assert_eq!(none, Migrated { applied: vec![], schema_version: 0 });
    let first = migration(1, "CREATE TABLE a (x TEXT); INSERT INTO a VALUES ('1')");
    let third = migration(3, "ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = x;");
    let migrated = database.migrate(&[first.clone(), third.clone()]).await.unwrap();
    assert_eq!(migrated, Migrated { applied: vec![1, 3], schema_version: 3 });
    let again = database.migrate(&[first.clone(), third.clone()]).await.unwrap();
    assert_eq!(again, Migrated { applied: vec![], schema_version: 3 });
    let fourth = migration(4, "CREATE INDEX a_by_y ON a (y)");
    let more = database.migrate(&[first, third, fourth]).await.unwrap();
    assert_eq!(more, Migrated { applied: vec![4], schema_version: 4 });
    assert_eq!(columns(&database, "a").await.unwrap(), ["x", "y"]);
}

pub async fn an_applied_migration_must_not_change(ground: &Ground) {
    let database = open(ground).await;
    database.migrate(&[migration(1, "CREATE TABLE a (x TEXT)")]).await.unwrap();
    let changed = database.migrate(&[migration(1, "CREATE TABLE a (x  TEXT)")]).await;
    let (number, reason) = refusal(changed);
    assert!(number == 1 && reason.contains("another text"), "{number} {reason}");
    let renamed = Migration { name: "other".to_owned(), ..migration(1, "CREATE TABLE a (x TEXT)") };
    assert_eq!(refusal(database.migrate(&[renamed]).await).0, 1);
}

pub async fn a_migration_must_not_come_before_an_applied_one(ground: &Ground) {
    let database = open(ground).await;
    let second = migration(2, "CREATE TABLE a (x TEXT)");
    database.migrate(std::slice::from_ref(&second)).await.unwrap();
    let late = database.migrate(&[migration(1, "CREATE TABLE b (x TEXT)"), second]).await;
    let (number, reason) = refusal(late);
    assert!(number == 1 && reason.contains("before 2"), "{number} {reason}");
    assert!(columns(&database, "b").await.is_err());
}

pub async fn an_older_plugin_opens_until_a_contract_step_has_run(ground: &Ground) {
    let database = open(ground).await;
    let first = migration(1, "CREATE TABLE a (x TEXT)");
    let second = migration(2, "CREATE TABLE b (x TEXT)");
    database.migrate(&[first.clone(), second.clone()]).await.unwrap();
    let older = database.migrate(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(older, Migrated { applied: vec![], schema_version: 2 });
    assert_eq!(database.plan(&[], None).await.unwrap().ahead, [1, 2]);
    let (number, reason) = refusal(database.migrate(std::slice::from_ref(&second)).await);
    assert!(number == 1 && reason.contains("put it back"), "{number} {reason}");
    let third = migration(3, "DROP TABLE a").in_phase(Phase::Contract);
    database.migrate(&[first.clone(), second.clone(), third]).await.unwrap();
    for list in [vec![first.clone(), second], vec![first], vec![]] {
        let (number, reason) = refusal(database.migrate(&list).await);
        assert!(number == 3 && reason.contains("later version"), "{number} {reason}");
    }
}

pub async fn a_failing_migration_leaves_nothing_behind(ground: &Ground) {
    let database = open(ground).await;
    let good = migration(1, "CREATE TABLE a (x TEXT NOT NULL)");
    let half = migration(2, "CREATE TABLE b (x TEXT); INSERT INTO a VALUES (NULL)");
    let list = [good.clone(), half, migration(3, "CREATE TABLE c (x TEXT)")];
    let (number, reason) = refusal(database.migrate(&list).await);
    assert!(number == 2 && reason.contains("not-null"), "{number} {reason}");
    assert!(columns(&database, "a").await.is_ok());
    assert!(columns(&database, "b").await.is_err());
    assert!(columns(&database, "c").await.is_err());
    let mended = migration(2, "CREATE TABLE b (x TEXT)");
    assert_eq!(database.migrate(&[good, mended]).await.unwrap().applied, [2]);
}

pub async fn numbers_must_grow(ground: &Ground) {
    let database = open(ground).await;
    for numbers in [vec![0], vec![1, 1], vec![2, 1]] {
        let list: Vec<_> = numbers.iter().map(|number| migration(*number, "SELECT 1")).collect();
        refusal(database.migrate(&list).await);
    }
    assert_eq!(database.migrate(&[]).await.unwrap().schema_version, 0);
}

pub async fn migrations_cannot_touch_the_hosts_tables(ground: &Ground) {
    let database = open(ground).await;
    for sql in [
        "DROP TABLE caplet_migrations",
        "DELETE FROM caplet_idempotency",
        "CREATE INDEX i ON caplet_migrations (number)",
        "CREATE VIEW v AS SELECT * FROM caplet_idempotency",
        "CREATE TABLE caplet_mine (x TEXT)",
        "PRAGMA writable_schema = 1",
        "ATTACH DATABASE 'stolen.db' AS stolen",
        "CREATE TABLE a (x TEXT); COMMIT; CREATE TABLE b (x TEXT)",
        "CREATE TRIGGER x AFTER INSERT ON a BEGIN SELECT 1; END",
    ] {
        assert_eq!(refusal(database.migrate(&[migration(1, sql)]).await).0, 1, "{sql}");
    }
    assert!(columns(&database, "a").await.is_err());
}

pub async fn an_endless_migration_ends_in_time(ground: &Ground) {
    let limits = Limits { migration_time_max: Duration::from_millis(50), ..Limits::default() };
    let database = ground.store.open("history", limits).await.unwrap();
    let endless = "CREATE TABLE a (x BIGINT);
        INSERT INTO a WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c";
    let (number, reason) = refusal(database.migrate(&[migration(1, endless)]).await);
    assert!(number == 1 && reason.contains("longer"), "{number} {reason}");
    assert!(columns(&database, "a").await.is_err());
}

pub async fn statements_notice_a_changed_schema(ground: &Ground) {
    let database = open(ground).await;
    let first = migration(1, "CREATE TABLE a (x TEXT); INSERT INTO a VALUES ('1')");
    database.migrate(std::slice::from_ref(&first)).await.unwrap();
    let all = "SELECT * FROM a";
    let json = async || {
        let mut read = database.begin(begin(Mode::Read)).await.unwrap();
        String::from_utf8(read.query_json(all, &[], 1).await.unwrap().items).unwrap()
    };
    assert_eq!(columns(&database, "a").await.unwrap(), ["x"]);
    assert_eq!(json().await, r#"[{"x":"1"}]"#);
    let second =
        migration(2, "ALTER TABLE a ADD COLUMN y TEXT; ALTER TABLE a RENAME COLUMN x TO z");
    database.migrate(&[first, second]).await.unwrap();
    assert_eq!(json().await, r#"[{"z":"1","y":null}]"#);
    assert_eq!(columns(&database, "a").await.unwrap(), ["z", "y"]);
}

pub async fn migrations_run_beside_readers_and_after_writers(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add([1]).await;
    let mut reader = notes.read().await;
    assert_eq!(ids(&mut *reader).await, [1]);
    let mut writer = notes.write().await;
    insert(&mut *writer, 2).await.unwrap();
    let list = [notes_migration(), migration(2, "UPDATE notes SET body = 'changed'")];
    let mut migrating = Box::pin(notes.database.migrate(&list));
    assert!(poll_once(&mut migrating).await.is_none(), "it waits for the writer");
    let (committed, migrated) = tokio::join!(writer.commit(), migrating);
    assert_eq!(committed, Ok(()));
    assert_eq!(migrated.unwrap().applied, [2]);
    assert_eq!(ids(&mut *reader).await, [1], "the old snapshot is still there");
    let mut read = notes.read().await;
    let changed =
        read.query("SELECT count(*) FROM notes WHERE body = 'changed'", &[]).await.unwrap();
    assert_eq!(integers(&changed), [2]);
}
