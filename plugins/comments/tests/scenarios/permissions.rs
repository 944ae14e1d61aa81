//! Who may do what: every route, by everybody there is.

use std::collections::BTreeMap;

use caplet_testing::{Caller, Person, TestHost, json};

use crate::examples::{World, examples, operations};
use crate::stage::{COMMENTS, MODERATE, host_with, path, stored, write};

/// A column for each of [`people`]: the statuses that the routes' examples are answered with.
const STATUSES: [(&str, [u16; 6]); 28] = [
    ("list_comments", [200, 200, 200, 200, 200, 200]),
    ("read_comment", [200, 200, 200, 200, 200, 200]),
    ("list_replies", [200, 200, 200, 200, 200, 200]),
    ("count_comments", [200, 200, 200, 200, 200, 200]),
    ("read_thread", [200, 200, 200, 200, 200, 200]),
    ("list_revisions", [401, 403, 200, 403, 200, 200]),
    ("add_reaction", [401, 200, 200, 200, 200, 200]),
    ("remove_reaction", [401, 200, 200, 200, 200, 200]),
    ("cast_vote", [401, 200, 403, 200, 200, 200]),
    ("withdraw_vote", [401, 200, 200, 200, 200, 200]),
    ("create_comment", [401, 201, 201, 201, 201, 201]),
    ("edit_comment", [401, 403, 200, 403, 200, 200]),
    ("write_thread", [401, 403, 403, 403, 200, 200]),
    ("delete_comment", [401, 403, 403, 403, 204, 204]),
    ("report_comment", [401, 200, 200, 200, 200, 200]),
    ("withdraw_report", [401, 204, 204, 204, 204, 204]),
    ("list_reports", [401, 403, 403, 403, 200, 200]),
    ("resolve_reports", [401, 403, 403, 403, 200, 200]),
    ("list_hidden", [401, 403, 403, 403, 200, 200]),
    ("decide_state", [401, 403, 403, 403, 200, 200]),
    // Only `bob`, who is none of them, is subscribed.
    ("read_subscription", [401, 404, 404, 404, 404, 404]),
    ("list_subscriptions", [401, 200, 200, 200, 200, 200]),
    ("subscribe", [401, 200, 200, 200, 200, 200]),
    ("unsubscribe", [401, 204, 204, 204, 204, 204]),
    ("read_atom", [200, 200, 200, 200, 200, 200]),
    ("read_rss", [200, 200, 200, 200, 200, 200]),
    ("export_comments", [401, 403, 403, 403, 403, 200]),
    ("import_comments", [401, 403, 403, 403, 403, 200]),
];

/// Nobody; a stranger; the author of the comment that most examples are about; somebody with rights
/// that are not these; a moderator by the token's scope; one by a role.
fn people(host: &TestHost) -> [Caller<'_>; 6] {
    let almost = host.user("eve").permission("comments").permission("tags.moderate");
    [
        host.anonymous(),
        host.user("eve"),
        host.user("ada"),
        almost.permission("comments.moderate.all").role(MODERATE).role("reader").team("staff"),
        host.service("cleaner").permission(MODERATE),
        host.user("max").role("staff"),
    ]
}

async fn staffed_host() -> TestHost {
    let roles = TestHost::builder().plugin("comments").role("staff", &["comments.*"]);
    roles.role("reader", &["comments.read", "tags.*"]).start().await
}

#[tokio::test]
async fn every_route_is_for_those_who_may() {
    let expected = BTreeMap::from(STATUSES);
    for place in 0..6 {
        // Each has a world of their own: what one has deleted cannot be deleted by the next.
        let host = staffed_host().await;
        let names: Vec<String> = expected.keys().map(ToString::to_string).collect();
        assert_eq!(operations(&host), names, "each route has its row");
        let world = World::populate(&host, "default").await;
        let caller = &people(&host)[place];
        for example in examples(&world) {
            let before = stored(&host, "default").await;
            let answer = example.send(caller).await;
            let status = expected[example.operation][place];
            assert_eq!(
                answer.status(),
                status,
                "{} by person {place}: {answer}",
                example.operation
            );
            if status >= 400 {
                assert_eq!(stored(&host, "default").await, before, "{}", example.operation);
            }
        }
    }
}

#[tokio::test]
async fn refusals_say_what_is_missing() {
    let host = staffed_host().await;
    let comment = write(&host.user("ada"), "a").await;
    let thread = format!("{COMMENTS}/threads/post:1");
    let missing = host.anonymous().put(&thread).json(&json!({})).send().await;
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    missing.expect_problem(401, "token-missing");
    let refused = host.user("ada").put(&thread).json(&json!({})).send().await;
    assert!(refused.text().contains(MODERATE), "{refused}");
    refused.expect_problem(403, "permission-missing");
    let refused = host.user("bob").delete(&path(&comment)).send().await;
    refused.expect_problem(403, "forbidden");
    let forged = host.anonymous().get(&path(&comment)).header("authorization", "Bearer a.b.c");
    forged.send().await.expect_problem(401, "token-invalid");
}

#[tokio::test]
async fn the_operator_may_close_reading_to_those_without_a_token() {
    let host = host_with(json!({ "public_read": false })).await;
    let world = World::populate(&host, "default").await;
    for example in examples(&world) {
        let answer = example.send(&host.anonymous()).await;
        assert_eq!(answer.status(), 401, "{}: {answer}", example.operation);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        answer.expect_problem(401, "token-missing");
    }
    for example in examples(&world) {
        let answer = example.send(&example.who.caller(&host, "default")).await;
        assert!(answer.status() < 300, "{}: {answer}", example.operation);
    }
}
