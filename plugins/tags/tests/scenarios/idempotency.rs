//! Sending again with an `Idempotency-Key`: one effect, one answer.

use caplet_testing::{Answer, Caller, json};
use futures::future::join_all;

use crate::stage::{
    TAGS, assert_counts_are_exact, count, curator, host, item_path, make, set, stored, tag,
};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

async fn create(caller: &Caller<'_>, key: &str, name: &str) -> Answer {
    caller.post(TAGS).idempotency_key(key).json(&json!({ "name": name })).send().await
}

async fn add(caller: &Caller<'_>, name: &str) -> Answer {
    let request = caller.post(&item_path("post/1")).idempotency_key(KEY);
    request.json(&json!({ "tag": name })).send().await
}

#[tokio::test]
async fn what_is_sent_again_is_answered_again_and_done_once() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    let first = create(&ada, KEY, "once").await.expect_status(201);
    make(&ada, "other").await;
    let merge = json!({ "into": "other" });
    let path = format!("{TAGS}/once/merge");
    let merged = mia.post(&path).idempotency_key(KEY).json(&merge).send().await;
    let merged = merged.expect_status(200);
    let before = stored(&host, "default").await;
    for _ in 0..3 {
        let again = create(&ada, KEY, "once").await.expect_status(201);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.body(), first.body());
        for name in ["content-type", "location", "etag"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
        let again = mia.post(&path).idempotency_key(KEY).json(&merge).send().await;
        assert_eq!(again.expect_status(200).body(), merged.body());
    }
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_caller() {
    let host = host().await;
    let ada = host.user("ada");
    create(&ada, KEY, "one").await.expect_status(201);
    create(&ada, KEY, "two").await.expect_problem(422, "idempotency-key-reused");
    create(&host.user("bob"), KEY, "two").await.expect_status(201);
    create(&host.user("ada").tenant("acme"), KEY, "one").await.expect_status(201);
    assert_eq!(count(&host, "tags").await, 2);
}

#[tokio::test]
async fn fifty_at_once_have_one_effect() {
    let host = host().await;
    let ada = host.user("ada");
    let answers = join_all((0..50).map(|_| create(&ada, KEY, "at once"))).await;
    for answer in &answers {
        assert_eq!(answer.status(), 201, "{answer}");
        assert_eq!(answer.body(), answers[0].body());
    }
    let answers = join_all((0..50).map(|_| add(&ada, "at once"))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!((count(&host, "tags").await, count(&host, "taggings").await), (1, 1));
    assert_eq!(tag(&host, "at-once").await["n_items"], 1);
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn fifty_callers_at_once_make_one_tag_of_one_name() {
    let host = host().await;
    let callers: Vec<Caller<'_>> =
        (0..50).map(|number| host.user(&format!("user-{number}"))).collect();
    let items: Vec<String> = (0..50).map(|number| format!("post/{number}")).collect();
    let tagging = callers.iter().zip(&items).map(|(caller, item)| set(caller, item, &["shared"]));
    join_all(tagging).await;
    assert_eq!((count(&host, "tags").await, count(&host, "taggings").await), (1, 50));
    assert_eq!(tag(&host, "shared").await["n_items"], 50);
    assert_counts_are_exact(&host, "default").await;
}
