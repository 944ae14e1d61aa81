//! A person who asks for a copy of what comments keep, or wants it erased: everything of theirs,
//! nothing of others, and what others see stays sound.

use caplet_testing::{TestHost, json};
use serde_json::Value;

use crate::stage::{COMMENTS, below, host, items, now, path, read, reply, send, stored, write};

const ADMIN: &str = "/admin/api/subjects";

/// Begins an export or an erasure and waits for its end.
async fn run(host: &TestHost, tenant: &str, person: &str, kind: &str) -> Value {
    let operator = host.service("operator").permission("caplet.admin");
    let path = format!("{ADMIN}/{tenant}/{person}/{kind}");
    let mut run = operator.post(&path).send().await.expect_status(200).json();
    while run["state"] == "running" {
        tokio::task::yield_now().await;
        run = read(&operator, &path).await;
    }
    run
}

/// What an export finds of a holding.
async fn exported(host: &TestHost, tenant: &str, person: &str, holding: &str) -> Vec<Value> {
    let run = run(host, tenant, person, "exports").await;
    let operator = host.service("operator").permission("caplet.admin");
    let mut found = Vec::new();
    for number in 1..=run["n_pages"].as_u64().expect("a number") {
        let page = format!("{ADMIN}/{tenant}/{person}/exports/pages/{number}");
        let page = read(&operator, &page).await;
        if page["holding"] == holding {
            found.extend_from_slice(items(&page));
        }
    }
    found
}

/// Ada writes, edits, reacts, votes, and moderates; Bob answers her; another tenant's Ada writes.
async fn lived_in() -> (TestHost, Value, Value) {
    let host = host().await;
    let (ada, bob) = (host.user("ada-4711"), host.user("bob"));
    let hers = write(&ada, "the words of ada").await;
    let edit = json!({ "body": "other words of ada" });
    ada.patch(&path(&hers)).json(&edit).send().await.expect_status(200);
    let his = reply(&bob, &hers, "the words of bob").await;
    for kind in ["like", "heart"] {
        ada.put(&below(&his, &format!("reactions/{kind}"))).send().await.expect_status(200);
    }
    bob.put(&below(&his, "reactions/like")).send().await.expect_status(200);
    ada.put(&below(&his, "vote")).json(&json!({ "value": 1 })).send().await.expect_status(200);
    let edit = json!({ "body": "the words of bob, moderated" });
    let ada_moderates = moderator_named(&host, "ada-4711");
    ada_moderates.patch(&path(&his)).json(&edit).send().await.expect_status(200);
    let elsewhere = host.user("ada-4711").tenant("acme");
    let comment = json!({ "target": "post:1", "body": "ada of acme" });
    send(&elsewhere, comment).await.expect_status(201);
    (host, hers, his)
}

fn moderator_named<'a>(host: &'a TestHost, subject: &str) -> caplet_testing::Caller<'a> {
    host.user(subject).permission(crate::stage::MODERATE)
}

#[tokio::test]
async fn a_copy_has_all_of_one_person_and_nothing_of_others() {
    let (host, hers, his) = lived_in().await;
    let texts = |found: Vec<Value>| -> Vec<String> {
        found.iter().filter_map(|it| it["body"].as_str().map(ToOwned::to_owned)).collect()
    };
    let person = "ada-4711";
    let comments = exported(&host, "default", person, "comments").await;
    assert_eq!(
        (&comments[0]["id"], texts(comments.clone())),
        (&hers["id"], vec!["other words of ada".to_owned()])
    );
    let revisions = texts(exported(&host, "default", person, "revisions").await);
    assert_eq!(revisions, ["the words of ada"]);
    assert_eq!(exported(&host, "default", person, "reactions").await.len(), 2);
    assert_eq!(exported(&host, "default", person, "votes").await[0]["comment"], his["id"]);
    let edits = exported(&host, "default", person, "edits").await;
    let edited: Vec<&Value> = edits.iter().map(|edit| &edit["comment"]).collect();
    assert_eq!(edited, [&hers["id"], &his["id"]]);
    assert_eq!(texts(exported(&host, "default", "bob", "comments").await).len(), 1);
    assert_eq!(texts(exported(&host, "acme", person, "comments").await), ["ada of acme"]);
    assert!(exported(&host, "default", "nobody", "comments").await.is_empty());
}

#[tokio::test]
async fn erasing_leaves_nothing_of_one_person_and_all_of_others() {
    let (host, hers, his) = lived_in().await;
    let acme = stored(&host, "acme").await;
    let ended = run(&host, "default", "ada-4711", "erasures").await;
    assert_eq!(ended["state"], "done", "{ended}");
    let left = format!("{:?}", stored(&host, "default").await);
    for gone in ["ada-4711", "words of ada"] {
        assert!(!left.contains(gone), "{gone} is left: {left}");
    }
    assert_eq!(stored(&host, "acme").await, acme);

    let place = now(&host, &hers).await;
    assert_eq!((&place["deleted"], &place["author"]), (&json!(true), &Value::Null));
    let his = now(&host, &his).await;
    assert_eq!(
        (&his["body"], &his["author"]),
        (&json!("the words of bob, moderated"), &json!("bob"))
    );
    assert_eq!((&his["reactions"], &his["score"]), (&json!({ "like": 1 }), &json!(0)));
    let counts = read(&host.anonymous(), &format!("{COMMENTS}/counts?targets=post:1")).await;
    assert_eq!(counts["counts"]["post:1"], 1);
    for kind in ["comments", "reactions", "votes", "edits", "revisions"] {
        assert!(exported(&host, "default", "ada-4711", kind).await.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn erasing_again_changes_nothing() {
    let (host, ..) = lived_in().await;
    run(&host, "default", "ada-4711", "erasures").await;
    let before = stored(&host, "default").await;
    let again = run(&host, "default", "ada-4711", "erasures").await;
    assert_eq!(again["plugins"][0]["n_records"], 0);
    assert_eq!(stored(&host, "default").await, before);
}
