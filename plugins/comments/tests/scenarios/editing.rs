//! Edits: who, how long, what is kept of the text before, and conditions on versions.

use std::time::Duration;

use caplet_testing::{Answer, Caller, json};
use futures::future::join_all;
use serde_json::Value;

use crate::stage::{
    COMMENTS, below, bodies, count, host, host_with, items, moderator, now, path, read, reply,
    write,
};

const UNKNOWN: &str = "018bcfe5-6800-7000-8000-000000000000";

async fn edit(caller: &Caller<'_>, comment: &Value, body: &str) -> Answer {
    caller.patch(&path(comment)).json(&json!({ "body": body })).send().await
}

async fn edit_if(caller: &Caller<'_>, comment: &Value, if_match: &str) -> Answer {
    let request = caller.patch(&path(comment)).json(&json!({ "body": "changed" }));
    request.header("if-match", if_match).send().await
}

#[tokio::test]
async fn an_edit_changes_text_html_and_version() {
    let host = host().await;
    let ada = host.user("ada");
    let before = write(&ada, "before").await;
    host.clock().advance(Duration::from_secs(61));
    let edited = edit(&ada, &before, "*after*").await.expect_status(200);
    assert_eq!(edited.header("etag"), Some("\"2\""));
    let mut expected = before.clone();
    expected["body"] = json!("*after*");
    expected["html"] = json!("<p><em>after</em></p>\n");
    expected["edited_at"] = json!("2026-01-01T00:01:01.000Z");
    assert_eq!(edited.json(), expected);
    assert_eq!(now(&host, &before).await, expected);
}

#[tokio::test]
async fn the_history_has_the_texts_before_newest_first() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "one").await;
    host.clock().advance(Duration::from_secs(1));
    edit(&ada, &comment, "two").await.expect_status(200);
    host.clock().advance(Duration::from_secs(1));
    edit(&moderator(&host), &comment, "three").await.expect_status(200);
    edit(&moderator(&host), &comment, "four").await.expect_status(200);
    let expected = json!([
        { "number": 3, "body": "three", "writer": "mia", "written_at": "2026-01-01T00:00:02.000Z" },
        { "number": 2, "body": "two", "writer": "ada", "written_at": "2026-01-01T00:00:01.000Z" },
        { "number": 1, "body": "one", "writer": "ada", "written_at": "2026-01-01T00:00:00.000Z" },
    ]);
    for reader in [ada, moderator(&host)] {
        let history = read(&reader, &below(&comment, "history")).await;
        assert_eq!(history, json!({ "items": expected, "next_cursor": null }));
    }
    assert_eq!(now(&host, &comment).await["author"], "ada", "an edit does not change the author");
}

#[tokio::test]
async fn an_edit_that_changes_nothing_leaves_no_trace() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "same").await;
    host.clock().advance(Duration::from_secs(1));
    let answer = edit(&ada, &comment, "same").await.expect_status(200);
    assert_eq!((answer.header("etag"), answer.json()), (Some("\"1\""), comment));
    assert_eq!(count(&host, "revisions").await, 0);
}

#[tokio::test]
async fn an_author_may_edit_for_fifteen_minutes() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    host.clock().advance(Duration::from_millis(899_999));
    edit(&ada, &comment, "in time").await.expect_status(200);
    // An edit does not begin the time again.
    host.clock().advance(Duration::from_millis(1));
    edit(&ada, &comment, "late").await.expect_problem(409, "edit-window-over");
    assert_eq!(now(&host, &comment).await["body"], "in time");
    assert_eq!(count(&host, "revisions").await, 1);
    edit(&moderator(&host), &comment, "moderated").await.expect_status(200);
}

#[tokio::test]
async fn the_operator_chooses_how_long() {
    let mut host = host_with(json!({ "edit_window_s": 0 })).await;
    let comment = write(&host.user("ada"), "a").await;
    edit(&host.user("ada"), &comment, "b").await.expect_problem(409, "edit-window-over");
    host.change_settings("comments", json!({ "edit_window_s": 60 })).await;
    edit(&host.user("ada"), &comment, "b").await.expect_status(200);
}

