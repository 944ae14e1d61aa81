//! How much one caller may do in a minute.

use std::time::Duration;

use caplet_testing::json;

use crate::stage::{TARGET, below, count, host, host_with, now, send, write};

#[tokio::test]
async fn a_flood_of_reactions_is_429() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let bob = host.user("bob");
    let like = below(&comment, "reactions/like");
    for number in 0..60 {
        let request = if number % 2 == 0 { bob.put(&like) } else { bob.delete(&like) };
        request.send().await.expect_status(200);
    }
    let refused = bob.put(&like).send().await;
    assert_eq!(refused.header("retry-after"), Some("60"), "{refused}");
    refused.expect_problem(429, "too-many-requests");
    let vote = bob.put(&below(&comment, "vote")).json(&json!({ "value": 1 })).send().await;
    vote.expect_problem(429, "too-many-requests");
    assert_eq!((count(&host, "reactions").await, count(&host, "votes").await), (0, 0));
    assert_eq!(now(&host, &comment).await["reactions"], json!({}));
    // What changes nothing is no flood, others have their own minute, and this one ends.
    bob.delete(&like).send().await.expect_status(200);
    host.user("eve").put(&like).send().await.expect_status(200);
    host.clock().advance(Duration::from_millis(30_500));
    assert_eq!(bob.put(&like).send().await.header("retry-after"), Some("30"));
    host.clock().advance(Duration::from_millis(29_500));
    bob.put(&like).send().await.expect_status(200);
}

#[tokio::test]
async fn the_operator_sets_the_pace() {
    let settings = json!({ "comments_per_minute": 2, "reactions_per_minute": 0 });
    let host = host_with(settings).await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    write(&ada, "b").await;
    let third = send(&ada, json!({ "target": TARGET, "body": "c" })).await;
    third.expect_problem(429, "too-many-requests");
    assert_eq!(count(&host, "comments").await, 2);
    write(&host.user("ada").tenant("acme"), "another tenant").await;
    let like = below(&comment, "reactions/like");
    for _ in 0..50 {
        ada.put(&like).send().await.expect_status(200);
        ada.delete(&like).send().await.expect_status(200);
    }
}
