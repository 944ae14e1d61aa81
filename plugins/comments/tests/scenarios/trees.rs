//! Trees: tops by page, each with its first replies in it.

use caplet_testing::json;
use serde_json::Value;

use crate::stage::{
    below, bodies, host, items, next, path, read, read_all, reply, tick, write, write_many,
};

const TREE: &str = "/api/comments?target=post:1&view=tree&sort=old";

/// The bodies of a tree, as nested lists: `["a", ["a1", []], …]`.
fn shape(comments: &[Value]) -> Value {
    let shape_of = |comment: &Value| {
        let replies = comment["replies"].as_array().expect("a comment in a tree has replies");
        json!([comment["body"], shape(replies)])
    };
    comments.iter().map(shape_of).collect()
}

/// How many comments a tree has.
fn size(comments: &[Value]) -> usize {
    comments.iter().map(|comment| 1 + size(comment["replies"].as_array().unwrap())).sum()
}

#[tokio::test]
async fn replies_stand_in_the_comments_they_answer() {
    let host = host().await;
    let ada = host.user("ada");
    let a = write(&ada, "a").await;
    let b = write(&ada, "b").await;
    let a1 = reply(&ada, &a, "a1").await;
    reply(&ada, &b, "b1").await;
    reply(&ada, &a, "a2").await;
    let a11 = reply(&ada, &a1, "a11").await;
    reply(&ada, &a11, "a111").await;
    let page = read(&ada, TREE).await;
    let expected =
        json!([["a", [["a1", [["a11", [["a111", []]]]]], ["a2", []]]], ["b", [["b1", []]]]]);
    assert_eq!(shape(items(&page)), expected);
}

#[tokio::test]
async fn a_comment_in_a_tree_is_what_it_is_alone() {
    let host = host().await;
    let (ada, bob) = (host.user("ada"), host.user("bob"));
    let top = write(&ada, "**top**").await;
    tick(&host);
    let answer = reply(&ada, &top, "*reply*").await;
    bob.put(&below(&answer, "vote")).json(&json!({ "value": 1 })).send().await.expect_status(200);
    bob.put(&below(&answer, "reactions/heart")).send().await.expect_status(200);
    let page = read(&bob, TREE).await;
    let mut in_tree = items(&page)[0]["replies"][0].clone();
    assert_eq!(in_tree.as_object_mut().unwrap().remove("replies"), Some(json!([])));
    assert_eq!(in_tree, read(&bob, &path(&answer)).await);
    assert_eq!((&in_tree["my_vote"], &in_tree["my_reactions"]), (&json!(1), &json!(["heart"])));
}

#[tokio::test]
async fn a_line_of_replies_is_shown_to_its_last_level() {
    let host = host().await;
    let ada = host.user("ada");
    let mut last = write(&ada, "1").await;
    for number in 2..=8 {
        last = reply(&ada, &last, &number.to_string()).await;
    }
    let page = read(&ada, TREE).await;
    let mut comment = &items(&page)[0];
    for level in 1..=8 {
        assert_eq!(comment["depth"], level);
        comment = &comment["replies"][0];
    }
    assert!(comment.is_null());
}

#[tokio::test]
async fn the_first_twenty_replies_are_shown_and_the_rest_can_be_read() {
    let host = host().await;
    let ada = host.user("ada");
    let top = write(&ada, "top").await;
    let first = reply(&ada, &top, "first").await;
    for number in 0..30 {
        reply(&ada, if number % 2 == 0 { &first } else { &top }, &number.to_string()).await;
    }
    write(&ada, "another").await;
    let page = read(&ada, TREE).await;
    let shown = &items(&page)[0];
    assert_eq!(size(std::slice::from_ref(shown)), 21);
    assert_eq!(shown["n_replies"], 16);
    assert_eq!(shown["replies"].as_array().unwrap().len(), 10, "less than there are");
    let rest = read_all(&ada, &below(&top, "replies?limit=7"), async |_| {}).await;
    assert_eq!(rest.len(), 16);
}

#[tokio::test]
async fn a_large_page_shows_fewer_replies_of_each() {
    let host = host().await;
    let ada = host.user("ada");
    let tops = write_many(&ada, 100).await;
    for _ in 0..12 {
        reply(&ada, &tops[0], "reply").await;
        reply(&ada, &tops[99], "reply").await;
    }
    let page = read(&ada, &format!("{TREE}&limit=100")).await;
    for place in [0, 99] {
        let shown = &items(&page)[place];
        assert_eq!(shown["replies"].as_array().unwrap().len(), 9);
        assert_eq!(shown["n_replies"], 12);
    }
}

#[tokio::test]
async fn pages_are_made_of_tops() {
    let host = host().await;
    let ada = host.user("ada");
    for number in 0..5 {
        let top = write(&ada, &number.to_string()).await;
        reply(&ada, &top, "reply").await;
    }
    let first = format!("{TREE}&limit=2");
    let page = read(&ada, &first).await;
    assert_eq!((items(&page).len(), size(items(&page))), (2, 4));
    let second = read(&ada, &next(&first, &page).unwrap()).await;
    assert_eq!(bodies(items(&second)), ["2", "3"]);
    assert_eq!(read_all(&ada, &first, async |_| {}).await.len(), 5);
}
