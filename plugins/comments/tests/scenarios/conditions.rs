//! Conditional requests, as RFC 9110 (section 13) has them.

use std::time::Duration;

use caplet_testing::{Answer, Caller, json};
use serde_json::Value;

use crate::stage::{below, host, moderator, now, path, tick, write};

async fn ask(caller: &Caller<'_>, target: &str, headers: &[(&str, &str)]) -> Answer {
    let request = caller.get(target);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send().await
}

#[tokio::test]
async fn lists_of_tags_are_compared_weakly_for_reading() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let (anybody, place) = (host.anonymous(), path(&comment));
    for (headers, status) in [
        (&[("if-none-match", "\"0\", W/\"1\"")][..], 304),
        (&[("if-none-match", "\"0\""), ("if-none-match", ", \"1\"")], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"0\"")], 200),
        (&[("if-match", "\"1\"")], 200),
        (&[("if-match", "W/\"1\"")], 412),
        (&[("if-match", "\"2\""), ("if-none-match", "\"1\"")], 412),
        // A comment has no Last-Modified, so that dates say nothing about it.
        (&[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")], 200),
        (&[("if-none-match", "1")], 400),
    ] {
        let answer = ask(&anybody, &place, headers).await;
        assert_eq!(answer.status(), status, "{headers:?}: {answer}");
        if status == 304 {
            assert_eq!((answer.header("etag"), answer.body().len()), (Some("\"1\""), 0));
        }
    }
}

#[tokio::test]
async fn readers_who_see_different_bytes_have_different_tags() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let (bob, eve) = (host.user("bob"), host.user("eve"));
    bob.put(&below(&comment, "reactions/like")).send().await.expect_status(200);
    let tag_of = async |caller: &Caller<'_>| -> (String, Value) {
        let answer = ask(caller, &path(&comment), &[]).await.expect_status(200);
        (answer.header("etag").unwrap().to_owned(), answer.json())
    };
    let (of_bob, seen_by_bob) = tag_of(&bob).await;
    let (of_eve, seen_by_eve) = tag_of(&eve).await;
    assert_ne!(seen_by_bob, seen_by_eve);
    assert_ne!(of_bob, of_eve);
    let (of_anybody, seen_by_anybody) = tag_of(&host.anonymous()).await;
    assert_eq!((of_anybody, seen_by_anybody), (of_eve.clone(), seen_by_eve));
    assert_eq!(ask(&bob, &path(&comment), &[("if-none-match", &of_eve)]).await.status(), 200);
    assert_eq!(ask(&bob, &path(&comment), &[("if-none-match", &of_bob)]).await.status(), 304);

    // What is changed is the version, in whatever variant it was seen.
    let mia = moderator(&host);
    for tag in [of_bob, "\"2\"".to_owned()] {
        let edit = mia.patch(&path(&comment)).header("if-match", &tag);
        edit.json(&json!({ "body": "a" })).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn changes_are_refused_by_if_none_match_as_well() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), moderator(&host));
    let comment = write(&ada, "a").await;
    let thread = "/api/comments/threads/post:1";
    for tag in ["*", "\"1\"", "W/\"1\""] {
        let edit = ada.patch(&path(&comment)).header("if-none-match", tag);
        let edit = edit.json(&json!({ "body": "b" })).send().await;
        edit.expect_problem(412, "precondition-failed");
        let delete = ada.delete(&path(&comment)).header("if-none-match", tag).send().await;
        delete.expect_problem(412, "precondition-failed");
    }
    let create = mia.put(thread).header("if-none-match", "*").json(&json!({})).send().await;
    create.expect_problem(412, "precondition-failed");
    assert_eq!(now(&host, &comment).await["body"], "a");
    // What would fail anyway fails as it would without conditions.
    let stranger = host.user("eve").patch(&path(&comment)).header("if-match", "\"9\"");
    let refused = stranger.json(&json!({ "body": "b" })).send().await;
    refused.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_feed_has_a_date_once_its_second_is_over() {
    let host = host().await;
    write(&host.user("ada"), "a").await;
    let anybody = host.anonymous();
    let feed = "/api/comments/threads/post:1/atom";
    let fresh = ask(&anybody, feed, &[]).await.expect_status(200);
    assert_eq!(fresh.header("last-modified"), None);
    host.clock().advance(Duration::from_secs(1));
    let answer = ask(&anybody, feed, &[]).await.expect_status(200);
    let (tag, date) = (answer.header("etag").unwrap(), answer.header("last-modified").unwrap());
    assert_eq!(date, "Thu, 01 Jan 2026 00:00:00 GMT");
    for (headers, status) in [
        (&[("if-modified-since", date)][..], 304),
        (&[("if-none-match", tag)], 304),
        (&[("if-none-match", "\"x\""), ("if-modified-since", date)], 200),
        (&[("if-modified-since", "Wed, 31 Dec 2025 23:59:59 GMT")], 200),
        (&[("if-modified-since", "2026-01-01T00:00:00Z")], 200),
        (&[("if-unmodified-since", "Wed, 31 Dec 2025 23:59:59 GMT")], 412),
    ] {
        assert_eq!(ask(&anybody, feed, headers).await.status(), status, "{headers:?}");
    }
    tick(&host);
    write(&host.user("ada"), "b").await;
    assert_eq!(ask(&anybody, feed, &[("if-modified-since", date)]).await.status(), 200);
}
