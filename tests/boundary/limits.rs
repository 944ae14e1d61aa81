//! Each limit of the store is counted under its word, whether the guest minds or not; and what a call
//! took is counted, too.

use caplet_runtime::Limits;
use serde_json::json;

use crate::rig::{Rig, Setup, json};

/// Numbers from 1 to 50, without a table.
const MANY_ROWS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i FROM n";

async fn rig(limits: Limits) -> Rig {
    Setup { limits, ..Setup::default() }.load("storage").await
}

#[tokio::test]
async fn counts_rows_bytes_and_parameters() {
    let rig =
        rig(Limits { sql_rows_max: 10, sql_result_bytes_max: 512, ..Limits::default() }).await;
    assert_eq!(rig.query(MANY_ROWS).await["error"], "too-large");
    assert_eq!(rig.limit_hits("sql-rows"), 1.0);
    let long = format!("SELECT '{}' AS long", "x".repeat(600));
    assert_eq!(rig.query(&long).await["error"], "too-large");
    assert_eq!(rig.limit_hits("sql-result-bytes"), 1.0);
    assert_eq!(rig.query("SELECT $1000 AS x").await["error"], "too-large");
    assert_eq!(rig.limit_hits("sql-parameters"), 1.0);
}

#[tokio::test]
async fn counts_statements_over_and_under_their_limit() {
    let rig = rig(Limits { sql_statements_max: 3, ..Limits::default() }).await;
    let script = json!(vec![json!({ "sql": "SELECT 1 AS one" }); 5]).to_string();
    let answer = rig.ask(http::Method::POST, "/script").body(script).send().await.unwrap();
    let results = json(&answer);
    let n_refused =
        results.as_array().unwrap().iter().filter(|it| it["error"] == "too-large").count();
    assert_eq!(n_refused, 2);
    assert_eq!(rig.limit_hits("sql-statements"), 2.0);
    assert_eq!(rig.counted("caplet_sql_statements_total", &[("plugin", "storage")]), 5.0);
}

#[tokio::test]
async fn counts_statements_that_take_too_long() {
    let rig = rig(Limits { sql_statement_ms_max: 20, ..Limits::default() }).await;
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT COUNT(*) AS n FROM n";
    let answer = rig.get(&format!("/query?sql={endless}")).await.unwrap();
    assert_eq!(json(&answer)["error"], "timeout");
    assert_eq!(rig.limit_hits("sql-time"), 1.0);
}

#[tokio::test]
async fn a_call_without_an_answer_is_counted_by_its_reason() {
    let rig = Rig::with("storage").await;
    rig.post("/trap").await.unwrap_err();
    let labels = [("plugin", "storage"), ("code", "plugin-failed")];
    assert_eq!(rig.counted("caplet_faults_total", &labels), 1.0);
    assert_eq!(rig.counted("caplet_invocations_running", &[("plugin", "storage")]), 0.0);
}
