//! The plugin's OpenAPI document against what it does: every route has an operation, every operation is
//! exercised, and what is answered is what the document says.

use caplet_testing::{Contract, json};

use crate::examples::{Example, World, examples};
use crate::stage::{host, path};

#[tokio::test]
async fn every_route_is_described_and_has_an_example() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    Contract::of(&host, "comments").await.assert_complete(&host, &examples(&world));
}

#[tokio::test]
async fn every_operation_answers_what_its_schema_says() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let contract = Contract::of(&host, "comments").await;
    for example in examples(&world) {
        let answer = example.send_in(&host, "default").await;
        assert!((200..300).contains(&answer.status()), "{example:?}: {answer}");
        contract.assert_describes(&example, &answer);
    }
    // What a deleted comment looks like is described, too.
    let examples = examples(&world);
    let reading = examples.iter().find(|it| it.operation == "read_comment").unwrap();
    let deleted = host.get(&path(&world.answer)).send().await.expect_status(200);
    assert_eq!(deleted.json()["deleted"], true);
    contract.assert_describes(reading, &deleted);
}

#[tokio::test]
async fn every_operation_refuses_as_its_schema_says() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let contract = Contract::of(&host, "comments").await;
    for example in examples(&world) {
        let unknown = example.with_query("colour=red").send_in(&host, "default").await;
        contract.assert_refuses(&example, &unknown, 400);
        let elsewhere = world.top["id"].as_str().unwrap();
        if example.target.contains(elsewhere) {
            let id = "018bcfe5-6800-7000-8000-000000000000";
            let absent =
                Example { target: example.target.replace(elsewhere, id), ..example.clone() };
            contract.assert_refuses(&example, &absent.send_in(&host, "default").await, 404);
        }
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
async fn what_is_not_described_would_be_noticed() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let contract = Contract::of(&host, "comments").await;
    let listing = &examples(&world)[0];
    let page = listing.send(&host.anonymous()).await.json();
    assert_eq!(contract.misfits(listing, &page), Vec::<String>::new());
    for (pointer, wrong) in [
        ("/items/0/depth", json!("one")),
        ("/items/0/author", json!(5)),
        ("/items/0", json!({ "id": "x" })),
        ("/next_cursor", json!(false)),
    ] {
        let mut changed = page.clone();
        *changed.pointer_mut(pointer).unwrap() = wrong;
        assert!(!contract.misfits(listing, &changed).is_empty(), "{pointer}");
    }
    let mut larger = page;
    larger["items"][0]["secret"] = json!(1);
    assert!(!contract.misfits(listing, &larger).is_empty());
}
