//! Sending again with an `Idempotency-Key`: one effect, one answer.

use caplet_testing::{Answer, Caller, json};
use futures::future::join_all;

use crate::stage::{COMMENTS, TARGET, count, host, moderator, now, path, read, stored, write};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

async fn send(caller: &Caller<'_>, key: &str, body: &str) -> Answer {
    let comment = json!({ "target": TARGET, "body": body });
    caller.post(COMMENTS).idempotency_key(key).json(&comment).send().await
}

#[tokio::test]
async fn a_comment_sent_again_is_answered_again_and_written_once() {
    let host = host().await;
    let ada = host.user("ada");
    let first = send(&ada, KEY, "once").await.expect_status(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let edit = ada.patch(&path(&first.json())).json(&json!({ "body": "changed since" }));
    edit.send().await.expect_status(200);
    let before = stored(&host, "default").await;
    for _ in 0..3 {
        let again = send(&ada, KEY, "once").await.expect_status(201);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.body(), first.body());
        for name in ["content-type", "location", "etag"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let host = host().await;
    let ada = host.user("ada");
    send(&ada, KEY, "once").await.expect_status(201);
    send(&ada, KEY, "another").await.expect_problem(422, "idempotency-key-reused");
    let elsewhere = json!({ "target": "post:2", "body": "once" });
    let elsewhere = ada.post(COMMENTS).idempotency_key(KEY).json(&elsewhere).send().await;
    elsewhere.expect_problem(422, "idempotency-key-reused");
    assert_eq!(count(&host, "comments").await, 1);
    send(&ada, "another-key", "once").await.expect_status(201);
    assert_eq!(count(&host, "comments").await, 2);
}

#[tokio::test]
async fn a_key_is_its_callers_own() {
    let host = host().await;
    let callers = [host.user("ada"), host.user("bob"), host.user("ada").tenant("acme")];
    let mut ids = Vec::new();
    for caller in &callers {
        let answer = send(caller, KEY, "the same").await.expect_status(201);
        assert_eq!(answer.header("idempotency-replayed"), None);
        ids.push(answer.json()["id"].clone());
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    assert_eq!(count(&host, "comments").await, 2);
    assert_eq!(host.count("comments", "acme", "comments").await, 1);
}

#[tokio::test]
async fn fifty_at_once_have_one_effect() {
    let host = host().await;
    let ada = host.user("ada");
    let answers = join_all((0..50).map(|_| send(&ada, KEY, "at once"))).await;
    for answer in &answers {
        assert_eq!(answer.status(), 201, "{answer}");
        assert_eq!(answer.body(), answers[0].body());
    }
    let replayed = answers.iter().filter(|it| it.header("idempotency-replayed").is_some());
    assert_eq!(replayed.count(), 49);
    assert_eq!(count(&host, "comments").await, 1);
    let counts = read(&ada, "/api/comments/counts?targets=post:1").await;
    assert_eq!(counts, json!({ "counts": { TARGET: 1 } }));
}

#[tokio::test]
async fn what_was_refused_may_be_sent_again() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), moderator(&host));
    let thread = "/api/comments/threads/post:1";
    mia.put(thread).json(&json!({ "locked": true })).send().await.expect_status(200);
    send(&ada, KEY, "a").await.expect_problem(409, "thread-locked");
    mia.put(thread).json(&json!({})).send().await.expect_status(200);
    let answer = send(&ada, KEY, "a").await.expect_status(201);
    assert_eq!(answer.header("idempotency-replayed"), None);
    assert_eq!(count(&host, "comments").await, 1);
}

#[tokio::test]
async fn an_edit_sent_again_is_made_once() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    let edit = |tag: &str| {
        let request = ada.patch(&path(&comment)).json(&json!({ "body": "b" }));
        request.header("if-match", tag).idempotency_key(KEY).send()
    };
    let first = edit("\"1\"").await.expect_status(200);
    let again = edit("\"1\"").await.expect_status(200);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body(), first.body());
    assert_eq!(count(&host, "revisions").await, 1);
    assert_eq!(now(&host, &comment).await["body"], "b");
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let host = host().await;
    let ada = host.user("ada");
    for key in ["", "a b", "k\u{f6}", &"k".repeat(256)] {
        send(&ada, key, "a").await.expect_problem(400, "idempotency-key-malformed");
    }
    assert_eq!(count(&host, "comments").await, 0);
}
