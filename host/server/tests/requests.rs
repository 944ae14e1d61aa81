//! The way of a request through the whole host to a real plugin and back, without sockets: what
//! reaches the plugin, and what is answered before it is called.

use caplet_runtime::Limits;
use caplet_testing::{Answer, Method, TestHost, json};

/// What the `echo` plugin was given.
fn given(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.status(), 200, "{answer}");
    answer.json()
}

#[tokio::test]
async fn the_plugin_is_given_what_was_sent_decoded() {
    let host = TestHost::with_plugin("echo").await;
    let answer = host
        .anonymous()
        .put("/api/echo/a%2Fb/%C3%B6?x=1+2&x=%26&y")
        .header("x-echo", "one")
        .header("x-echo", "two")
        .header("cookie", "session=secret")
        .header("x-other", "not asked for")
        .body("text")
        .send()
        .await;
    let given = given(&answer);
    assert_eq!(given["operation"], "echo");
    assert_eq!(given["method"], "PUT");
    assert_eq!(given["path"], "/a%2Fb/%C3%B6");
    assert_eq!(given["parameters"], json!([["path", "a/b/ö"]]));
    assert_eq!(given["query"], json!([["x", "1 2"], ["x", "&"], ["y", ""]]));
    assert_eq!(given["headers"], json!([["x-echo", "one"], ["x-echo", "two"]]));
    assert_eq!(given["body"], "text");
}

#[tokio::test]
async fn ambiguous_paths_reach_no_plugin() {
    let host = TestHost::with_plugin("echo").await;
    for path in [
        "//api/echo/x",
        "/api//echo/x",
        "/api/echo//x",
        "/api/echo/x//",
        "/api/echo/./x",
        "/api/echo/../metrics",
        "/api/echo/%2e%2e/metrics",
        "/api/echo/.%2E/metrics",
        "/api/echo/%00",
        "/api/echo/%0d%0aset-cookie:a",
        "/api/echo/a\\b",
        "/api/echo/a%5cb",
        "/api/echo/%",
        "/api/echo/%zz",
        "/api/echo/%ff",
        "/api/echo/%c0%ae%c0%ae/",
        "/%2e/metrics",
    ] {
        host.get(path).send().await.expect_problem(400, "path-malformed");
    }
}

#[tokio::test]
async fn one_path_has_one_meaning_however_it_is_escaped() {
    let host = TestHost::with_plugin("echo").await;
    for path in ["/api/echo/signed-in", "/api/ech%6F/signed%2Din", "/%61pi/echo/%73igned-in"] {
        host.get(path).send().await.expect_problem(401, "token-missing");
    }
}

#[tokio::test]
async fn what_is_not_served_is_404_and_other_methods_are_405() {
    let host = TestHost::with_plugin("echo").await;
    for path in
        ["/api", "/api/", "/api/nobody", "/api/echo/-/style.css", "/favicon.ico", "/healthz/"]
    {
        host.get(path).send().await.expect_problem(404, "not-found");
    }
    let host = TestHost::with_plugin("storage").await;
    let answer = host.anonymous().delete("/api/storage/query").send().await;
    assert_eq!(answer.header("allow"), Some("GET, POST, HEAD, OPTIONS"));
    answer.expect_problem(405, "method-not-allowed");
    let answer = host.anonymous().request(Method::OPTIONS, "/api/storage/query").send().await;
    let answer = answer.expect_status(204);
    assert_eq!(answer.header("allow"), Some("GET, POST, HEAD, OPTIONS"));
    let answer = host.anonymous().post("/metrics").send().await;
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    answer.expect_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let host = TestHost::with_plugin("trap").await;
    let get = host.get("/api/trap/ok").send().await.expect_status(200);
    let head = host.anonymous().request(Method::HEAD, "/api/trap/ok").send().await;
    assert_eq!((head.status(), head.body().len()), (200, 0));
    assert_eq!(head.header("content-type"), get.header("content-type"));
    assert_eq!(head.header("content-length"), Some(get.body().len().to_string().as_str()));
}

