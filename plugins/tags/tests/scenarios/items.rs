//! The tags of an item: setting, adding, taking, and what is answered.

use caplet_testing::json;

use crate::stage::{
    TAGS, assert_counts_are_exact, count, host, host_with, item_path, put, read, set, slugs,
    stored, tag,
};

#[tokio::test]
async fn an_item_exists_without_being_created() {
    let host = host().await;
    let item = read(&host.anonymous(), &item_path("post/1")).await;
    assert_eq!(item, json!({ "target": "post:1", "tags": [] }));
    assert_eq!(count(&host, "items").await, 0, "reading stores nothing");
}

#[tokio::test]
async fn an_item_has_the_tags_that_were_set_and_no_others() {
    let host = host().await;
    let ada = host.user("ada");
    let item = set(&ada, "post/1", &["Rust", "Web Assembly", "rust"]).await;
    let expected = json!({ "target": "post:1", "tags": [
        { "slug": "rust", "name": "Rust", "tagged_at": "2026-01-01T00:00:00.000Z" },
        { "slug": "web-assembly", "name": "Web Assembly", "tagged_at": "2026-01-01T00:00:00.000Z" },
    ]});
    assert_eq!(item, expected);
    set(&ada, "post/1", &["RUST", "new"]).await;
    assert_eq!(slugs(&host, "post/1").await, ["new", "rust"]);
    assert_eq!(tag(&host, "rust").await["name"], "Rust", "the first to use a name says how");
    assert_eq!(tag(&host, "web-assembly").await["n_items"], 0);
    set(&ada, "post/1", &[]).await;
    assert_eq!(slugs(&host, "post/1").await, Vec::<String>::new());
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn a_tag_that_stays_is_as_old_as_it_was() {
    let host = host().await;
    let ada = host.user("ada");
    let before = set(&ada, "post/1", &["a"]).await;
    host.clock().advance(std::time::Duration::from_secs(60));
    let after = set(&host.user("bob"), "post/1", &["a", "b"]).await;
    assert_eq!(after["tags"][0], before["tags"][0]);
    assert_ne!(after["tags"][1]["tagged_at"], before["tags"][0]["tagged_at"]);
}

#[tokio::test]
async fn tags_are_set_by_one_text_too() {
    let host = host().await;
    let ada = host.user("ada");
    let text = json!({ "text": r#"rust, "red, green" web assembly"# });
    ada.put(&item_path("post/1")).json(&text).send().await.expect_status(200);
    assert_eq!(slugs(&host, "post/1").await, ["red-green", "rust", "web-assembly"]);
    let text = json!({ "text": "rust web" });
    ada.put(&item_path("post/1")).json(&text).send().await.expect_status(200);
    assert_eq!(slugs(&host, "post/1").await, ["rust", "web"]);
}

#[tokio::test]
async fn one_tag_is_added_and_taken_and_twice_is_once() {
    let host = host().await;
    let ada = host.user("ada");
    let item = item_path("post/1");
    for _ in 0..2 {
        let add = ada.post(&item).json(&json!({ "tag": "a" })).send().await;
        assert_eq!(add.expect_status(200).json()["tags"][0]["slug"], "a");
    }
    ada.post(&item).json(&json!({ "tag": "b" })).send().await.expect_status(200);
    assert_eq!(slugs(&host, "post/1").await, ["a", "b"]);
    for _ in 0..2 {
        let left = ada.delete(&format!("{item}/a")).send().await.expect_status(200).json();
        assert_eq!(left["tags"].as_array().unwrap().len(), 1);
    }
    ada.delete(&format!("{item}/nothing")).send().await.expect_problem(404, "not-found");
    ada.delete(&format!("{TAGS}/items/post/9/a")).send().await.expect_status(200);
    assert_eq!(
        (tag(&host, "a").await["n_items"].as_i64(), count(&host, "items").await),
        (Some(0), 1)
    );
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn an_item_has_50_tags_at_most() {
    let host = host().await;
    let ada = host.user("ada");
    let names: Vec<String> = (0..50).map(|number| format!("name {number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    set(&ada, "post/1", &names).await;
    assert_eq!(count(&host, "tags").await, 50);
    let before = stored(&host, "default").await;
    let more = ada.post(&item_path("post/1")).json(&json!({ "tag": "name 50" })).send().await;
    more.expect_problem(409, "too-many-tags");
    assert_eq!(stored(&host, "default").await, before, "the new tag is not made either");
    let again = ada.post(&item_path("post/1")).json(&json!({ "tag": "NAME 7" })).send().await;
    again.expect_status(200);
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn the_operator_may_allow_fewer_tags() {
    let host = host_with(json!({ "tags_per_item_max": 2 })).await;
    let ada = host.user("ada");
    put(&ada, "post/1", &["a", "b", "c"]).await.expect_problem(422, "too-many-tags");
    put(&ada, "post/1", &["a", "b"]).await.expect_status(200);
}

#[tokio::test]
async fn another_version_of_an_item_is_not_changed() {
    let host = host().await;
    let ada = host.user("ada");
    let item = item_path("post/1");
    let first = ada.get(&item).send().await.expect_status(200);
    let tag_of_none = first.header("etag").unwrap().to_owned();
    let body = json!({ "tags": ["a"] });
    let set = ada.put(&item).json(&body).header("if-match", &tag_of_none).send().await;
    let current = set.expect_status(200).header("etag").unwrap().to_owned();
    assert_ne!(current, tag_of_none);
    let known = host.get(&item).header("if-none-match", &current).send().await;
    assert_eq!((known.status(), known.body().len()), (304, 0));
    let before = stored(&host, "default").await;
    for request in [
        ada.put(&item).json(&json!({ "tags": ["b"] })),
        ada.post(&item).json(&json!({ "tag": "b" })),
        ada.delete(&format!("{item}/a")),
    ] {
        let late = request.header("if-match", &tag_of_none).send().await;
        late.expect_problem(412, "precondition-failed");
    }
    assert_eq!(stored(&host, "default").await, before);
    let mia = host.user("mia").permission("tags.curate");
    mia.patch(&format!("{TAGS}/a")).json(&json!({ "name": "A!" })).send().await.expect_status(200);
    let changed = host.get(&item).header("if-none-match", &current).send().await;
    assert_eq!(changed.status(), 200, "an item changes when a tag of it is renamed");
}

#[tokio::test]
async fn targets_have_any_id_that_fits_into_a_path() {
    let host = host().await;
    let ada = host.user("ada");
    let written = set(&ada, "blog.post/a%2Fb:c@d", &["a"]).await;
    assert_eq!(written["target"], "blog.post:a/b:c@d");
    assert_eq!(slugs(&host, "blog.post/a%2Fb:c@d").await, ["a"]);
}
