//! What people see of a host in a browser, and who sees what. How the pages look and behave in one is
//! tested from outside.

use caplet_server::config::Strangers;
use caplet_testing::{Answer, Caller, Method, TestHost, json};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn open(caller: &Caller<'_>, path: &str) -> Answer {
    caller.get(path).header("accept", BROWSER).send().await
}

fn is_page(answer: &Answer) -> bool {
    answer.header("content-type") == Some("text/html; charset=utf-8")
}

/// The addresses in attributes of a page.
fn addresses(page: &str) -> Vec<&str> {
    let after = |name: &'static str| page.split(name).skip(1).filter_map(|it| it.split('"').next());
    ["href=\"", "src=\"", "data-document=\""].into_iter().flat_map(after).collect()
}

#[tokio::test]
async fn the_front_page_shows_what_is_running() {
    let host = TestHost::builder().plugin("echo").plugin("trap").start().await;
    let front = open(&host.anonymous(), "/").await.expect_status(200);
    assert!(is_page(&front));
    for shown in ["2 plugins are loaded.", "Ready", "/api/echo", "1.0.0", "healthy"] {
        assert!(front.text().contains(shown), "{shown} is not in\n{front}");
    }
    assert_eq!(front.header("vary"), Some("accept"));
    assert_eq!(front.header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn programs_get_the_same_as_json() {
    let host = TestHost::with_plugin("echo").await;
    let index = host.get("/").send().await.expect_status(200).json();
    assert_eq!(index["status"], "ready");
    assert_eq!(index["docs"], "/docs");
    assert_eq!(index["plugins"][0]["version"], "1.0.0");
    assert_eq!(index["plugins"][0]["health"], "healthy");
}

#[tokio::test]
async fn a_plugin_that_fails_three_times_in_a_row_is_failing_until_it_answers() {
    let host = TestHost::with_plugin("trap").await;
    let health = async || host.get("/").send().await.json()["plugins"][0]["health"].clone();
    for _ in 0..3 {
        assert_eq!(health().await, "healthy");
        host.get("/api/trap/unreachable").send().await.expect_status(502);
    }
    assert_eq!(health().await, "failing");
    let front = open(&host.anonymous(), "/").await;
    assert!(front.text().contains("One plugin is loaded and failing."), "{front}");
    host.get("/api/trap/ok").send().await.expect_status(200);
    assert_eq!(health().await, "healthy");
}

#[tokio::test]
async fn pages_run_and_load_nothing_from_elsewhere() {
    let host = TestHost::with_plugin("echo").await;
    for (path, scripts) in [("/", 0), ("/docs", 2)] {
        let page = open(&host.anonymous(), path).await.expect_status(200);
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.text().matches("<script").count(), scripts);
        for inline in [" style=", "<style", " onclick=", "javascript:"] {
            assert!(!page.text().contains(inline), "{path} has {inline}");
        }
        for address in addresses(page.text()) {
            assert!(address.starts_with('/') && !address.starts_with("//"), "{path}: {address}");
            let reached = host.get(address.split('#').next().unwrap()).send().await;
            assert_eq!(reached.status(), 200, "{path}: {address}");
        }
    }
}

#[tokio::test]
async fn files_of_pages_are_kept_by_caches_under_their_version() {
    let host = TestHost::with_plugin("echo").await;
    let page = open(&host.anonymous(), "/docs").await;
    let addresses: Vec<&str> =
        addresses(page.text()).into_iter().filter(|it| it.starts_with("/-/")).collect();
    assert!(addresses.len() >= 5, "{addresses:?}");
    for address in addresses {
        let file = host.get(address).send().await.expect_status(200);
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        let etag = file.header("etag").expect("a tag");
        let again = host.get(address).header("if-none-match", etag).send().await;
        assert_eq!(again.status(), 304, "{address}");
        let bare = address.split('?').next().unwrap();
        let other = host.get(&format!("{bare}?v=0")).send().await.expect_status(200);
        assert_eq!(other.header("cache-control"), Some("no-cache"), "{address}");
    }
    host.get("/-/nothing").send().await.expect_problem(404, "not-found");
    host.anonymous().post("/-/icon.svg").send().await.expect_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn the_viewer_is_sent_compressed() {
    let host = TestHost::with_plugin("echo").await;
    let path = "/-/swagger-ui-bundle.js";
    for encodings in ["gzip, deflate, br", "*"] {
        let file = host.get(path).header("accept-encoding", encodings).send().await;
        assert_eq!(file.header("content-encoding"), Some("gzip"), "{encodings}");
        assert_eq!(file.header("vary"), Some("accept-encoding"));
        assert!(file.body().starts_with(b"\x1f\x8b") && file.body().len() < 600_000);
    }
    let refused = host.get(path).header("accept-encoding", "identity").send().await;
    refused.expect_problem(406, "encoding-unavailable");
}

#[tokio::test]
async fn what_a_plugin_or_a_file_says_is_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("<img src=x>&.wasm"), b"nothing").unwrap();
    let host = caplet_server::Host::builder().plugins(folder.path()).build().await.unwrap();
    host.ready().await;
    let request = http::Request::get("/").header("accept", BROWSER);
    let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let answer = host.handle(request).await;
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let page = String::from_utf8_lossy(&body);
    assert!(page.contains("&lt;img src=x&gt;&amp;.wasm"), "{page}");
    assert!(!page.contains("<img src=x"), "{page}");
    assert!(page.contains("No plugin is loaded."), "{page}");
}

