//! Who may do what: every route, by everybody there is, under every setting of who may.

use std::collections::BTreeMap;

use caplet_testing::{Caller, Person, TestHost, json};

use crate::examples::{World, examples, operations};
use crate::stage::{CURATE, TAGS, host, host_with, make, put, send, stored};

/// A column for each of [`people`]: the statuses that the routes' examples are answered with.
const STATUSES: [(&str, [u16; 5]); 22] = [
    ("list_tags", [200, 200, 200, 200, 200]),
    ("read_tag", [200, 200, 200, 200, 200]),
    ("list_synonyms", [200, 200, 200, 200, 200]),
    ("list_items_of_tag", [200, 200, 200, 200, 200]),
    ("search_items", [200, 200, 200, 200, 200]),
    ("suggest_tags", [200, 200, 200, 200, 200]),
    ("list_popular", [200, 200, 200, 200, 200]),
    ("read_item", [200, 200, 200, 200, 200]),
    ("list_groups", [200, 200, 200, 200, 200]),
    ("read_group", [200, 200, 200, 200, 200]),
    ("parse_tag_string", [200, 200, 200, 200, 200]),
    ("create_tag", [401, 201, 201, 201, 201]),
    ("set_tags", [401, 200, 200, 200, 200]),
    ("add_tag", [401, 200, 200, 200, 200]),
    ("remove_tag", [401, 200, 200, 200, 200]),
    ("edit_tag", [401, 403, 403, 200, 200]),
    ("add_synonym", [401, 403, 403, 204, 204]),
    ("remove_synonym", [401, 403, 403, 204, 204]),
    ("merge_tag", [401, 403, 403, 200, 200]),
    ("write_group", [401, 403, 403, 200, 200]),
    ("delete_group", [401, 403, 403, 204, 204]),
    ("delete_tag", [401, 403, 403, 204, 204]),
];

/// Nobody; somebody; somebody with rights that are not these; a curator by the token's scope; one by a
/// role.
fn people(host: &TestHost) -> [Caller<'_>; 5] {
    let almost = host.user("eve").permission("tags").permission("comments.curate");
    [
        host.anonymous(),
        host.user("eve"),
        almost.permission("tags.curate.all").permission("tags.create").role(CURATE),
        host.service("cleaner").permission(CURATE),
        host.user("max").role("staff"),
    ]
}

async fn staffed_host() -> TestHost {
    TestHost::builder().plugin("tags").role("staff", &["tags.*"]).start().await
}

#[tokio::test]
async fn every_route_is_for_those_who_may() {
    let expected = BTreeMap::from(STATUSES);
    for place in 0..5 {
        // Each has a world of their own: what one has deleted cannot be deleted by the next.
        let host = staffed_host().await;
        let names: Vec<String> = expected.keys().map(ToString::to_string).collect();
        assert_eq!(operations(&host), names, "each route has its row");
        let world = World::populate(&host, "default").await;
        let caller = &people(&host)[place];
        for example in examples(&world) {
            let before = stored(&host, "default").await;
            let answer = example.send(caller).await;
            let status = expected[example.operation][place];
            assert_eq!(answer.status(), status, "{example:?} by person {place}: {answer}");
            if status >= 400 {
                assert_eq!(stored(&host, "default").await, before, "{}", example.operation);
            }
        }
    }
}

#[tokio::test]
async fn the_operator_may_say_who_makes_tags() {
    let host = host_with(json!({ "creating": "permitted" })).await;
    let (eve, ada) = (host.user("eve"), host.user("ada").permission("tags.create"));
    let curator = host.user("mia").permission(CURATE);
    send(&eve, json!({ "name": "new" })).await.expect_problem(403, "permission-missing");
    make(&ada, "known").await;
    make(&curator, "also known").await;
    let before = stored(&host, "default").await;
    let refused = put(&eve, "post/1", &["Known", "New", "Newer"]).await;
    assert_eq!(refused.json()["names"], json!(["New", "Newer"]), "{refused}");
    refused.expect_problem(403, "permission-missing");
    let one = eve.post(&format!("{TAGS}/items/post/1")).json(&json!({ "tag": "newest" }));
    one.send().await.expect_problem(403, "permission-missing");
    assert_eq!(stored(&host, "default").await, before);
    put(&eve, "post/1", &["KNOWN", "also known"]).await.expect_status(200);
    put(&ada, "post/1", &["known", "new"]).await.expect_status(200);
}

#[tokio::test]
async fn the_operator_may_say_who_tags() {
    let host = host_with(json!({ "tagging": "permitted" })).await;
    let (eve, ada) = (host.user("eve"), host.user("ada").permission("tags.assign"));
    put(&ada, "post/1", &["a"]).await.expect_status(200);
    put(&host.user("mia").permission(CURATE), "post/1", &["a"]).await.expect_status(200);
    let before = stored(&host, "default").await;
    let item = format!("{TAGS}/items/post/1");
    put(&eve, "post/1", &["b"]).await.expect_problem(403, "permission-missing");
    let add = eve.post(&item).json(&json!({ "tag": "b" })).send().await;
    add.expect_problem(403, "permission-missing");
    let remove = eve.delete(&format!("{item}/a")).send().await;
    remove.expect_problem(403, "permission-missing");
    assert_eq!(stored(&host, "default").await, before);
}

#[tokio::test]
async fn the_operator_may_close_reading_to_those_without_a_token() {
    let host = host_with(json!({ "public_read": false })).await;
    let world = World::populate(&host, "default").await;
    for example in examples(&world).iter().filter(|it| it.operation != "parse_tag_string") {
        let answer = example.send(&host.anonymous()).await;
        assert_eq!(answer.status(), 401, "{}: {answer}", example.operation);
        answer.expect_problem(401, "token-missing");
    }
    for example in examples(&world) {
        let answer = example.send(&example.who.caller(&host, "default")).await;
        assert!(answer.status() < 300, "{}: {answer}", example.operation);
    }
}

#[tokio::test]
async fn refusals_say_what_is_missing() {
    let host = host().await;
    make(&host.user("ada"), "a").await;
    let refused = host.user("ada").delete(&format!("{TAGS}/a")).send().await;
    assert!(refused.text().contains(CURATE), "{refused}");
    refused.expect_problem(403, "permission-missing");
}
