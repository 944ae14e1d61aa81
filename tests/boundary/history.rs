//! What a host remembers of changes: a history of any size, what waits for approval, which statements a
//! version ran, and which file it has read.

use std::path::Path;
use std::time::Duration;

use caplet_runtime::{Change, ChangeKind, Decision, Edit, Outcome, Part, Runtime, UpgradeOptions};
use serde_json::{Value, json};

use crate::rig::{Rig, Setup, bytes_of, text};

const PLUGIN: &str = "upgrade";

fn setup(kept: &Path) -> Setup {
    let upgrade = UpgradeOptions { watch_ms: 0, drain_ms_max: 2_000 };
    Setup { upgrade, kept: Some(kept.to_owned()), ..Setup::default() }
}

fn install(guest: &str) -> ChangeKind {
    ChangeKind::Install { component: bytes_of(guest).into(), file: None, called: None }
}

fn merge(plugin: &str, part: Part, patch: Value) -> ChangeKind {
    let Value::Object(patch) = patch else { panic!("a patch is an object") };
    let (plugin, edit) = (plugin.to_owned(), Edit::Merge(patch));
    ChangeKind::Configure { plugin, part, edit, expected: None }
}

async fn change(runtime: &Runtime, kind: ChangeKind) -> Outcome {
    let operation = runtime.begin(Change::approved(kind, "ada"));
    let outcome = operation.outcome().await.expect("the change is made");
    tokio::time::timeout(Duration::from_secs(20), operation.settled()).await.expect("it ends");
    outcome
}

/// Ends a host, so that another can be started at its place.
async fn end(rig: Rig) {
    rig.runtime.shutdown(Duration::from_secs(5)).await;
    rig.runtime.database().close().await;
}

#[tokio::test]
async fn a_log_that_is_larger_than_one_answer_of_the_database_is_read_whole() {
    const ENTRIES: u64 = 60;
    let place = tempfile::tempdir().unwrap();
    let rig = setup(place.path()).load("upgrade-v1").await;
    let audit = rig.runtime.audit();
    let before = audit.verify().await.unwrap().n_entries;
    for n in 0..ENTRIES {
        let decision = Decision {
            actor: "ada".to_owned(),
            plugin: PLUGIN.to_owned(),
            action: "settings",
            detail: json!({ "number": n, "text": "x".repeat(300_000) }),
            request: String::new(),
        };
        audit.add(decision).await.unwrap();
    }
    let (first, more) = audit.page(before).await.unwrap();
    assert!(more && !first.is_empty() && first.len() < 60, "{} at once", first.len());
    let verified = audit.verify().await.unwrap();
    // That it was installed may have come into the log a moment later.
    assert!(verified.n_entries >= before + ENTRIES && verified.broken_at.is_none(), "{verified:?}");
}

#[tokio::test]
async fn a_host_starts_with_the_history_of_many_changes() {
    let place = tempfile::tempdir().unwrap();
    let rig = setup(place.path()).load("upgrade-v1").await;
    for n in 1..=60 {
        change(&rig.runtime, merge(PLUGIN, Part::Limits, json!({ "reuse_max": 100 + n }))).await;
    }
    let number = rig.generation().number();
    let history = rig.runtime.history(PLUGIN).await.unwrap();
    assert_eq!(history.first().map(|it| it.number), Some(number));
    assert!(history.len() >= 50 && history.is_sorted_by(|a, b| a.number > b.number));
    end(rig).await;

    let rig = setup(place.path()).restore(PLUGIN).await;
    assert_eq!(rig.generation().number(), number);
    assert_eq!(text(&rig.get("/version").await.unwrap()), "1.0.0");
    change(&rig.runtime, merge(PLUGIN, Part::Limits, json!({ "reuse_max": 99 }))).await;
    assert_eq!(rig.generation().number(), number + 1);
}

