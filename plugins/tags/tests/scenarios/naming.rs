//! Names: one tag for each, however it is spelled; slugs that last; look-alikes that are flagged.

use caplet_testing::json;

use crate::stage::{
    TAGS, curator, each, edit, entries, host, host_with, make, put, read, send, set, slugs, tag,
};

#[tokio::test]
async fn spellings_of_one_name_are_one_tag() {
    let host = host().await;
    let ada = host.user("ada");
    let made = make(&ada, "  Straße   № 1 ").await;
    assert_eq!(made["name"], "Straße No 1");
    for name in ["STRASSE no 1", "straße\u{a0}№\u{2003}1", "Stra\u{ad}ße No １"] {
        let refused = send(&ada, json!({ "name": name })).await;
        assert_eq!(refused.json()["slug"], made["slug"], "{refused}");
        refused.expect_problem(409, "name-taken");
        set(&ada, "post/1", &[name]).await;
        assert_eq!(slugs(&host, "post/1").await, ["strasse-no-1"]);
    }
}

#[tokio::test]
async fn different_names_of_one_slug_get_numbers() {
    let host = host().await;
    let ada = host.user("ada");
    set(&ada, "post/1", &["a b", "a-b", "a.b", "items", "suggest", "❤", "☃"]).await;
    let mut given = slugs(&host, "post/1").await;
    given.sort();
    assert_eq!(given, ["a-b", "a-b-2", "a-b-3", "items-2", "suggest-2", "tag", "tag-2"]);
    for slug in given {
        assert_eq!(tag(&host, &slug).await["slug"], slug.as_str());
    }
}

#[tokio::test]
async fn slugs_of_other_scripts_stand_in_urls() {
    let host = host().await;
    let request = host.user("ada").post(TAGS).json(&json!({ "name": "データ" }));
    let made = request.send().await.expect_status(201);
    assert_eq!(made.header("location"), Some("/api/tags/%E3%83%87%E3%83%BC%E3%82%BF"));
    let read = host.get(made.header("location").unwrap()).send().await.expect_status(200);
    assert_eq!(read.header("etag"), made.header("etag"));
    assert_eq!(read.json(), made.json());
}

#[tokio::test]
async fn a_new_name_brings_a_new_slug_and_the_old_one_leads_there() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    set(&ada, "post/1", &["Javascript"]).await;
    let renamed = edit(&mia, "javascript", json!({ "name": "ECMAScript" })).await;
    assert_eq!(renamed.expect_status(200).json()["slug"], "ecmascript");
    let moved = host.get(&format!("{TAGS}/javascript")).send().await.expect_status(301);
    assert_eq!(moved.header("location"), Some("/api/tags/ecmascript"));
    assert_eq!(slugs(&host, "post/1").await, ["ecmascript"]);
    let items = read(&ada, &format!("{TAGS}/javascript/items")).await;
    assert_eq!(each(entries(&items), "target"), ["post:1"]);
    // Who has not seen the new name changes nothing.
    let late = edit(&mia, "javascript", json!({ "name": "JS" })).await;
    assert_eq!(late.json()["slug"], "ecmascript");
    late.expect_problem(409, "tag-moved");
    // The old name is free, its slug is not.
    assert_eq!(make(&ada, "Javascript").await["slug"], "javascript-2");
    host.get(&format!("{TAGS}/javascript")).send().await.expect_status(301);
    let back = edit(&mia, "ecmascript", json!({ "name": "ecma" })).await.expect_status(200);
    assert_eq!(back.json()["slug"], "ecma");
    let again = edit(&mia, "ecma", json!({ "name": "ECMAScript" })).await.expect_status(200);
    assert_eq!(again.json()["slug"], "ecmascript", "a slug that was the tag's own comes back");
}

#[tokio::test]
async fn a_name_may_change_its_capitals_alone() {
    let host = host().await;
    make(&host.user("ada"), "github").await;
    let edited = edit(&curator(&host), "github", json!({ "name": "GitHub" })).await;
    let edited = edited.expect_status(200).json();
    assert_eq!((&edited["name"], &edited["slug"]), (&json!("GitHub"), &json!("github")));
}

#[tokio::test]
async fn a_name_that_is_anothers_is_refused() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "one").await;
    make(&ada, "two").await;
    let refused = edit(&mia, "one", json!({ "name": "TWO" })).await;
    assert_eq!(refused.json()["slug"], "two");
    refused.expect_problem(409, "name-taken");
    assert_eq!(tag(&host, "one").await["name"], "one");
}

#[tokio::test]
async fn an_edit_of_another_version_is_refused() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    make(&ada, "one").await;
    let path = format!("{TAGS}/one");
    let old = host.get(&path).send().await.header("etag").unwrap().to_owned();
    edit(&mia, "one", json!({ "description": "First" })).await.expect_status(200);
    let late = mia.patch(&path).json(&json!({ "description": "Late" })).header("if-match", &old);
    late.send().await.expect_problem(412, "precondition-failed");
    let late = mia.delete(&path).header("if-match", &old).send().await;
    late.expect_problem(412, "precondition-failed");
    assert_eq!(tag(&host, "one").await["description"], "First");
}

#[tokio::test]
async fn names_that_look_alike_are_flagged_until_somebody_saw_to_it() {
    let host = host().await;
    let (ada, mia) = (host.user("ada"), curator(&host));
    assert_eq!(make(&ada, "paypal").await["looks_like"], json!(null));
    // The letters a are Cyrillic.
    let fake = make(&ada, "p\u{430}yp\u{430}l").await;
    assert_eq!(fake["looks_like"], "paypal");
    let slug = fake["slug"].as_str().unwrap();
    let flagged = read(&mia, &format!("{TAGS}?flagged=true")).await;
    assert_eq!(each(entries(&flagged), "slug"), [slug]);
    let encoded = "p%D0%B0yp%D0%B0l";
    edit(&mia, encoded, json!({ "flagged": false })).await.expect_status(200);
    let flagged = read(&mia, &format!("{TAGS}?flagged=true")).await;
    assert!(entries(&flagged).is_empty());
}

#[tokio::test]
async fn the_operator_may_refuse_names_that_look_alike() {
    let host = host_with(json!({ "lookalikes": "refuse" })).await;
    let ada = host.user("ada");
    make(&ada, "paypal").await;
    let refused = put(&ada, "post/1", &["fine", "p\u{430}ypal"]).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/tags/1", "{refused}");
    refused.expect_problem(422, "unprocessable");
    send(&ada, json!({ "name": "p\u{430}ypal" })).await.expect_problem(422, "unprocessable");
    let refused = edit(&curator(&host), "paypal", json!({ "name": "PayPal!" })).await;
    refused.expect_status(200);
}

#[tokio::test]
async fn tag_strings_are_parsed_as_they_are_typed() {
    let host = host().await;
    let request = host.anonymous().post(&format!("{TAGS}/parse"));
    let parsed = request.json(&json!({ "text": r#"b, "a, c" d,b"# })).send().await;
    assert_eq!(parsed.expect_status(200).json(), json!({ "names": ["a, c", "b", "d"] }));
}
