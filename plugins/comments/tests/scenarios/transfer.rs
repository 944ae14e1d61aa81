//! Export and import: what goes out comes back, what is bad is named by its line, and nothing comes
//! twice.

use caplet_testing::{Answer, Caller, TestHost, json};
use serde_json::Value;

use crate::stage::{
    COMMENTS, TRANSFER, below, bodies, count, host, host_with, items, moderator, now, path, read,
    reply, tick, write, write_on,
};

const DISQUS: &str = include_str!("../../../../tests/outside/comments/files/disqus.xml");
const COMMENTO: &str = include_str!("../../../../tests/outside/comments/files/commento.json");

fn operator(host: &TestHost) -> Caller<'_> {
    host.user("olga").permission(TRANSFER)
}

async fn import(host: &TestHost, query: &str, file: &str) -> Answer {
    let request = operator(host).post(&format!("{COMMENTS}/import?{query}"));
    request.body(file.to_owned()).send().await
}

/// Imports all parts of a file, and returns their answers.
async fn import_all(host: &TestHost, query: &str, file: &str) -> Vec<Value> {
    let mut answers: Vec<Value> = Vec::new();
    let mut from = json!(0);
    while !from.is_null() {
        assert!(answers.len() < 1_000, "the import does not end");
        let part = import(host, &format!("{query}&from={from}"), file).await;
        let part = part.expect_status(200).json();
        from = part["next"].clone();
        answers.push(part);
    }
    answers
}

fn sum(answers: &[Value], member: &str) -> u64 {
    answers.iter().map(|answer| answer[member].as_u64().unwrap()).sum()
}

async fn export(host: &TestHost, limit: u32) -> String {
    let mut archive = String::new();
    let mut next = Some(format!("{COMMENTS}/export?limit={limit}"));
    while let Some(part) = next {
        let answer = operator(host).get(&part).send().await.expect_status(200);
        assert_eq!(answer.header("content-type"), Some("application/jsonl"));
        archive.push_str(answer.text());
        let link = answer.header("link").map(|link| link.split(['<', '>']).nth(1).unwrap());
        next = link.map(str::to_owned);
    }
    archive
}

#[tokio::test]
async fn an_archive_comes_back_as_it_was() {
    let from = host_with(json!({ "banned_words": ["held"] })).await;
    let (ada, bob) = (from.user("ada"), from.user("bob"));
    let top = write(&ada, "top **bold**").await;
    tick(&from);
    let answer = reply(&bob, &top, "answer\nof two lines").await;
    tick(&from);
    reply(&ada, &answer, "deep").await;
    let gone = write(&ada, "gone").await;
    reply(&bob, &gone, "stays").await;
    write_on(&ada, "post:2", "held").await;
    ada.delete(&path(&gone)).send().await.expect_status(204);
    ada.patch(&path(&top)).json(&json!({ "body": "edited" })).send().await.expect_status(200);
    let archive = export(&from, 2).await;
    assert_eq!(archive.lines().count(), 6);

    let to = host().await;
    tick(&to);
    tick(&to);
    let answers = import_all(&to, "format=archive", &archive).await;
    assert_eq!((sum(&answers, "n_imported"), sum(&answers, "n_refused")), (6, 0), "{answers:?}");
    let lists =
        ["target=post:1", "target=post:1&view=tree", "target=post:1&sort=old", "target=post:2"];
    for list in lists {
        let list = format!("{COMMENTS}?{list}");
        let expected = read(&from.anonymous(), &list).await;
        assert_eq!(read(&to.anonymous(), &list).await, expected, "{list}");
    }
    let counts = "/api/comments/counts?targets=post:1,post:2";
    assert_eq!(read(&to.anonymous(), counts).await, read(&from.anonymous(), counts).await);
    assert_eq!(export(&to, 100).await, archive);

    let again = import_all(&to, "format=archive", &archive).await;
    assert_eq!((sum(&again, "n_imported"), sum(&again, "n_present")), (0, 6));
    assert_eq!(count(&to, "comments").await, 6);
    // What was imported is answered, edited and deleted like all else.
    reply(&to.user("eve"), &top, "new").await;
    assert_eq!(now(&to, &top).await["n_replies"], 2);
}

