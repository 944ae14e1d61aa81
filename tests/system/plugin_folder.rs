//! The plugin folder while the host serves: dropping, replacing, breaking and removing a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use caplet_tests::{Place, Server};
use serde_json::Value;

async fn version(server: &Server) -> String {
    let (_, text) = server.get("/api/upgrade/version").await;
    text
}

/// The reason why a file was not loaded, as `/readyz` tells it.
async fn refusal(server: &Server, file: &str) -> String {
    let (_, text) = server.get("/readyz").await;
    let ready: Value = serde_json::from_str(&text).expect("JSON");
    let failed = ready["failed"].as_array().cloned().unwrap_or_default();
    let entry = failed.iter().find(|entry| entry["file"] == file);
    entry.map(|entry| entry["reason"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_dropped_file_serves_and_a_removed_one_is_gone() {
    let place = Place::new();
    let server = place.start(&[]).await;
    assert_eq!(server.get("/api/echo/x").await.0, 404);
    place.install("echo", "echo.wasm");
    server.until(|server| server.answers("/api/echo/x", 200)).await;
    std::fs::remove_file(place.plugins().join("echo.wasm")).expect("the file is removed");
    server.until(|server| server.answers("/api/echo/x", 404)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_a_file_cuts_no_request() {
    let place = Place::new();
    place.install("upgrade-v1", "upgrade.wasm");
    let server = Arc::new(place.start(&[]).await);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (server, stop, answered) = (server.clone(), stop.clone(), answered.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let (status, text) = server.get("/api/upgrade/version").await;
                    assert_eq!(status, 200, "{text}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let before = version(&server).await;
    place.install("upgrade-v2", "upgrade.wasm");
    server.until(|server| async { version(server).await != before }).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("every request was answered");
    }
    assert!(answered.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_file_that_does_not_load_leaves_the_old_one_serving_and_says_why() {
    let place = Place::new();
    place.install("upgrade-v1", "upgrade.wasm");
    let server = place.start(&[]).await;
    let before = version(&server).await;
    place.install("changed-migration", "upgrade.wasm");
    server.until(|server| async { !refusal(server, "upgrade.wasm").await.is_empty() }).await;
    let reason = refusal(&server, "upgrade.wasm").await;
    assert!(reason.contains("migration 1"), "{reason}");
    assert_eq!(version(&server).await, before);

    std::fs::write(place.plugins().join("upgrade.wasm"), b"\0asm nonsense").expect("written");
    server
        .until(|server| async { !refusal(server, "upgrade.wasm").await.contains("migration") })
        .await;
    assert_eq!(version(&server).await, before);
}

#[tokio::test]
async fn two_files_cannot_serve_one_name() {
    let place = Place::new();
    place.install("upgrade-v1", "a.wasm");
    let server = place.start(&[]).await;
    let before = version(&server).await;
    place.install("upgrade-v2", "b.wasm");
    server.until(|server| async { refusal(server, "b.wasm").await.contains("`a.wasm`") }).await;
    assert_eq!(version(&server).await, before);
    std::fs::remove_file(place.plugins().join("a.wasm")).expect("the file is removed");
    server.until(|server| async { version(server).await != before }).await;
}

#[tokio::test]
async fn an_older_plugin_on_a_newer_schema_is_refused() {
    let place = Place::new();
    place.install("upgrade-v2", "upgrade.wasm");
    let server = place.start(&[]).await;
    let before = version(&server).await;
    place.install("upgrade-v1", "upgrade.wasm");
    server.until(|server| async { !refusal(server, "upgrade.wasm").await.is_empty() }).await;
    assert_eq!(version(&server).await, before);
}
