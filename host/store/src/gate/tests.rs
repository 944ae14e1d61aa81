//! What passes, what does not and why, and that no text makes the gate panic.

mod migrations;
mod size;

use proptest::prelude::*;

use super::*;

fn gate(statement: &str) -> Result<Checked> {
    check(statement, &Limits::default())
}

#[test]
fn lets_the_portable_statements_through() {
    let reads = [
        ("SELECT 1", 0),
        ("SELECT 1;", 0),
        ("SELECT * FROM notes", 0),
        ("SELECT n.id, n.body AS \"body:json\" FROM notes AS n WHERE n.id = $1 AND n.by = $2", 2),
        ("SELECT DISTINCT a FROM t WHERE tenant = $tenant ORDER BY a DESC NULLS LAST LIMIT $1", 1),
        ("SELECT a FROM t LIMIT 10 OFFSET 5", 0),
        ("SELECT count(*), sum(a) FILTER (WHERE a > 1) FROM t GROUP BY b HAVING count(*) > 1", 0),
        ("SELECT string_agg(a, ',' ORDER BY a) FROM t", 0),
        ("SELECT a FROM t UNION ALL SELECT b FROM u INTERSECT VALUES (1), (2)", 0),
        ("SELECT a FROM t LEFT JOIN u USING (id) CROSS JOIN v JOIN w ON w.id = t.id", 0),
        ("SELECT (SELECT max(b) FROM u WHERE u.a = t.a) FROM t WHERE EXISTS (SELECT 1 FROM v)", 0),
        (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < $1) SELECT n FROM c",
            1,
        ),
        (
            "SELECT row_number() OVER (PARTITION BY a ORDER BY b), lag(a, 1) OVER w FROM t WINDOW w AS (ORDER BY a)",
            0,
        ),
        ("SELECT CASE WHEN a IS NULL THEN 'x' ELSE lower(trim(b)) END FROM t", 0),
        (
            "SELECT CAST(a AS TEXT) || '''' FROM t WHERE a LIKE $1 ESCAPE '!' OR a IN (1, 2) OR a BETWEEN 1 AND 2",
            1,
        ),
        (
            "SELECT substr(a, 1, 2), substring(a, 1, 2), replace(a, 'x', $1), a & 1, a | 2, a << 1, ~a FROM t",
            1,
        ),
        ("SELECT a FROM t WHERE (a, b) > ($1, $2) AND a IS NOT DISTINCT FROM $3", 3),
        ("SELECT 'ATTACH; DROP TABLE caplet_x; $9 ?' -- ; $8\n /* ; $7 */", 0),
    ];
    for (statement, n_parameters) in reads {
        let expected = Checked { writes: false, selects: true, n_parameters };
        assert_eq!(gate(statement), Ok(expected), "{statement}");
    }
    let writes = [
        ("INSERT INTO t (a, b) VALUES ($1, $tenant), ($2, $tenant)", 2),
        ("INSERT INTO t SELECT * FROM u", 0),
        (
            "INSERT INTO t AS o (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET n = o.n + 1 RETURNING n",
            1,
        ),
        ("INSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING", 1),
        ("INSERT INTO t DEFAULT VALUES", 0),
        ("UPDATE t SET a = $1, b = b + 1 WHERE id = $2 RETURNING *", 2),
        ("UPDATE t SET a = u.a FROM u WHERE u.id = t.id", 0),
        ("DELETE FROM t WHERE id IN (SELECT id FROM u LIMIT 10) RETURNING id", 0),
        ("WITH x AS (SELECT 1 AS a) INSERT INTO t (a) SELECT a FROM x", 0),
        ("WITH x AS (SELECT 1 AS a) UPDATE t SET a = (SELECT a FROM x)", 0),
        ("WITH x AS (SELECT 1 AS a) DELETE FROM t WHERE a IN (SELECT a FROM x)", 0),
    ];
    for (statement, n_parameters) in writes {
        let expected = Checked { writes: true, selects: false, n_parameters };
        assert_eq!(gate(statement), Ok(expected), "{statement}");
    }
}

