//! What follows a change, while other changes come: who is rolled back although somebody waits, what goes on
//! after a restart, and when the data keep their old shape. The first version of the fixture `upgrade` serves.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_runtime::{
    Change, ChangeKind, Edit, Fault, GenerationState, Limits, Operation, Outcome, Part, Step,
    UpgradeOptions,
};
use http::Method;
use serde_json::json;

use crate::rig::{Ask, Rig, Setup, bytes_of, text};
use GenerationState::{Active, RolledBack, Superseded};

const PLUGIN: &str = "upgrade";

/// Longer than any test: what waits for the end of this does not come.
const LONG_MS: u64 = 600_000;

/// The first version with two notes, both of which it has listed.
async fn serving(watch_ms: u64, drain_ms_max: u64) -> Rig {
    let upgrade = UpgradeOptions { watch_ms, drain_ms_max };
    begun(Setup { upgrade, ..Setup::default() }).await
}

async fn begun(setup: Setup) -> Rig {
    let rig = setup.load("upgrade-v1").await;
    rig.post("/notes/a").await.unwrap();
    rig.post("/notes/b").await.unwrap();
    rig.get("/notes").await.unwrap();
    rig
}

fn install(guest: &str) -> ChangeKind {
    ChangeKind::Install { component: bytes_of(guest).into(), file: None, called: None }
}

fn rollback(to: Option<u32>) -> ChangeKind {
    ChangeKind::Rollback { plugin: PLUGIN.to_owned(), to }
}

fn limit(ms: u64) -> ChangeKind {
    let patch = json!({ "wall_ms_max": ms }).as_object().cloned().unwrap();
    let (plugin, edit) = (PLUGIN.to_owned(), Edit::Merge(patch));
    ChangeKind::Configure { plugin, part: Part::Limits, edit, expected: None }
}

fn begin(rig: &Rig, kind: ChangeKind) -> Arc<Operation> {
    rig.runtime.begin(Change::approved(kind, "ada"))
}

/// A change that has taken effect.
async fn done(rig: &Rig, kind: ChangeKind) -> Arc<Operation> {
    let operation = begin(rig, kind);
    operation.outcome().await.expect("it takes effect");
    operation
}

