//! Items by their tags: one, all, any, none, with those below, of a type, page by page.

use std::collections::BTreeSet;

use caplet_testing::{TestHost, json};
use serde_json::Value;

use crate::stage::{
    TAGS, curator, each, entries, host, make, make_below, merge, read, read_all, set, targets,
};

/// Tags `t0` to `t4`; item `n` has those whose bit `n` has.
async fn populate(host: &TestHost) {
    let ada = host.user("ada");
    for number in 0..32_u32 {
        let names: Vec<String> =
            (0..5).filter(|bit| number >> bit & 1 == 1).map(|bit| format!("t{bit}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let kind = if number % 2 == 0 { "post" } else { "photo" };
        set(&ada, &format!("{kind}/{number}"), &names).await;
    }
}

fn number_of(item: &Value) -> u32 {
    item["target"].as_str().unwrap().split(':').nth(1).unwrap().parse().unwrap()
}

fn has(number: u32, tags: &[u32]) -> Vec<bool> {
    tags.iter().map(|bit| number >> bit & 1 == 1).collect()
}

fn list(name: &str, tags: &[u32]) -> String {
    let slugs: Vec<String> = tags.iter().map(|bit| format!("t{bit}")).collect();
    if slugs.is_empty() { String::new() } else { format!("&{name}={}", slugs.join(",")) }
}

#[tokio::test]
async fn all_any_and_none_are_what_they_say() {
    let host = host().await;
    populate(&host).await;
    let cases: [(&[u32], &[u32], &[u32]); 9] = [
        (&[0], &[], &[]),
        (&[0, 1], &[], &[]),
        (&[0, 1, 2, 3, 4], &[], &[]),
        (&[], &[0, 1], &[]),
        (&[], &[0, 1, 2, 3, 4], &[]),
        (&[0], &[], &[1]),
        (&[], &[0, 1], &[2, 3]),
        (&[4], &[0, 1], &[2]),
        (&[0], &[], &[0]),
    ];
    for (all, any, none) in cases {
        let query = [list("all", all), list("any", any), list("none", none)].concat();
        let path = format!("{TAGS}/items?limit=3{query}");
        let found = read_all(&host.anonymous(), &path).await;
        let numbers: Vec<u32> = found.iter().map(number_of).collect();
        // Those that were tagged last come first; one without tags was never tagged.
        let expected: Vec<u32> = (1..32)
            .rev()
            .filter(|&number| {
                has(number, all).into_iter().all(|it| it)
                    && (any.is_empty() || has(number, any).contains(&true))
                    && !has(number, none).contains(&true)
            })
            .collect();
        assert_eq!(numbers, expected, "{path}");
    }
}

#[tokio::test]
async fn items_show_their_tags_and_may_be_of_one_type() {
    let host = host().await;
    populate(&host).await;
    let page = read(&host.anonymous(), &format!("{TAGS}/t0/items?limit=1")).await;
    let expected = json!({ "target": "photo:31", "tags": ["t0", "t1", "t2", "t3", "t4"] });
    assert_eq!(page["items"][0], expected);
    assert_eq!(targets(&host, "/t0/items?type=post").await, Vec::<String>::new());
    assert_eq!(targets(&host, "/items?any=t1,t2&type=photo").await.len(), 12);
    assert_eq!(targets(&host, "/items?any=t1,t2&type=post").await.len(), 12);
}

#[tokio::test]
async fn tags_that_are_not_there_are_on_no_item() {
    let host = host().await;
    populate(&host).await;
    assert_eq!(targets(&host, "/items?all=t0,nothing").await, Vec::<String>::new());
    assert_eq!(targets(&host, "/items?any=t0,nothing&limit=100").await.len(), 16);
    assert_eq!(targets(&host, "/items?all=t0&none=nothing&limit=100").await.len(), 16);
    assert_eq!(targets(&host, "/items?any=%00").await, Vec::<String>::new());
}

#[tokio::test]
async fn names_that_a_tag_had_find_its_items() {
    let host = host().await;
    populate(&host).await;
    merge(&curator(&host), "t0", "t1").await.expect_status(200);
    assert_eq!(targets(&host, "/t0/items?limit=100").await.len(), 24);
    assert_eq!(targets(&host, "/items?all=t0&limit=100").await.len(), 24);
}

#[tokio::test]
async fn children_count_for_their_parents_when_asked() {
    let host = host().await;
    let ada = host.user("ada");
    make(&ada, "animal").await;
    make_below(&ada, "animal", "dog").await;
    make_below(&ada, "dog", "poodle").await;
    make_below(&ada, "animal", "cat").await;
    set(&ada, "p/1", &["animal"]).await;
    set(&ada, "p/2", &["poodle", "dog"]).await;
    set(&ada, "p/3", &["cat"]).await;
    set(&ada, "p/4", &["cat", "poodle"]).await;
    assert_eq!(targets(&host, "/animal/items").await, ["p:1"]);
    let with = "include_children=true";
    let all = targets(&host, &format!("/animal/items?{with}")).await;
    assert_eq!(all, ["p:4", "p:3", "p:2", "p:1"], "each once");
    let search = |query: &str| format!("/items?{query}&{with}");
    assert_eq!(targets(&host, &search("all=dog,cat")).await, ["p:4"]);
    assert_eq!(targets(&host, &search("all=animal&none=dog")).await, ["p:3", "p:1"]);
    assert_eq!(targets(&host, "/items?all=animal&none=dog").await, ["p:1"]);
    let pages = read_all(&ada, &format!("{TAGS}/animal/items?{with}&limit=1")).await;
    assert_eq!(each(&pages, "target"), all);
}

#[tokio::test]
async fn a_tag_with_many_below_it_is_searched_whole() {
    let host = host().await;
    let ada = host.user("ada");
    make(&ada, "top").await;
    for number in 0..30 {
        make_below(&ada, "top", &format!("below {number}")).await;
        let name = format!("below {number}");
        set(&ada, &format!("p/{number}"), &[&name, "top"]).await;
    }
    let path = format!("{TAGS}/top/items?include_children=true&limit=7");
    let found = read_all(&ada, &path).await;
    let numbers: Vec<u32> = found.iter().map(number_of).collect();
    assert_eq!(numbers, (0..30).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn the_order_holds_while_items_are_tagged() {
    let host = host().await;
    let ada = host.user("ada");
    for number in 0..10 {
        set(&ada, &format!("p/{number}"), &["a"]).await;
    }
    let first = read(&ada, &format!("{TAGS}/a/items?limit=4")).await;
    set(&ada, "p/new", &["a"]).await;
    set(&ada, "p/9", &["b"]).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = read(&ada, &format!("{TAGS}/a/items?cursor={cursor}")).await;
    let seen: BTreeSet<u32> = entries(&rest).iter().map(number_of).collect();
    assert_eq!(seen, (0..6).collect());
}
