//! The host's own endpoints, with plugins loaded, replaced and refused.

use std::time::Duration;

use caplet_server::Host;
use caplet_testing::{Method, TestHost, component, json};
use http::Request;
use http_body_util::{BodyExt, Empty};

/// Status and JSON of a `GET` to a host that was not made by [`TestHost`].
async fn get(host: &Host, path: &str) -> (u16, serde_json::Value) {
    let request = Request::get(path).body(Empty::<bytes::Bytes>::new()).unwrap();
    let (head, body) = host.handle(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn alive_and_ready_are_two_questions() {
    let host = TestHost::with_plugin("echo").await;
    let alive = host.get("/healthz").send().await.expect_status(200);
    assert_eq!(alive.json(), json!({ "status": "alive" }));
    let ready = host.get("/readyz").send().await.expect_status(200);
    assert_eq!(
        ready.json(),
        json!({
            "status": "ready",
            "plugins": [{ "name": "echo", "version": "1.0.0", "health": "healthy" }],
            "failed": [],
            "loading": [],
        })
    );
    host.host().begin_draining();
    let draining = host.get("/readyz").send().await.expect_status(503);
    assert_eq!(draining.json()["status"], "draining");
    host.get("/healthz").send().await.expect_status(200);
    host.get("/api/echo/x").send().await.expect_status(200);
}

#[tokio::test]
async fn readiness_waits_for_the_folder_and_names_refused_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("echo.wasm"), component("echo")).unwrap();
    std::fs::write(folder.path().join("broken.wasm"), b"\0asm, but no more").unwrap();
    let host = Host::builder().plugins(folder.path()).build().await.unwrap();
    let (status, body) = get(&host, "/readyz").await;
    assert_eq!((status, &body["status"]), (503, &json!("starting")));
    host.ready().await;
    let (status, body) = get(&host, "/readyz").await;
    assert_eq!((status, &body["status"]), (200, &json!("ready")));
    assert_eq!(body["plugins"][0]["name"], "echo");
    assert_eq!(body["failed"][0]["file"], "broken.wasm");
    let text = body.to_string();
    let folder = folder.path().to_string_lossy();
    assert!(!text.contains(&*folder), "the machine's paths are nobody's business: {text}");
}

#[tokio::test]
async fn a_host_that_stops_refuses_calls_with_retry_after() {
    let host = TestHost::with_plugin("echo").await;
    assert!(host.host().shutdown(Duration::from_secs(5)).await);
    let answer = host.get("/api/echo/x").send().await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.status(), 503);
}

#[tokio::test]
async fn metrics_count_requests_of_plugins_and_of_the_host() {
    let host = TestHost::with_plugin("echo").await;
    host.get("/api/echo/x").send().await.expect_status(200);
    host.get("/api/echo/signed-in").send().await.expect_status(401);
    host.get("/api/made-up-name").send().await.expect_status(404);
    let metrics = host.get("/metrics").send().await.expect_status(200);
    assert!(
        metrics
            .header("content-type")
            .is_some_and(|it| it.starts_with("text/plain; version=0.0.4"))
    );
    for line in [
        r#"caplet_http_requests_total{class="2xx",plugin="echo"} 1"#,
        r#"caplet_http_requests_total{class="4xx",plugin="echo"} 1"#,
        r#"caplet_http_requests_total{class="4xx",plugin=""} 1"#,
        r#"caplet_invocations_total{outcome="ok",plugin="echo"} 1"#,
    ] {
        assert!(metrics.text().contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.text().contains("made-up-name"));
}

#[tokio::test]
async fn one_openapi_document_follows_what_is_loaded() {
    let host = TestHost::with_plugin("echo").await;
    let first = host.get("/openapi.json").send().await.expect_status(200);
    let document = first.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths["/api/echo/identity"]["get"]["operationId"], "echo.identity");
    let guarded = &paths["/api/echo/with-permission"]["get"];
    assert_eq!(guarded["x-caplet-permission"], "echo.listen");
    assert_eq!(guarded["security"], json!([{ "bearer": [] }]));

    let etag = first.header("etag").unwrap().to_owned();
    let ask = || host.get("/openapi.json").header("if-none-match", &etag);
    ask().send().await.expect_status(304);
    host.load("trap").await.unwrap();
    let second = ask().send().await.expect_status(200);
    assert!(second.json()["paths"]["/api/trap/ok"].is_object());
    host.host().runtime().remove("trap").await;
    ask().send().await.expect_status(304);
}

#[tokio::test]
async fn the_bare_address_tells_what_is_here() {
    let host = TestHost::with_plugin("echo").await;
    let index = host.get("/").send().await.expect_status(200).json();
    assert_eq!(index["plugins"][0]["path"], "/api/echo");
    assert_eq!(index["openapi"], "/openapi.json");
    let head = host.anonymous().request(Method::HEAD, "/").send().await.expect_status(200);
    assert!(head.body().is_empty());
}

#[tokio::test]
async fn two_hosts_in_one_process_share_nothing() {
    let (one, other) = (TestHost::with_plugin("echo").await, TestHost::with_plugin("ledger").await);
    one.get("/api/ledger/entries").send().await.expect_status(404);
    other.get("/api/echo/x").send().await.expect_status(404);
    let claims = caplet_server::Claims::user("ada");
    let token = one.host().issue_token(&claims, Duration::from_secs(60)).unwrap();
    let foreign =
        other.get("/api/ledger/entries").header("authorization", format!("Bearer {token}"));
    foreign.send().await.expect_problem(401, "token-invalid");
    let metrics = other.get("/metrics").send().await;
    assert!(!metrics.text().contains("plugin=\"echo\""));
}

#[tokio::test]
async fn settings_are_the_operators_and_data_outlives_their_change() {
    let mut host = TestHost::builder().plugin("echo").plugin("ledger").start().await;
    host.anonymous().post("/api/ledger/entries/a").send().await.expect_status(201);
    let settings = host.get("/api/echo/settings").send().await.json();
    assert_eq!(settings["settings"], json!({ "greeting": "hello" }));
    host.change_settings("echo", json!({ "greeting": "servus", "volume": 3 })).await;
    let changed = host.get("/api/echo/settings").send().await.json();
    assert_eq!(changed["settings"], json!({ "greeting": "servus", "volume": 3 }));
    assert_ne!(changed["version"], settings["version"]);
    assert_eq!(host.count("ledger", "default", "entries").await, 1);
}