async fn settled(operation: &Operation) -> Option<String> {
    tokio::time::timeout(Duration::from_secs(20), operation.settled()).await.expect("it ends");
    operation.progress().trouble
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came to be: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn version(rig: &Rig) -> String {
    text(&rig.get("/version").await.unwrap()).to_owned()
}

async fn notes(rig: &Rig) -> String {
    text(&rig.get("/notes").await.unwrap()).to_owned()
}

/// Calls what serves until it counts as failing.
async fn fail(rig: &Rig) {
    let failing = rig.generation();
    for _ in 0..3 {
        let ask = Ask::to(failing.clone(), Method::GET, "/version");
        ask.send().await.expect_err("it traps");
    }
}

/// The states of all generations, the first one first.
async fn states(rig: &Rig) -> Vec<GenerationState> {
    let mut history = rig.runtime.history(PLUGIN).await.unwrap();
    history.reverse();
    history.into_iter().map(|generation| generation.state).collect()
}

/// A change that has been tried and now waits for the end of what follows the last one.
async fn waiting(rig: &Rig, guest: &str) -> Arc<Operation> {
    let operation = begin(rig, install(guest));
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
    let bad = done(&rig, install("upgrade-trapping")).await;
    let next = waiting(&rig, "upgrade-v2").await;
    fail(&rig).await;
    let trouble = settled(&bad).await.expect("it is said");
    assert!(trouble.starts_with("rolled back: its last invocations all failed"), "{trouble}");
    // The change goes on from what serves.
    assert!(matches!(next.outcome().await, Ok(Outcome::Serving(4))));
    assert_eq!(states(&rig).await, [Superseded, RolledBack, Superseded, Active]);
    assert_eq!(version(&rig).await, "2.0.0");
    drop(old);
}

#[tokio::test]
async fn a_rollback_by_hand_comes_before_a_change_that_waits() {
    let rig = serving(LONG_MS, LONG_MS).await;
    let old = rig.ask(Method::GET, "/notes");
    done(&rig, install("upgrade-v2")).await;
    let next = waiting(&rig, "upgrade-v3").await;
    let other = begin(&rig, install("upgrade-v4")).outcome().await.unwrap_err();
    assert!(other.to_string().contains("it is being changed (install"), "{other}");
    done(&rig, rollback(None)).await;
    assert!(matches!(next.outcome().await, Ok(Outcome::Serving(4))));
    assert_eq!(states(&rig).await, [Superseded, RolledBack, Superseded, Active]);
    assert!(text(&old.send().await.unwrap()).contains('b'), "nothing is given up meanwhile");
}

#[tokio::test]
async fn a_rollback_that_fails_is_told() {
    let kept = tempfile::tempdir().unwrap();
    let upgrade = UpgradeOptions { watch_ms: LONG_MS, drain_ms_max: LONG_MS };
    let place = Some(kept.path().to_owned());
    let rig = begun(Setup { upgrade, kept: place, ..Setup::default() }).await;
    let first = rig.generation().digest();
    let bad = done(&rig, install("upgrade-trapping")).await;
    std::fs::remove_file(kept.path().join(format!("components/{first}.wasm"))).unwrap();
    fail(&rig).await;
    let trouble = settled(&bad).await.expect("it is said");
    assert!(trouble.starts_with("could not be rolled back: its last invocations"), "{trouble}");
    assert!(trouble.contains("the component of generation 1"), "{trouble}");
    assert_eq!(states(&rig).await, [Superseded, Active]);
    until("it is in the audit log", async || {
        let (entries, _) = rig.runtime.audit().page(0).await.unwrap();
        entries.iter().any(|it| {
            it.actor.starts_with("watch: ") && it.detail.contains(r#""outcome":"refused""#)
        })
    })
    .await;
}

/// Runs one host from its start to its end: nothing of it is left afterwards.
fn host_life(life: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("threads").block_on(life);
}

fn watching(kept: &Path) -> Setup {
    let upgrade = UpgradeOptions { watch_ms: LONG_MS, drain_ms_max: LONG_MS };
    Setup { upgrade, kept: Some(kept.to_owned()), ..Setup::default() }
}

#[test]
fn a_host_that_starts_again_goes_on_judging() {
    let kept = tempfile::tempdir().unwrap();
    host_life(async {
        let rig = begun(watching(kept.path())).await;
        done(&rig, install("upgrade-trapping")).await;
        rig.runtime.shutdown(Duration::from_secs(5)).await;
    });
    host_life(async {
        let rig = watching(kept.path()).restore(PLUGIN).await;
        assert_eq!(rig.generation().number(), 2);
        fail(&rig).await;
        until("it is rolled back", async || rig.generation().number() == 3).await;
        assert!(notes(&rig).await.contains('b'));
        assert_eq!(states(&rig).await, [Superseded, RolledBack, Active]);
        rig.runtime.shutdown(Duration::from_secs(5)).await;
    });
    // What was rolled back is not rolled back again.
    host_life(async {
        let rig = watching(kept.path()).restore(PLUGIN).await;
        assert_eq!((rig.generation().number(), version(&rig).await.as_str()), (3, "1.0.0"));
    });
}

#[tokio::test]
async fn nothing_is_given_up_for_a_version_that_fails() {
    let limits = Limits { wall_ms_max: 500, ..Limits::default() };
    let upgrade = UpgradeOptions { watch_ms: 200, drain_ms_max: LONG_MS };
    let rig = begun(Setup { limits, upgrade, ..Setup::default() }).await;
    // While a call of an older version runs, nothing is given up.
    let old = rig.ask(Method::GET, "/notes");
    done(&rig, install("upgrade-v3")).await;
    done(&rig, rollback(None)).await;
    // What was brought back is not judged, however badly it does.
    let again = done(&rig, rollback(Some(2))).await;
    let slow = (0..3).map(|_| rig.ask(Method::GET, "/slow?ms=4000").send());
    for outcome in futures::future::join_all(slow).await {
        assert!(matches!(outcome, Err(Fault::Wall(_))), "{outcome:?}");
    }
    drop(old);
    let trouble = settled(&again).await.expect("it is said");
    assert!(trouble.contains("it fails, so that its data keep their old shape"), "{trouble}");
    done(&rig, rollback(Some(1))).await;
    assert!(notes(&rig).await.contains('b'));
}

#[tokio::test]
async fn a_change_that_waits_for_approval_takes_no_way_back() {
    let rig = serving(LONG_MS, LONG_MS).await;
    let upgrade = done(&rig, install("upgrade-v3")).await;
    let asked = Change { approved: false, ..Change::approved(install("upgrade-hiding"), "eve") };
    let outcome = rig.runtime.begin(asked).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting(..)), "{outcome:?}");
    assert!(!upgrade.progress().settled, "it is watched on");
    done(&rig, rollback(None)).await;
    assert!(notes(&rig).await.contains('b'));
}

