//! What follows a change, while other changes come: who is rolled back although somebody waits, what goes on
//! after a restart, and when the data keep their old shape. The first version of the fixture `upgrade` serves.

use std::path::Path;
use std::sync::Arc;

use caplet_runtime::{
    ChangeKind, Fault, GenerationState, Operation, Outcome, Part, Step, UpgradeOptions,
};
use caplet_tests::PATIENCE;
use http::Method;
use serde_json::json;

use crate::rig::changes::{UPGRADE, disable, enable, host_life, install, merge, rollback, settled};
use crate::rig::{Ask, Rig, Setup, ended_by_wall, text, until};
use GenerationState::{Active, RolledBack, Superseded};

/// Longer than any test: what waits for the end of this does not come.
const LONG_MS: u64 = 600_000;

fn upgrading(watch_ms: u64, drain_ms_max: u64) -> Setup {
    Setup { upgrade: UpgradeOptions { watch_ms, drain_ms_max }, ..Setup::default() }
}

/// The first version with two notes, both of which it has listed.
async fn serving(watch_ms: u64, drain_ms_max: u64) -> Rig {
    begun(upgrading(watch_ms, drain_ms_max)).await
}

async fn begun(setup: Setup) -> Rig {
    setup.with_notes(&["a", "b"]).await
}

fn limit(ms: u64) -> ChangeKind {
    merge(UPGRADE, Part::Limits, json!({ "wall_ms_max": ms }))
}

/// Calls what serves until it counts as failing.
async fn fail(rig: &Rig) {
    let failing = rig.generation();
    for _ in 0..3 {
        let ask = Ask::to(failing.clone(), Method::GET, "/version");
        ask.send().await.expect_err("it traps");
    }
}

/// A change that has been tried and now waits for the end of what follows the last one.
async fn waiting(rig: &Rig, guest: &str) -> Arc<Operation> {
    let operation = rig.begin(install(guest));
    until("the change waits", async || {
        operation.progress().steps.last().is_some_and(|it| it.step == Step::Trial)
    })
    .await;
    operation
}

#[tokio::test]
async fn the_watch_rolls_back_before_a_change_that_waits() {
    let rig = serving(LONG_MS, LONG_MS).await;
    let old = rig.ask(Method::GET, "/notes");
    let bad = rig.changed(install("upgrade-trapping")).await;
    let next = waiting(&rig, "upgrade-v2").await;
    fail(&rig).await;
    let trouble = settled(&bad).await.expect("it is said");
    assert!(trouble.starts_with("rolled back: its last invocations all failed"), "{trouble}");
    // The change goes on from what serves.
    assert!(matches!(next.outcome().await, Ok(Outcome::Serving(4))));
    assert_eq!(rig.states().await, [Superseded, RolledBack, Superseded, Active]);
    assert_eq!(rig.version().await, "2.0.0");
    drop(old);
}

#[tokio::test]
async fn a_rollback_by_hand_comes_before_a_change_that_waits() {
    let rig = serving(LONG_MS, LONG_MS).await;
    let old = rig.ask(Method::GET, "/notes");
    rig.changed(install("upgrade-v2")).await;
    let next = waiting(&rig, "upgrade-v3").await;
    let other = rig.refused(install("upgrade-v4")).await;
    assert!(other.to_string().contains("it is being changed (install"), "{other}");
    rig.changed(rollback(None)).await;
    assert!(matches!(next.outcome().await, Ok(Outcome::Serving(4))));
    assert_eq!(rig.states().await, [Superseded, RolledBack, Superseded, Active]);
    assert!(text(&old.send().await.unwrap()).contains('b'), "nothing is given up meanwhile");
}

