//! What a request costs is bounded, however many tags there are: the store is asked a few times, in
//! statements that read a bounded number of rows. Times are measured elsewhere.

use caplet_testing::{Limits, TestHost, json};

use crate::stage::{TAGS, assert_counts_are_exact, item_path, read, set};

/// A host whose plugin may run so many statements and read so many rows at once.
async fn host_with(n_statements: u32, n_rows: usize) -> TestHost {
    let limits =
        Limits { sql_statements_max: n_statements, sql_rows_max: n_rows, ..Limits::default() };
    TestHost::builder().plugin("tags").limits(limits).start().await
}

#[tokio::test]
async fn fifty_new_tags_of_long_names_are_made_by_few_statements() {
    let host = host_with(45, 1_000).await;
    let ada = host.user("ada");
    let name = |number: usize| {
        let letters = (0..60)
            .map(|place| char::from(b'a' + ((place * 7 + number * 3 + place / 26) % 26) as u8));
        format!("{}{number:03}", letters.collect::<String>())
    };
    let names: Vec<String> = (0..50).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    set(&ada, "post/1", &names).await;
    let others: Vec<String> = (50..100).map(name).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    set(&ada, "post/1", &others).await;
    assert_counts_are_exact(&host, "default").await;
}

#[tokio::test]
async fn reading_takes_a_few_statements_and_rows() {
    let host = host_with(45, 1_000).await;
    let ada = host.user("ada");
    for item in 0..24 {
        let names: Vec<String> =
            (0..50).map(|place| format!("alike {}", item * 50 + place)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        set(&ada, &format!("post/{item}"), &names).await;
    }
    set(&ada, "post/99", &["alike 998", "alike 999"]).await;
    let suggestions = read(&ada, &format!("{TAGS}/suggest?q=alike&limit=5")).await;
    let first = &suggestions["suggestions"];
    // More names begin alike than are ranked, and the most used of all come first nevertheless.
    assert_eq!((&first[0]["n_items"], &first[1]["n_items"]), (&json!(2), &json!(2)));
    let nearly = read(&ada, &format!("{TAGS}/suggest?q=alkie+119&limit=50")).await;
    let nearly = nearly["suggestions"].as_array().unwrap();
    assert!(nearly.iter().any(|it| it["name"] == "alike 1190"), "{nearly:?}");
    for path in ["/popular?window=month&limit=100", "/items?any=alike-1,alike-2", "?sort=popular"] {
        read(&ada, &format!("{TAGS}{path}")).await;
    }
    read(&ada, &item_path("post/1")).await;
}
