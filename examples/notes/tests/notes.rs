//! The plugin as callers see it.

use caplet_testing::{TestHost, json};

#[tokio::test]
async fn a_note_is_as_long_as_the_operator_allows() {
    let settings = json!({ "body_characters_max": 5 });
    let host = TestHost::builder().plugin("notes").settings("notes", settings).start().await;
    let ada = host.user("ada");
    let short = ada.post("/api/notes").json(&json!({ "body": "Bread" })).send().await;
    assert_eq!(short.status(), 201);
    let long = ada.post("/api/notes").json(&json!({ "body": "Butter" })).send().await;
    long.expect_problem(422, "unprocessable");
    assert_eq!(host.count("notes", "default", "notes").await, 1);
}

#[tokio::test]
async fn only_those_who_may_pin_a_note() {
    let host = TestHost::with_plugin("notes").await;
    let ada = host.user("ada");
    let written = ada.post("/api/notes").json(&json!({ "body": "Bread" })).send().await;
    let pin = format!("{}/pin", written.header("location").expect("it says where the note is"));
    ada.put(&pin).send().await.expect_problem(403, "permission-missing");
    let pinned = host.user("grace").permission("notes.pin").put(&pin).send().await;
    assert_eq!(pinned.status(), 204);
}
