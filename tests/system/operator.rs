//! What an operator is told by the command line: what plugins may do and how much, what they were, why
//! something was denied, and which of several versions an approval is for.

use caplet_tests::Place;
use serde_json::Value;

use crate::rollout::{Operator, path};

const SETTINGS: [(&str, &str); 1] = [("CAPLET_UPGRADE__WATCH_MS", "0")];

#[tokio::test]
async fn status_tells_limits_and_what_is_not_held_or_does_not_serve() {
    let place = Place::new();
    let server = place.start(&SETTINGS).await;
    let operator = Operator::of(&server).await;
    operator.does(&["install", &path("upgrade-v1")]).await;
    operator.does(&["install", &path("echo")]).await;
    let row = |status: &str| {
        let row = status.lines().find(|line| line.starts_with("upgrade "));
        row.map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let row_before = row(&operator.does(&["status"]).await).expect("it serves");
    assert!(row_before.contains(&"sql".to_owned()), "{row_before:?}");

    operator.does(&["limits", "upgrade", "set", "cpu_ms_max=200"]).await;
    operator.does(&["revoke", "upgrade", "sql"]).await;
    operator.does(&["disable", "echo"]).await;
    let status = operator.does(&["status"]).await;
    let row_after = row(&status).expect("it serves");
    assert!(row_after.contains(&"cpu_ms_max=200".to_owned()), "{status}");
    assert!(!row_after.contains(&"sql".to_owned()), "{status}");
    for line in ["revoked: upgrade: sql", "disabled: echo"] {
        assert!(status.lines().any(|it| it == line), "no {line}: {status}");
    }
    let all = operator.does(&["status", "--verbose"]).await;
    let of_upgrade = all.split("limits of upgrade:").nth(1).expect("its limits");
    let has = |words: &[&str]| {
        of_upgrade.lines().any(|it| it.split_whitespace().eq(words.iter().copied()))
    };
    assert!(has(&["cpu_ms_max", "200", "its", "own"]), "{all}");
    assert!(of_upgrade.contains("  memory_bytes_max"), "{all}");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn the_history_keeps_what_each_generation_said_of_itself() {
    let place = Place::new();
    let server = place.start(&SETTINGS).await;
    let operator = Operator::of(&server).await;
    operator.does(&["install", &path("upgrade-v1")]).await;
    operator.does(&["upgrade", "--wait", "--approve", &path("upgrade-lossy")]).await;
    let told = operator.does(&["history", "upgrade", "--json"]).await;
    let history: Vec<Value> = serde_json::from_str(&told).expect("JSON");
    let [lossy, first] = &history[..] else { panic!("{told}") };
    assert_eq!(first["schema_version"], 1);
    assert_eq!(lossy["schema_version"], 2);
    let paths = |generation: &Value| {
        let routes = generation["description"]["routes"].as_array().cloned().unwrap_or_default();
        routes.iter().map(|route| route["pattern"].clone()).collect::<Vec<_>>()
    };
    assert!(paths(first).contains(&"/slow".into()), "{told}");
    assert!(!paths(lossy).contains(&"/slow".into()), "{told}");
    assert_eq!(lossy["description"]["migrations"][1]["phase"], "contract");
    assert!(lossy["contracted_at"].is_string() && first["contracted_at"].is_null(), "{told}");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn a_refusal_is_explained_with_the_line_that_allows_it() {
    let place = Place::new();
    let settings = [SETTINGS[0], ("CAPLET_PLUGIN__UPGRADE__GRANTS", "[]")];
    let server = place.start(&settings).await;
    let operator = Operator::of(&server).await;
    operator.is_refused(&["install", &path("upgrade-v1")]).await;
    let audit = operator.does(&["audit", "--json"]).await;
    let entry: Value = serde_json::from_str(audit.lines().last().expect("an entry")).expect("JSON");
    assert_eq!(entry["detail"]["outcome"], "refused", "{audit}");
    let told = operator.does(&["why-denied", entry["request"].as_str().expect("an id")]).await;
    assert!(told.contains("refused at the step `grant`"), "{told}");
    assert!(told.lines().any(|line| line.starts_with("  add \"sql\" to `grants`")), "{told}");

    operator.does(&["install", &path("http-incoming"), "--name", "hello"]).await;
    let sent = server.client().get(server.url("/api/hello/send?127.0.0.1:9/x")).send().await;
    let sent = sent.expect("an answer");
    assert_eq!(sent.status(), 502);
    let request = sent.headers()["x-request-id"].to_str().expect("an id").to_owned();
    // It is written down behind the answer.
    let asking = &operator;
    server
        .until(|_| async move { asking.does(&["audit"]).await.contains("outbound.denied") })
        .await;
    let told = operator.does(&["why-denied", &request]).await;
    let remedy = "caplet grants hello set 'outbound_origins=[\"http://127.0.0.1:9\"]' --approve";
    assert!(told.contains(remedy), "{told}");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn an_approval_is_for_one_of_several() {
    let place = Place::new();
    let server = place.start(&SETTINGS).await;
    let operator = Operator::of(&server).await;
    operator.does(&["install", &path("upgrade-v1")]).await;
    let waits = operator.is_refused(&["install", &path("upgrade-hiding")]).await;
    assert!(waits.contains("`caplet approve upgrade --generation 2`"), "{waits}");
    operator.is_refused(&["install", &path("upgrade-greedy")]).await;
    let several = operator.is_refused(&["approve", "upgrade"]).await;
    assert!(several.contains("several wait"), "{several}");
    let gone = operator.is_refused(&["approve", "upgrade", "--generation", "7"]).await;
    assert!(gone.contains("412") && gone.contains("precondition-failed"), "{gone}");
    let told = operator.does(&["approve", "upgrade", "--generation", "2"]).await;
    assert!(told.contains("serves by generation"), "{told}");
    assert_eq!(server.get("/api/upgrade/notes").await.0, 404);
    assert_eq!(server.stop().await, 0);
}