/// Each with a part of the text that says what is wrong.
const REFUSED: &[(&str, &str)] = &[
    // Not one statement.
    ("", "exactly one"),
    (";", "exactly one"),
    ("SELECT 1; SELECT 2", "exactly one"),
    ("SELECT 1; DROP TABLE t", "exactly one"),
    // Other kinds of statements.
    ("ATTACH DATABASE 'x' AS y", "only SELECT"),
    ("DETACH y", ""),
    ("VACUUM INTO 'x'", ""),
    ("VACUUM", ""),
    ("PRAGMA journal_mode = DELETE", ""),
    ("PRAGMA writable_schema = 1", "only SELECT"),
    ("BEGIN EXCLUSIVE", ""),
    ("BEGIN", "only SELECT"),
    ("COMMIT", "only SELECT"),
    ("ROLLBACK", "only SELECT"),
    ("SAVEPOINT a", "only SELECT"),
    ("RELEASE a", ""),
    ("CREATE TABLE t (a TEXT)", "only SELECT"),
    ("DROP TABLE t", "only SELECT"),
    ("ALTER TABLE t ADD COLUMN a TEXT", "only SELECT"),
    ("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", ""),
    ("REINDEX", ""),
    ("ANALYZE", ""),
    ("EXPLAIN SELECT 1", "only SELECT"),
    ("EXPLAIN QUERY PLAN DELETE FROM t", "only SELECT"),
    ("SET ROLE other", "only SELECT"),
    ("SET statement_timeout = 0", "only SELECT"),
    ("RESET ROLE", ""),
    ("LISTEN a", ""),
    ("NOTIFY a", ""),
    ("COPY t TO '/tmp/x'", "only SELECT"),
    ("DO 'BEGIN END'", ""),
    ("GRANT ALL ON t TO x", "only SELECT"),
    ("LOCK TABLE t", ""),
    ("TRUNCATE t", "only SELECT"),
    ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "only SELECT"),
    ("CALL f()", "only SELECT"),
    // Changes in hiding.
    ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "another INSERT"),
    ("WITH x AS (INSERT INTO t VALUES (1) RETURNING *) DELETE FROM t", "another INSERT"),
    ("SELECT * FROM (UPDATE t SET a = 1 RETURNING *) AS x", ""),
    // Parameters.
    ("SELECT ?", "write parameters as $1"),
    ("SELECT ?1", "write parameters as $1"),
    ("SELECT :a", "write parameters as $1"),
    ("SELECT @a", "write parameters as $1"),
    ("SELECT $a", "write parameters as $1"),
    ("SELECT $0", "write parameters as $1"),
    ("SELECT $01", "write parameters as $1"),
    ("SELECT $1$2", "write parameters as $1"),
    ("SELECT $2", "without gaps"),
    ("SELECT $1::text", "CAST"),
    ("SELECT '\0'", "NUL"),
    // Names of the host and the engines, in any spelling.
    ("SELECT * FROM caplet_idempotency", "reserved"),
    ("SELECT * FROM \"Caplet_Migrations\"", "reserved"),
    ("DELETE FROM CAPLET_META", "reserved"),
    ("INSERT INTO caplet_meta VALUES (1)", "reserved"),
    ("SELECT 1 FROM t JOIN caplet_meta ON 1 = 1", "reserved"),
    ("WITH x AS (SELECT * FROM caplet_meta) SELECT * FROM x", "reserved"),
    ("SELECT (SELECT max(a) FROM caplet_meta)", "reserved"),
    ("SELECT sql FROM sqlite_master", "reserved"),
    ("SELECT sql FROM sqlite_schema", "reserved"),
    ("SELECT * FROM pragma_table_info('t')", "reserved"),
    ("SELECT * FROM pg_roles", "reserved"),
    ("SELECT pg_sleep(10)", "reserved"),
    ("SELECT * FROM main.t", "without a database"),
    ("SELECT * FROM temp.t", "without a database"),
    ("SELECT * FROM information_schema.tables", "without a database"),
    ("SELECT main.t.a FROM t", "no database's name"),
    ("INSERT INTO main.t VALUES (1)", "without a database"),
    ("UPDATE other.t SET a = 1", "without a database"),
    ("DELETE FROM other.t", "without a database"),
    // Functions.
    ("SELECT load_extension('x')", "portable functions"),
    ("SELECT fts3_tokenizer('x')", "portable functions"),
    ("SELECT writefile('x', 'y')", "portable functions"),
    ("SELECT readfile('x')", "portable functions"),
    ("SELECT edit('x')", "portable functions"),
    ("SELECT zeroblob(1000000000)", "portable functions"),
    ("SELECT randomblob(1000000000)", "portable functions"),
    ("SELECT printf('%1000000000d', 1)", "portable functions"),
    ("SELECT set_config('a', 'b', false)", "portable functions"),
    ("SELECT \"load_extension\"('x')", "portable functions"),
    ("SELECT main.abs(1)", "portable functions"),
    ("SELECT current_timestamp", "portable functions"),
    ("SELECT max(1, 2)", "one argument"),
    ("SELECT replace(a, $1, 'x') FROM t", "text in quotes"),
    ("SELECT ltrim(a, b) FROM t", "text in quotes"),
    ("SELECT trim(BOTH 'x' FROM a) FROM t", "trim"),
    ("SELECT * FROM json_each('[1]')", "functions as tables"),
    ("SELECT * FROM generate_series(1, 100000000)", "functions as tables"),
    // What only one engine has.
    ("SELECT a INTO u FROM t", "SELECT INTO"),
    ("SELECT a FROM t FOR UPDATE", "FOR UPDATE"),
    ("SELECT a FROM t LIMIT 1, 2", ""),
    ("SELECT a FROM t FETCH FIRST 1 ROW ONLY", "LIMIT"),
    ("SELECT DISTINCT ON (a) a FROM t", "DISTINCT ON"),
    ("SELECT a == b FROM t", "write ="),
    ("SELECT a FROM t WHERE a GLOB 'x'", ""),
    ("SELECT a FROM t WHERE a REGEXP 'x'", ""),
    ("SELECT a FROM t WHERE a ILIKE 'x'", "portable"),
    ("SELECT a COLLATE NOCASE FROM t", "portable"),
    ("SELECT `a` FROM t", "portable"),
    ("SELECT [a] FROM t", "portable"),
    ("SELECT x'00'", "portable"),
    ("SELECT 0x10", ""),
    ("SELECT E'a'", "a space"),
    ("SELECT U&'a'", "a space"),
    ("SELECT * FROM U&\"\\0063aplet_meta\"", "a space"),
    ("SELECT $$a$$", ""),
    ("SELECT a -> 'b' FROM t", "portable"),
    ("SELECT a FROM t, LATERAL (SELECT 1) AS x", "FROM"),
    ("SELECT a FROM t INDEXED BY i", ""),
    ("INSERT OR REPLACE INTO t VALUES (1)", "ON CONFLICT"),
    ("REPLACE INTO t VALUES (1)", ""),
    ("INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1", "without its columns"),
    ("UPDATE OR IGNORE t SET a = 1", "UPDATE OR"),
    ("UPDATE t SET a = 1 LIMIT 1", "LIMIT"),
    ("DELETE FROM t LIMIT 1", "LIMIT"),
    ("DELETE FROM t USING u WHERE t.a = u.a", "DELETE"),
    ("TABLE t", ""),
    ("SELECT 1 /* /* */ */", "comment"),
];

