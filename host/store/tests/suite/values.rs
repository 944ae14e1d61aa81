//! Values, results and limits of single statements.

use caplet_store::Error;
use caplet_store::gate::FUNCTIONS;

use super::*;

pub async fn every_kind_of_value_comes_back(ground: &Ground) {
    let notes = ground.notes().await;
    let mut write = notes.write().await;
    let sql = "INSERT INTO notes (id, tenant, body, parent, slug, size, data)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        Value::Integer(i64::MIN),
        text(""),
        text("ünïcødé ☃ '\"\n"),
        Value::Null,
        text("s"),
        Value::Real(-1.25e300),
        Value::Blob(vec![0, 255, 7]),
    ];
    assert_eq!(write.execute(sql, &values).await, Ok(1));
    write.commit().await.unwrap();
    let mut read = notes.read().await;
    let rows = read.query("SELECT id, tenant, body, parent, slug, size, data FROM notes", &[]);
    let rows = rows.await.unwrap();
    assert_eq!(rows.columns, ["id", "tenant", "body", "parent", "slug", "size", "data"]);
    assert_eq!(rows.values, values);
    let none = read.query("SELECT id AS a, body FROM notes WHERE id = $1", &[Value::Integer(1)]);
    let none = none.await.unwrap();
    assert_eq!((none.columns, none.values), (vec!["a".to_owned(), "body".to_owned()], vec![]));
}

pub async fn the_tenant_is_bound_by_the_host(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add([1]).await;
    let mut read = notes.read().await;
    let sql = "SELECT id FROM notes WHERE id = $2 AND tenant = $tenant AND body = $1";
    let parameters = [text("hello"), Value::Integer(1)];
    assert_eq!(integers(&read.query(sql, &parameters).await.unwrap()), [1]);
    let other = Begin { tenant: Arc::from("other"), ..begin(Mode::Read) };
    let mut other = notes.database.begin(other).await.unwrap();
    assert_eq!(other.query(sql, &parameters).await.unwrap().values, []);
}

