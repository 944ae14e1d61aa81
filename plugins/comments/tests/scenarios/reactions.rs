//! Reactions: one of each kind and caller.

use caplet_testing::{Answer, Caller, json};
use futures::future::join_all;
use serde_json::Value;

use crate::stage::{below, count, host, host_with, now, path, read, write};

async fn react(caller: &Caller<'_>, comment: &Value, kind: &str) -> Answer {
    caller.put(&below(comment, &format!("reactions/{kind}"))).send().await
}

async fn take_back(caller: &Caller<'_>, comment: &Value, kind: &str) -> Answer {
    caller.delete(&below(comment, &format!("reactions/{kind}"))).send().await
}

#[tokio::test]
async fn a_caller_has_one_reaction_of_each_kind() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let (bob, eve) = (host.user("bob"), host.user("eve"));
    for _ in 0..2 {
        let reacted = react(&bob, &comment, "heart").await.expect_status(200).json();
        assert_eq!(reacted, json!({ "reactions": { "heart": 1 }, "my_reactions": ["heart"] }));
    }
    react(&bob, &comment, "like").await.expect_status(200);
    let other = react(&eve, &comment, "heart").await.expect_status(200).json();
    assert_eq!(other, json!({ "reactions": { "heart": 2, "like": 1 }, "my_reactions": ["heart"] }));
    assert_eq!(count(&host, "reactions").await, 3);

    let mine = read(&bob, &path(&comment)).await;
    assert_eq!(mine["my_reactions"], json!(["heart", "like"]));
    let anybodys = now(&host, &comment).await;
    assert_eq!(anybodys["reactions"], json!({ "heart": 2, "like": 1 }));
    assert_eq!(anybodys["my_reactions"], json!([]));
}

#[tokio::test]
async fn a_reaction_is_taken_back() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let (bob, eve) = (host.user("bob"), host.user("eve"));
    react(&eve, &comment, "heart").await.expect_status(200);
    react(&bob, &comment, "heart").await.expect_status(200);
    for _ in 0..2 {
        let rest = take_back(&bob, &comment, "heart").await.expect_status(200).json();
        assert_eq!(rest, json!({ "reactions": { "heart": 1 }, "my_reactions": [] }));
    }
    let none = take_back(&eve, &comment, "heart").await.expect_status(200).json();
    assert_eq!(none, json!({ "reactions": {}, "my_reactions": [] }));
    assert_eq!(count(&host, "reactions").await, 0);
}

#[tokio::test]
async fn unknown_kinds_are_refused_and_known_ones_named() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let bob = host.user("bob");
    for kind in ["zap", "LIKE", "like%20", "%F0%9F%91%8D", "a%2Fb", "%22%2C%22"] {
        let answer = react(&bob, &comment, kind).await;
        let known = json!(["like", "heart", "laugh", "hooray", "confused", "sad"]);
        assert_eq!(answer.json()["reactions"], known, "{answer}");
        answer.expect_problem(422, "unknown-reaction");
    }
    assert_eq!(count(&host, "reactions").await, 0);
    assert_eq!(now(&host, &comment).await["reactions"], json!({}));
}

#[tokio::test]
async fn the_operator_chooses_the_kinds() {
    let mut host = host_with(json!({ "reactions": ["rocket", "like"] })).await;
    let comment = write(&host.user("ada"), "a").await;
    react(&host.user("bob"), &comment, "rocket").await.expect_status(200);
    react(&host.user("bob"), &comment, "heart").await.expect_problem(422, "unknown-reaction");

    // One that is no longer offered stays where it was given, and can be taken back.
    host.change_settings("comments", json!({ "reactions": ["like"] })).await;
    assert_eq!(now(&host, &comment).await["reactions"], json!({ "rocket": 1 }));
    react(&host.user("eve"), &comment, "rocket").await.expect_problem(422, "unknown-reaction");
    let rest = take_back(&host.user("bob"), &comment, "rocket").await.expect_status(200).json();
    assert_eq!(rest, json!({ "reactions": {}, "my_reactions": [] }));
}

#[tokio::test]
async fn reactions_at_once_are_all_counted() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let people: Vec<_> = (0..25).map(|number| host.user(&format!("person-{number}"))).collect();
    let sent = people.iter().chain(&people).map(|person| react(person, &comment, "like"));
    for answer in join_all(sent).await {
        assert_eq!(answer.status(), 200, "{answer}");
    }
    assert_eq!(now(&host, &comment).await["reactions"], json!({ "like": 25 }));
    assert_eq!(count(&host, "reactions").await, 25);
}
