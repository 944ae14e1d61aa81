//! Subscriptions: watching threads and muting them.

use caplet_testing::json;

use crate::stage::{count, host, items, next, read};

const PLACE: &str = "/api/comments/threads/post:1/subscription";

#[tokio::test]
async fn a_thread_is_watched_muted_and_let_go() {
    let host = host().await;
    let ada = host.user("ada");
    ada.get(PLACE).send().await.expect_problem(404, "not-found");
    for level in ["watching", "muted", "muted"] {
        let answer = ada.put(PLACE).json(&json!({ "level": level })).send().await;
        let expected =
            json!({ "target": "post:1", "level": level, "since": "2026-01-01T00:00:00.000Z" });
        assert_eq!(answer.expect_status(200).json(), expected);
        assert_eq!(read(&ada, PLACE).await, expected);
    }
    assert_eq!(count(&host, "subscriptions").await, 1);
    host.user("bob").get(PLACE).send().await.expect_problem(404, "not-found");
    for _ in 0..2 {
        ada.delete(PLACE).send().await.expect_status(204);
    }
    assert_eq!(count(&host, "subscriptions").await, 0);
    let wrong = ada.put(PLACE).json(&json!({ "level": "loud" })).send().await;
    wrong.expect_problem(422, "unprocessable");
}

#[tokio::test]
async fn a_caller_lists_their_own() {
    let host = host().await;
    let (ada, bob) = (host.user("ada"), host.user("bob"));
    for (target, level) in [("post:1", "watching"), ("post:2", "muted"), ("post:3", "watching")] {
        let place = format!("/api/comments/threads/{target}/subscription");
        ada.put(&place).json(&json!({ "level": level })).send().await.expect_status(200);
    }
    let list = "/api/comments/subscriptions?level=watching&limit=1";
    let page = read(&ada, list).await;
    assert_eq!(items(&page)[0]["target"], "post:1");
    let rest = read(&ada, &next(list, &page).unwrap()).await;
    assert_eq!((items(&rest)[0]["target"].as_str(), next(list, &rest)), (Some("post:3"), None));
    assert_eq!(items(&read(&ada, "/api/comments/subscriptions").await).len(), 3);
    assert!(items(&read(&bob, "/api/comments/subscriptions").await).is_empty());
}