#[tokio::test]
async fn the_plugin_sees_who_calls_and_never_the_token() {
    let host = TestHost::builder().plugin("echo").role("listener", &["echo.listen"]).start().await;
    let ada = host.user("ada").tenant("acme").role("listener").team("t1").permission("a.b");
    let answer = ada.get("/api/echo/identity").send().await;
    assert_eq!(
        given(&answer),
        json!({
            "caller": {
                "subject": "ada",
                "kind": "user",
                "roles": ["listener"],
                "teams": ["t1"],
                "scopes": ["a.b"],
            },
            "tenant": "acme",
            "permitted": true,
        })
    );
    let nobody = given(&host.get("/api/echo/identity").send().await);
    assert_eq!(nobody, json!({ "caller": null, "tenant": "default", "permitted": false }));
    let echoed = ada.get("/api/echo/x").send().await;
    assert!(!echoed.text().contains("Bearer"), "{echoed}");
}

#[tokio::test]
async fn access_rules_hold_before_the_plugin_is_called() {
    let host = TestHost::builder().plugin("echo").role("listener", &["echo.*"]).start().await;
    let path = "/api/echo/with-permission";
    host.get("/api/echo/signed-in").send().await.expect_problem(401, "token-missing");
    host.get(path).send().await.expect_problem(401, "token-missing");
    host.user("ada").get("/api/echo/signed-in").send().await.expect_status(200);
    host.user("ada").get(path).send().await.expect_problem(403, "permission-missing");
    host.user("ada").role("listener").get(path).send().await.expect_status(200);
    host.service("robot").permission("echo.listen").get(path).send().await.expect_status(200);
}

#[tokio::test]
async fn a_token_that_does_not_verify_is_refused_everywhere_in_one_shape() {
    let host = TestHost::with_plugin("echo").await;
    let claims = caplet_server::Claims::user("ada");
    let expired = host.host().issue_token(&claims, std::time::Duration::from_secs(1)).unwrap();
    host.clock().advance(std::time::Duration::from_secs(60));
    let mut shapes = Vec::new();
    for value in [
        format!("Bearer {expired}"),
        "Bearer a.b.c".to_owned(),
        "Bearer".to_owned(),
        "Basic YTpi".to_owned(),
        "nonsense".to_owned(),
    ] {
        // The route is public, and still a token that is sent must be a good one.
        let request = host.get("/api/echo/x").header("x-request-id", "same");
        let answer = request.header("authorization", &value).send().await;
        let challenge = answer.header("www-authenticate").map(str::to_owned);
        shapes.push((answer.status(), challenge, answer.text().to_owned()));
    }
    assert_eq!(shapes[0].0, 401);
    assert_eq!(shapes[0].1.as_deref(), Some("Bearer error=\"invalid_token\""));
    assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");

    let twice = host.user("ada").get("/api/echo/x").header("authorization", "Bearer a.b.c");
    twice.send().await.expect_problem(400, "authorization-ambiguous");
}

#[tokio::test]
async fn queries_headers_and_keys_that_are_malformed_are_400() {
    let host = TestHost::with_plugin("echo").await;
    host.get("/api/echo/x?a=%ff").send().await.expect_problem(400, "query-malformed");
    host.get("/api/echo/x?a=%zz").send().await.expect_problem(400, "query-malformed");
    let many = format!("/api/echo/x?{}", "a&".repeat(101));
    host.get(&many).send().await.expect_problem(400, "query-malformed");
    let header = host.get("/api/echo/x").header("x-echo", b"\xff");
    header.send().await.expect_problem(400, "header-malformed");
    for key in ["", "a b", "\"a", "\"\""] {
        let post = host.anonymous().post("/api/echo/x").idempotency_key(key);
        post.send().await.expect_problem(400, "idempotency-key-malformed");
    }
    // Where a key means nothing, nothing is asked of it.
    host.get("/api/echo/x").idempotency_key("a b").send().await.expect_status(200);
    let long = format!("/api/echo/{}", "a".repeat(8 << 10));
    host.get(&long).send().await.expect_problem(414, "url-too-long");
    let mut request = host.get("/api/echo/x");
    for index in 0..101 {
        request = request.header(&format!("x-{index}"), "1");
    }
    request.send().await.expect_problem(431, "headers-too-many");
}

