//! What a host remembers of changes: a history of any size, what waits for approval, which statements a
//! version ran, and which file it has read.

use std::path::Path;

use caplet_runtime::{ChangeKind, Decision, Outcome, Part};
use serde_json::json;

use crate::rig::changes::{UPGRADE, approve, disable, enable, install, merge, rollback, settled};
use crate::rig::{Rig, Setup, bytes_of, until};

fn setup(kept: &Path) -> Setup {
    Setup::hasty().kept_at(kept)
}

/// Carries out a change and all that follows it.
async fn change(rig: &Rig, kind: ChangeKind) {
    let operation = rig.changed(kind).await;
    settled(&operation).await;
}

fn reuse(n_times: u32) -> ChangeKind {
    merge(UPGRADE, Part::Limits, json!({ "reuse_max": n_times }))
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
            plugin: UPGRADE.to_owned(),
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
        change(&rig, reuse(100 + n)).await;
    }
    let number = rig.generation().number();
    let history = rig.runtime.history(UPGRADE).await.unwrap();
    assert_eq!(history.first().map(|it| it.number), Some(number));
    assert!(history.len() >= 50 && history.is_sorted_by(|a, b| a.number > b.number));
    rig.end().await;

    let rig = setup(place.path()).restore(UPGRADE).await;
    assert_eq!(rig.generation().number(), number);
    assert_eq!(rig.version().await, "1.0.0");
    change(&rig, reuse(99)).await;
    assert_eq!(rig.generation().number(), number + 1);
}

#[tokio::test]
async fn what_waits_for_approval_outlives_a_restart_and_a_pause() {
    let place = tempfile::tempdir().unwrap();
    let rig = setup(place.path()).load("upgrade-v1").await;
    rig.kept_waiting("upgrade-hiding").await;
    let served_ms = rig.runtime.history(UPGRADE).await.unwrap()[1].served_ms;
    rig.end().await;

    let rig = setup(place.path()).restore(UPGRADE).await;
    for kind in [disable(), enable()] {
        change(&rig, kind).await;
    }
    assert_eq!(rig.runtime.history(UPGRADE).await.unwrap()[1].served_ms, served_ms);
    let outcome = rig.changed(approve(None)).await.outcome().await;
    assert!(matches!(outcome, Ok(Outcome::Serving(_))), "{outcome:?}");
    assert_eq!(rig.version().await, "2.0.0");
}

/// They are those of the component: another generation of it knows them from its first request on.
#[tokio::test]
async fn the_statements_of_a_version_are_known_after_a_change_of_its_limits_and_a_rollback() {
    let place = tempfile::tempdir().unwrap();
    let rig = setup(place.path()).with_notes(&[]).await;
    let is_refused = async |rig: &Rig| {
        let error = rig.refused(install("upgrade-breaking")).await;
        assert!(error.to_string().contains("SELECT id FROM notes"), "{error}");
    };
    change(&rig, reuse(3)).await;
    is_refused(&rig).await;
    rig.end().await;

    let rig = setup(place.path()).restore(UPGRADE).await;
    change(&rig, install("upgrade-hiding")).await;
    change(&rig, rollback(None)).await;
    is_refused(&rig).await;
}

#[tokio::test]
async fn a_file_that_is_written_anew_with_the_same_content_does_not_undo_a_rollback() {
    let (place, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rig = setup(kept.path()).empty(UPGRADE).await;
    let write = |guest: &str| {
        let partial = place.path().join("partial");
        std::fs::write(&partial, bytes_of(guest)).unwrap();
        std::fs::rename(partial, place.path().join("upgrade.wasm")).unwrap();
    };
    write("upgrade-v1");
    let folder = rig.runtime.follow(place.path().to_owned()).unwrap();
    folder.first_scan().await;
    write("upgrade-v2");
    until("the second version serves", async || rig.version().await == "2.0.0").await;
    change(&rig, rollback(None)).await;
    let n_generations = rig.states().await.len();
    write("upgrade-v2");
    // A file that comes later is looked at later: when it is served, the one before was read.
    std::fs::write(place.path().join("z.wasm"), bytes_of("hello")).unwrap();
    until("the other file is served", async || rig.runtime.table().get("hello").is_some()).await;
    assert_eq!(rig.version().await, "1.0.0");
    assert_eq!(rig.states().await.len(), n_generations);
    // Another content is read: this one is refused for what it does to the data.
    write("upgrade-older");
    until("another content is read", async || {
        let statuses = folder.statuses();
        statuses.iter().any(|it| it.error.as_ref().is_some_and(|it| it.contains("older")))
    })
    .await;
}
