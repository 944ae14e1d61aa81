//! Deleting: the text goes, the place in the tree stays.

use caplet_testing::{Value as Stored, json};
use serde_json::Value;

use crate::stage::{
    COMMENTS, below, count, host, host_with, items, moderator, now, path, read, reply, stored,
    write,
};

const SECRET: &str = "what nobody shall read again";

#[tokio::test]
async fn a_deleted_comment_keeps_its_place() {
    let host = host().await;
    let (ada, bob) = (host.user("ada"), host.user("bob"));
    let top = write(&ada, SECRET).await;
    let answer = reply(&bob, &top, "reply").await;
    let below_answer = reply(&ada, &answer, "below").await;
    let deleted = bob.delete(&path(&answer)).send().await.expect_status(204);
    assert!(deleted.body().is_empty());

    let mut expected = answer.clone();
    for gone in ["author", "body", "html"] {
        expected[gone] = Value::Null;
    }
    expected["deleted"] = json!(true);
    expected["n_replies"] = json!(1);
    assert_eq!(now(&host, &answer).await, expected);
    let tree = read(&ada, "/api/comments?target=post:1&view=tree").await;
    let shown = &items(&tree)[0]["replies"][0];
    assert_eq!((&shown["id"], &shown["deleted"]), (&answer["id"], &json!(true)));
    assert_eq!(shown["replies"][0]["id"], below_answer["id"]);
    assert_eq!(now(&host, &top).await["n_replies"], 1, "deleted replies are counted");
}

#[tokio::test]
async fn nothing_of_a_deleted_comment_is_kept() {
    // How much a caller did in this minute is not of the comment.
    let host = host_with(json!({ "reactions_per_minute": 0 })).await;
    let (ada, bob) = (host.user("the-author"), host.user("bob"));
    let comment = write(&ada, SECRET).await;
    let edit = json!({ "body": format!("{SECRET}, edited") });
    ada.patch(&path(&comment)).json(&edit).send().await.expect_status(200);
    let vote = bob.put(&below(&comment, "vote")).json(&json!({ "value": 1 }));
    vote.send().await.expect_status(200);
    bob.put(&below(&comment, "reactions/like")).send().await.expect_status(200);
    let report = bob.put(&below(&comment, "report")).json(&json!({ "reason": "other" }));
    report.send().await.expect_status(200);
    ada.delete(&path(&comment)).send().await.expect_status(204);

    for table in ["revisions", "votes", "reactions", "reports"] {
        assert_eq!(count(&host, table).await, 0, "{table}");
    }
    let left = format!("{:?}", stored(&host, "default").await);
    for gone in [SECRET, "the-author", "bob"] {
        assert!(!left.contains(gone), "{gone} is left: {left}");
    }
    let now = now(&host, &comment).await;
    assert_eq!((&now["score"], &now["reactions"]), (&json!(0), &json!({})));
    assert_eq!(now["edited_at"], Value::Null);
}

#[tokio::test]
async fn deleting_again_does_nothing() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    write(&ada, "b").await;
    ada.delete(&path(&comment)).send().await.expect_status(204);
    let before = stored(&host, "default").await;
    for caller in [&ada, &moderator(&host), &host.user("bob")] {
        caller.delete(&path(&comment)).send().await.expect_status(204);
    }
    assert_eq!(stored(&host, "default").await, before);
    let counts = read(&ada, "/api/comments/counts?targets=post:1").await;
    assert_eq!(counts, json!({ "counts": { "post:1": 1 } }));
}

#[tokio::test]
async fn a_deleted_comment_cannot_be_changed() {
    let host = host().await;
    let (ada, bob) = (host.user("ada"), host.user("bob"));
    let comment = write(&ada, "a").await;
    ada.delete(&path(&comment)).send().await.expect_status(204);
    let before = stored(&host, "default").await;
    for change in [
        ada.patch(&path(&comment)).json(&json!({ "body": "back" })),
        moderator(&host).patch(&path(&comment)).json(&json!({ "body": "back" })),
        bob.put(&below(&comment, "vote")).json(&json!({ "value": 1 })),
        bob.delete(&below(&comment, "vote")),
        bob.put(&below(&comment, "reactions/like")),
        bob.delete(&below(&comment, "reactions/like")),
    ] {
        change.send().await.expect_problem(409, "comment-deleted");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn others_may_not_delete_and_moderators_may() {
    let host = host().await;
    let comment = write(&host.user("ada"), "a").await;
    let bob = host.user("bob");
    bob.delete(&path(&comment)).send().await.expect_problem(403, "forbidden");
    assert_eq!(now(&host, &comment).await, comment);
    moderator(&host).delete(&path(&comment)).send().await.expect_status(204);
    assert_eq!(now(&host, &comment).await["deleted"], true);
    bob.delete(&format!("{COMMENTS}/nothing")).send().await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn another_version_is_not_deleted() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    let ask = |tag: &str| ada.delete(&path(&comment)).header("if-match", tag);
    ask("\"2\"").send().await.expect_problem(412, "precondition-failed");
    assert_eq!(now(&host, &comment).await, comment);
    ask("\"1\"").send().await.expect_status(204);
}

#[tokio::test]
async fn a_deleted_comment_is_no_longer_pinned() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = write(&ada, "a").await;
    let thread = "/api/comments/threads/post:1";
    let pin = json!({ "pinned": comment["id"] });
    moderator(&host).put(thread).json(&pin).send().await.expect_status(200);
    ada.delete(&path(&comment)).send().await.expect_status(204);
    let after = ada.get(thread).send().await.expect_status(200);
    assert_eq!((after.header("etag"), &after.json()["pinned"]), (Some("\"2\""), &Value::Null));
    let rows = host.rows(
        "comments",
        "default",
        "SELECT n_comments FROM threads WHERE tenant = $tenant",
        &[],
    );
    assert_eq!(rows.await.values, [Stored::Integer(0)]);
}