#[tokio::test]
async fn bad_lines_are_named_and_the_rest_is_kept() {
    let host = host().await;
    let line = |id: &str, more: Value| {
        let mut line = json!({
            "id": id, "target": "post:1", "author": "ada", "body": id,
            "created_at": "2020-01-01T00:00:00Z",
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string()
    };
    let file = [
        line("a", json!({})),
        "{\"id\":\"broken\"".to_owned(),
        line("b", json!({ "reply_to": "a" })),
        line("c", json!({ "reply_to": "nowhere" })),
        line("d", json!({ "reply_to": "a", "target": "post:2" })),
        line("a", json!({})),
        line("e", json!({ "body": "x".repeat(10_001) })),
        line("f", json!({ "created_at": "2099-01-01T00:00:00Z" })),
        line("g", json!({ "body": "<script>alert(1)</script>" })),
        String::new(),
    ];
    let answer = import(&host, "format=archive", &file.join("\n")).await.expect_status(200).json();
    assert_eq!((&answer["n_imported"], &answer["n_refused"]), (&json!(3), &json!(6)), "{answer}");
    let refused = answer["refused"].as_array().unwrap();
    let mut lines: Vec<u64> = refused.iter().map(|it| it["line"].as_u64().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 4, 5, 6, 7, 8]);
    assert!(refused.iter().all(|it| it["reason"].as_str().is_some_and(|it| it.len() > 10)));
    let page = read(&host.anonymous(), "/api/comments?target=post:1").await;
    assert_eq!(items(&page).len(), 3);
    let hostile = items(&page).iter().find(|it| it["body"] != "a" && it["body"] != "b").unwrap();
    assert!(!hostile["html"].as_str().unwrap().contains("<script"));

    // The same file with its lines mended gives what was missing, and nothing twice.
    let mended = file.join("\n").replace("nowhere", "b").replace("2099", "2021");
    let answer = import(&host, "format=archive", &mended).await.expect_status(200).json();
    assert_eq!((&answer["n_imported"], &answer["n_present"]), (&json!(2), &json!(3)), "{answer}");
}

#[tokio::test]
async fn disqus_keeps_its_threads_times_and_authors() {
    let host = host().await;
    let answers = import_all(&host, "format=disqus&type=post", DISQUS).await;
    assert_eq!((sum(&answers, "n_imported"), sum(&answers, "n_refused")), (6, 2), "{answers:?}");
    let tree = "/api/comments?target=post:/2012/hello/&view=tree&sort=old";
    let tree = read(&host.anonymous(), tree).await;
    let [first, second] = items(&tree) else { panic!("{tree}") };
    assert_eq!(first["created_at"], "2012-03-04T05:06:07.000Z");
    assert_eq!(
        (&first["author"], &first["author_name"]),
        (&json!("disqus:ada"), &json!("Ada Lovelace"))
    );
    assert_eq!(first["html"], "<p>Hello &amp; <strong>welcome</strong></p>\n");
    assert_eq!(first["replies"][0]["author"], "disqus:anonymous");
    assert_eq!(first["replies"][0]["replies"][0]["body"], "Third level");
    assert_eq!(second["deleted"], true);
    let html = tree.to_string();
    assert!(!html.contains("<script") && !html.contains("javascript:"), "{html}");
    let queue = read(&moderator(&host), "/api/comments/moderation?state=spam").await;
    assert_eq!(bodies(items(&queue)), ["Buy now"]);
    let again = import_all(&host, "format=disqus&type=post", DISQUS).await;
    assert_eq!((sum(&again, "n_imported"), sum(&again, "n_present")), (0, 6));
    assert_eq!(count(&host, "comments").await, 6);
}

#[tokio::test]
async fn commento_keeps_its_threads_times_and_authors() {
    let host = host().await;
    let answers = import_all(&host, "format=commento", COMMENTO).await;
    assert_eq!((sum(&answers, "n_imported"), sum(&answers, "n_refused")), (4, 1), "{answers:?}");
    let list = "/api/comments?target=page:/hello&view=tree&sort=old";
    let tree = read(&host.anonymous(), list).await;
    let top = &items(&tree)[0];
    assert_eq!((&top["author_name"], &top["body"]), (&json!("Ada"), &json!("*Hello*")));
    assert_eq!(top["replies"][0]["created_at"], "2019-05-06T07:09:09.000Z");
    let queue = read(&moderator(&host), "/api/comments/moderation").await;
    assert_eq!(items(&queue).len(), 1);
    let again = import_all(&host, "format=commento", COMMENTO).await;
    assert_eq!((sum(&again, "n_imported"), sum(&again, "n_present")), (0, 4));
}

#[tokio::test]
async fn a_deep_thread_is_flattened_and_a_large_file_comes_in_parts() {
    let host = host_with(json!({ "depth_max": 3 })).await;
    let line = |number: usize| {
        let parent = (!number.is_multiple_of(10)).then(|| format!("c{}", number - 1));
        json!({
            "id": format!("c{number}"), "target": "post:1", "reply_to": parent, "author": "ada",
            "body": number.to_string(), "created_at": format!("2020-01-01T00:00:00.{number:03}Z"),
        })
        .to_string()
    };
    let file: Vec<String> = (0..450).map(line).collect();
    let answers = import_all(&host, "format=archive", &file.join("\n")).await;
    assert!(answers.len() >= 3, "200 rows are taken at most");
    assert_eq!((sum(&answers, "n_imported"), sum(&answers, "n_refused")), (450, 0));
    let list = "/api/comments?target=post:1&view=tree&sort=old&limit=1";
    let tree = read(&host.anonymous(), list).await;
    let top = &items(&tree)[0];
    assert_eq!((top["body"].as_str(), &top["n_replies"]), (Some("0"), &json!(1)));
    assert_eq!(top["replies"][0]["n_replies"], 8, "what is deeper stands on the last level");
    let replies = below(&top["replies"][0], "replies");
    let replies = read(&host.anonymous(), &replies).await;
    assert_eq!(bodies(items(&replies)), ["2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    let host = host().await;
    for (query, file) in
        [("format=commento", "{"), ("format=commento", "<disqus/>"), ("format=commento", "")]
    {
        import(&host, query, file).await.expect_problem(400, "malformed-file");
    }
    let request = operator(&host).post("/api/comments/import?format=archive");
    request.body(vec![b'{', 0xff]).send().await.expect_problem(400, "malformed-file");
    for query in [
        "",
        "format=word",
        "format=disqus&type=Page",
        "format=disqus&by=luck",
        "format=archive&from=-1",
        "format=archive&from=99999999999",
    ] {
        import(&host, query, "").await.expect_problem(400, "bad-query");
    }
    for broken in
        ["nonsense", "<disqus", "<!DOCTYPE a [<!ENTITY b \"c\">]><disqus><post>&b;</post></disqus>"]
    {
        let answer = import(&host, "format=disqus", broken).await.expect_status(200).json();
        assert_eq!(answer["n_imported"], 0, "{broken}");
    }
    let large = "x".repeat(1024 * 1024 + 1);
    import(&host, "format=archive", &large).await.expect_problem(413, "body-too-large");
    assert_eq!(count(&host, "comments").await, 0);
}

#[tokio::test]
async fn a_file_of_nothing_but_bad_rows_is_bounded() {
    let host = host().await;
    let file = "nonsense\n".repeat(20_000);
    let answer = import(&host, "format=archive", &file).await.expect_status(200).json();
    assert_eq!(answer["n_refused"], 20_000);
    assert_eq!(answer["refused"].as_array().unwrap().len(), 1_000);
}
