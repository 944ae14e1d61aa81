//! Groups of tags: one of them at most, one of them at least.

use caplet_testing::{Answer, Caller, json};
use serde_json::Value;

use crate::stage::{
    TAGS, curator, each, entries, host, item_path, make, put, read, set, slugs, stored,
};

async fn group(caller: &Caller<'_>, id: &str, content: Value) -> Answer {
    caller.put(&format!("{TAGS}/groups/{id}")).json(&content).send().await
}

#[tokio::test]
async fn a_group_is_made_replaced_and_deleted() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "red").await;
    make(&ada, "blue").await;
    let content = json!({
        "title": "Colours", "exclusive": true, "required_for": ["shirt", "car", "car"],
        "tags": ["red", "blue", "red"],
    });
    let made = group(&mia, "colours", content).await.expect_status(200);
    let expected = json!({
        "id": "colours", "title": "Colours", "exclusive": true, "required_for": ["car", "shirt"],
        "tags": ["blue", "red"], "updated_at": "2026-01-01T00:00:00.000Z",
    });
    assert_eq!(made.json(), expected);
    let path = format!("{TAGS}/groups/colours");
    let known = host.get(&path).header("if-none-match", made.header("etag").unwrap()).send().await;
    assert_eq!(known.status(), 304);
    let late = mia.put(&path).json(&json!({ "title": "a" })).header("if-match", "\"1\"");
    late.send().await.expect_problem(412, "precondition-failed");
    let replaced = group(&mia, "colours", json!({ "title": "Colors" })).await.expect_status(200);
    assert_eq!(
        (&replaced.json()["exclusive"], &replaced.json()["tags"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(each(entries(&read(&ada, &format!("{TAGS}/groups")).await), "id"), ["colours"]);
    mia.delete(&path).send().await.expect_status(204);
    mia.delete(&path).send().await.expect_problem(404, "not-found");
    read(&ada, &format!("{TAGS}/red")).await;
}

#[tokio::test]
async fn an_item_has_one_tag_of_an_exclusive_group() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    for name in ["red", "blue", "large"] {
        make(&ada, name).await;
    }
    let content = json!({ "title": "Colours", "exclusive": true, "tags": ["red", "blue"] });
    group(&mia, "colours", content).await.expect_status(200);
    let before = stored(&host, "default").await;
    let refused = put(&ada, "car/1", &["red", "blue"]).await;
    assert_eq!(refused.json()["group"], "colours", "{refused}");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/tags");
    refused.expect_problem(422, "tags-exclusive");
    assert_eq!(stored(&host, "default").await, before);
    set(&ada, "car/1", &["red", "large"]).await;
    let one_more = ada.post(&item_path("car/1")).json(&json!({ "tag": "blue" })).send().await;
    one_more.expect_problem(409, "tags-exclusive");
    set(&ada, "car/1", &["blue", "large"]).await;
    assert_eq!(slugs(&host, "car/1").await, ["blue", "large"]);
}

#[tokio::test]
async fn an_item_of_a_type_has_one_tag_of_a_required_group() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    for name in ["bug", "feature", "urgent"] {
        make(&ada, name).await;
    }
    let content =
        json!({ "title": "Kinds", "required_for": ["ticket"], "tags": ["bug", "feature"] });
    group(&mia, "kinds", content).await.expect_status(200);
    put(&ada, "ticket/1", &["urgent"]).await.expect_problem(422, "tag-required");
    let add = ada.post(&item_path("ticket/1")).json(&json!({ "tag": "urgent" })).send().await;
    add.expect_problem(409, "tag-required");
    set(&ada, "ticket/1", &["urgent", "bug"]).await;
    let remove = ada.delete(&format!("{}/bug", item_path("ticket/1"))).send().await;
    assert_eq!(remove.json()["group"], "kinds");
    remove.expect_problem(409, "tag-required");
    ada.delete(&format!("{}/urgent", item_path("ticket/1"))).send().await.expect_status(200);
    set(&ada, "post/1", &["urgent"]).await;
}

#[tokio::test]
async fn groups_are_bounded() {
    let host = host().await;
    let mia = curator(&host);
    for number in 0..100 {
        let id = format!("g{number}");
        group(&mia, &id, json!({ "title": "a" })).await.expect_status(200);
    }
    group(&mia, "more", json!({ "title": "a" })).await.expect_problem(409, "too-many-groups");
    group(&mia, "g7", json!({ "title": "b" })).await.expect_status(200);
}
