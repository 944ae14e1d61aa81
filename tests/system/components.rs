//! Components of `wasi:http` as an operator and a caller see them: dropped in, called over HTTP, installed,
//! looked at and replaced, on the real program.

use std::process::Output;

use caplet_tests::{Place, Server, binary, guest_path};
use futures::StreamExt;
use serde_json::Value;
use tokio::process::Command;

const HELLO: &str = "/api/hello-world";

async fn caplet(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().await.expect("the command runs")
}

async fn get(server: &Server, path: &str) -> reqwest::Response {
    server.client().get(server.url(path)).send().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_served_by_its_name_as_it_is() {
    let place = Place::new();
    place.install("http-incoming", "Hello_World.wasm");
    place.install("http-service", "newer.wasm");
    let server = place.start(&[]).await;
    assert_eq!(server.get(HELLO).await, (200, "hello from 0.2".to_owned()));
    assert_eq!(server.get("/api/newer/").await, (200, "hello from 0.3".to_owned()));
    assert_eq!(server.get("/api/hello-world/nowhere").await.0, 404);
    assert!(server.get("/openapi.json").await.1.contains("/api/hello-world/{path}"));
    assert!(server.get("/metrics").await.1.contains("plugin=\"hello-world\""));

    let token = server.token(&["--subject", "ada", "--role", "editor"]).await;
    let asked =
        server.client().get(server.url(&format!("{HELLO}/headers?a=b"))).bearer_auth(&token);
    let asked = asked.header("caplet-subject", "eve").header("cookie", "a=b").header("x-own", "1");
    let seen = asked.send().await.unwrap().text().await.unwrap();
    for line in [
        "caplet-subject: ada",
        "caplet-roles: editor",
        "caplet-tenant: default",
        "x-forwarded-prefix: /api/hello-world",
        "x-own: 1",
    ] {
        assert!(seen.lines().any(|it| it == line), "no {line} in {seen}");
    }
    for name in ["authorization", "cookie", "eve"] {
        assert!(!seen.contains(name), "{name} in {seen}");
    }
    let refused = server.client().get(server.url(HELLO)).bearer_auth("nonsense").send().await;
    assert_eq!(refused.unwrap().status(), 401);
    assert_eq!(server.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_stream_and_are_bounded() {
    let place = Place::new();
    place.install("http-incoming", "hello-world.wasm");
    place.install("http-service", "newer.wasm");
    let server = place.start(&[("CAPLET_LIMITS__REQUEST_BYTES_MAX", "1000000")]).await;
    for name in ["hello-world", "newer"] {
        let url = server.url(&format!("/api/{name}/echo"));
        let large = vec![b'x'; 900_000];
        let sent = server.client().post(&url).body(large.clone()).send().await.unwrap();
        assert_eq!(sent.bytes().await.unwrap().len(), large.len(), "{name}");
        // The refusal may come while the body is still being sent, which breaks off then.
        let announced = server.client().post(&url).body(vec![b'x'; 1_100_000]).send().await;
        assert!(announced.is_err() || announced.unwrap().status() == 413, "{name}");
        let parts =
            futures::stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100_000])));
        let body = reqwest::Body::wrap_stream(parts);
        let answered = server.client().post(&url).body(body).send().await;
        // The answer may have begun when the body turns out to be too large: it is cut off then.
        let is_refused = match answered {
            Ok(answer) => answer.status() == 413 || answer.bytes().await.is_err(),
            Err(_) => true,
        };
        assert!(is_refused, "{name}");
        let mut parts = get(&server, &format!("/api/{name}/stream")).await.bytes_stream();
        let mut n_parts = 0;
        while let Some(part) = parts.next().await {
            assert!(!part.unwrap().is_empty());
            n_parts += 1;
        }
        assert!(n_parts >= 3, "{name} came in {n_parts} parts");
    }
    assert_eq!(server.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_checked_installed_replaced_and_taken_back_by_the_command_line() {
    let place = Place::new();
    let server = place.start(&[("CAPLET_UPGRADE__WATCH_MS", "0")]).await;
    let (incoming, service) = (guest_path("http-incoming"), guest_path("http-service"));
    let (incoming, service) = (incoming.to_str().unwrap(), service.to_str().unwrap());
    let data = place.data();
    let at = ["--url", &server.url(""), "--data", data.to_str().unwrap()].map(str::to_owned);
    let at: Vec<&str> = at.iter().map(String::as_str).collect();
    let does = async |arguments: &[&str]| {
        let output = caplet(&[arguments, &at[..]].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let checked = caplet(&["check", incoming]).await;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("would load: plugin http-incoming 0.0.0+"), "{said}");
    assert!(checked.stderr.is_empty(), "{checked:?}");
    let inspected = caplet(&["inspect", incoming]).await;
    let said = String::from_utf8_lossy(&inspected.stdout).into_owned();
    assert!(said.contains("outbound-http") && said.contains("keep data in a database"), "{said}");

    does(&["install", incoming, "--name", "hello-world"]).await;
    assert_eq!(server.get(HELLO).await.1, "hello from 0.2");
    assert_eq!(server.get(&format!("{HELLO}/keys?a=1")).await.1, "a=1");
    let status = does(&["status"]).await;
    assert!(status.contains("hello-world") && status.contains("outbound-http"), "{status}");
    let slow = get(&server, &format!("{HELLO}/stream")).await;
    does(&["install", service, "--name", "hello-world", "--approve"]).await;
    assert_eq!(server.get(HELLO).await.1, "hello from 0.3");
    assert!(slow.text().await.unwrap().ends_with("part 4\n"));
    does(&["rollback", "hello-world"]).await;
    assert_eq!(server.get(&format!("{HELLO}/keys")).await.1, "a=1", "its data are still there");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_took_long_is_told_like_those_of_plugins() {
    let place = Place::new();
    place.install("http-incoming", "hello-world.wasm");
    let (server, mut lines) = place.start_telling(&[("CAPLET_LOG__SLOW_CALL_MS", "10")]).await;
    let slow = server.client().get(server.url("/api/hello-world/late"));
    let slow = slow.header("x-request-id", "the-slow-one").send().await.unwrap();
    assert_eq!(slow.text().await.unwrap(), "1");
    // The call ends a moment after its answer.
    for counted in [
        "caplet_slow_calls_total{plugin=\"hello-world\"} 1",
        "caplet_sql_statements_total{plugin=\"hello-world\"} 2",
    ] {
        server.until(|server| async { server.get("/metrics").await.1.contains(counted) }).await;
    }
    assert_eq!(server.stop().await, 0);
    let mut told = None;
    while let Some(line) = lines.recv().await {
        if line.contains("a slow call") {
            told = Some(line);
        }
    }
    let told: Value = serde_json::from_str(&told.expect("the log tells of it")).unwrap();
    for (name, value) in [
        ("plugin", "hello-world"),
        ("operation", "handle"),
        ("outcome", "ok"),
        ("request_id", "the-slow-one"),
    ] {
        assert_eq!(told[name], value, "{told}");
    }
    assert_eq!(told["sql_statements"], 2, "{told}");
    assert!(told["took_ms"].as_f64() >= Some(20.0), "{told}");
    assert!(told["slowest_sql"].as_str().unwrap().contains("keyvalue"), "{told}");
}
