//! Reports: one for each caller and comment, a list for moderators, and an end.

use std::time::Duration;

use caplet_testing::{Answer, Caller, json};
use serde_json::Value;

use crate::stage::{
    below, count, host, host_with, items, moderator, next, now, path, read, tick, write,
};

const REPORTS: &str = "/api/comments/reports";

async fn report(caller: &Caller<'_>, comment: &Value, reason: &str) -> Answer {
    let report = json!({ "reason": reason, "note": "look here" });
    caller.put(&below(comment, "report")).json(&report).send().await
}

#[tokio::test]
async fn each_caller_has_one_report() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let bob = host.user("bob");
    let first = report(&bob, &comment, "spam").await.expect_status(200).json();
    let expected = json!({
        "comment": comment["id"], "target": "post:1", "reporter": "bob", "reason": "spam",
        "note": "look here", "created_at": "2026-01-01T00:00:00.000Z", "state": "open",
        "resolved_at": null, "resolved_by": null,
    });
    assert_eq!(first, expected);
    host.clock().advance(Duration::from_secs(5));
    let again = report(&bob, &comment, "abuse").await.expect_status(200).json();
    assert_eq!(again, expected, "the first one stays");
    report(&host.user("eve"), &comment, "off-topic").await.expect_status(200);
    assert_eq!(count(&host, "reports").await, 2);
}

#[tokio::test]
async fn moderators_list_and_resolve() {
    let host = host().await;
    let mia = moderator(&host);
    let mut comments = Vec::new();
    for number in 0..3 {
        let comment = write(&host.user("ada"), &number.to_string()).await;
        report(&host.user("bob"), &comment, "spam").await.expect_status(200);
        tick(&host);
        comments.push(comment);
    }
    let list = format!("{REPORTS}?limit=2");
    let page = read(&mia, &list).await;
    assert_eq!(items(&page)[0]["comment"], comments[0]["id"], "the oldest comes first");
    let rest = read(&mia, &next(&list, &page).unwrap()).await;
    assert_eq!(items(&rest).len(), 1);

    let end = json!({ "outcome": "dismissed" });
    let resolve = || mia.put(&below(&comments[0], "reports/resolution")).json(&end).send();
    assert_eq!(resolve().await.expect_status(200).json(), json!({ "n_resolved": 1 }));
    assert_eq!(resolve().await.expect_status(200).json(), json!({ "n_resolved": 0 }));
    assert_eq!(items(&read(&mia, REPORTS).await).len(), 2);
    let dismissed = read(&mia, &format!("{REPORTS}?state=dismissed")).await;
    assert_eq!(items(&dismissed)[0]["resolved_by"], "mia");
    assert!(items(&read(&mia, &format!("{REPORTS}?state=upheld")).await).is_empty());
    // What a moderator has decided is not opened again by the same report.
    let again = report(&host.user("bob"), &comments[0], "spam").await.expect_status(200);
    assert_eq!(again.json()["state"], "dismissed");
}

#[tokio::test]
async fn a_report_is_taken_back_while_it_is_open() {
    let host = host().await;
    let (bob, mia) = (host.user("bob"), moderator(&host));
    let comment = write(&host.user("ada"), "a").await;
    report(&bob, &comment, "spam").await.expect_status(200);
    for _ in 0..2 {
        bob.delete(&below(&comment, "report")).send().await.expect_status(204);
    }
    assert_eq!(count(&host, "reports").await, 0);
    report(&bob, &comment, "spam").await.expect_status(200);
    let end = json!({ "outcome": "upheld" });
    let resolved = mia.put(&below(&comment, "reports/resolution")).json(&end).send().await;
    resolved.expect_status(200);
    bob.delete(&below(&comment, "report")).send().await.expect_status(204);
    assert_eq!(count(&host, "reports").await, 1, "what is resolved is kept");
    mia.delete(&path(&comment)).send().await.expect_status(204);
    report(&bob, &comment, "spam").await.expect_problem(409, "comment-deleted");
}

#[tokio::test]
async fn so_many_reports_hold_a_comment() {
    let host = host_with(json!({ "hold_after_reports": 2 })).await;
    let comment = write(&host.user("ada"), "a").await;
    let (bob, eve, mia) = (host.user("bob"), host.user("eve"), moderator(&host));
    for _ in 0..3 {
        report(&bob, &comment, "spam").await.expect_status(200);
    }
    assert_eq!(now(&host, &comment).await["state"], "approved", "one caller counts once");
    report(&eve, &comment, "spam").await.expect_status(200);
    host.get(&path(&comment)).send().await.expect_problem(404, "not-found");
    assert_eq!(items(&read(&mia, "/api/comments/moderation").await).len(), 1);
    // A reporter may withdraw what is hidden by now.
    eve.delete(&below(&comment, "report")).send().await.expect_status(204);
    assert_eq!(count(&host, "reports").await, 1);
}

#[tokio::test]
async fn a_report_has_a_known_reason_and_a_short_note() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    for (wrong, pointer) in [
        (json!({}), "/reason"),
        (json!({ "reason": "boring" }), "/reason"),
        (json!({ "reason": "spam", "note": "x".repeat(1_001) }), "/note"),
        (json!({ "reason": "spam", "note": "\u{0}" }), "/note"),
    ] {
        let answer = host.user("bob").put(&below(&comment, "report")).json(&wrong).send().await;
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{answer}");
        answer.expect_problem(422, "unprocessable");
    }
    assert_eq!(count(&host, "reports").await, 0);
}
