//! Votes, and the order they make.

use caplet_testing::{Answer, Caller, TestHost, json};
use futures::future::join_all;
use serde_json::Value;

use crate::stage::{
    below, bodies, count, host, items, next, now, path, read, read_all, reply, write, write_many,
};

async fn vote(caller: &Caller<'_>, comment: &Value, value: i64) -> Answer {
    caller.put(&below(comment, "vote")).json(&json!({ "value": value })).send().await
}

/// Gives a comment that many votes up and down.
async fn votes(host: &TestHost, comment: &Value, n_up: usize, n_down: usize) {
    for number in 0..n_up + n_down {
        let value = if number < n_up { 1 } else { -1 };
        let voter = host.user(&format!("voter-{number}"));
        vote(&voter, comment, value).await.expect_status(200);
    }
}

#[tokio::test]
async fn each_caller_has_one_vote() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let (bob, eve) = (host.user("bob"), host.user("eve"));
    let first = vote(&bob, &comment, 1).await.expect_status(200).json();
    assert_eq!(first, json!({ "score": 1, "n_up": 1, "n_down": 0, "my_vote": 1 }));
    let again = vote(&bob, &comment, 1).await.expect_status(200).json();
    assert_eq!(again, first);
    let turned = vote(&bob, &comment, -1).await.expect_status(200).json();
    assert_eq!(turned, json!({ "score": -1, "n_up": 0, "n_down": 1, "my_vote": -1 }));
    let other = vote(&eve, &comment, -1).await.expect_status(200).json();
    assert_eq!(other, json!({ "score": -2, "n_up": 0, "n_down": 2, "my_vote": -1 }));
    assert_eq!(count(&host, "votes").await, 2);

    let mine = read(&bob, &path(&comment)).await;
    assert_eq!((&mine["score"], &mine["my_vote"]), (&json!(-2), &json!(-1)));
    assert_eq!(now(&host, &comment).await["my_vote"], 0);
}

#[tokio::test]
async fn a_vote_is_taken_back() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let bob = host.user("bob");
    vote(&bob, &comment, 1).await.expect_status(200);
    for _ in 0..2 {
        let none = bob.delete(&below(&comment, "vote")).send().await.expect_status(200).json();
        assert_eq!(none, json!({ "score": 0, "n_up": 0, "n_down": 0, "my_vote": 0 }));
    }
    assert_eq!(count(&host, "votes").await, 0);
}

#[tokio::test]
async fn nobody_votes_for_themselves() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    for value in [1, -1] {
        vote(&ada, &comment, value).await.expect_problem(403, "own-comment");
    }
    assert_eq!(count(&host, "votes").await, 0);
    assert_eq!(now(&host, &comment).await["score"], 0);
}

#[tokio::test]
async fn votes_are_up_or_down() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let bob = host.user("bob");
    let wrong = [json!(0), json!(2), json!(-2), json!(300), json!(1.5), json!("1"), json!(null)];
    for value in wrong {
        let answer =
            bob.put(&below(&comment, "vote")).json(&json!({ "value": value })).send().await;
        assert_eq!(answer.json()["errors"][0]["pointer"], "/value", "{answer}");
        answer.expect_problem(422, "unprocessable");
    }
    assert_eq!(count(&host, "votes").await, 0);
}

#[tokio::test]
async fn votes_at_once_are_all_counted() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let voters: Vec<_> = (0..30).map(|number| host.user(&format!("voter-{number}"))).collect();
    let sent = voters
        .iter()
        .enumerate()
        .map(|(number, voter)| vote(voter, &comment, if number % 3 == 0 { -1 } else { 1 }));
    for answer in join_all(sent).await {
        assert_eq!(answer.status(), 200, "{answer}");
    }
    assert_eq!(now(&host, &comment).await["score"], 10);
    assert_eq!(count(&host, "votes").await, 30);
}

#[tokio::test]
async fn the_best_come_first_and_proof_counts() {
    let host = host().await;
    let written = write_many(&host.user("ada"), 6).await;
    // Numbers are bodies: 0 without votes, 1 disliked, 2 one vote, 3 proven, 4 disputed, 5 without.
    votes(&host, &written[1], 1, 4).await;
    votes(&host, &written[2], 1, 0).await;
    votes(&host, &written[3], 9, 1).await;
    votes(&host, &written[4], 3, 3).await;
    let list = "/api/comments?target=post:1&sort=best";
    let page = read(&host.anonymous(), list).await;
    assert_eq!(bodies(items(&page)), ["3", "2", "5", "4", "0", "1"]);
    let tree = read(&host.anonymous(), &format!("{list}&view=tree")).await;
    assert_eq!(bodies(items(&tree)), ["3", "2", "5", "4", "0", "1"]);
    let paged = read_all(&host.anonymous(), &format!("{list}&limit=1"), async |_| {}).await;
    assert_eq!(bodies(&paged), ["3", "2", "5", "4", "0", "1"]);

    // The order follows the votes when they are taken back.
    for number in 0..10 {
        let voter = host.user(&format!("voter-{number}"));
        voter.delete(&below(&written[3], "vote")).send().await.expect_status(200);
    }
    let page = read(&host.anonymous(), list).await;
    assert_eq!(bodies(items(&page)), ["2", "5", "4", "3", "0", "1"]);
}

#[tokio::test]
async fn the_best_replies_come_first_when_asked_for() {
    let host = host().await;
    let ada = host.user("ada");
    let top = write(&ada, "top").await;
    let mut replies = Vec::new();
    for body in ["a", "b", "c"] {
        replies.push(reply(&ada, &top, body).await);
    }
    votes(&host, &replies[1], 2, 0).await;
    let list = below(&top, "replies?sort=best&limit=2");
    let page = read(&ada, &list).await;
    assert_eq!(bodies(items(&page)), ["b", "c"]);
    let rest = read(&ada, &next(&list, &page).unwrap()).await;
    assert_eq!(bodies(items(&rest)), ["a"]);
}