#[tokio::test]
async fn what_waits_for_approval_outlives_a_restart_and_a_pause() {
    let place = tempfile::tempdir().unwrap();
    let rig = setup(place.path()).load("upgrade-v1").await;
    let asked = Change { approved: false, ..Change::approved(install("upgrade-hiding"), "ada") };
    let outcome = rig.runtime.begin(asked).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting(..)), "{outcome:?}");
    let served_ms = rig.runtime.history(PLUGIN).await.unwrap()[1].served_ms;
    end(rig).await;

    let rig = setup(place.path()).restore(PLUGIN).await;
    for kind in [
        ChangeKind::Disable { plugin: PLUGIN.to_owned() },
        ChangeKind::Enable { plugin: PLUGIN.to_owned() },
    ] {
        change(&rig.runtime, kind).await;
    }
    assert_eq!(rig.runtime.history(PLUGIN).await.unwrap()[1].served_ms, served_ms);
    let approve = ChangeKind::Approve { plugin: PLUGIN.to_owned(), expected: None };
    assert!(matches!(change(&rig.runtime, approve).await, Outcome::Serving(_)));
    assert_eq!(text(&rig.get("/version").await.unwrap()), "2.0.0");
}

/// They are those of the component: another generation of it knows them from its first request on.
#[tokio::test]
async fn the_statements_of_a_version_are_known_after_a_change_of_its_limits_and_a_rollback() {
    let place = tempfile::tempdir().unwrap();
    let rig = setup(place.path()).load("upgrade-v1").await;
    rig.get("/notes").await.unwrap();
    let is_refused = async |rig: &Rig| {
        let breaking = Change::approved(install("upgrade-breaking"), "ada");
        let error = rig.runtime.begin(breaking).outcome().await.expect_err("it would break");
        assert!(error.to_string().contains("SELECT id FROM notes"), "{error}");
    };
    change(&rig.runtime, merge(PLUGIN, Part::Limits, json!({ "reuse_max": 3 }))).await;
    is_refused(&rig).await;
    end(rig).await;

    let rig = setup(place.path()).restore(PLUGIN).await;
    change(&rig.runtime, install("upgrade-hiding")).await;
    change(&rig.runtime, ChangeKind::Rollback { plugin: PLUGIN.to_owned(), to: None }).await;
    is_refused(&rig).await;
}

#[tokio::test]
async fn a_file_that_is_written_anew_with_the_same_content_does_not_undo_a_rollback() {
    let (place, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runtime = setup(kept.path()).runtime(PLUGIN).await;
    let write = |guest: &str| {
        let partial = place.path().join("partial");
        std::fs::write(&partial, bytes_of(guest)).unwrap();
        std::fs::rename(partial, place.path().join("upgrade.wasm")).unwrap();
    };
    let version = || runtime.table().get(PLUGIN).map(|it| it.version().to_owned());
    let is_served = async |expected: &str| {
        let began = std::time::Instant::now();
        while version().as_deref() != Some(expected) {
            assert!(began.elapsed() < Duration::from_secs(20), "{expected} is not served");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    write("upgrade-v1");
    let folder = runtime.follow(place.path().to_owned()).unwrap();
    folder.first_scan().await;
    write("upgrade-v2");
    is_served("2.0.0").await;
    change(&runtime, ChangeKind::Rollback { plugin: PLUGIN.to_owned(), to: None }).await;
    let n_generations = runtime.history(PLUGIN).await.unwrap().len();
    write("upgrade-v2");
    // A file that comes later is looked at later: when it is served, the one before was read.
    std::fs::write(place.path().join("z.wasm"), bytes_of("hello")).unwrap();
    let began = std::time::Instant::now();
    while runtime.table().get("hello").is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "the other file is not served");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(version().as_deref(), Some("1.0.0"));
    assert_eq!(runtime.history(PLUGIN).await.unwrap().len(), n_generations);
    // Another content is read: this one is refused for what it does to the data.
    write("upgrade-older");
    let began = std::time::Instant::now();
    while !folder
        .statuses()
        .iter()
        .any(|it| it.error.as_ref().is_some_and(|it| it.contains("older")))
    {
        assert!(began.elapsed() < Duration::from_secs(20), "another content is not read");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
