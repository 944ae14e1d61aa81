//! What is held, refused and spam: who sees it, what it counts, and how it comes back.

use caplet_testing::{Answer, Caller, TestHost, json};
use serde_json::Value;

use crate::stage::{
    COMMENTS, TARGET, below, bodies, count, host, host_with, items, moderator, next, now, path,
    read, reply, send, write,
};

const LIST: &str = "/api/comments?target=post:1";

async fn decide(caller: &Caller<'_>, comment: &Value, state: &str) -> Answer {
    caller.put(&below(comment, "state")).json(&json!({ "state": state })).send().await
}

async fn set_state(host: &TestHost, comment: &Value, state: &str) {
    decide(&moderator(host), comment, state).await.expect_status(200);
}

async fn n_counted(host: &TestHost) -> Value {
    let counts = read(&host.anonymous(), "/api/comments/counts?targets=post:1").await;
    counts["counts"][TARGET].clone()
}

async fn listed(host: &TestHost, list: &str) -> Vec<String> {
    let page = read(&host.anonymous(), list).await;
    bodies(items(&page)).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_held_is_seen_by_its_author_and_moderators_only() {
    let host = host_with(json!({ "hold": "everybody" })).await;
    let (ada, mia) = (host.user("ada"), moderator(&host));
    let held = write(&ada, "a").await;
    assert_eq!((&held["state"], &held["body"]), (&json!("held"), &json!("a")));
    for reader in [&ada, &mia] {
        assert_eq!(read(reader, &path(&held)).await["body"], "a");
    }
    for reader in [&host.user("bob"), &host.anonymous()] {
        reader.get(&path(&held)).send().await.expect_problem(404, "not-found");
    }
    for list in
        [LIST, "/api/comments?target=post:1&view=tree", "/api/comments?target=post:1&sort=best"]
    {
        assert_eq!(listed(&host, list).await, Vec::<String>::new());
    }
    assert_eq!(n_counted(&host).await, 0);
    let queue = read(&mia, "/api/comments/moderation").await;
    assert_eq!(items(&queue), std::slice::from_ref(&held));

    let approved = decide(&mia, &held, "approved").await.expect_status(200);
    assert_eq!(approved.header("etag"), Some("\"2\""));
    assert_eq!(
        (listed(&host, LIST).await, n_counted(&host).await),
        (vec!["a".to_owned()], 1.into())
    );
    assert!(items(&read(&mia, "/api/comments/moderation").await).is_empty());
}

#[tokio::test]
async fn what_moderators_write_is_not_held() {
    let settings = json!({
        "hold": "everybody", "banned_words": ["casino"], "banned_words_action": "refuse",
        "links_max": 1,
    });
    let host = host_with(settings).await;
    let comment = write(&moderator(&host), "casino <https://a.example> <https://b.example>").await;
    assert_eq!(comment["state"], "approved");
}

#[tokio::test]
async fn newcomers_are_held_until_one_of_theirs_is_approved() {
    let host = host_with(json!({ "hold": "newcomers", "newcomer_comments": 2 })).await;
    let ada = host.user("ada");
    for expected in ["held", "held"] {
        let comment = write(&ada, "first").await;
        assert_eq!(comment["state"], expected);
        set_state(&host, &comment, "approved").await;
    }
    assert_eq!(write(&ada, "known by now").await["state"], "approved");
    assert_eq!(write(&host.user("bob"), "new").await["state"], "held");
    // One that was spam does not make its author known.
    let spam = write(&host.user("eve"), "spam").await;
    set_state(&host, &spam, "spam").await;
    assert_eq!(write(&host.user("eve"), "again").await["state"], "held");
}

#[tokio::test]
async fn banned_words_are_held_refused_or_spam() {
    for (action, state) in [("hold", "held"), ("spam", "spam")] {
        let settings = json!({ "banned_words": ["casino*"], "banned_words_action": action });
        let host = host_with(settings).await;
        assert_eq!(write(&host.user("ada"), "CASINOS!").await["state"], state);
        assert_eq!(write(&host.user("ada"), "A case.").await["state"], "approved");
    }
    let settings = json!({ "banned_words": ["free money"], "banned_words_action": "refuse" });
    let host = host_with(settings).await;
    let ada = host.user("ada");
    let refused = send(&ada, json!({ "target": TARGET, "body": "Free *money*" })).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/body", "{refused}");
    refused.expect_problem(422, "unprocessable");
    assert_eq!(count(&host, "comments").await, 0);
    let comment = write(&ada, "a").await;
    let edit = ada.patch(&path(&comment)).json(&json!({ "body": "free money" })).send().await;
    edit.expect_problem(422, "unprocessable");
    assert_eq!(now(&host, &comment).await["body"], "a");
}

#[tokio::test]
async fn an_edit_is_judged_like_a_new_comment() {
    let host = host_with(json!({ "banned_words": ["casino"] })).await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    let edit = ada.patch(&path(&comment)).json(&json!({ "body": "casino" })).send().await;
    assert_eq!(edit.expect_status(200).json()["state"], "held");
    assert_eq!((listed(&host, LIST).await.len(), n_counted(&host).await), (0, 0.into()));
    // Taking the word out again does not bring it back: that is for a moderator.
    let edit = ada.patch(&path(&comment)).json(&json!({ "body": "a" })).send().await;
    assert_eq!(edit.expect_status(200).json()["state"], "held");
}

#[tokio::test]
async fn many_links_are_held() {
    let host = host_with(json!({ "links_max": 1 })).await;
    let ada = host.user("ada");
    assert_eq!(write(&ada, "<https://a.example>").await["state"], "approved");
    assert_eq!(write(&ada, "<https://a.example> <https://b.example>").await["state"], "held");
}

#[tokio::test]
async fn what_is_hidden_after_it_was_answered_keeps_its_place() {
    let host = host().await;
    let ada = host.user("ada");
    let top = write(&ada, "top").await;
    let answer = reply(&host.user("bob"), &top, "answer").await;
    set_state(&host, &top, "spam").await;

    let shown = now(&host, &top).await;
    assert_eq!(shown["state"], "spam");
    for member in ["author", "author_name", "body", "html"] {
        assert_eq!(shown[member], Value::Null, "{member}");
    }
    assert_eq!(read(&ada, &path(&top)).await["body"], "top");
    assert_eq!(listed(&host, LIST).await, ["answer", "-"]);
    let tree = read(&host.anonymous(), "/api/comments?target=post:1&view=tree").await;
    assert_eq!(items(&tree)[0]["replies"][0]["id"], answer["id"]);
    assert_eq!(n_counted(&host).await, 1);

    // When its last reply goes, so does its place; and it comes back with the reply.
    set_state(&host, &answer, "spam").await;
    assert_eq!(listed(&host, LIST).await, Vec::<String>::new());
    set_state(&host, &answer, "approved").await;
    assert_eq!(listed(&host, LIST).await, ["answer", "-"]);
    set_state(&host, &top, "approved").await;
    assert_eq!(listed(&host, LIST).await, ["answer", "top"]);
    assert_eq!(now(&host, &top).await["n_replies"], 1);
    assert_eq!(n_counted(&host).await, 2);
}

#[tokio::test]
async fn a_held_reply_counts_once_it_is_approved() {
    let host = host_with(json!({ "banned_words": ["casino"] })).await;
    let ada = host.user("ada");
    let top = write(&ada, "top").await;
    let held = reply(&ada, &top, "casino").await;
    crate::stage::tick(&host);
    let other = reply(&ada, &top, "other").await;
    assert_eq!(now(&host, &top).await["n_replies"], 1);
    set_state(&host, &held, "approved").await;
    assert_eq!(now(&host, &top).await["n_replies"], 2);
    let replies = read(&ada, &below(&top, "replies")).await;
    assert_eq!(bodies(items(&replies)), ["casino", "other"]);
    let tree = read(&ada, "/api/comments?target=post:1&view=tree").await;
    let in_tree = items(&tree)[0]["replies"].as_array().unwrap();
    assert_eq!(in_tree.len(), 2);
    assert_eq!(in_tree[0]["id"], other["id"], "in a tree they stand in the order of approval");
}

#[tokio::test]
async fn nothing_is_added_to_what_is_hidden() {
    let host = host().await;
    let (ada, bob) = (host.user("ada"), host.user("bob"));
    let comment = write(&ada, "a").await;
    set_state(&host, &comment, "held").await;
    let answer = json!({ "target": TARGET, "body": "b", "parent": comment["id"] });
    let (vote, report) = (json!({ "value": 1 }), json!({ "reason": "spam" }));
    for (caller, status, code) in [(&bob, 404, "not-found"), (&ada, 409, "comment-hidden")] {
        let react = caller.put(&below(&comment, "reactions/like")).send().await;
        react.expect_problem(status, code);
        let report = caller.put(&below(&comment, "report")).json(&report).send().await;
        report.expect_problem(status, code);
    }
    bob.put(&below(&comment, "vote")).json(&vote).send().await.expect_problem(404, "not-found");
    send(&bob, answer.clone()).await.expect_problem(422, "unprocessable");
    send(&ada, answer).await.expect_problem(409, "comment-hidden");
    let pinned = json!({ "pinned": comment["id"] });
    let thread = format!("{COMMENTS}/threads/{TARGET}");
    let pin = moderator(&host).put(&thread).json(&pinned).send().await;
    pin.expect_problem(422, "unprocessable");
    assert_eq!(count(&host, "comments").await, 1);
    // Its author may still take it back.
    ada.delete(&path(&comment)).send().await.expect_status(204);
}

#[tokio::test]
async fn a_decision_is_made_once_and_by_those_who_know_the_version() {
    let host = host().await;
    let mia = moderator(&host);
    let comment = write(&host.user("ada"), "a").await;
    let ask = |tag: &str| {
        let request = mia.put(&below(&comment, "state")).header("if-match", tag);
        request.json(&json!({ "state": "spam" })).send()
    };
    ask("\"9\"").await.expect_problem(412, "precondition-failed");
    ask("\"1\"").await.expect_status(200);
    let again = decide(&mia, &comment, "spam").await.expect_status(200).json();
    assert_eq!((again["state"].as_str(), n_counted(&host).await), (Some("spam"), 0.into()));
    let deleted = write(&host.user("ada"), "b").await;
    mia.delete(&path(&deleted)).send().await.expect_status(204);
    decide(&mia, &deleted, "held").await.expect_problem(409, "comment-deleted");
    decide(&mia, &comment, "gone").await.expect_problem(422, "unprocessable");
}

#[tokio::test]
async fn the_queue_is_paged_from_the_oldest() {
    let host = host_with(json!({ "hold": "everybody" })).await;
    let ada = host.user("ada");
    for number in 0..5 {
        write(&ada, &number.to_string()).await;
        crate::stage::tick(&host);
    }
    let list = "/api/comments/moderation?state=held&limit=2";
    let mia = moderator(&host);
    let first = read(&mia, list).await;
    assert_eq!(bodies(items(&first)), ["0", "1"]);
    let second = read(&mia, &next(list, &first).unwrap()).await;
    assert_eq!(bodies(items(&second)), ["2", "3"]);
    let spam = read(&mia, "/api/comments/moderation?state=spam").await;
    assert!(items(&spam).is_empty());
}