#[tokio::test]
async fn a_limit_that_a_request_reached_is_counted() {
    let host = TestHost::with_plugin("echo").await;
    let long = format!("/api/echo/{}", "a".repeat(8 << 10));
    host.get(&long).send().await.expect_problem(414, "url-too-long");
    let many = format!("/api/echo/x?{}", "a&".repeat(101));
    host.get(&many).send().await.expect_problem(400, "query-malformed");
    host.get("/api/echo/x?a=%ff").send().await.expect_problem(400, "query-malformed");
    let large = host.anonymous().post("/api/echo/small").body("0123456789abcdef+");
    large.send().await.expect_problem(413, "body-too-large");
    let metrics = host.get("/metrics").send().await.expect_status(200);
    for line in [
        r#"caplet_limit_hits_total{limit="url-bytes",plugin=""} 1"#,
        r#"caplet_limit_hits_total{limit="query-parameters",plugin="echo"} 1"#,
        r#"caplet_limit_hits_total{limit="body-bytes",plugin="echo"} 1"#,
    ] {
        assert!(metrics.text().contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_by_the_route() {
    let host = TestHost::with_plugin("echo").await;
    let post = |body: &'static str| host.anonymous().post("/api/echo/small").body(body);
    post("0123456789abcdef").send().await.expect_status(200);
    post("0123456789abcdef+").send().await.expect_problem(413, "body-too-large");
    let announced = post("").header("content-length", "17").send().await;
    announced.expect_problem(413, "body-too-large");
    let encoded = post("x").header("content-encoding", "gzip").send().await;
    encoded.expect_problem(415, "content-encoding-unsupported");
}

#[tokio::test]
async fn a_replayed_answer_says_so() {
    let host = TestHost::with_plugin("ledger").await;
    let add = || host.user("ada").post("/api/ledger/entries/a").idempotency_key("\"k-1\"");
    let first = add().send().await.expect_status(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = add().send().await.expect_status(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body(), first.body());
    assert_eq!(host.count("ledger", "default", "entries").await, 1);
    let other = host.user("ada").post("/api/ledger/entries/b").idempotency_key("k-1").send().await;
    other.expect_problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn what_a_plugin_breaks_is_a_problem_without_the_inside() {
    let host = TestHost::with_plugin("trap").await;
    for path in ["/api/trap/unreachable", "/api/trap/panic", "/api/trap/exit"] {
        let answer = host.get(path).send().await;
        assert!(!answer.text().contains("wasm"), "{answer}");
        answer.expect_problem(502, "plugin-failed");
        host.get("/api/trap/ok").send().await.expect_status(200);
    }
}

#[tokio::test]
async fn the_host_has_the_last_word_on_headers() {
    let limits = Limits { faults_max: 0, ..Limits::default() };
    let host = TestHost::builder().plugin("header-injection").limits(limits).start().await;
    for attack in
        ["crlf-in-value", "nul-in-value", "crlf-in-name", "transfer-encoding", "content-length"]
    {
        let answer = host.get(&format!("/api/header-injection/{attack}")).send().await;
        assert_eq!(answer.header("set-cookie"), None);
        answer.expect_problem(502, "plugin-bad-answer");
    }
    let answer = host.get("/api/header-injection/nosniff").send().await.expect_status(200);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let request = host.get("/api/header-injection/request-id").header("x-request-id", "mine");
    assert_eq!(request.send().await.header("x-request-id"), Some("mine"));
}

#[tokio::test]
async fn every_answer_can_be_traced_and_is_kept_from_caches_when_personal() {
    let host = TestHost::with_plugin("echo").await;
    let made = host.get("/api/echo/x").send().await;
    assert_eq!(made.header("x-request-id").map(str::len), Some(36));
    assert_eq!(made.header("cache-control"), None);
    assert_eq!(
        host.user("ada").get("/api/echo/x").send().await.header("cache-control"),
        Some("no-store")
    );

    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = host.get("/api/nobody").header("x-request-id", "r.1");
    let answer =
        request.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01")).send().await;
    assert_eq!(answer.header("x-request-id"), Some("r.1"));
    assert!(answer.header("traceresponse").is_some_and(|value| value.contains(trace)));
    assert_eq!(answer.json()["request_id"], "r.1");
    let forged = host.get("/").header("x-request-id", "a\tb").send().await;
    assert_eq!(forged.header("x-request-id").map(str::len), Some(36));
}
