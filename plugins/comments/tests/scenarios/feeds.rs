//! Feeds: what is in them, and what is not. Whether they are valid is shown by a parser from outside.

use caplet_testing::json;

use crate::stage::{host, host_with, moderator, path, read, reply, tick, write};

const ATOM: &str = "/api/comments/threads/post:1/atom";
const RSS: &str = "/api/comments/threads/post:1/rss";

#[tokio::test]
async fn both_forms_have_the_newest_comments() {
    let host = host_with(json!({ "page_url": "https://example.org/{type}/{id}" })).await;
    let ada = host.user("ada");
    let top = write(&ada, "Hello, *world* <b>").await;
    let answer = reply(&ada, &top, "answer").await;
    for (feed, media_type) in [(ATOM, "application/atom+xml"), (RSS, "application/rss+xml")] {
        let read = host.get(feed).send().await.expect_status(200);
        assert_eq!(read.header("content-type"), Some(media_type));
        let text = read.text();
        assert!(text.contains("&lt;em&gt;world&lt;/em&gt; &amp;lt;b&amp;gt;"), "{text}");
        let places = [&answer, &top].map(|it| text.find(it["id"].as_str().unwrap()).unwrap());
        assert!(places[0] < places[1], "the newest comes first");
        assert!(text.contains("https://example.org/post/1#comment-"), "{text}");
    }
    let text = host.get(ATOM).send().await.text().to_owned();
    let answered = format!("ref=\"urn:uuid:{}\"", top["id"].as_str().unwrap());
    assert!(text.contains(&answered), "{text}");
}

#[tokio::test]
async fn what_is_hidden_or_deleted_is_in_no_feed() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), moderator(&host));
    let deleted = write(&ada, "secret-a").await;
    let hidden = write(&ada, "secret-b").await;
    reply(&ada, &hidden, "shown").await;
    ada.delete(&path(&deleted)).send().await.expect_status(204);
    let state = mia.put(&format!("{}/state", path(&hidden))).json(&json!({ "state": "spam" }));
    state.send().await.expect_status(200);
    for feed in [ATOM, RSS] {
        let text = host.get(feed).send().await.expect_status(200).text().to_owned();
        assert!(text.contains("shown") && !text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn a_feed_is_bounded_and_may_be_empty() {
    let host = host().await;
    let empty = host.get(ATOM).send().await.expect_status(200).text().to_owned();
    assert!(empty.contains("<feed") && !empty.contains("<entry"), "{empty}");
    let ada = host.user("ada");
    for number in 0..51 {
        write(&ada, &format!("number {number}.")).await;
        tick(&host);
    }
    let text = host.get(ATOM).send().await.expect_status(200).text().to_owned();
    assert_eq!(text.matches("<entry>").count(), 50);
    assert!(!text.contains("number 0."), "the oldest is left out");
    host.get("/api/comments/threads/nothing/atom").send().await.expect_problem(400, "bad-path");
    assert_eq!(read(&ada, "/api/comments/counts?targets=post:1").await["counts"]["post:1"], 51);
}

#[tokio::test]
async fn feeds_are_closed_with_reading() {
    let host = host_with(json!({ "public_read": false })).await;
    host.get(ATOM).send().await.expect_problem(401, "token-missing");
    host.user("ada").get(RSS).send().await.expect_status(200);
}
