//! Bad requests: each is answered with a problem document that says what is wrong, and changes nothing.

use caplet_testing::{Answer, Method, Person, TestHost, json};
use serde_json::Value;

use crate::examples::{Example, World, examples};
use crate::stage::{COMMENTS, count, host, send, stored};

/// The examples that have a body, and what the host keeps before anything is asked of it.
async fn with_bodies(host: &TestHost) -> Vec<Example> {
    let world = World::populate(host, "default").await;
    examples(&world).into_iter().filter(|example| example.body.is_some()).collect()
}

/// Sends an example with another body, by who may make it.
async fn send_raw(host: &TestHost, example: &Example, media_type: &str, body: Vec<u8>) -> Answer {
    example.send_raw(host, media_type, body).await
}

/// The answer must be a whole problem document of that status.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let problem = answer.json();
    assert_eq!((answer.status(), &problem["code"]), (status, &json!(code)), "{answer}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!((&problem["type"], &problem["status"]), (&json!("about:blank"), &json!(status)));
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{answer}");
}

#[tokio::test]
async fn what_is_no_json_is_400() {
    let host = host().await;
    let examples = with_bodies(&host).await;
    let before = stored(&host, "default").await;
    let deep = "[".repeat(50_000);
    let malformed: [&[u8]; 10] = [
        b"",
        b"{",
        b"nope",
        b"{\"body\":\"a\",}",
        b"{'body':'a'}",
        b"\xff\xfe",
        b"{\"body\":\"\xff\"}",
        b"{\"body\":\"\n\"}",
        b"{\"colour\":1",
        b"\xef\xbb\xbf{}",
    ];
    for example in &examples {
        for body in malformed {
            let answer = send_raw(&host, example, "application/json", body.to_vec()).await;
            assert_problem(&answer, 400, "malformed-json");
        }
        let answer = send_raw(&host, example, "application/json", deep.clone().into()).await;
        assert_problem(&answer, 400, "malformed-json");
        let mut twice = serde_json::to_vec(example.body.as_ref().unwrap()).unwrap();
        twice.extend(twice.clone());
        let answer = send_raw(&host, example, "application/json", twice).await;
        assert_problem(&answer, 400, "malformed-json");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn what_is_not_sent_as_json_is_415() {
    let host = host().await;
    let examples = with_bodies(&host).await;
    let before = stored(&host, "default").await;
    for example in &examples {
        let body = serde_json::to_vec(example.body.as_ref().unwrap()).unwrap();
        for media_type in
            ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]
        {
            let answer = send_raw(&host, example, media_type, body.clone()).await;
            assert_problem(&answer, 415, "unsupported-media-type");
        }
        let caller = example.who.caller(&host, "default");
        let request = caller.request(example.method.clone(), &example.target).body(body.clone());
        assert_problem(&request.send().await, 415, "unsupported-media-type");
        let request = caller.request(example.method.clone(), &example.target).json(&example.body);
        let encoded = request.header("content-encoding", "gzip").send().await;
        assert_problem(&encoded, 415, "content-encoding-unsupported");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn what_is_too_large_is_413() {
    let host = host().await;
    let examples = with_bodies(&host).await;
    let before = stored(&host, "default").await;
    for example in &examples {
        let mut body = example.body.clone().unwrap();
        body["body"] = json!("x".repeat(200_000));
        let body = serde_json::to_vec(&body).unwrap();
        let answer = send_raw(&host, example, "application/json", body).await;
        assert_problem(&answer, 413, "body-too-large");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn unknown_query_parameters_are_400_on_every_route() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let before = stored(&host, "default").await;
    for example in examples(&world) {
        let caller = example.who.caller(&host, "default");
        for more in ["colour=red", "Limit=5", "colour", "=", "sort[]=new"] {
            let answer = example.with_query(more).send(&caller).await;
            assert_eq!(answer.status(), 400, "{} {more}: {answer}", example.operation);
            assert_problem(&answer, 400, "unknown-parameter");
        }
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn known_query_parameters_with_wrong_values_are_400() {
    let host = host().await;
    for query in [
        "",
        "target=",
        "target=post",
        "target=post:",
        "target=:1",
        "target=Post:1",
        "target=post:a%20b",
        "target=post:%3Cscript%3E",
        "target=post:1&target=post:2",
        "target=post:1&sort=worst",
        "target=post:1&sort=",
        "target=post:1&sort=new&sort=old",
        "target=post:1&view=wood",
    ] {
        let answer = host.get(&format!("{COMMENTS}?{query}")).send().await;
        assert_eq!(answer.status(), 400, "{query}: {answer}");
        assert_problem(&answer, 400, "bad-query");
    }
    let long = format!("{COMMENTS}?target=post:{}", "1".repeat(201));
    assert_problem(&host.get(&long).send().await, 400, "bad-query");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let host = host().await;
    let ada = host.user("ada");
    for path in [
        "/018bcfe5-6800-7000-8000-000000000000",
        "/nothing",
        "/018bcfe5-6800-7000-8000-000000000000'--",
        "/018bcfe5-6800-7000-8000-000000000000/replies",
        "/nothing/history",
        "/nothing/colour",
        "/threads",
        "/threads/post:1/colour",
    ] {
        let answer = ada.get(&format!("{COMMENTS}{path}")).send().await;
        assert_eq!(answer.status(), 404, "{path}: {answer}");
        assert_problem(&answer, 404, "not-found");
    }
}

#[tokio::test]
async fn other_methods_are_405_and_those_there_are_are_named() {
    let host = host().await;
    for (method, path, allowed) in [
        (Method::PUT, "", "GET HEAD OPTIONS POST"),
        (Method::DELETE, "", "GET HEAD OPTIONS POST"),
        (Method::POST, "/nothing", "DELETE GET HEAD OPTIONS PATCH"),
        (Method::POST, "/nothing/replies", "GET HEAD OPTIONS"),
        (Method::DELETE, "/nothing/history", "GET HEAD OPTIONS"),
        (Method::POST, "/nothing/reactions/like", "DELETE OPTIONS PUT"),
        (Method::GET, "/nothing/vote", "DELETE OPTIONS PUT"),
        (Method::PATCH, "/threads/post:1", "GET HEAD OPTIONS PUT"),
        (Method::TRACE, "", "GET HEAD OPTIONS POST"),
    ] {
        let target = format!("{COMMENTS}{path}");
        let answer = host.user("ada").request(method, &target).send().await;
        assert_problem(&answer, 405, "method-not-allowed");
        let mut methods: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
        methods.sort_unstable();
        assert_eq!(methods.join(" "), allowed, "{path}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_422_and_says_where() {
    let host = host().await;
    let ada = host.user("ada");
    let too_long = "x".repeat(10_001);
    let too_many = "💥".repeat(10_001);
    for (comment, pointer) in [
        (json!({ "target": "post:1", "body": too_long }), "/body"),
        (json!({ "target": "post:1", "body": too_many }), "/body"),
        (json!({ "target": "post:1", "body": "" }), "/body"),
        (json!({ "target": "post:1", "body": " \n\t\u{3000}" }), "/body"),
        (json!({ "target": "post:1", "body": "a\u{0}b" }), "/body"),
        (json!({ "target": "post:1", "body": 5 }), "/body"),
        (json!({ "target": "post:1", "body": null }), "/body"),
        (json!({ "target": "post:1", "body": ["a"] }), "/body"),
        (json!({ "target": "post:1" }), "/body"),
        (json!({ "body": "a" }), "/target"),
        (json!({ "target": "post", "body": "a" }), "/target"),
        (json!({ "target": "post:1\u{0}", "body": "a" }), "/target"),
        (json!({ "target": format!("post:{}", "1".repeat(201)), "body": "a" }), "/target"),
        (json!({ "target": { "type": "post" }, "body": "a" }), "/target"),
        (json!({ "target": "post:1", "body": "a", "parent": 5 }), "/parent"),
        (json!({ "target": "post:1", "body": "a", "colour": 5 }), "/colour"),
        (json!({ "target": "post:1", "body": "a", "a/b~c": 5 }), "/a~1b~0c"),
        (json!([]), ""),
        (json!("post:1"), ""),
        (json!(null), ""),
    ] {
        let answer = send(&ada, comment.clone()).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{answer}");
        assert!(answer.json()["errors"][0]["detail"].is_string());
        assert_problem(&answer, 422, "unprocessable");
    }
    assert_eq!((count(&host, "comments").await, count(&host, "threads").await), (0, 0));
}

#[tokio::test]
async fn members_that_nobody_reads_are_422_on_every_route() {
    let host = host().await;
    let examples = with_bodies(&host).await;
    let before = stored(&host, "default").await;
    for example in &examples {
        let mut body = example.body.clone().unwrap();
        body["colour"] = Value::from("red");
        let body = serde_json::to_vec(&body).unwrap();
        let answer = send_raw(&host, example, "application/json", body).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], "/colour", "{answer}");
        assert_problem(&answer, 422, "unprocessable");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn an_edit_fits_the_rules_of_a_new_comment() {
    let host = host().await;
    let examples = with_bodies(&host).await;
    let edit = examples.iter().find(|example| example.operation == "edit_comment").unwrap();
    let before = stored(&host, "default").await;
    let half = br#"{"body":"\ud800"}"#.to_vec();
    let answer = send_raw(&host, edit, "application/json", half).await;
    assert_problem(&answer, 400, "malformed-json");
    for body in [json!(""), json!("  "), json!("a\u{0}"), json!("x".repeat(10_001)), json!(null)] {
        let body = json!({ "body": body }).to_string().into_bytes();
        let answer = send_raw(&host, edit, "application/json", body).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], "/body", "{answer}");
        assert_problem(&answer, 422, "unprocessable");
    }
    assert_eq!(stored(&host, "default").await, before);
}