#[tokio::test]
async fn a_rollback_that_fails_is_told() {
    let kept = tempfile::tempdir().unwrap();
    let rig = begun(watching(kept.path())).await;
    let first = rig.generation().digest();
    let bad = rig.changed(install("upgrade-trapping")).await;
    std::fs::remove_file(kept.path().join(format!("components/{first}.wasm"))).unwrap();
    fail(&rig).await;
    let trouble = settled(&bad).await.expect("it is said");
    assert!(trouble.starts_with("could not be rolled back: its last invocations"), "{trouble}");
    assert!(trouble.contains("the component of generation 1"), "{trouble}");
    assert_eq!(rig.states().await, [Superseded, Active]);
    until("it is in the audit log", async || {
        let (entries, _) = rig.runtime.audit().page(0).await.unwrap();
        entries.iter().any(|it| {
            it.actor.starts_with("watch: ") && it.detail.contains(r#""outcome":"refused""#)
        })
    })
    .await;
}

fn watching(kept: &Path) -> Setup {
    upgrading(LONG_MS, LONG_MS).kept_at(kept)
}

#[test]
fn a_host_that_starts_again_goes_on_judging() {
    let kept = tempfile::tempdir().unwrap();
    host_life(async {
        let rig = begun(watching(kept.path())).await;
        rig.changed(install("upgrade-trapping")).await;
        rig.runtime.shutdown(PATIENCE).await;
    });
    host_life(async {
        let rig = watching(kept.path()).restore(UPGRADE).await;
        assert_eq!(rig.generation().number(), 2);
        fail(&rig).await;
        until("it is rolled back", async || rig.generation().number() == 3).await;
        assert!(rig.notes().await.contains('b'));
        assert_eq!(rig.states().await, [Superseded, RolledBack, Active]);
        rig.runtime.shutdown(PATIENCE).await;
    });
    // What was rolled back is not rolled back again.
    host_life(async {
        let rig = watching(kept.path()).restore(UPGRADE).await;
        assert_eq!((rig.generation().number(), rig.version().await.as_str()), (3, "1.0.0"));
    });
}

#[tokio::test]
async fn nothing_is_given_up_for_a_version_that_fails() {
    let limits = ended_by_wall(1_000);
    let rig = begun(Setup { limits, ..upgrading(200, LONG_MS) }).await;
    // While a call of an older version runs, nothing is given up.
    let old = rig.ask(Method::GET, "/notes");
    rig.changed(install("upgrade-v3")).await;
    rig.changed(rollback(None)).await;
    // What was brought back is not judged, however badly it does.
    let again = rig.changed(rollback(Some(2))).await;
    let slow = (0..3).map(|_| rig.ask(Method::GET, "/slow?ms=4000").send());
    for outcome in futures::future::join_all(slow).await {
        assert!(matches!(outcome, Err(Fault::Wall(_))), "{outcome:?}");
    }
    drop(old);
    let trouble = settled(&again).await.expect("it is said");
    assert!(trouble.contains("it fails, so that its data keep their old shape"), "{trouble}");
    rig.changed(rollback(Some(1))).await;
    assert!(rig.notes().await.contains('b'));
}

#[tokio::test]
async fn a_change_that_waits_for_approval_takes_no_way_back() {
    let rig = serving(LONG_MS, LONG_MS).await;
    let upgrade = rig.changed(install("upgrade-v3")).await;
    rig.kept_waiting("upgrade-hiding").await;
    assert!(!upgrade.progress().settled, "it is watched on");
    rig.changed(rollback(None)).await;
    assert!(rig.notes().await.contains('b'));
}

#[tokio::test]
async fn an_old_shape_is_kept_until_the_last_call_of_any_older_version() {
    let rig = serving(0, 50).await;
    let old = rig.ask(Method::GET, "/notes");
    rig.changed(install("upgrade-lossy")).await;
    // Another change, with the first version still there.
    rig.changed(limit(5_000)).await;
    rig.changed(rollback(Some(1))).await;
    assert!(rig.notes().await.contains('b'), "they were given up");
    drop(old);
}

#[tokio::test]
async fn a_disabled_plugin_gives_nothing_up_while_a_call_of_before_runs() {
    let rig = serving(0, 50).await;
    let old = rig.ask(Method::GET, "/notes");
    rig.changed(disable()).await;
    let outcome = rig.begin(install("upgrade-lossy")).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Ready(_)), "{outcome:?}");
    let enabled = rig.changed(enable()).await;
    assert!(!enabled.progress().settled, "the call still needs what is to be given up");
    drop(old);
    assert_eq!(settled(&enabled).await, None);
    let steps: Vec<_> = enabled.progress().steps.iter().map(|it| it.step).collect();
    assert_eq!(steps.last(), Some(&Step::Contract), "{steps:?}");
}

#[tokio::test]
async fn a_plugin_is_enabled_again_while_a_call_of_before_runs() {
    let rig = serving(0, LONG_MS).await;
    let old = rig.ask(Method::GET, "/notes");
    let disable = rig.changed(disable()).await;
    rig.changed(enable()).await;
    assert_eq!(rig.version().await, "1.0.0");
    assert_eq!(settled(&disable).await, None, "nothing is left of the change before");
    assert!(text(&old.send().await.unwrap()).contains('b'));
}

#[tokio::test]
async fn a_call_that_outlasts_the_drain_is_answered_and_no_trouble() {
    let rig = serving(0, 50).await;
    let upload = rig.ask(Method::POST, "/upload").body("slowly");
    let upgrade = rig.changed(install("upgrade-hiding")).await;
    assert_eq!(settled(&upgrade).await, None);
    assert!(text(&upload.send().await.unwrap()).contains("1.0.0"));
}

#[tokio::test]
async fn a_call_that_comes_too_late_is_sent_away_where_its_data_are_given_up() {
    let rig = serving(0, 50).await;
    let old = rig.generation();
    let upgrade = rig.changed(install("upgrade-lossy")).await;
    let is_sent_away = async || {
        let late = Ask::to(old.clone(), Method::GET, "/version").send().await;
        late.is_err_and(|fault| fault == Fault::Stopping)
    };
    until("late calls are sent away", is_sent_away).await;
    assert!(!upgrade.progress().settled, "the old version is not gone");
    drop(old);
    assert_eq!(settled(&upgrade).await, None);
    let steps: Vec<_> = upgrade.progress().steps.iter().map(|it| it.step).collect();
    assert_eq!(steps.last(), Some(&Step::Contract), "{steps:?}");
}

#[tokio::test]
async fn what_follows_a_change_goes_on_after_a_rollback_that_came_to_nothing() {
    let rig = serving(0, LONG_MS).await;
    let old = rig.ask(Method::GET, "/notes");
    let change = rig.changed(limit(5_000)).await;
    // The version before had the limits that the operator has set since.
    let back = rig.begin(rollback(None)).outcome().await.unwrap();
    assert!(matches!(back, Outcome::Unchanged), "{back:?}");
    assert!(!change.progress().settled, "the old version is not gone");
    drop(old);
    assert_eq!(settled(&change).await, None);
}
