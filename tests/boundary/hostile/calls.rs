//! Rows C: calls of the host.

use caplet_runtime::Fault;
use http::Method;
use serde_json::json;

use super::scene::Scene;
use crate::rig::{json, text};

pub async fn waits_without_end() {
    let scene = Scene::limited("sleep", |it| it.wall_ms_max = 1_000).await;
    for outcome in scene.get_at_once(8, "/3600").await {
        assert_eq!(outcome.unwrap_err(), Fault::Wall(1_000));
    }
    assert_eq!(text(&scene.get("/0.001").await.unwrap()), "slept");
    scene.settle().await;
}

pub async fn hangs_in_the_store() {
    let scene = Scene::limited("storage", |it| it.sql_statement_ms_max = 50).await;
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT COUNT(*) AS n FROM n";
    for outcome in scene.get_at_once(8, &format!("/query?sql={endless}")).await {
        assert_eq!(json(&outcome.unwrap())["error"], "timeout");
    }
    scene.settle().await;
}

pub async fn endless_results() {
    let scene = Scene::with("storage").await;
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    assert_eq!(scene.rig.query(many).await["error"], "too-large");
    let large = "SELECT zeroblob(1000000000) AS large";
    assert_ne!(scene.rig.query(large).await["error"], json!(null));
    scene.settle().await;
}

pub async fn leaks_of_handles() {
    let scene = Scene::with("handles").await;
    assert_eq!(text(&scene.get("/leak?n=400").await.unwrap()), "ok");
    let fault = scene.get("/leak?n=1000000").await.unwrap_err();
    assert!(matches!(fault, Fault::Trap(_)), "{fault:?}");
    scene.settle().await;
}

pub async fn forged_handles() {
    let scene = Scene::with("handles").await;
    for path in ["/forged", "/twice"] {
        let fault = scene.get(path).await.unwrap_err();
        assert!(matches!(fault, Fault::Trap(_)), "{path}: {fault:?}");
        assert_eq!(text(&scene.get("/ok").await.unwrap()), "ok");
    }
    scene.settle().await;
}

pub async fn floods_of_host_calls() {
    let scene = Scene::with("many-host-calls").await;
    let outcome = scene.get("/?calls=10000000").await;
    assert_eq!(outcome.unwrap_err(), Fault::HostCalls(5_000));
    scene.settle().await;
}

pub async fn arguments_that_are_none() {
    let scene = Scene::with("bad-arguments").await;
    for path in ["/not-utf-8", "/surrogate", "/out-of-bounds", "/negative"] {
        let fault = scene.get(path).await.unwrap_err();
        assert!(matches!(fault, Fault::Trap(_)), "{path}: {fault:?}");
        assert_eq!(text(&scene.get("/ok").await.unwrap()), "ok");
    }
    assert_eq!(text(&scene.get("/nul").await.unwrap()), "ok");
    scene.settle().await;
}

pub async fn floods_of_the_log() {
    let scene = Scene::with("log-flood").await;
    scene.get("/?lines=2000&bytes=10").await.unwrap();
    assert!(scene.rig.limit_hits("log-rate") > 0.0);
    for path in ["/?lines=20&bytes=1000000", "/control", "/fields"] {
        scene.get(path).await.unwrap();
    }
    scene.settle().await;
}

pub async fn fine_clocks() {
    let scene = Scene::with("fine-clock").await;
    let smallest = json(&scene.get("/").await.unwrap())["smallest_step_ns"].as_u64().unwrap();
    assert!(smallest >= 1_000_000, "it can tell {smallest} ns apart");
    scene.settle().await;
}

pub async fn random_without_end() {
    let scene = Scene::with("random-flood").await;
    assert!(matches!(scene.get("/").await, Err(Fault::Trap(_))));
    scene.settle().await;
}

pub async fn transactions_held_open() {
    let scene = Scene::with("storage").await;
    let slow = tokio::spawn(scene.rig.ask(Method::POST, "/slow").send());
    tokio::task::yield_now().await;
    let insert = json!({
        "sql": "INSERT INTO items (tenant, id, name) VALUES ($tenant, 'b', 'b')",
        "parameters": [],
    });
    let other = scene.rig.ask(Method::POST, "/execute").body(insert.to_string()).send().await;
    assert_eq!(json(&other.unwrap())["error"], json!(null));
    // It was rolled back for the one who waited, or waited itself and held nothing.
    let _outcome = slow.await.expect("the host does not panic");
    scene.settle().await;
}
