//! Bad requests: each is answered with a problem document that says what is wrong, and changes nothing.

use caplet_testing::{Answer, Method, json};
use serde_json::Value;

use crate::examples::{Example, World, examples};
use crate::stage::{TAGS, count, curator, host, item_path, send, stored};

fn with_bodies(world: &World) -> Vec<Example> {
    examples(world).into_iter().filter(|example| example.body.is_some()).collect()
}

/// The answer must be a whole problem document of that status.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let problem = answer.json();
    assert_eq!((answer.status(), &problem["code"]), (status, &json!(code)), "{answer}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{answer}");
}

#[tokio::test]
async fn what_is_no_json_is_400() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let before = stored(&host, "default").await;
    let malformed: [&[u8]; 6] =
        [b"", b"{", b"nope", b"{'name':'a'}", b"\xff\xfe", b"{\"name\":\"\xff\"}"];
    for example in with_bodies(&world) {
        for body in malformed {
            let answer = example.send_raw(&host, "application/json", body.to_vec()).await;
            assert_problem(&answer, 400, "malformed-json");
        }
        let deep = "[".repeat(50_000).into_bytes();
        let answer = example.send_raw(&host, "application/json", deep).await;
        assert_problem(&answer, 400, "malformed-json");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn what_is_not_sent_as_json_is_415_and_what_is_too_large_413() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let before = stored(&host, "default").await;
    for example in with_bodies(&world) {
        let body = serde_json::to_vec(example.body.as_ref().unwrap()).unwrap();
        let answer = example.send_raw(&host, "text/plain", body).await;
        assert_problem(&answer, 415, "unsupported-media-type");
        let large = vec![b' '; 200_000];
        let answer = example.send_raw(&host, "application/json", large).await;
        assert_problem(&answer, 413, "body-too-large");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn unknown_parameters_and_members_are_refused_on_every_route() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let before = stored(&host, "default").await;
    for example in examples(&world) {
        for more in ["colour=red", "Limit=5", "colour", "sort[]=new"] {
            let answer = example.with_query(more).send_in(&host, "default").await;
            assert_problem(&answer, 400, "unknown-parameter");
        }
        if let Some(mut body) = example.body.clone() {
            body["colour"] = Value::from("red");
            let answer = example.clone().with_body(body).send_in(&host, "default").await;
            assert_eq!(answer.json()["errors"][0]["pointer"], "/colour", "{answer}");
            assert_problem(&answer, 422, "unprocessable");
        }
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn names_that_can_be_none_are_422_and_say_where() {
    let host = host().await;
    let ada = host.user("ada");
    let (long, huge) = ("x".repeat(65), "x".repeat(20_000));
    let growing = "\u{fdfa}".repeat(4);
    for wrong in ["", " \t", "\u{200b}", "a\u{0}b", "a\u{1b}[0m", &long, &huge, &growing] {
        let answer = send(&ada, json!({ "name": wrong })).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], "/name", "{answer}");
        assert_problem(&answer, 422, "unprocessable");
        let tags = ada.put(&item_path("post/1")).json(&json!({ "tags": ["fine", wrong] }));
        let answer = tags.send().await;
        assert_eq!(answer.json()["errors"][0]["pointer"], "/tags/1", "{answer}");
        let one = ada.post(&item_path("post/1")).json(&json!({ "tag": wrong })).send().await;
        assert_eq!(one.json()["errors"][0]["pointer"], "/tag", "{one}");
    }
    assert_eq!((count(&host, "tags").await, count(&host, "items").await), (0, 0));
}

#[tokio::test]
async fn bodies_of_another_shape_are_422_and_say_where() {
    let host = host().await;
    let mia = curator(&host);
    World::populate(&host, "default").await;
    let before = stored(&host, "default").await;
    let many: Vec<String> = (0..51).map(|number| number.to_string()).collect();
    let item = item_path("post/1");
    let one = format!("{TAGS}/canary-one");
    let group = format!("{TAGS}/groups/canaries");
    for (method, path, body, pointer) in [
        (Method::PUT, &item, json!({}), ""),
        (Method::PUT, &item, json!({ "tags": ["a"], "text": "a" }), ""),
        (Method::PUT, &item, json!({ "tags": "a" }), "/tags"),
        (Method::PUT, &item, json!({ "tags": ["a", 5] }), "/tags/1"),
        (Method::PUT, &item, json!({ "tags": many }), "/tags"),
        (Method::PUT, &item, json!({ "text": many.join(" ") }), "/text"),
        (Method::PUT, &item, json!({ "text": "x".repeat(4_001) }), "/text"),
        (Method::POST, &item, json!({ "tag": null }), "/tag"),
        (Method::PATCH, &one, json!({ "name": 5 }), "/name"),
        (Method::PATCH, &one, json!({ "parent": "nothing" }), "/parent"),
        (Method::PATCH, &one, json!({ "parent": "\u{0}" }), "/parent"),
        (Method::PATCH, &one, json!({ "description": "\u{0}" }), "/description"),
        (Method::PATCH, &one, json!({ "description": "x".repeat(1_001) }), "/description"),
        (Method::PATCH, &one, json!({ "flagged": true }), "/flagged"),
        (Method::POST, &format!("{one}/merge"), json!({ "into": "nothing" }), "/into"),
        (Method::POST, &format!("{one}/merge"), json!({ "into": "canary-one" }), "/into"),
        (Method::PUT, &group, json!({}), "/title"),
        (Method::PUT, &group, json!({ "title": " " }), "/title"),
        (Method::PUT, &group, json!({ "title": "a\u{0}" }), "/title"),
        (Method::PUT, &group, json!({ "title": "a", "tags": ["nothing"] }), "/tags/0"),
        (Method::PUT, &group, json!({ "title": "a", "required_for": ["Post"] }), "/required_for/0"),
    ] {
        let answer = mia.request(method, path).json(&body).send().await;
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}: {answer}");
        assert_problem(&answer, 422, "unprocessable");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let host = host().await;
    let mia = curator(&host);
    for path in [
        "/nothing",
        "/nothing/items",
        "/nothing/synonyms",
        "/nothing'--",
        "/%F0%9F%92%A5",
        "/groups/nothing",
        "/groups/nothing/more",
        "/items/post/1/2/3",
        "?parent=nothing",
    ] {
        let answer = mia.get(&format!("{TAGS}{path}")).send().await;
        assert_eq!(answer.status(), 404, "{path}: {answer}");
        assert_problem(&answer, 404, "not-found");
    }
    let long = format!("{TAGS}/{}", "x".repeat(2_000));
    assert_problem(&mia.get(&long).send().await, 404, "not-found");
}

#[tokio::test]
async fn paths_and_queries_of_another_shape_are_400() {
    let host = host().await;
    let mia = curator(&host);
    World::populate(&host, "default").await;
    for path in ["/items/Post/1", "/items/post/a%20b", "/items/post/%C3%A9", "/groups/Colours"] {
        let answer = mia.get(&format!("{TAGS}{path}")).send().await;
        assert_problem(&answer, 400, "bad-path");
    }
    for name in ["%20", "%E2%80%8B", &"x".repeat(65)] {
        let path = format!("{TAGS}/canary-one/synonyms/{name}");
        assert_problem(&mia.put(&path).send().await, 400, "bad-path");
    }
    let eleven = ["canary-one"; 11].join(",");
    for query in [
        "?sort=worst",
        "?top=perhaps",
        "/popular?window=fortnight",
        "/suggest",
        "/suggest?q=a&limit=0",
        "/suggest?q=a&limit=51",
        &format!("/suggest?q={}", "x".repeat(65)),
        "/items",
        "/items?none=canary-one",
        "/items?all=",
        "/items?all=a,,b",
        &format!("/items?any={eleven}"),
        "/items?all=a&type=Post",
        "/items?all=a&include_children=yes",
    ] {
        let answer = host.get(&format!("{TAGS}{query}")).send().await;
        assert_eq!(answer.status(), 400, "{query}: {answer}");
        assert_problem(&answer, 400, "bad-query");
    }
}

#[tokio::test]
async fn other_methods_are_405() {
    let host = host().await;
    for (method, path) in [
        (Method::PUT, ""),
        (Method::POST, "/suggest"),
        (Method::PATCH, "/items/post/1"),
        (Method::POST, "/groups/colours"),
        (Method::GET, "/canary/merge"),
    ] {
        let answer = host.user("ada").request(method, &format!("{TAGS}{path}")).send().await;
        assert_problem(&answer, 405, "method-not-allowed");
    }
}
