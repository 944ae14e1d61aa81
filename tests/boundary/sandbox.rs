//! What a guest can see: its caller, its settings, its clock, and nothing of the machine.

use std::collections::BTreeMap;

use http::Method;
use serde_json::json;

use crate::rig::{Rig, Setup, json, text};

#[tokio::test]
async fn there_is_nothing_behind_wasi() {
    let rig = Rig::with("environment").await;
    let found = json(&rig.get("/").await.unwrap());
    assert_eq!(found["variables"], json!([]));
    assert_eq!(found["arguments"], json!([]));
    assert_eq!(found["input_bytes"], 0);
    for attempt in [
        "read_file",
        "read_folder",
        "write_file",
        "tcp_connect",
        "tcp_listen",
        "udp_bind",
        "resolve_name",
    ] {
        assert_eq!(found[attempt]["ok"], false, "{attempt}: {found}");
    }
    assert!(!std::path::Path::new("/tmp/escaped").exists());
}

#[tokio::test]
async fn the_caller_is_what_the_host_verified() {
    let roles = BTreeMap::from([("listener".to_owned(), vec!["echo.listen".to_owned()])]);
    let rig = Setup { roles, ..Setup::default() }.load("echo").await;
    let nobody = json(&rig.get("/identity").await.unwrap());
    assert_eq!(nobody, json!({ "caller": null, "tenant": "default", "permitted": false }));

    let ask = rig.ask(Method::GET, "/identity").caller("ada", "acme", &["listener"]);
    let ada = json(&ask.send().await.unwrap());
    assert_eq!(ada["tenant"], "acme");
    assert_eq!(ada["permitted"], true);
    assert_eq!(ada["caller"]["subject"], "ada");
    assert_eq!(ada["caller"]["kind"], "user");

    // A warm instance knows nothing of who called before.
    assert_eq!(json(&rig.get("/identity").await.unwrap()), nobody);
}

#[tokio::test]
async fn the_clock_is_the_hosts() {
    let rig = Rig::with("echo").await;
    let clock = json(&rig.get("/clock").await.unwrap());
    assert_eq!(clock["now_ms"], 1_700_000_000_000_u64);
    let remaining = clock["remaining_ms"].as_u64().unwrap();
    assert!((1..=10_000).contains(&remaining), "{clock}");
}

#[tokio::test]
async fn output_becomes_log_lines_and_logging_needs_no_right_of_its_own() {
    let rig = Rig::with("stdout").await;
    assert_eq!(text(&rig.get("/").await.unwrap()), "printed");
    let rig = Rig::with("echo").await;
    assert_eq!(json(&rig.get("/log?message=hello").await.unwrap()), json!({ "written": "hello" }));
}

#[tokio::test]
async fn randomness_differs_from_call_to_call() {
    let rig = Rig::with("echo").await;
    let first = json(&rig.get("/random").await.unwrap());
    assert_ne!(first, json(&rig.get("/random").await.unwrap()));
}
