//! Threads: locking, pinning, who may post, and how many comments there are.

use caplet_testing::{Answer, Caller, TestHost, json};
use futures::future::join_all;
use serde_json::Value;

use crate::stage::{
    TARGET, below, count, host, moderator, path, read, reply, send, stored, write, write_on,
};

const THREAD: &str = "/api/comments/threads/post:1";

async fn set(caller: &Caller<'_>, thread: Value) -> Answer {
    caller.put(THREAD).json(&thread).send().await
}

async fn post(caller: &Caller<'_>) -> Answer {
    send(caller, json!({ "target": TARGET, "body": "a" })).await
}

async fn counts(host: &TestHost, targets: &str) -> Value {
    read(&host.anonymous(), &format!("/api/comments/counts?targets={targets}")).await["counts"]
        .take()
}

#[tokio::test]
async fn a_thread_exists_without_being_created() {
    let host = host().await;
    let expected = json!({
        "target": "post:1", "locked": false, "posting": "everyone", "pinned": null,
        "updated_at": null,
    });
    let answer = host.get(THREAD).send().await.expect_status(200);
    assert_eq!((answer.header("etag"), answer.json()), (Some("\"0\""), expected.clone()));
    assert_eq!(count(&host, "threads").await, 0, "reading stores nothing");
    write(&host.user("ada"), "a").await;
    let answer = host.get(THREAD).send().await.expect_status(200);
    assert_eq!((answer.header("etag"), answer.json()), (Some("\"0\""), expected));
}

#[tokio::test]
async fn a_locked_thread_takes_comments_from_nobody() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), moderator(&host));
    let comment = write(&ada, "a").await;
    let locked = set(&mia, json!({ "locked": true })).await.expect_status(200).json();
    assert_eq!((&locked["locked"], &locked["posting"]), (&json!(true), &json!("everyone")));
    let before = stored(&host, "default").await;
    for caller in [&ada, &mia] {
        post(caller).await.expect_problem(409, "thread-locked");
        let answer = json!({ "target": TARGET, "body": "a", "parent": comment["id"] });
        send(caller, answer).await.expect_problem(409, "thread-locked");
    }
    assert_eq!(stored(&host, "default").await, before, "what was counted is rolled back");
    write_on(&ada, "post:2", "other threads are open").await;

    // What is there can still be changed.
    let edit = ada.patch(&path(&comment)).json(&json!({ "body": "b" }));
    edit.send().await.expect_status(200);
    mia.put(&below(&comment, "reactions/like")).send().await.expect_status(200);
    ada.delete(&path(&comment)).send().await.expect_status(204);

    set(&mia, json!({ "locked": false })).await.expect_status(200);
    post(&ada).await.expect_status(201);
}

#[tokio::test]
async fn moderators_choose_who_may_post() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), moderator(&host));
    set(&mia, json!({ "posting": "moderators" })).await.expect_status(200);
    post(&ada).await.expect_problem(403, "permission-missing");
    post(&mia).await.expect_status(201);
    set(&mia, json!({ "posting": "nobody" })).await.expect_status(200);
    for caller in [&ada, &mia] {
        post(caller).await.expect_problem(403, "forbidden");
    }
    set(&mia, json!({ "posting": "everyone" })).await.expect_status(200);
    post(&ada).await.expect_status(201);
    assert_eq!(count(&host, "comments").await, 2);
    assert_eq!(counts(&host, TARGET).await, json!({ TARGET: 2 }));
}

#[tokio::test]
async fn a_comment_of_the_thread_is_pinned() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), moderator(&host));
    let top = write(&ada, "a").await;
    let answer = reply(&ada, &top, "a reply can be pinned, too").await;
    for comment in [&top, &answer] {
        let thread = set(&mia, json!({ "pinned": comment["id"] })).await.expect_status(200);
        assert_eq!(thread.json()["pinned"], comment["id"]);
    }
    let elsewhere = write_on(&ada, "post:2", "elsewhere").await;
    let deleted = write(&ada, "deleted").await;
    ada.delete(&path(&deleted)).send().await.expect_status(204);
    for wrong in [&elsewhere["id"], &deleted["id"], &json!("nothing"), &json!(""), &json!("\u{0}")]
    {
        let refused = set(&mia, json!({ "pinned": wrong })).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], "/pinned", "{refused}");
        refused.expect_problem(422, "unprocessable");
    }
    assert_eq!(read(&ada, THREAD).await["pinned"], answer["id"]);
}

