//! Merging and deleting tags, and synonyms: names that lead elsewhere.

use caplet_testing::json;

use crate::stage::{
    TAGS, assert_counts_are_exact, count, curator, each, edit, entries, host, make, make_below,
    merge, put, read, set, slugs, stored, tag,
};

#[tokio::test]
async fn a_merged_tag_lives_on_as_another_name() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    set(&ada, "post/1", &["js", "web"]).await;
    set(&ada, "post/2", &["js", "javascript"]).await;
    set(&ada, "post/3", &["javascript"]).await;
    let merged = merge(&mia, "js", "javascript").await.expect_status(200).json();
    assert_eq!((&merged["slug"], &merged["n_items"]), (&json!("javascript"), &json!(3)));
    assert_eq!(slugs(&host, "post/1").await, ["javascript", "web"]);
    assert_eq!(slugs(&host, "post/2").await, ["javascript"]);
    let moved = host.get(&format!("{TAGS}/js")).send().await.expect_status(301);
    assert_eq!(moved.header("location"), Some("/api/tags/javascript"));
    let synonyms = read(&ada, &format!("{TAGS}/javascript/synonyms")).await;
    assert_eq!(each(entries(&synonyms), "name"), ["js"]);
    set(&ada, "post/4", &["JS"]).await;
    assert_eq!(slugs(&host, "post/4").await, ["javascript"]);
    assert_eq!(count(&host, "tags").await, 2);
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn merging_moves_children_names_and_groups_along() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "old").await;
    make_below(&ada, "old", "child").await;
    make(&ada, "oldest").await;
    make(&ada, "top").await;
    make_below(&ada, "top", "new").await;
    let group = json!({ "title": "Ages", "tags": ["old"] });
    let group = mia.put(&format!("{TAGS}/groups/ages")).json(&group);
    group.send().await.expect_status(200);
    merge(&mia, "oldest", "old").await.expect_status(200);
    merge(&mia, "old", "new").await.expect_status(200);
    let child = tag(&host, "child").await;
    assert_eq!((&child["parent"], &child["depth"]), (&json!("new"), &json!(3)));
    let group = read(&ada, &format!("{TAGS}/groups/ages")).await;
    assert_eq!(group["tags"], json!(["new"]));
    let synonyms = read(&ada, &format!("{TAGS}/new/synonyms")).await;
    assert_eq!(each(entries(&synonyms), "name"), ["old", "oldest"]);
    for slug in ["old", "oldest"] {
        let moved = host.get(&format!("{TAGS}/{slug}")).send().await.expect_status(301);
        assert_eq!(moved.header("location"), Some("/api/tags/new"));
    }
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn what_cannot_be_merged_is_left_as_it_is() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "a").await;
    make_below(&ada, "a", "b").await;
    let before = stored(&host, "default").await;
    merge(&mia, "a", "b").await.expect_problem(409, "tag-cycle");
    merge(&mia, "a", "a").await.expect_problem(422, "unprocessable");
    merge(&mia, "nothing", "a").await.expect_problem(404, "not-found");
    assert_eq!(stored(&host, "default").await, before);
    merge(&mia, "b", "a").await.expect_status(200);
    merge(&mia, "b", "a").await.expect_problem(409, "tag-moved");
}

#[tokio::test]
async fn a_synonym_tags_with_its_tag() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "javascript").await;
    let path = format!("{TAGS}/javascript/synonyms");
    for _ in 0..2 {
        mia.put(&format!("{path}/ECMA%20Script")).send().await.expect_status(204);
    }
    put(&ada, "post/1", &["ecma script"]).await.expect_status(200);
    assert_eq!(slugs(&host, "post/1").await, ["javascript"]);
    host.get(&format!("{TAGS}/ecma-script")).send().await.expect_status(301);
    make(&ada, "taken").await;
    mia.put(&format!("{path}/Taken")).send().await.expect_problem(409, "name-taken");
    mia.delete(&format!("{path}/javascript")).send().await.expect_problem(409, "own-name");
    for _ in 0..2 {
        mia.delete(&format!("{path}/ecma%20script")).send().await.expect_status(204);
    }
    assert!(entries(&read(&ada, &path).await).is_empty());
    make(&ada, "Ecma Script").await;
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn a_synonym_may_become_the_name() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "javascript").await;
    mia.put(&format!("{TAGS}/javascript/synonyms/js")).send().await.expect_status(204);
    let renamed = edit(&mia, "javascript", json!({ "name": "JS" })).await.expect_status(200).json();
    assert_eq!((&renamed["name"], &renamed["slug"]), (&json!("JS"), &json!("js")));
    assert!(entries(&read(&ada, &format!("{TAGS}/js/synonyms")).await).is_empty());
    assert_eq!(count(&host, "names").await, 1);
}

#[tokio::test]
async fn a_deleted_tag_leaves_nothing_behind() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    set(&ada, "post/1", &["gone", "kept"]).await;
    set(&ada, "post/2", &["gone"]).await;
    mia.put(&format!("{TAGS}/gone/synonyms/bygone")).send().await.expect_status(204);
    mia.delete(&format!("{TAGS}/gone")).send().await.expect_status(204);
    mia.delete(&format!("{TAGS}/gone")).send().await.expect_problem(404, "not-found");
    host.get(&format!("{TAGS}/bygone")).send().await.expect_problem(404, "not-found");
    assert_eq!(slugs(&host, "post/1").await, ["kept"]);
    assert_eq!(slugs(&host, "post/2").await, Vec::<String>::new());
    for table in ["tags", "names", "slugs", "taggings", "days"] {
        assert_eq!(count(&host, table).await, 1, "{table}");
    }
    assert_counts_are_exact(&host, "default").await;
    assert_eq!(make(&ada, "gone").await["slug"], "gone", "name and slug are free");
}
