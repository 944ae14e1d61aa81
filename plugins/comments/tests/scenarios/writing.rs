//! Writing a comment and reading it again.

use caplet_testing::{START_MS, Value as Stored, json};
use serde_json::Value;

use crate::stage::{COMMENTS, count, host, items, path, read, send, tick, write, write_on};

#[tokio::test]
async fn a_comment_is_written_listed_and_read() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = json!({ "target": "post:1", "body": "Hello, **world**" });
    let created = send(&ada, comment).await.expect_status(201);

    let written = created.json();
    let expected = json!({
        "html": "<p>Hello, <strong>world</strong></p>\n", "deleted": false, "id": written["id"],
        "target": "post:1", "parent": null, "reply_to": null, "depth": 1, "author": "ada",
        "author_name": null, "state": "approved",
        "body": "Hello, **world**", "created_at": "2026-01-01T00:00:00.000Z", "edited_at": null,
        "n_replies": 0, "score": 0, "reactions": {}, "my_vote": 0, "my_reactions": [],
    });
    assert_eq!(written, expected);
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert_eq!(created.header("location"), Some(path(&written).as_str()));
    assert_eq!(created.header("etag"), Some("\"1\""));

    let anybody = host.anonymous();
    assert_eq!(read(&anybody, &path(&written)).await, expected);
    let page = read(&anybody, "/api/comments?target=post:1").await;
    assert_eq!(page, json!({ "items": [expected], "next_cursor": null }));
}

#[tokio::test]
async fn a_comment_is_stored_with_its_author_and_time() {
    let host = host().await;
    tick(&host);
    let written = write(&host.user("ada").tenant("acme"), "a").await;
    let statement = "SELECT id, target, author, body, created_ms, deleted, depth \
                     FROM comments WHERE tenant = $tenant";
    let rows = host.rows("comments", "acme", statement, &[]).await;
    let id = written["id"].as_str().unwrap().to_owned();
    let text = |text: &str| Stored::Text(text.to_owned());
    let created_ms = Stored::Integer(i64::try_from(START_MS).unwrap() + 1);
    let expected = [
        Stored::Text(id),
        text("post:1"),
        text("ada"),
        text("a"),
        created_ms,
        Stored::Integer(0),
        Stored::Integer(1),
    ];
    assert_eq!(rows.values, expected);
    assert_eq!(count(&host, "comments").await, 0);
}

#[tokio::test]
async fn the_path_may_end_in_a_slash() {
    let host = host().await;
    let ada = host.user("ada");
    let comment = json!({ "target": "post:1", "body": "a" });
    ada.post("/api/comments/").json(&comment).send().await.expect_status(201);
    let page = read(&ada, "/api/comments/?target=post:1").await;
    assert_eq!(items(&page).len(), 1);
}

#[tokio::test]
async fn head_answers_like_get_without_the_comment() {
    let host = host().await;
    let written = write(&host.user("ada"), "a").await;
    let head = host.anonymous().request(caplet_testing::Method::HEAD, &path(&written));
    let head = head.send().await.expect_status(200);
    assert_eq!((head.header("etag"), head.body().len()), (Some("\"1\""), 0));
}

#[tokio::test]
async fn targets_do_not_meet() {
    let host = host().await;
    let ada = host.user("ada");
    for target in ["post:1", "post:10", "page:1", "post:1/a:b@c+d=~"] {
        write_on(&ada, target, target).await;
    }
    for target in ["post:1", "post:10", "page:1", "post:1%2Fa:b@c%2Bd=~"] {
        let page = read(&ada, &format!("{COMMENTS}?target={target}")).await;
        let found: Vec<&Value> = items(&page).iter().map(|comment| &comment["target"]).collect();
        let wanted = target.replace("%2F", "/").replace("%2B", "+");
        assert_eq!(found, [&json!(wanted)]);
    }
    let nothing = read(&ada, "/api/comments?target=post:2").await;
    assert_eq!(nothing, json!({ "items": [], "next_cursor": null }));
}

#[tokio::test]
async fn any_text_comes_back_as_it_was_written() {
    let host = host().await;
    let ada = host.user("ada");
    for body in [
        "'; DROP TABLE comments; --",
        "\" \\ / \u{1}\u{7f}\u{2028} \u{202e}",
        "\u{feff}👩‍👩‍👧 e\u{301} ﷽",
        "$1 $tenant ? :x %s {}",
        "line\r\nbreak\ttab",
        " leading and trailing ",
    ] {
        let written = write(&ada, body).await;
        assert_eq!(written["body"], body);
        assert_eq!(read(&ada, &path(&written)).await["body"], body);
    }
    assert_eq!(count(&host, "comments").await, 6);
}

#[tokio::test]
async fn ten_thousand_characters_fit_however_they_are_encoded() {
    let host = host().await;
    let ada = host.user("ada");
    let largest = "💥".repeat(10_000);
    let escaped = r"\ud83d\udca5".repeat(10_000);
    let body = format!(r#"{{"target":"post:1","body":"{escaped}"}}"#);
    let request = ada.post(COMMENTS).header("content-type", "application/json").body(body);
    let written = request.send().await.expect_status(201).json();
    assert_eq!(written["body"], largest);
    assert_eq!(read(&ada, &path(&written)).await["body"], largest);
}
