//! Which migrations pass.

use super::*;

#[test]
fn lets_the_portable_migrations_through() {
    let sql = "
        CREATE TABLE threads (
            id TEXT PRIMARY KEY,
            tenant TEXT NOT NULL,
            locked INTEGER NOT NULL DEFAULT 0 CHECK (locked IN (0, 1)),
            size REAL NULL,
            n BIGINT UNIQUE
        );
        CREATE TABLE IF NOT EXISTS comments (
            tenant TEXT NOT NULL,
            id TEXT NOT NULL,
            thread TEXT REFERENCES threads (id) ON DELETE CASCADE,
            body TEXT NOT NULL CHECK (length(body) <= 1000),
            PRIMARY KEY (tenant, id),
            UNIQUE (tenant, thread, id),
            CONSTRAINT parent FOREIGN KEY (thread) REFERENCES threads (id)
        );
        CREATE UNIQUE INDEX comments_by_thread ON comments (tenant, thread DESC) WHERE body <> '';
        ALTER TABLE comments ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE comments RENAME COLUMN edited TO changed;
        ALTER TABLE comments DROP COLUMN changed;
        ALTER TABLE comments RENAME TO remarks;
        CREATE VIEW newest AS SELECT id FROM remarks;
        INSERT INTO threads (id, tenant) VALUES ('a', 'b');
        UPDATE threads SET locked = 1;
        DELETE FROM threads;
        DROP VIEW newest; DROP INDEX comments_by_thread; DROP TABLE IF EXISTS remarks;";
    assert_eq!(check_migration(sql, &Limits::default()), Ok(14));
}

#[test]
fn refuses_migrations_that_leave_the_plugin_or_the_portable_subset() {
    let refused = [
        "ATTACH DATABASE 'x' AS y",
        "PRAGMA foreign_keys = OFF",
        "BEGIN",
        "COMMIT",
        "CREATE TABLE a (b TEXT); COMMIT; DROP TABLE a",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE t USING fts5(a)",
        "CREATE TEMP TABLE t (a TEXT)",
        "CREATE TABLE caplet_x (a TEXT)",
        "CREATE TABLE main.x (a TEXT)",
        "CREATE TABLE t (a TEXT) STRICT",
        "CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TABLE t (a TEXT REFERENCES u (a) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TABLE t (a TEXT, FOREIGN KEY (a) REFERENCES u (a) DEFERRABLE)",
        "CREATE TABLE t (a TEXT DEFAULT (load_extension('x')))",
        "CREATE TABLE t (a TEXT CHECK (a IN (SELECT name FROM sqlite_master)))",
        "CREATE TABLE t AS SELECT 1",
        "CREATE INDEX sqlite_i ON t (a)",
        "CREATE INDEX i ON caplet_migrations (number)",
        "CREATE VIEW v AS SELECT * FROM caplet_meta",
        "CREATE TEMP VIEW v AS SELECT 1",
        "DROP TABLE caplet_migrations",
        "DROP TABLE temp.t",
        "DROP TRIGGER t",
        "ALTER TABLE t RENAME TO caplet_t",
        "ALTER TABLE t OWNER TO x",
        "CREATE EXTENSION x",
        "CREATE SCHEMA x",
        "INSERT INTO t VALUES ($1)",
        "INSERT INTO t VALUES ($tenant)",
    ];
    let wrong: Vec<_> = refused
        .into_iter()
        .map(|sql| (sql, check_migration(sql, &Limits::default())))
        .filter(|(_, result)| !matches!(result, Err(Error::Invalid(_))))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_backfill_is_one_bounded_change() {
    let allowed = [
        "UPDATE t SET a = b WHERE id IN (SELECT id FROM t WHERE a IS NULL LIMIT 500)",
        "DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY id LIMIT 500);",
        "INSERT INTO u (id) SELECT id FROM t WHERE id NOT IN (SELECT id FROM u) LIMIT 500",
        "WITH a AS (SELECT id FROM t LIMIT 5) UPDATE t SET b = 1 WHERE id IN (SELECT id FROM a)",
    ];
    for sql in allowed {
        assert_eq!(check_backfill(sql, &Limits::default()), Ok(()), "{sql}");
    }
    for (sql, reason) in [
        ("UPDATE t SET a = b WHERE a IS NULL", "bounds the rows"),
        ("UPDATE t SET a = 'LIMIT' WHERE a IS NULL", "bounds the rows"),
        ("SELECT id FROM t LIMIT 5", "changes nothing"),
        ("CREATE TABLE a (b TEXT)", "only SELECT"),
        ("DELETE FROM t LIMIT 5", "LIMIT"),
        ("DELETE FROM t WHERE a = $1 AND id IN (SELECT id FROM t LIMIT 5)", "no parameters"),
        ("DELETE FROM t WHERE a = $tenant AND id IN (SELECT id FROM t LIMIT 5)", "all tenants"),
        ("DELETE FROM t WHERE a IN (SELECT 1 LIMIT 5); DELETE FROM t", "exactly one"),
        ("", "exactly one"),
    ] {
        match check_backfill(sql, &Limits::default()) {
            Err(Error::Invalid(text)) => assert!(text.contains(reason), "{sql}: {text}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}