#[tokio::test]
async fn nobody_edits_what_others_wrote() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let bob = host.user("bob");
    edit(&bob, &comment, "bob was here").await.expect_problem(403, "forbidden");
    bob.get(&below(&comment, "history")).send().await.expect_problem(403, "forbidden");
    assert_eq!(now(&host, &comment).await, comment);
    assert_eq!(count(&host, "revisions").await, 0);
}

#[tokio::test]
async fn what_is_not_there_is_not_edited() {
    let host = host().await;
    for id in [UNKNOWN, "nothing", "%00", "..%2Fthreads"] {
        let request = host.user("ada").patch(&format!("{COMMENTS}/{id}"));
        let answer = request.json(&json!({ "body": "b" })).send().await;
        assert!(matches!(answer.status(), 400 | 404), "{id}: {answer}");
    }
    assert_eq!(count(&host, "comments").await, 0);
}

#[tokio::test]
async fn an_edit_of_another_version_is_412() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    reply(&host.user("bob"), &comment, "the reply makes another version").await;
    for stale in ["\"1\"", "\"0\"", "W/\"2\"", "\"1\", \"3\"", "\"\""] {
        edit_if(&ada, &comment, stale).await.expect_problem(412, "precondition-failed");
    }
    for malformed in ["2", "\"2", "\"2\" \"3\""] {
        assert_eq!(edit_if(&ada, &comment, malformed).await.status(), 400, "{malformed}");
    }
    assert_eq!(now(&host, &comment).await["body"], "a");
    assert_eq!(count(&host, "revisions").await, 0);
    let changed = edit_if(&ada, &comment, "\"1\", \"2\"").await.expect_status(200);
    assert_eq!(changed.header("etag"), Some("\"3\""));
    edit_if(&ada, &comment, "*").await.expect_status(200);
}

#[tokio::test]
async fn of_two_edits_of_one_version_one_is_made() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    let answers = join_all((0..10).map(|_| edit_if(&ada, &comment, "\"1\""))).await;
    let mut statuses: Vec<u16> = answers.iter().map(Answer::status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(count(&host, "revisions").await, 1);
}

#[tokio::test]
async fn who_has_the_current_version_is_told_so() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    let ask = async |tag: &str| {
        host.anonymous().get(&path(&comment)).header("if-none-match", tag).send().await
    };
    for tag in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let answer = ask(tag).await.expect_status(304);
        assert_eq!((answer.header("etag"), answer.body().len()), (Some("\"1\""), 0));
    }
    edit(&ada, &comment, "b").await.expect_status(200);
    let answer = ask("\"1\"").await.expect_status(200);
    assert_eq!(answer.header("etag"), Some("\"2\""));
}

#[tokio::test]
async fn whatever_callers_see_change_changes_the_version() {
    let host = host().await;
    let (ada, bob) = (host.user("ada"), host.user("bob"));
    let comment = write(&ada, "a").await;
    let up = json!({ "value": 1 });
    let changes = [
        bob.put(&below(&comment, "vote")).json(&up),
        bob.delete(&below(&comment, "vote")),
        bob.put(&below(&comment, "reactions/like")),
        bob.delete(&below(&comment, "reactions/like")),
        ada.patch(&path(&comment)).json(&json!({ "body": "b" })),
        ada.delete(&path(&comment)),
    ];
    for (version, change) in (2..).zip(changes) {
        let answer = change.send().await;
        assert!(answer.status() < 300, "{answer}");
        let current = ada.get(&path(&comment)).send().await.expect_status(200);
        assert_eq!(current.header("etag"), Some(format!("\"{version}\"").as_str()));
    }
    let history = read(&moderator(&host), &below(&comment, "history")).await;
    assert!(bodies(items(&history)).is_empty(), "what is deleted has no history");
}
