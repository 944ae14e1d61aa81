//! Exports and erasures of data subjects with the real binary: everything of one person and nothing
//! of another, through a crash, past plugins that fail, down to the bytes of the files.

use std::path::Path;
use std::process::{Output, Stdio};

use caplet_tests::{Place, Server, binary};
use serde_json::{Value, json};
use tokio::process::Command;

/// `caplet subject …` against a running host, without a terminal.
async fn subject(place: &Place, server: &Server, arguments: &[&str]) -> Output {
    Command::new(binary())
        .arg("subject")
        .args(arguments)
        .args(["--url", &server.url("")])
        .arg("--data")
        .arg(place.data())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the command runs")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Adds records of an owner to the guest `subject-records`.
async fn add_records(server: &Server, tenant: &str, owner: &str, count: usize) {
    let token = server.token(&["--subject", "somebody", "--tenant", tenant]).await;
    for begin in (0..count).step_by(500) {
        let url = format!("/api/subject-records/{owner}?count={}", (count - begin).min(500));
        let request = server.client().post(server.url(&url)).bearer_auth(&token);
        assert_eq!(request.send().await.unwrap().status(), 201);
    }
}

/// What an export has of a holding.
fn exported<'a>(document: &'a Value, plugin: &str, holding: &str) -> Vec<&'a Value> {
    let pages = document["pages"].as_array().expect("pages");
    let pages = pages.iter().filter(|page| page["plugin"] == plugin && page["holding"] == holding);
    pages.flat_map(|page| page["items"].as_array().expect("items")).collect()
}

/// The plugin's part in a run.
fn part<'a>(run: &'a Value, plugin: &str) -> &'a Value {
    let parts = run["plugins"].as_array().expect("plugins");
    parts.iter().find(|part| part["plugin"] == plugin).expect("a part of the plugin")
}

/// Whether a file in a directory has these bytes in it.
fn files_contain(directory: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let content = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn exports_and_erases_one_person_and_no_other() {
    let place = Place::new();
    place.install("subject-records", "subject-records.wasm");
    let server = place.start(&[]).await;
    for (tenant, owner, count) in
        [("default", "person-4711", 1_203), ("default", "bob", 3), ("acme", "eve", 4)]
    {
        add_records(&server, tenant, owner, count).await;
    }
    let databases = place.data().join("databases");
    assert!(files_contain(&databases, b"person-4711"));

    let file = place.data().join("export.json");
    let to_file = ["export", "person-4711", "--json", "--output", file.to_str().unwrap()];
    let output = subject(&place, &server, &to_file).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(part(&json_of(&output), "subject-records")["n_records"], 1_203);
    let document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let records = exported(&document, "subject-records", "records");
    assert_eq!(records.len(), 1_203);
    assert!(records.iter().all(|record| record["text"] == "written by person-4711"));
    std::fs::remove_file(&file).unwrap();

    let refused = subject(&place, &server, &["erase", "person-4711"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let erase = ["erase", "person-4711", "--yes", "--json"];
    let output = subject(&place, &server, &erase).await;
    assert!(output.status.success(), "{output:?}");
    let erased = part(&json_of(&output), "subject-records")["erased"][0].clone();
    assert_eq!(
        erased,
        json!({ "holding": "records", "deleted": 1_203, "anonymised": 0, "kept": 0 })
    );
    assert!(!files_contain(&databases, b"person-4711"), "the files still name the person");

    for (tenant, owner, count) in [
        ("default", "person-4711", 0),
        ("default", "bob", 3),
        ("acme", "eve", 4),
        ("acme", "bob", 0),
    ] {
        let output = subject(&place, &server, &["export", owner, "--tenant", tenant]).await;
        let left = exported(&json_of(&output), "subject-records", "records").len();
        assert_eq!(left, count, "{owner} of {tenant}");
    }
}

#[tokio::test]
async fn goes_on_after_a_crash_and_counts_nothing_twice() {
    let place = Place::new();
    place.install("subject-records", "subject-records.wasm");
    let server = place.start(&[]).await;
    add_records(&server, "default", "ada", 3_000).await;
    let path = "/admin/api/subjects/default/ada/erasures";
    let operator = server.token(&["--subject", "operator", "--scope", "caplet.admin"]).await;
    let begin = server.client().post(server.url(path)).bearer_auth(&operator).send().await.unwrap();
    assert_eq!(begin.status(), 200);
    let read = async |server: &Server| -> Value {
        let request = server.client().get(server.url(path)).bearer_auth(&operator);
        request.send().await.unwrap().json().await.unwrap()
    };
    loop {
        let run = read(&server).await;
        assert_eq!(run["state"], "running", "it was over before it could be killed");
        if part(&run, "subject-records")["n_calls"].as_u64() >= Some(3) {
            break;
        }
    }
    server.kill().await;

    let server = place.start(&[]).await;
    let ended = async || {
        while read(&server).await["state"] == "running" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(caplet_tests::PATIENCE, ended()).await.expect("it is resumed by itself");
    let run = read(&server).await;
    assert_eq!(run["state"], "done");
    let records = part(&run, "subject-records");
    assert_eq!(
        (&records["erased"][0]["deleted"], &records["n_calls"]),
        (&json!(3_000), &json!(301))
    );
    assert!(!files_contain(&place.data().join("databases"), b"written by ada"));
}

#[tokio::test]
async fn names_the_plugins_that_fail_and_does_the_others() {
    let place = Place::new();
    for guest in ["storage", "subject-nuisance", "subject-records"] {
        place.install(guest, &format!("{guest}.wasm"));
    }
    let server = place.start(&[]).await;
    add_records(&server, "default", "trap", 12).await;
    let output = subject(&place, &server, &["erase", "trap", "--yes", "--json"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let run = json_of(&output);
    let states = ["storage", "subject-nuisance", "subject-records"]
        .map(|plugin| part(&run, plugin)["state"].as_str().unwrap_or_default());
    assert_eq!(states, ["silent", "failed", "done"]);
    let reason = part(&run, "subject-nuisance")["reason"].as_str().unwrap();
    assert!(reason.contains("trapped"), "{reason}");
    assert_eq!(part(&run, "subject-records")["erased"][0]["deleted"], 12);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("storage, subject-nuisance"), "{told}");

    let holdings = json_of(&subject(&place, &server, &["holdings", "--json"]).await);
    assert_eq!(holdings["items"][2]["holdings"][1]["erasure"]["does"], "keep");
}
