//! Changes of plugins: what serves while a bad version is brought, what waits for approval, what is
//! rolled back, and what is there after a restart. The first version of the fixture `upgrade` serves,
//! and its others, each with one behaviour, are to take its place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_runtime::{
    Change, ChangeKind, Difference, Effect, GenerationState, LoadError, Operation, Outcome,
    Presence, Step, UpgradeOptions,
};

use crate::rig::{Rig, Setup, bytes_of, text};

const PLUGIN: &str = "upgrade";

/// Nothing is watched longer than it takes to look.
fn hasty() -> UpgradeOptions {
    UpgradeOptions { watch_ms: 0, drain_ms_max: 2_000 }
}

/// The first version with two notes, both of which it has listed.
async fn serving(upgrade: UpgradeOptions) -> Rig {
    let rig = Setup { upgrade, ..Setup::default() }.load("upgrade-v1").await;
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

/// A change that nobody has agreed to.
fn asked(kind: ChangeKind) -> Change {
    Change { kind, by: "ada".to_owned(), approved: false, dry_run: false, stage: None }
}

fn agreed(kind: ChangeKind) -> Change {
    Change::approved(kind, "ada")
}

async fn version(rig: &Rig) -> String {
    text(&rig.get("/version").await.unwrap()).to_owned()
}

async fn refused(rig: &Rig, guest: &str) -> LoadError {
    let operation = rig.runtime.begin(agreed(install(guest)));
    operation.outcome().await.expect_err("the version is refused")
}

/// The states of all generations, the first one first.
async fn states(rig: &Rig) -> Vec<GenerationState> {
    let mut history = rig.runtime.history(PLUGIN).await.unwrap();
    history.reverse();
    history.into_iter().map(|generation| generation.state).collect()
}

async fn settled(operation: &Arc<Operation>) -> Option<String> {
    tokio::time::timeout(Duration::from_secs(20), operation.settled()).await.expect("it ends");
    operation.progress().trouble
}

#[tokio::test]
async fn a_bad_version_is_refused_and_the_old_one_serves_on() {
    let rig = serving(hasty()).await;
    for (guest, step, reason) in [
        ("upgrade-unhealthy", Step::Health, "the notes are \\u{1b}[31mnot"),
        ("upgrade-failing-migration", Step::Trial, "migration 2"),
        ("upgrade-breaking", Step::Trial, "SELECT id FROM notes"),
        ("changed-migration", Step::Expand, "migration 1"),
    ] {
        let error = refused(&rig, guest).await;
        assert_eq!(error.step, step, "{guest}: {error}");
        assert!(error.to_string().contains(reason), "{guest}: {error}");
        assert_eq!(version(&rig).await, "1.0.0", "{guest}");
        rig.post(&format!("/notes/{guest}")).await.unwrap();
        let notes = rig.get("/notes").await.unwrap();
        assert!(text(&notes).contains(guest), "{guest}: {}", text(&notes));
    }
}

#[tokio::test]
async fn what_grows_or_breaks_waits_until_it_is_agreed_to() {
    let rig = serving(hasty()).await;
    let mut last = 0;
    for (guest, expected) in [
        ("upgrade-hiding", "the route `GET /notes` is gone"),
        ("upgrade-older", "version 0.9.0 is older than 1.0.0"),
        ("upgrade-lossy", "table notes: 2 rows before, 0 after"),
    ] {
        let outcome = rig.runtime.begin(asked(install(guest))).outcome().await.unwrap();
        let Outcome::Waiting(number, differences) = outcome else { panic!("{guest}: {outcome:?}") };
        last = number;
        let is_it = |it: &Difference| it.effect == Effect::Breaks && it.text.contains(expected);
        assert!(differences.iter().any(is_it), "{guest}: {differences:?}");
        assert_eq!(version(&rig).await, "1.0.0", "{guest}");
        assert_eq!(states(&rig).await.last(), Some(&GenerationState::Waiting));
    }
    let approve = ChangeKind::Approve { plugin: PLUGIN.to_owned(), expected: Some(last) };
    let operation = rig.runtime.begin(asked(approve.clone()));
    assert!(matches!(operation.outcome().await.unwrap(), Outcome::Serving(_)));
    assert_eq!(version(&rig).await, "2.0.0");
    let again = rig.runtime.begin(asked(approve)).outcome().await.unwrap_err();
    assert!(again.to_string().contains("nothing waits"), "{again}");
}

#[tokio::test]
async fn a_dry_run_tells_all_and_changes_nothing() {
    let rig = serving(hasty()).await;
    let change = Change { dry_run: true, ..asked(install("upgrade-lossy")) };
    let Outcome::Planned(plan) = rig.runtime.begin(change).outcome().await.unwrap() else {
        panic!("it was only planned");
    };
    assert_eq!(plan.migrations, ["contract 2: forget notes"]);
    assert!(plan.differences.iter().any(|it| it.text.contains("2 rows before, 0 after")));
    assert_eq!(states(&rig).await, [GenerationState::Active]);
    assert_eq!(version(&rig).await, "1.0.0");
}

#[tokio::test]
async fn a_rollback_is_possible_until_a_contract_step_has_run() {
    let rig = serving(hasty()).await;
    let upgrade = rig.runtime.begin(agreed(install("upgrade-v2")));
    upgrade.outcome().await.unwrap();
    assert_eq!(settled(&upgrade).await, None);
    assert_eq!(version(&rig).await, "2.0.0");

    rig.runtime.begin(agreed(rollback(None))).outcome().await.unwrap();
    assert_eq!(version(&rig).await, "1.0.0");
    use GenerationState::{Active, Refused, RolledBack, Superseded};
    assert_eq!(states(&rig).await, [Superseded, RolledBack, Active]);
    let error = rig.runtime.begin(agreed(rollback(Some(9)))).outcome().await.unwrap_err();
    assert!(error.to_string().contains("no generation 9"), "{error}");

    let lossy = Setup { upgrade: hasty(), ..Setup::default() }.load("upgrade-v1").await;
    lossy.post("/notes/a").await.unwrap();
    let upgrade = lossy.runtime.begin(agreed(install("upgrade-lossy")));
    upgrade.outcome().await.unwrap();
    assert_eq!(settled(&upgrade).await, None);
    let error = lossy.runtime.begin(agreed(rollback(None))).outcome().await.unwrap_err();
    assert!(error.to_string().contains("contract step"), "{error}");
    assert_eq!(version(&lossy).await, "2.0.0");
    assert_eq!(states(&lossy).await[..2], [Superseded, Active]);
    assert!(!states(&lossy).await.contains(&Refused));
}

#[tokio::test]
async fn a_contract_step_waits_for_the_last_request_of_the_old_version() {
    let rig = serving(hasty()).await;
    let old = rig.ask(http::Method::GET, "/notes");
    let upgrade = rig.runtime.begin(agreed(install("upgrade-lossy")));
    upgrade.outcome().await.unwrap();
    assert_eq!(version(&rig).await, "2.0.0");
    let answer = old.send().await.unwrap();
    assert!(text(&answer).contains('b'), "the old version found its notes: {}", text(&answer));
    assert_eq!(settled(&upgrade).await, None);
    let steps: Vec<_> = upgrade.progress().steps.iter().map(|it| it.step.name()).collect();
    assert_eq!(
        steps,
        [
            "compile", "describe", "compare", "trial", "expand", "warm", "health", "swap", "drain",
            "watch", "contract"
        ]
    );
}

#[tokio::test]
async fn a_version_that_fails_is_rolled_back_once_by_the_host() {
    let rig = serving(UpgradeOptions { watch_ms: 60_000, drain_ms_max: 2_000 }).await;
    let upgrade = rig.runtime.begin(agreed(install("upgrade-trapping")));
    upgrade.outcome().await.unwrap();
    let began = Instant::now();
    loop {
        match rig.get("/version").await {
            Ok(answer) if text(&answer) == "1.0.0" => break,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it was not rolled back");
    }
    let trouble = settled(&upgrade).await.expect("it is said");
    assert!(trouble.starts_with("rolled back: its last invocations all failed"), "{trouble}");
    let history = rig.runtime.history(PLUGIN).await.unwrap();
    assert_eq!(history[1].state, GenerationState::RolledBack);
    assert!(history[1].reason.contains("rolled back by watch"), "{}", history[1].reason);
}

#[tokio::test]
async fn a_version_that_was_brought_back_stays_however_badly_it_does() {
    let rig = serving(UpgradeOptions { watch_ms: 60_000, drain_ms_max: 2_000 }).await;
    rig.runtime.begin(agreed(install("upgrade-trapping"))).outcome().await.unwrap();
    rig.runtime.begin(agreed(rollback(None))).outcome().await.unwrap();
    let back = rig.runtime.begin(agreed(rollback(Some(2))));
    back.outcome().await.unwrap();
    // Nobody watches it any more, long before the time to watch is over.
    assert_eq!(settled(&back).await, None);
    for _ in 0..30 {
        rig.get("/version").await.expect_err("it traps");
    }
    assert_eq!(states(&rig).await.last(), Some(&GenerationState::Active));
    assert_eq!(rig.generation().number(), 4);
}

#[tokio::test]
async fn two_changes_of_one_plugin_do_not_cross() {
    let rig = serving(hasty()).await;
    let both =
        ["upgrade-v2", "upgrade-hiding"].map(|guest| rig.runtime.begin(agreed(install(guest))));
    let mut outcomes = Vec::new();
    for operation in both {
        outcomes.push(operation.outcome().await);
    }
    let n_served = outcomes.iter().filter(|it| it.is_ok()).count();
    assert!(n_served >= 1, "{outcomes:?}");
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(error.to_string().contains("it is being changed (install"), "{error}");
    }
    let active = states(&rig).await.iter().filter(|it| **it == GenerationState::Active).count();
    assert_eq!(active, 1);
}

#[tokio::test]
async fn a_host_that_starts_again_serves_what_served() {
    let place = tempfile::tempdir().unwrap();
    let setup =
        || Setup { upgrade: hasty(), kept: Some(place.path().to_owned()), ..Setup::default() };
    let rig = setup().load("upgrade-v1").await;
    rig.post("/notes/a").await.unwrap();
    let upgrade = rig.runtime.begin(agreed(install("upgrade-v2")));
    upgrade.outcome().await.unwrap();
    settled(&upgrade).await;
    rig.runtime.shutdown(Duration::from_secs(5)).await;
    rig.runtime.database().close().await;
    drop(rig);

    let rig = setup().restore(PLUGIN).await;
    assert_eq!(version(&rig).await, "2.0.0");
    assert_eq!(rig.generation().number(), 2);
    rig.runtime.begin(agreed(rollback(None))).outcome().await.unwrap();
    assert_eq!(version(&rig).await, "1.0.0");
    assert!(text(&rig.get("/notes").await.unwrap()).contains('a'));
}

#[tokio::test]
async fn an_upgrade_after_a_restart_is_held_against_the_statements_before() {
    let place = tempfile::tempdir().unwrap();
    let setup =
        || Setup { upgrade: hasty(), kept: Some(place.path().to_owned()), ..Setup::default() };
    let rig = setup().load("upgrade-v1").await;
    rig.get("/notes").await.unwrap();
    rig.runtime.shutdown(Duration::from_secs(5)).await;
    rig.runtime.database().close().await;
    drop(rig);

    let rig = setup().restore(PLUGIN).await;
    let error = refused(&rig, "upgrade-breaking").await;
    assert!(error.to_string().contains("SELECT id FROM notes"), "{error}");
}

#[tokio::test]
async fn a_disabled_plugin_stays_disabled_and_is_upgraded_meanwhile() {
    let rig = serving(hasty()).await;
    let change = |kind: ChangeKind| rig.runtime.begin(agreed(kind));
    let plugin = || PLUGIN.to_owned();
    change(ChangeKind::Disable { plugin: plugin() }).outcome().await.unwrap();
    assert!(rig.runtime.table().get(PLUGIN).is_none());
    let outcome = change(install("upgrade-v2")).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Ready(2)), "{outcome:?}");
    assert!(rig.runtime.table().get(PLUGIN).is_none());
    change(ChangeKind::Enable { plugin: plugin() }).outcome().await.unwrap();
    assert_eq!(version(&rig).await, "2.0.0");

    change(ChangeKind::Remove { plugin: plugin(), file_is_gone: false }).outcome().await.unwrap();
    assert_eq!(rig.runtime.plugins().await.unwrap()[0].state, Presence::Removed);
    let error = change(ChangeKind::Enable { plugin: plugin() }).outcome().await.unwrap_err();
    assert!(error.to_string().contains("install it again"), "{error}");
    change(install("upgrade-v2")).outcome().await.unwrap();
    assert!(text(&rig.get("/notes").await.unwrap()).contains('a'), "its data stayed");
}
