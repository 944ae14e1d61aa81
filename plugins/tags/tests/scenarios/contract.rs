//! The plugin's OpenAPI document against what it does: every route has an operation, every operation is
//! exercised, and what is answered is what the document says.

use caplet_testing::{Contract, json};

use crate::examples::{World, examples};
use crate::stage::{curator, edit, host};

#[tokio::test]
async fn every_route_is_described_and_has_an_example() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    Contract::of(&host, "tags").await.assert_complete(&host, &examples(&world));
}

#[tokio::test]
async fn every_operation_answers_what_its_schema_says() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let contract = Contract::of(&host, "tags").await;
    for example in examples(&world) {
        let answer = example.send_in(&host, "default").await;
        assert!((200..300).contains(&answer.status()), "{example:?}: {answer}");
        contract.assert_describes(&example, &answer);
    }
}

#[tokio::test]
async fn every_operation_refuses_as_its_schema_says() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let contract = Contract::of(&host, "tags").await;
    for example in examples(&world) {
        let unknown = example.with_query("colour=red").send_in(&host, "default").await;
        contract.assert_refuses(&example, &unknown, 400);
        if !contract.is_public(&example) {
            let answer = example.send(&host.anonymous()).await;
            contract.assert_refuses(&example, &answer, 401);
        }
        if example.body.is_some() {
            let wrong = example.clone().with_body(json!({ "wrong": 1 }));
            contract.assert_refuses(&example, &wrong.send_in(&host, "default").await, 422);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_described() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let contract = Contract::of(&host, "tags").await;
    let renamed = edit(&curator(&host), "canary-one", json!({ "name": "Canary 1st" })).await;
    renamed.expect_status(200);
    let all = examples(&world);
    let reading = all.iter().find(|example| example.operation == "read_tag").unwrap();
    let answer = reading.send(&host.anonymous()).await.expect_status(301);
    assert_eq!(answer.header("location"), Some("/api/tags/canary-1st"));
    contract.assert_describes(reading, &answer);
}

#[tokio::test]
async fn what_is_not_described_would_be_noticed() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let contract = Contract::of(&host, "tags").await;
    let listing = &examples(&world)[0];
    let page = listing.send(&host.anonymous()).await.json();
    assert_eq!(contract.misfits(listing, &page), Vec::<String>::new());
    let mut larger = page;
    larger["items"][0]["secret"] = json!(1);
    assert!(!contract.misfits(listing, &larger).is_empty());
}