#[tokio::test]
async fn strangers_see_no_more_than_the_operator_lets_them() {
    let strangers = |config: &mut caplet_server::Config| {
        config.public.strangers = Strangers::Health;
    };
    let host = TestHost::builder().plugin("echo").configure(strangers).start().await;
    let stranger = host.anonymous();
    let index = stranger.get("/").send().await.expect_status(200).json();
    assert_eq!(index, json!({ "name": "caplet", "status": "ready" }));
    let ready = stranger.get("/readyz").send().await.expect_status(200).json();
    assert_eq!(ready, json!({ "status": "ready" }));
    stranger.get("/healthz").send().await.expect_status(200);
    let front = open(&stranger, "/").await.expect_status(200);
    assert!(front.text().contains("This host is ready."));
    for secret in ["echo", "1.0.0", env!("CARGO_PKG_VERSION")] {
        assert!(!front.text().contains(secret), "{secret} is in\n{front}");
    }
    for path in ["/docs", "/openapi.json", "/metrics"] {
        stranger.get(path).send().await.expect_problem(401, "token-missing");
        let invalid = stranger.get(path).header("authorization", "Bearer x").send().await;
        invalid.expect_problem(401, "token-invalid");
        host.user("ada").get(path).send().await.expect_status(200);
    }
    let index = host.user("ada").get("/").send().await.json();
    assert_eq!(index["plugins"][0]["name"], "echo");
}

#[tokio::test]
async fn head_and_options_are_answered_for_pages() {
    let host = TestHost::with_plugin("echo").await;
    let ask = |method| host.anonymous().request(method, "/docs");
    let head = ask(Method::HEAD).send().await.expect_status(200);
    assert!(head.body().is_empty());
    let options = ask(Method::OPTIONS).send().await.expect_status(204);
    assert_eq!(options.header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn services_are_shown_and_their_addresses_are_not() {
    let options = json!({ "url": "http://127.0.0.1:9/inside", "title": "Search" });
    let options = serde_json::from_value(options).expect("options of a service");
    let host = TestHost::builder()
        .configure(move |config| drop(config.services.insert("search".to_owned(), options)))
        .start()
        .await;
    let index = host.get("/").send().await.expect_status(200);
    let search = json!({
        "name": "search",
        "title": "Search",
        "path": "/api/search",
        "health": "unknown",
    });
    assert_eq!(index.json()["services"], json!([search]));
    let front = open(&host.anonymous(), "/").await;
    assert!(front.text().contains("Search") && front.text().contains("unknown"), "{front}");
    for answer in [index, front] {
        assert!(!answer.text().contains("127.0.0.1"), "{answer}");
    }
}
