//! Rows F: a plugin that says whatever it likes to its store. The statements of each row that the
//! store's own suite has stand there; here some of them go the whole way.

use caplet_runtime::Fault;
use http::Method;
use serde_json::{Value, json};

use super::scene::Scene;
use crate::rig::json;

/// Says each statement where reading and where writing is allowed: all are refused, and nothing is
/// changed.
async fn refused(statements: &[&str]) {
    let scene = Scene::with("storage").await;
    for statement in statements {
        for path in ["/query", "/execute"] {
            let body = json!({ "sql": statement, "parameters": [] }).to_string();
            let answer = scene.rig.ask(Method::POST, path).body(body).send().await.unwrap();
            let error = &json(&answer)["error"];
            assert!(error.is_string(), "{statement}: {error}");
        }
    }
    let rows = scene.rig.query("SELECT id FROM items WHERE tenant = $tenant").await;
    assert_eq!(rows["rows"], json!([]));
    scene.settle().await;
}

pub async fn other_files() {
    refused(&[
        "ATTACH DATABASE 'stolen.db' AS stolen",
        "DETACH DATABASE main",
        "VACUUM INTO 'stolen.db'",
    ])
    .await;
}

pub async fn pragmas() {
    refused(&[
        "PRAGMA writable_schema = 1",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA mmap_size = 0",
        "SELECT * FROM pragma_database_list",
    ])
    .await;
}

pub async fn extensions() {
    refused(&[
        "SELECT load_extension('evil')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT writefile('stolen', 'x')",
        "SELECT edit('x')",
    ])
    .await;
}

pub async fn query_bombs() {
    let scene = Scene::limited("storage", |it| it.sql_statement_ms_max = 100).await;
    let bomb = "WITH RECURSIVE c (n) AS (SELECT 1 UNION SELECT n + 1 FROM c) SELECT max(n) FROM c";
    assert_eq!(scene.rig.query(bomb).await["error"], "timeout");
    scene.settle().await;
}

pub async fn a_full_disk() {
    let scene = Scene::limited("storage", |it| it.database_bytes_max = 1 << 20).await;
    let mut refused = Value::Null;
    for id in 0..40 {
        let insert = format!(
            "INSERT INTO items (tenant, id, name) VALUES ($tenant, '{id}', '{}')",
            format!("{id}-").repeat(20_000)
        );
        let body = json!({ "sql": insert, "parameters": [] }).to_string();
        match scene.rig.ask(Method::POST, "/execute").body(body).send().await {
            Ok(answer) => refused = json(&answer)["error"].clone(),
            Err(fault) => {
                assert_eq!(fault, Fault::Store(caplet_store::Error::DiskFull));
                refused = json!("disk-full");
            }
        }
        if refused.is_string() {
            break;
        }
    }
    assert_eq!(refused, "disk-full");
    scene.settle().await;
}

pub async fn several_statements() {
    refused(&["SELECT 1; DROP TABLE items", "SELECT 1; SELECT 2"]).await;
}

pub async fn transaction_control() {
    refused(&["BEGIN EXCLUSIVE", "COMMIT", "ROLLBACK", "SAVEPOINT x", "RELEASE member"]).await;
}

pub async fn tables_of_the_host() {
    refused(&[
        "SELECT * FROM caplet_migrations",
        "DELETE FROM caplet_migrations",
        "UPDATE caplet_meta SET value = 99",
        "SELECT * FROM \"CAPLET_idempotency\"",
        "SELECT sql FROM sqlite_master",
    ])
    .await;
}
