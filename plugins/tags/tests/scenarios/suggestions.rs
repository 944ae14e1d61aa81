//! Suggestions: what begins with what was typed, the most used first, then what nearly does.

use caplet_testing::{TestHost, json};
use serde_json::Value;

use crate::stage::{TAGS, curator, edit, host, make, merge, read, set};

async fn suggest(host: &TestHost, typed: &str) -> Vec<Value> {
    let answer = read(&host.anonymous(), &format!("{TAGS}/suggest?q={typed}")).await;
    answer["suggestions"].as_array().expect("there are suggestions").clone()
}

async fn names(host: &TestHost, typed: &str) -> Vec<String> {
    let suggestions = suggest(host, typed).await;
    suggestions.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

async fn populate(host: &TestHost) {
    let ada = host.user("ada");
    set(&ada, "p/1", &["Python", "pytest", "Postgres", "Rust", "machine learning"]).await;
    set(&ada, "p/2", &["pytest", "Rust"]).await;
    set(&ada, "p/3", &["pytest"]).await;
}

#[tokio::test]
async fn beginnings_come_first_by_use() {
    let host = host().await;
    populate(&host).await;
    assert_eq!(names(&host, "py").await, ["pytest", "Python"]);
    assert_eq!(names(&host, "PYT").await, ["pytest", "Python"]);
    assert_eq!(names(&host, "python").await, ["Python"]);
    assert_eq!(names(&host, "machine%20l").await, ["machine learning"]);
    assert_eq!(
        names(&host, "").await,
        ["pytest", "Rust", "machine learning", "Postgres", "Python"]
    );
    assert_eq!(names(&host, "zzz").await, Vec::<String>::new());
    let first = &suggest(&host, "pyt").await[0];
    let expected = json!({
        "slug": "pytest", "name": "pytest", "matched": "pytest", "n_items": 3, "errors": 0,
    });
    assert_eq!(first, &expected);
}

#[tokio::test]
async fn an_exact_name_comes_before_more_used_longer_ones() {
    let host = host().await;
    let ada = host.user("ada");
    for number in 0..5 {
        set(&ada, &format!("p/{number}"), &["c sharp"]).await;
    }
    make(&ada, "C").await;
    assert_eq!(names(&host, "c").await, ["C", "c sharp"]);
}

#[tokio::test]
async fn typing_errors_are_forgiven() {
    let host = host().await;
    populate(&host).await;
    for (typed, name, errors) in [
        ("pyhton", "Python", 1),
        ("pithon", "Python", 1),
        ("pythonn", "Python", 1),
        ("postrges", "Postgres", 1),
        ("machien%20le", "machine learning", 1),
        ("mahcnie", "machine learning", 2),
        ("rsut", "Rust", 1),
    ] {
        let found = suggest(&host, typed).await;
        let best = found.first().unwrap_or_else(|| panic!("nothing is near {typed}"));
        assert_eq!((best["name"].as_str(), best["errors"].as_u64()), (Some(name), Some(errors)));
    }
    for far in ["pa", "jython%20script", "rxxt"] {
        assert_eq!(names(&host, far).await, Vec::<String>::new(), "{far}");
    }
}

#[tokio::test]
async fn synonyms_are_found_and_each_tag_once() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "javascript").await;
    make(&ada, "js").await;
    mia.put(&format!("{TAGS}/javascript/synonyms/java%20script")).send().await.expect_status(204);
    merge(&mia, "js", "javascript").await.expect_status(200);
    let found = suggest(&host, "js").await;
    assert_eq!((&found[0]["slug"], &found[0]["matched"]), (&json!("javascript"), &json!("js")));
    assert_eq!(names(&host, "java").await, ["javascript"]);
    assert_eq!(names(&host, "jaav%20script").await, ["javascript"]);
}

#[tokio::test]
async fn names_that_are_gone_are_not_suggested() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "kubernetes").await;
    make(&ada, "terraform").await;
    edit(&mia, "kubernetes", json!({ "name": "orchestration" })).await.expect_status(200);
    mia.delete(&format!("{TAGS}/terraform")).send().await.expect_status(204);
    for typed in ["kuber", "kubernets", "terra", "terafrom"] {
        assert_eq!(names(&host, typed).await, Vec::<String>::new(), "{typed}");
    }
    assert_eq!(names(&host, "orchestartion").await, ["orchestration"]);
    assert_eq!(host.count("tags", "default", "grams").await, 13, "those of one name are left");
}

#[tokio::test]
async fn odd_letters_are_only_letters() {
    let host = host().await;
    let ada = host.user("ada");
    make(&ada, "100%").await;
    make(&ada, "a_b").await;
    assert_eq!(names(&host, "100%25").await, ["100%"]);
    assert_eq!(names(&host, "%25").await, Vec::<String>::new());
    assert_eq!(names(&host, "a_").await, ["a_b"]);
    assert_eq!(names(&host, "a%00_b").await, ["a_b"]);
    assert_eq!(names(&host, "'%20OR%201=1").await, Vec::<String>::new());
}

#[tokio::test]
async fn there_are_as_many_suggestions_as_were_asked_for() {
    let host = host().await;
    let ada = host.user("ada");
    let all: Vec<String> = (0..50).map(|number| format!("name {number}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    set(&ada, "p/1", &all).await;
    assert_eq!(names(&host, "name").await.len(), 10);
    assert_eq!(names(&host, "name&limit=50").await.len(), 50);
    assert_eq!(names(&host, "name&limit=1").await.len(), 1);
}
