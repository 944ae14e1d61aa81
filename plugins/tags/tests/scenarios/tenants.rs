//! Tenants never meet: whatever a caller of one asks for, nothing of another is shown or changed.

use caplet_testing::{Answer, Person, TestHost, json};
use serde_json::Value;

use crate::examples::{CANARY, Example, World, examples, operations};
use crate::stage::{CURATE, TAGS, count, entries, host, make, read, set, stored, tag};

/// What a caller of another tenant must be answered.
enum Seen {
    /// As if there was no such tag or group.
    NotFound,
    /// As if there was no such tag at this place of the body.
    NoSuchTag(&'static str),
    /// As if nothing had ever been written.
    Exactly(Value),
    /// What their own tenant has: nothing of the other's.
    Own,
}

/// For each route, what others see of [`World`]. A route that is not here fails the test.
fn seen_by_others(operation: &str) -> Seen {
    match operation {
        "list_tags" | "list_popular" | "search_items" | "list_groups" => {
            Seen::Exactly(json!({ "items": [], "next_cursor": null }))
        }
        "suggest_tags" => Seen::Exactly(json!({ "suggestions": [] })),
        "read_item" => Seen::Exactly(json!({ "target": "post:1", "tags": [] })),
        "parse_tag_string" => Seen::Exactly(json!({ "names": ["a", "b"] })),
        "read_tag" | "list_synonyms" | "list_items_of_tag" | "read_group" | "remove_tag"
        | "edit_tag" | "delete_tag" | "add_synonym" | "remove_synonym" | "merge_tag"
        | "delete_group" => Seen::NotFound,
        "write_group" => Seen::NoSuchTag("/tags/0"),
        "create_tag" | "set_tags" | "add_tag" => Seen::Own,
        other => panic!("say what callers of other tenants see of {other}"),
    }
}

fn assert_sees(example: &Example, answer: Answer) {
    let operation = example.operation;
    if !matches!(seen_by_others(operation), Seen::Own) {
        assert!(!answer.text().contains(CANARY), "{operation} leaks: {answer}");
    }
    match seen_by_others(operation) {
        Seen::NotFound => answer.expect_problem(404, "not-found"),
        Seen::NoSuchTag(pointer) => {
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{operation}: {answer}");
            answer.expect_problem(422, "unprocessable");
        }
        Seen::Exactly(expected) => {
            assert_eq!(answer.expect_status(200).json(), expected, "{operation}");
        }
        Seen::Own => assert!(answer.status() < 300, "{operation}: {answer}"),
    }
}

/// The examples that write into whatever tenant the caller has, and the others.
fn parted(world: &World) -> (Vec<Example>, Vec<Example>) {
    let is_own = |it: &Example| matches!(seen_by_others(it.operation), Seen::Own);
    examples(world).into_iter().partition(is_own)
}

#[tokio::test]
async fn no_route_shows_or_changes_what_is_another_tenants() {
    let host = host().await;
    let world = World::populate(&host, "acme").await;
    for operation in operations(&host) {
        seen_by_others(&operation);
    }
    let (own, others) = parted(&world);
    let before = stored(&host, "acme").await;
    for tenant in ["globex", "ACME", "default"] {
        for subject in ["ada", "zoe", "mia"] {
            let caller = host.user(subject).tenant(tenant);
            let outsider = caller.permission(CURATE).role("admin").team("acme");
            for example in &others {
                assert_sees(example, example.send(&outsider).await);
            }
        }
        for table in stored(&host, tenant).await {
            assert!(table.values.is_empty(), "{tenant} has {table:?}");
        }
        // What others write is theirs, under the same names.
        for example in &own {
            assert_sees(example, example.send(&host.user("zoe").tenant(tenant)).await);
        }
    }
    assert_eq!(stored(&host, "acme").await, before);

    // The very same requests succeed in their own tenant.
    for example in examples(&world) {
        let answer = example.send(&example.who.caller(&host, "acme")).await;
        assert!((200..300).contains(&answer.status()), "{example:?}: {answer}");
    }
}

#[tokio::test]
async fn who_has_no_token_sees_the_default_tenant_only() {
    let host = host().await;
    let world = World::populate(&host, "acme").await;
    let mut n_public = 0;
    for example in examples(&world) {
        let answer = example.send(&host.anonymous()).await;
        if answer.status() != 401 {
            n_public += 1;
            assert_sees(&example, answer);
        }
    }
    assert!(n_public >= 10, "reading is public");
}

#[tokio::test]
async fn tenants_use_the_same_names_without_noticing() {
    let host = host().await;
    let acme = host.user("ada").tenant("acme");
    let globex = host.user("ada").tenant("globex");
    set(&acme, "post/1", &["rust", "wasm"]).await;
    set(&acme, "post/2", &["rust"]).await;
    set(&globex, "post/1", &["rust"]).await;
    make(&globex, "own").await;
    for (caller, n_items, n_tags) in [(&acme, 2, 2), (&globex, 1, 2)] {
        let rust = read(caller, &format!("{TAGS}/rust")).await;
        assert_eq!(rust["n_items"], n_items);
        assert_eq!(entries(&read(caller, TAGS).await).len(), n_tags);
        let popular = read(caller, &format!("{TAGS}/popular?window=day")).await;
        assert_eq!(entries(&popular)[0]["count"], n_items);
    }
    host.user("ada").get(&format!("{TAGS}/rust")).send().await.expect_problem(404, "not-found");
    assert_eq!(count(&host, "taggings").await, 0);
}

#[tokio::test]
async fn tenant_and_subject_come_from_the_token_only() {
    let host = host().await;
    let ada = host.user("ada").tenant("acme");
    for (name, value) in [("tenant", "globex"), ("tagged_by", "bob"), ("created_by", "bob")] {
        for body in [json!({ "name": "a", name: value }), json!({ "tags": ["a"], name: value })] {
            let path = if body.get("tags").is_some() { "/items/post/1" } else { "" };
            let method = if path.is_empty() { "POST" } else { "PUT" };
            let request = ada.request(method.parse().unwrap(), &format!("{TAGS}{path}"));
            let answer = request.json(&body).send().await;
            assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{name}"), "{answer}");
            answer.expect_problem(422, "unprocessable");
        }
    }
    let request = ada.put(&format!("{TAGS}/items/post/1")).json(&json!({ "tags": ["a"] }));
    request.header("x-tenant", "globex").send().await.expect_status(200);
    let who = "SELECT tagged_by FROM taggings WHERE tenant = $tenant";
    let taggings = host.rows("tags", "acme", who, &[]).await;
    assert_eq!(taggings.values, [caplet_testing::Value::Text("ada".to_owned())]);
    set(&host.user("ada"), "post/1", &["a"]).await;
    assert_eq!(tag(&host, "a").await["n_items"], 1);
    leak_free(&host).await;
}

async fn leak_free(host: &TestHost) {
    for table in stored(host, "globex").await {
        assert!(table.values.is_empty(), "{table:?}");
    }
}
