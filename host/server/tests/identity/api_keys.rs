//! API keys: made, used, listed, revoked, and what is kept of them.

use std::time::Duration;

use caplet_store::Value;
use caplet_testing::{Answer, Method, TestHost, json};

use super::{ask, shape};

const PATH: &str = "/admin/api/keys";

async fn host() -> TestHost {
    TestHost::builder().plugin("echo").role("listener", &["echo.listen"]).start().await
}

async fn admin(host: &TestHost, method: Method, path: &str, body: serde_json::Value) -> Answer {
    let request = host.user("root").permission("caplet.admin").request(method, path);
    if body.is_null() { request.send().await } else { request.json(&body).send().await }
}

/// Makes a key: its id and its text.
async fn create(host: &TestHost, order: serde_json::Value) -> (String, String) {
    let made = admin(host, Method::POST, PATH, order).await.expect_status(201).json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

async fn list(host: &TestHost) -> Vec<serde_json::Value> {
    let page = admin(host, Method::GET, PATH, json!(null)).await.expect_status(200).json();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_stands_for_a_service_with_its_rights() {
    let host = host().await;
    let order = json!({"name": "ci", "tenant": "acme", "roles": ["listener"], "teams": ["t"], "scopes": ["s"]});
    let (id, key) = create(&host, order).await;
    let seen = ask(&host, &key).await.expect_status(200).json();
    assert_eq!(seen["tenant"], "acme");
    assert_eq!(seen["permitted"], true);
    let caller = json!({"subject": format!("key-{id}"), "kind": "service", "roles": ["listener"],
        "teams": ["t"], "scopes": ["s"]});
    assert_eq!(seen["caller"], caller);
    let by_header = host.get("/api/echo/identity").header("x-api-key", &key).send().await;
    assert_eq!(by_header.expect_status(200).json(), seen);
}

#[tokio::test]
async fn a_revoked_key_ends_with_the_answer_that_says_so() {
    let host = host().await;
    let (id, key) = create(&host, json!({"name": "a"})).await;
    let (_, other) = create(&host, json!({"name": "b"})).await;
    ask(&host, &key).await.expect_status(200);
    let path = format!("{PATH}/{id}");
    admin(&host, Method::DELETE, &path, json!(null)).await.expect_status(204);
    ask(&host, &key).await.expect_problem(401, "token-invalid");
    ask(&host, &other).await.expect_status(200);
    admin(&host, Method::DELETE, &path, json!(null)).await.expect_problem(404, "not-found");
    let revoked = list(&host).await.into_iter().find(|it| it["id"] == id.as_str()).unwrap();
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
}

#[tokio::test]
async fn a_key_ends_when_its_time_is_over() {
    let host = host().await;
    let (_, key) = create(&host, json!({"name": "a", "ttl_s": 60})).await;
    host.clock().advance(Duration::from_millis(59_999));
    ask(&host, &key).await.expect_status(200);
    host.clock().advance(Duration::from_millis(1));
    ask(&host, &key).await.expect_problem(401, "token-invalid");
}

#[tokio::test]
async fn keys_and_their_use_outlive_the_host_but_not_their_revocation() {
    let mut host = host().await;
    let (_, key) = create(&host, json!({"name": "a", "subject": "robot"})).await;
    let (gone, gone_key) = create(&host, json!({"name": "b"})).await;
    admin(&host, Method::DELETE, &format!("{PATH}/{gone}"), json!(null)).await.expect_status(204);
    ask(&host, &key).await.expect_status(200);
    host.change_settings("echo", json!({})).await;
    let seen = ask(&host, &key).await.expect_status(200).json();
    assert_eq!(seen["caller"]["subject"], "robot");
    ask(&host, &gone_key).await.expect_problem(401, "token-invalid");
}

#[tokio::test]
async fn lists_show_all_but_the_secret() {
    let host = host().await;
    let (id, key) = create(&host, json!({"name": "ci", "ttl_s": 3600})).await;
    let unused = list(&host).await.remove(0);
    assert_eq!((&unused["id"], &unused["name"]), (&json!(id), &json!("ci")));
    assert_eq!((&unused["last_used_at"], &unused["revoked_at"]), (&json!(null), &json!(null)));
    assert_eq!(unused["created_by"], "root");
    assert_eq!(unused["created_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(unused["expires_at"], "2026-01-01T01:00:00.000Z");
    host.clock().advance(Duration::from_secs(90));
    ask(&host, &key).await.expect_status(200);
    let used = list(&host).await.remove(0);
    assert_eq!(used["last_used_at"], "2026-01-01T00:01:00.000Z");
    let secret = key.rsplit('_').next().unwrap();
    assert!(!json!(list(&host).await).to_string().contains(secret));
}

#[tokio::test]
async fn only_a_hash_is_kept() {
    let host = host().await;
    let (_, key) = create(&host, json!({"name": "ci"})).await;
    let rows = host.rows("host", "default", "SELECT * FROM api_keys", &[]).await;
    let secret = key.rsplit('_').next().unwrap();
    assert!(!format!("{rows:?}").contains(&secret[..secret.len() - 8]));
    let is_hash = |value: &Value| matches!(value, Value::Blob(bytes) if bytes.len() == 32);
    assert!(rows.values.iter().any(is_hash), "{rows:?}");
}

#[tokio::test]
async fn pages_of_keys_follow_each_other() {
    let host = host().await;
    for number in 0..5 {
        create(&host, json!({"name": format!("key {number}")})).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{PATH}?limit=2&cursor={cursor}");
        let page = admin(&host, Method::GET, &path, json!(null)).await.expect_status(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 5);
    for query in ["limit=0", "limit=101", "limit=x", "colour=red", "cursor=%00", "cursor=a%20b"] {
        let answer = admin(&host, Method::GET, &format!("{PATH}?{query}"), json!(null)).await;
        answer.expect_problem(400, "query-malformed");
    }
}

#[tokio::test]
async fn refuses_orders_that_make_no_sense() {
    let host = host().await;
    for order in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "x".repeat(101)}),
        json!({"name": "a\nb"}),
        json!({"name": "a", "tenant": "a/b"}),
        json!({"name": "a", "subject": "x".repeat(256)}),
        json!({"name": "a", "roles": [""]}),
        json!({"name": "a", "scopes": vec!["s"; 101]}),
        json!({"name": "a", "ttl_s": 0}),
        json!({"name": "a", "ttl_s": 400_000_000}),
        json!({"name": "a", "ttl_s": -1}),
        json!({"name": "a", "colour": "red"}),
    ] {
        let answer = admin(&host, Method::POST, PATH, order.clone()).await;
        assert_eq!(answer.status(), 422, "{order}: {answer}");
    }
    assert!(list(&host).await.is_empty());
}

#[tokio::test]
async fn keys_are_for_administrators_to_manage() {
    let host = host().await;
    let (_, key) = create(&host, json!({"name": "a"})).await;
    for method in [Method::GET, Method::POST] {
        let request = host.anonymous().request(method, PATH).header("x-api-key", &key);
        request.send().await.expect_problem(403, "permission-missing");
    }
    let order = json!({"name": "admin", "scopes": ["caplet.admin"]});
    let (_, admin_key) = create(&host, order).await;
    host.get(PATH).header("x-api-key", &admin_key).send().await.expect_status(200);
}

#[tokio::test]
async fn wrong_keys_look_like_wrong_tokens() {
    let host = host().await;
    let (_, key) = create(&host, json!({"name": "a"})).await;
    let (_, other) = create(&host, json!({"name": "b"})).await;
    let refused = shape(&ask(&host, "nonsense").await);
    // The id of one with the secret of another, and no key at all.
    let mixed = format!("{}{}", &key[..20], &other[20..]);
    for text in ["cap_", "cap_a_b", &mixed, &key[..key.len() - 1], &key.to_uppercase()] {
        assert_eq!(shape(&ask(&host, text).await), refused, "{text}");
    }
    let both = host.user("ada").get("/api/echo/identity").header("x-api-key", &key).send().await;
    both.expect_problem(400, "authorization-ambiguous");
}