#[tokio::test]
async fn what_is_left_out_gets_its_default() {
    let host = host().await;
    let mia = moderator(&host);
    let comment = write(&mia, "a").await;
    let all = json!({ "locked": true, "posting": "nobody", "pinned": comment["id"] });
    set(&mia, all).await.expect_status(200);
    let reset = set(&mia, json!({})).await.expect_status(200);
    let expected = json!({
        "target": "post:1", "locked": false, "posting": "everyone", "pinned": null,
        "updated_at": "2026-01-01T00:00:00.000Z",
    });
    assert_eq!((reset.header("etag"), reset.json()), (Some("\"2\""), expected));
}

#[tokio::test]
async fn another_version_of_a_thread_is_not_replaced() {
    let host = host().await;
    let mia = moderator(&host);
    let ask = |tag: &str, locked: bool| {
        mia.put(THREAD).json(&json!({ "locked": locked })).header("if-match", tag).send()
    };
    ask("\"1\"", true).await.expect_problem(412, "precondition-failed");
    assert_eq!(count(&host, "threads").await, 0);
    let first = ask("\"0\"", true).await.expect_status(200);
    assert_eq!(first.header("etag"), Some("\"1\""));
    ask("\"0\"", false).await.expect_problem(412, "precondition-failed");
    assert_eq!(read(&mia, THREAD).await["locked"], true);
    let known = host.get(THREAD).header("if-none-match", "\"1\"").send().await;
    assert_eq!((known.status(), known.body().len()), (304, 0));
}

#[tokio::test]
async fn settings_of_another_shape_are_refused() {
    let host = host().await;
    let mia = moderator(&host);
    for (thread, pointer) in [
        (json!({ "posting": "friends" }), "/posting"),
        (json!({ "locked": "yes" }), "/locked"),
        (json!({ "locked": null }), "/locked"),
        (json!({ "pinned": 5 }), "/pinned"),
        (json!({ "lock": true }), "/lock"),
        (json!({ "target": "post:2" }), "/target"),
        (json!([]), ""),
    ] {
        let answer = set(&mia, thread).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{answer}");
        answer.expect_problem(422, "unprocessable");
    }
    for target in ["post", "post:%20", "Post:1", ":1", "post:%C3%A9"] {
        let path = format!("/api/comments/threads/{target}");
        mia.get(&path).send().await.expect_problem(400, "bad-path");
        mia.put(&path).json(&json!({})).send().await.expect_problem(400, "bad-path");
    }
    assert_eq!(count(&host, "threads").await, 0);
}

#[tokio::test]
async fn comments_are_counted_for_many_targets() {
    let host = host().await;
    let ada = host.user("ada");
    let top = write_on(&ada, "post:1", "a").await;
    let answer = reply(&ada, &top, "b").await;
    write_on(&ada, "post:2", "c").await;
    ada.delete(&path(&answer)).send().await.expect_status(204);
    let asked = "post:1,post:2,post:3,post:1";
    let expected = json!({ "post:1": 1, "post:2": 1, "post:3": 0 });
    assert_eq!(counts(&host, asked).await, expected);

    let targets = |n_targets: usize| {
        (0..n_targets).map(|number| format!("post:{number}")).collect::<Vec<_>>().join(",")
    };
    assert_eq!(counts(&host, &targets(100)).await.as_object().unwrap().len(), 100);
    let refused = [targets(101), String::new(), "post:1,".to_owned(), "post".to_owned()];
    for targets in refused {
        let answer = host.get(&format!("/api/comments/counts?targets={targets}")).send().await;
        answer.expect_problem(400, "bad-query");
    }
    host.get("/api/comments/counts").send().await.expect_problem(400, "bad-query");
}

#[tokio::test]
async fn comments_at_once_are_all_counted() {
    let host = host().await;
    let ada = host.user("ada");
    join_all((0..50).map(|_| write(&ada, "at once"))).await;
    assert_eq!(counts(&host, TARGET).await, json!({ TARGET: 50 }));
    assert_eq!(count(&host, "comments").await, 50);
}