#[tokio::test]
async fn an_old_shape_is_kept_until_the_last_call_of_any_older_version() {
    let rig = serving(0, 50).await;
    let old = rig.ask(Method::GET, "/notes");
    done(&rig, install("upgrade-lossy")).await;
    // Another change, with the first version still there.
    done(&rig, limit(5_000)).await;
    done(&rig, rollback(Some(1))).await;
    assert!(notes(&rig).await.contains('b'), "they were given up");
    drop(old);
}

#[tokio::test]
async fn a_disabled_plugin_gives_nothing_up_while_a_call_of_before_runs() {
    let rig = serving(0, 50).await;
    let old = rig.ask(Method::GET, "/notes");
    done(&rig, ChangeKind::Disable { plugin: PLUGIN.to_owned() }).await;
    let error = begin(&rig, install("upgrade-lossy")).outcome().await.unwrap_err();
    assert_eq!(error.step, Step::Turn);
    assert!(error.to_string().contains("an older version still run"), "{error}");
    drop(old);
    let outcome = begin(&rig, install("upgrade-lossy")).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Ready(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_plugin_is_enabled_again_while_a_call_of_before_runs() {
    let rig = serving(0, LONG_MS).await;
    let old = rig.ask(Method::GET, "/notes");
    let disable = done(&rig, ChangeKind::Disable { plugin: PLUGIN.to_owned() }).await;
    done(&rig, ChangeKind::Enable { plugin: PLUGIN.to_owned() }).await;
    assert_eq!(version(&rig).await, "1.0.0");
    assert_eq!(settled(&disable).await, None, "nothing is left of the change before");
    assert!(text(&old.send().await.unwrap()).contains('b'));
}

#[tokio::test]
async fn a_call_that_outlasts_the_drain_is_answered_and_no_trouble() {
    let rig = serving(0, 50).await;
    let upload = rig.ask(Method::POST, "/upload").body("slowly");
    let upgrade = done(&rig, install("upgrade-hiding")).await;
    assert_eq!(settled(&upgrade).await, None);
    assert!(text(&upload.send().await.unwrap()).contains("1.0.0"));
}

#[tokio::test]
async fn a_call_that_comes_too_late_is_sent_away_where_its_data_are_given_up() {
    let rig = serving(0, 50).await;
    let old = rig.generation();
    let upgrade = done(&rig, install("upgrade-lossy")).await;
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
    let change = done(&rig, limit(5_000)).await;
    // The version before had the limits that the operator has set since.
    let back = begin(&rig, rollback(None)).outcome().await.unwrap();
    assert!(matches!(back, Outcome::Unchanged), "{back:?}");
    assert!(!change.progress().settled, "the old version is not gone");
    drop(old);
    assert_eq!(settled(&change).await, None);
}
