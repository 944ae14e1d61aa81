//! The tree of tags: placing, moving, its bounds, and the items of a tag with those below it.

use caplet_testing::json;

use crate::stage::{
    TAGS, assert_counts_are_exact, curator, each, edit, entries, host, make, make_below, read,
    send, set, stored, tag, targets,
};

#[tokio::test]
async fn tags_stand_below_others() {
    let host = host().await;
    let ada = host.user("ada");
    make(&ada, "animals").await;
    let dogs = make_below(&ada, "animals", "dogs").await;
    assert_eq!((&dogs["parent"], &dogs["depth"]), (&json!("animals"), &json!(2)));
    make_below(&ada, "animals", "cats").await;
    make(&ada, "plants").await;
    let below = read(&ada, &format!("{TAGS}?parent=animals")).await;
    assert_eq!(each(entries(&below), "slug"), ["cats", "dogs"]);
    let top = read(&ada, &format!("{TAGS}?top=true")).await;
    assert_eq!(each(entries(&top), "slug"), ["animals", "plants"]);
    let nowhere = send(&ada, json!({ "name": "a", "parent": "nothing" })).await;
    assert_eq!(nowhere.json()["errors"][0]["pointer"], "/parent");
}

#[tokio::test]
async fn moving_a_tag_takes_along_what_is_below_and_keeps_all_items() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    for (parent, name) in [("a", "b"), ("b", "c"), ("c", "d")] {
        if parent == "a" {
            make(&ada, "a").await;
        }
        make_below(&ada, parent, name).await;
    }
    make(&ada, "other").await;
    set(&ada, "post/1", &["d"]).await;
    set(&ada, "post/2", &["b"]).await;
    let moved = edit(&mia, "b", json!({ "parent": "other" })).await.expect_status(200).json();
    assert_eq!((&moved["parent"], &moved["depth"]), (&json!("other"), &json!(2)));
    assert_eq!(tag(&host, "d").await["depth"], 4);
    let of = |slug: &str| format!("/{slug}/items?include_children=true");
    assert_eq!(targets(&host, &of("other")).await, ["post:2", "post:1"]);
    assert_eq!(targets(&host, &of("a")).await, Vec::<String>::new());
    assert_eq!(targets(&host, "/other/items").await, Vec::<String>::new());
    let top = edit(&mia, "c", json!({ "parent": null })).await.expect_status(200).json();
    assert_eq!((&top["parent"], &top["depth"]), (&json!(null), &json!(1)));
    assert_eq!(tag(&host, "d").await["depth"], 2);
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn no_tag_is_below_itself() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "a").await;
    make_below(&ada, "a", "b").await;
    make_below(&ada, "b", "c").await;
    let before = stored(&host, "default").await;
    for parent in ["a", "b", "c"] {
        let refused = edit(&mia, "a", json!({ "parent": parent })).await;
        refused.expect_problem(409, "tag-cycle");
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn there_are_eight_levels() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "1").await;
    for level in 2..=8 {
        let made = make_below(&ada, &(level - 1).to_string(), &level.to_string()).await;
        assert_eq!(made["depth"], level);
    }
    let ninth = send(&ada, json!({ "name": "9", "parent": "8" })).await;
    ninth.expect_problem(409, "too-deep");
    make(&ada, "top").await;
    make_below(&ada, "top", "below").await;
    edit(&mia, "top", json!({ "parent": "7" })).await.expect_problem(409, "too-deep");
    edit(&mia, "below", json!({ "parent": "7" })).await.expect_status(200);
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn what_is_below_a_deleted_tag_moves_up() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "a").await;
    make_below(&ada, "a", "b").await;
    make_below(&ada, "b", "c").await;
    make_below(&ada, "c", "d").await;
    set(&ada, "post/1", &["b", "c"]).await;
    mia.delete(&format!("{TAGS}/b")).send().await.expect_status(204);
    assert_eq!(tag(&host, "c").await["parent"], "a");
    assert_eq!(tag(&host, "d").await["depth"], 3);
    mia.delete(&format!("{TAGS}/a")).send().await.expect_status(204);
    assert_eq!(tag(&host, "c").await["parent"], json!(null));
    assert_counts_are_exact(&host, "default").await;
}
