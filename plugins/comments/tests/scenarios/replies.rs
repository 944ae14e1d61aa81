//! Replies: where they stand, how deep, and what may be answered.

use caplet_testing::{Value as Stored, json};
use futures::future::join_all;
use serde_json::Value;

use crate::stage::{
    below, bodies, count, host, host_with, items, now, read, reply, send, write, write_on,
};

#[tokio::test]
async fn a_reply_stands_below_what_it_answers() {
    let host = host().await;
    let (ada, bob) = (host.user("ada"), host.user("bob"));
    let top = write(&ada, "question").await;
    let answer = reply(&bob, &top, "answer").await;
    assert_eq!(answer["parent"], top["id"]);
    assert_eq!(answer["reply_to"], top["id"]);
    assert_eq!((&answer["depth"], &answer["author"]), (&json!(2), &json!("bob")));

    // The answered comment shows it, and is another version of itself.
    let now = ada.get(&crate::stage::path(&top)).send().await;
    assert_eq!(now.header("etag"), Some("\"2\""));
    assert_eq!(now.json()["n_replies"], 1);
    let page = read(&ada, &below(&top, "replies")).await;
    assert_eq!(items(&page), [answer]);
}

#[tokio::test]
async fn only_direct_replies_are_listed_below_a_comment() {
    let host = host().await;
    let ada = host.user("ada");
    let top = write(&ada, "top").await;
    let first = reply(&ada, &top, "first").await;
    reply(&ada, &first, "first's").await;
    reply(&ada, &top, "second").await;
    write(&ada, "another top").await;
    let replies = below(&top, "replies");
    assert_eq!(bodies(items(&read(&ada, &replies).await)), ["first", "second"]);
    let newest = read(&ada, &format!("{replies}?sort=new")).await;
    assert_eq!(bodies(items(&newest)), ["second", "first"]);
    assert_eq!(now(&host, &top).await["n_replies"], 2);
}

/// Answers each comment with the next one.
async fn line_of_replies(caller: &caplet_testing::Caller<'_>, n_comments: usize) -> Vec<Value> {
    let mut line = vec![write(caller, "1").await];
    while line.len() < n_comments {
        let body = (line.len() + 1).to_string();
        let next = reply(caller, line.last().unwrap(), &body).await;
        line.push(next);
    }
    line
}

#[tokio::test]
async fn replies_below_the_eighth_level_join_it() {
    let host = host().await;
    let line = line_of_replies(&host.user("ada"), 11).await;
    let depths: Vec<u64> = line.iter().map(|comment| comment["depth"].as_u64().unwrap()).collect();
    assert_eq!(depths, [1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8]);
    for place in 8..11 {
        assert_eq!(line[place]["parent"], line[6]["id"], "all of the last level have one parent");
        assert_eq!(line[place]["reply_to"], line[place - 1]["id"], "and say whom they answer");
    }
    assert_eq!(now(&host, &line[6]).await["n_replies"], 4);
    assert_eq!(now(&host, &line[7]).await["n_replies"], 0);
}

#[tokio::test]
async fn the_operator_may_allow_fewer_levels() {
    let mut host = host_with(json!({ "depth_max": 3 })).await;
    let line = line_of_replies(&host.user("ada"), 5).await;
    let depths: Vec<u64> = line.iter().map(|comment| comment["depth"].as_u64().unwrap()).collect();
    assert_eq!(depths, [1, 2, 3, 3, 3]);

    // Then none at all: what is there stays where it is, what comes stands at the top.
    host.change_settings("comments", json!({ "depth_max": 1 })).await;
    let late = reply(&host.user("ada"), &line[2], "late").await;
    assert_eq!((&late["depth"], &late["parent"]), (&json!(1), &Value::Null));
    assert_eq!(late["reply_to"], line[2]["id"]);
    assert_eq!(now(&host, &line[2]).await["depth"], 3);
}

#[tokio::test]
async fn a_reply_must_answer_a_comment_of_its_target() {
    let host = host().await;
    let ada = host.user("ada");
    let elsewhere = write_on(&ada, "post:2", "elsewhere").await;
    for parent in [
        elsewhere["id"].clone(),
        json!("018bcfe5-6800-7000-8000-000000000000"),
        json!("nothing"),
        json!(""),
        json!("\u{0}"),
        json!("x".repeat(5_000)),
    ] {
        let comment = json!({ "target": "post:1", "body": "a", "parent": parent });
        let answer = send(&ada, comment).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], "/parent", "{answer}");
        answer.expect_problem(422, "unprocessable");
    }
    // Neither the reply, nor the thread it would have begun, nor a count at the other one.
    assert_eq!((count(&host, "comments").await, count(&host, "threads").await), (1, 1));
    assert_eq!(now(&host, &elsewhere).await["n_replies"], 0);
}

#[tokio::test]
async fn a_deleted_comment_cannot_be_answered() {
    let host = host().await;
    let ada = host.user("ada");
    let top = write(&ada, "top").await;
    ada.delete(&crate::stage::path(&top)).send().await.expect_status(204);
    let comment = json!({ "target": "post:1", "body": "a", "parent": top["id"] });
    send(&ada, comment).await.expect_problem(409, "comment-deleted");
    assert_eq!(now(&host, &top).await["n_replies"], 0);
    assert_eq!(count(&host, "comments").await, 1);
}

#[tokio::test]
async fn replies_at_once_are_all_counted_and_each_has_its_place() {
    let host = host().await;
    let ada = host.user("ada");
    let top = write(&ada, "top").await;
    let child = reply(&ada, &top, "child").await;
    join_all((0..20).map(|_| reply(&ada, &child, "at once"))).await;
    assert_eq!(now(&host, &child).await["n_replies"], 20);
    let statement = "SELECT count(DISTINCT ordinal), min(ordinal), max(ordinal), \
                     max(n_descendants) FROM comments WHERE tenant = $tenant";
    let rows = host.rows("comments", "default", statement, &[]).await;
    assert_eq!(rows.values, [22, 0, 21, 21].map(Stored::Integer));
}