pub async fn parameters_must_fit_their_numbers(ground: &Ground) {
    let notes = ground.notes().await;
    let mut read = notes.read().await;
    let sql = "SELECT $1, $2";
    for (parameters, named) in
        [(vec![], "$1"), (vec![Value::Null], "$2"), (vec![Value::Null; 3], "$3")]
    {
        match read.query(sql, &parameters).await {
            Err(Error::Invalid(text)) => assert!(text.contains(named), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(read.query(sql, &[Value::Null, Value::Null]).await.is_ok());
}

pub async fn values_that_are_no_values_are_refused(ground: &Ground) {
    let limits = Limits { value_bytes_max: 1000, ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    let mut read = notes.read().await;
    for value in [Value::Real(f64::NAN), Value::Real(f64::INFINITY), text("a\0b")] {
        let result = read.query("SELECT $1", std::slice::from_ref(&value)).await;
        assert!(matches!(result, Err(Error::Invalid(_))), "{value:?}: {result:?}");
    }
    for value in [text(&"x".repeat(1001)), Value::Blob(vec![0; 1001])] {
        let result = read.query("SELECT $1", &[value]).await;
        assert!(matches!(result, Err(Error::TooLarge { .. })), "{result:?}");
    }
    // What the plugin may not give in, it does not get out either.
    let nul = Value::Blob(vec![b'a', 0]);
    let not_utf8 = Value::Blob(vec![0xff, 0xfe]);
    for (sql, value) in [
        ("SELECT CAST($1 AS TEXT)", nul),
        ("SELECT CAST($1 AS TEXT)", not_utf8),
        ("SELECT $1 * 10.0", Value::Real(f64::MAX)),
    ] {
        let typed = read.query(sql, std::slice::from_ref(&value)).await;
        assert!(matches!(typed, Err(Error::Invalid(_))), "{sql}: {typed:?}");
        let json = read.query_json(sql, std::slice::from_ref(&value), 1).await;
        assert!(matches!(json, Err(Error::Invalid(_))), "{sql}: {json:?}");
    }
}

pub async fn a_page_of_json_says_where_it_ends(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(1..=5).await;
    let mut read = notes.read().await;
    let sql = "SELECT body, parent, 1 AS \"open:bool\", 0 AS \"at:time\", '[1]' AS \"tags:json\",
               id AS \"id:key\" FROM notes WHERE id > $1 ORDER BY id";
    let item =
        r#"{"body":"hello","parent":null,"open":true,"at":"1970-01-01T00:00:00.000Z","tags":[1]}"#;
    let page = read.query_json(sql, &[Value::Integer(1)], 3).await.unwrap();
    assert_eq!(String::from_utf8(page.items).unwrap(), format!("[{item},{item},{item}]"));
    assert_eq!((page.count, page.more, page.last.clone()), (3, true, vec![Value::Integer(4)]));
    let rest = read.query_json(sql, &page.last, 3).await.unwrap();
    assert_eq!((rest.count, rest.more, rest.last), (1, false, vec![Value::Integer(5)]));
    let exact = read.query_json(sql, &[Value::Integer(2)], 3).await.unwrap();
    assert_eq!((exact.count, exact.more), (3, false));
    let none = read.query_json(sql, &[Value::Integer(9)], 3).await.unwrap();
    assert_eq!((none.items.as_slice(), none.count, none.more), (&b"[]"[..], 0, false));
    let zero = read.query_json(sql, &[Value::Integer(0)], 0).await.unwrap();
    assert_eq!((zero.items.as_slice(), zero.more, zero.last), (&b"[]"[..], true, vec![]));
    let too_many = read.query_json(sql, &[Value::Integer(0)], 1001).await;
    assert!(matches!(too_many, Err(Error::TooLarge { .. })), "{too_many:?}");
    let not_json = read.query_json("SELECT body AS \"body:json\" FROM notes", &[], 1).await;
    assert!(matches!(not_json, Err(Error::Invalid(_))), "{not_json:?}");
}

pub async fn json_is_for_selects_only(ground: &Ground) {
    let notes = ground.notes().await;
    let mut write = notes.write().await;
    let sql = "INSERT INTO notes (id, tenant, body) VALUES (1, 'a', 'b') RETURNING id";
    let result = write.query_json(sql, &[], 1).await;
    assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
    assert_eq!(ids(&mut *write).await, NONE);
}

pub async fn results_beyond_a_limit_are_refused_without_effect(ground: &Ground) {
    let limits = Limits { rows_max: 10, result_bytes_max: 2000, ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    notes.add(1..=11).await;
    let mut write = notes.write().await;
    let ten = write.query("SELECT id FROM notes ORDER BY id LIMIT 10", &[]).await.unwrap();
    assert_eq!(ten.values.len(), 10);
    let eleven = write.query("SELECT id FROM notes", &[]).await;
    assert!(matches!(eleven, Err(Error::TooLarge { .. })), "{eleven:?}");
    let returned = write.query("UPDATE notes SET id = -id RETURNING id", &[]).await;
    assert!(matches!(returned, Err(Error::TooLarge { .. })), "{returned:?}");
    let long = text(&"x".repeat(2000));
    let typed = write.query("SELECT $1", std::slice::from_ref(&long)).await;
    assert!(matches!(typed, Err(Error::TooLarge { .. })), "{typed:?}");
    let json = write.query_json("SELECT $1 AS a", std::slice::from_ref(&long), 1).await;
    assert!(matches!(json, Err(Error::TooLarge { .. })), "{json:?}");
    // Changing them is no result.
    assert_eq!(write.execute("UPDATE notes SET slug = NULL", &[]).await, Ok(11));
    assert_eq!(write.execute("SELECT id FROM notes LIMIT 1", &[]).await, Ok(0));
    write.commit().await.unwrap();
    let mut read = notes.read().await;
    let first = read.query("SELECT min(id), max(id) FROM notes", &[]).await.unwrap();
    assert_eq!(integers(&first), [1, 11]);
}

pub async fn statements_are_counted(ground: &Ground) {
    let limits = Limits { statements_max: 3, ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    for mode in [Mode::Read, Mode::Write] {
        let mut transaction = notes.begin(mode).await.unwrap();
        for _ in 0..3 {
            assert!(transaction.query("SELECT 1", &[]).await.is_ok());
        }
        let fourth = transaction.query("SELECT 1", &[]).await;
        assert!(matches!(fourth, Err(Error::TooLarge { .. })), "{fourth:?}");
    }
}

pub async fn like_tells_capital_letters_from_small_ones(ground: &Ground) {
    let notes = ground.notes().await;
    let mut read = notes.read().await;
    let sql = "SELECT CASE WHEN 'Abc' LIKE 'a%' THEN 1 ELSE 0 END, CASE WHEN 'abc' LIKE 'a%' THEN 1 ELSE 0 END";
    assert_eq!(integers(&read.query(sql, &[]).await.unwrap()), [0, 1]);
}

pub async fn every_portable_function_is_there(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(1..=3).await;
    let calls = [
        "abs(-id), coalesce(parent, id), concat(body, '!'), concat_ws(',', body, body)",
        "length(body), octet_length(body), lower(body), upper(body), sign(id), round(1.234, 2)",
        "ltrim(body, 'h'), rtrim(body, 'o'), trim(body), replace(body, 'l', 'L'), nullif(id, 1)",
        "substr(body, 2, 3), substring(body, 2, 3)",
        "avg(id), count(*), max(id), min(id), sum(id), string_agg(body, ',' ORDER BY id)",
        "row_number() OVER w, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w,
         cume_dist() OVER w, ntile(2) OVER w, lag(id) OVER w, lead(id) OVER w,
         first_value(id) OVER w, last_value(id) OVER w, nth_value(id, 2) OVER w",
    ];
    let mut read = notes.read().await;
    for call in calls {
        let window = if call.contains("OVER") { "WINDOW w AS (ORDER BY id)" } else { "" };
        let rows = read.query(&format!("SELECT {call} FROM notes {window}"), &[]).await;
        assert!(rows.is_ok(), "{call}: {rows:?}");
    }
    let missing: Vec<_> = FUNCTIONS
        .iter()
        .filter(|function| !calls.iter().any(|call| call.contains(&format!("{function}("))))
        .collect();
    assert!(missing.is_empty(), "not tried: {missing:?}");
}