#[test]
fn refuses_everything_else_and_says_why() {
    let wrong: Vec<_> = REFUSED
        .iter()
        .map(|(statement, part)| (statement, part, gate(statement)))
        .filter(|(_, part, result)| match result {
            Err(Error::Invalid(text)) => !text.contains(*part),
            _ => true,
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn refuses_what_is_too_long() {
    let limits = Limits { statement_bytes_max: 20, parameters_max: 2, ..Limits::default() };
    assert!(check("SELECT 1 -- 45678901", &limits).is_ok());
    assert!(matches!(check("SELECT 1 -- 456789012", &limits), Err(Error::TooLarge { .. })));
    assert!(matches!(check("SELECT $3, $2, $1", &limits), Err(Error::TooLarge { .. })));
}

proptest! {
    #[test]
    fn random_texts_never_panic(text in "\\PC{0,200}") {
        let _ = gate(&text);
        let _ = check_migration(&text, &Limits::default());
    }

    #[test]
    fn random_words_never_panic(words in proptest::collection::vec(word(), 0..40)) {
        let text = words.join(" ");
        let _ = gate(&text);
        let _ = check_migration(&text, &Limits::default());
    }

    #[test]
    fn host_names_never_pass(words in proptest::collection::vec(word(), 0..12), at in 0_usize..12) {
        let mut words = words;
        words.insert(at.min(words.len()), "caplet_meta");
        prop_assert!(gate(&words.join(" ")).is_err());
    }
}

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "SELECT",
        "INSERT INTO",
        "UPDATE",
        "DELETE FROM",
        "WITH",
        "AS",
        "FROM",
        "WHERE",
        "t",
        "a",
        "(",
        ")",
        ",",
        ";",
        "$1",
        "$2",
        "$tenant",
        "1",
        "'x'",
        "=",
        "*",
        "VALUES",
        "SET",
        "JOIN",
        "ON",
        "UNION",
        "RETURNING",
        "CREATE TABLE",
        "INDEX",
        "DROP",
        "ALTER",
        "TEXT",
        "NOT",
        "NULL",
        "CASE",
        "WHEN",
        "END",
        "OVER",
        "LIMIT",
        "ORDER BY",
        "GROUP BY",
        "count",
        "\"b\"",
        ".",
        "IN",
    ])
}
