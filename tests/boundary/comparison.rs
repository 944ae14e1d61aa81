//! What a new version is held against, and what an operator's word holds for: a version that serves, one of a
//! plugin that is disabled or could not be brought back, and what was told of a version that waits.

use std::path::Path;
use std::time::Duration;

use caplet_runtime::{
    Change, ChangeKind, Difference, Effect, GenerationState, LoadError, Outcome, PluginOptions,
    Runtime, UpgradeOptions,
};
use serde_json::json;

use crate::rig::{Setup, bytes_of};

const PLUGIN: &str = "upgrade";

fn setup(kept: Option<&Path>) -> Setup {
    let upgrade = UpgradeOptions { watch_ms: 0, drain_ms_max: 2_000 };
    Setup { upgrade, kept: kept.map(Path::to_owned), ..Setup::default() }
}

fn install(guest: &str) -> ChangeKind {
    ChangeKind::Install { component: bytes_of(guest).into(), file: None, called: None }
}

fn approve(expected: Option<u32>) -> ChangeKind {
    ChangeKind::Approve { plugin: PLUGIN.to_owned(), expected }
}

/// Carries a change out that nobody has agreed to.
async fn asked(runtime: &Runtime, kind: ChangeKind) -> Result<Outcome, LoadError> {
    let by = "ada".to_owned();
    let change = Change { kind, by, approved: false, dry_run: false, stage: None };
    runtime.begin(change).outcome().await
}

/// The number and the differences of a version that has to wait.
async fn waiting(runtime: &Runtime, guest: &str) -> (u32, Vec<Difference>) {
    match asked(runtime, install(guest)).await {
        Ok(Outcome::Waiting(number, differences)) => (number, differences),
        outcome => panic!("{guest}: {outcome:?}"),
    }
}

fn has(differences: &[Difference], effect: Effect, text: &str) -> bool {
    differences.iter().any(|it| it.effect == effect && it.text.contains(text))
}

async fn state(runtime: &Runtime, number: u32) -> (GenerationState, String) {
    let history = runtime.history(PLUGIN).await.unwrap();
    let of = history.into_iter().find(|it| it.number == number).expect("it is in the history");
    (of.state, of.reason)
}

async fn end(runtime: Runtime) {
    runtime.shutdown(Duration::from_secs(5)).await;
    runtime.database().close().await;
}

#[tokio::test]
async fn a_version_for_a_disabled_plugin_waits_for_what_it_would_wait_for_while_it_serves() {
    let rig = setup(None).load("upgrade-v1").await;
    rig.post("/notes/a").await.unwrap();
    rig.post("/notes/b").await.unwrap();
    asked(&rig.runtime, ChangeKind::Disable { plugin: PLUGIN.to_owned() }).await.unwrap();
    for (guest, effect, text) in [
        ("upgrade-greedy", Effect::Grows, "it asks for `random`"),
        ("upgrade-older", Effect::Breaks, "older than 1.0.0"),
        ("upgrade-hiding", Effect::Breaks, "the route `GET /notes` is gone"),
        ("upgrade-lossy", Effect::Breaks, "table notes: 2 rows before, 0 after"),
    ] {
        let (_, differences) = waiting(&rig.runtime, guest).await;
        assert!(has(&differences, effect, text), "{guest}: {differences:?}");
    }
    let outcome = asked(&rig.runtime, install("upgrade-v2")).await.unwrap();
    assert!(matches!(outcome, Outcome::Ready(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_version_waits_where_what_served_last_cannot_be_brought_back() {
    let place = tempfile::tempdir().unwrap();
    let rig = setup(Some(place.path())).load("upgrade-v1").await;
    end(rig.runtime).await;
    std::fs::remove_dir_all(place.path().join("components")).expect("the components are lost");

    let runtime = setup(Some(place.path())).runtime(PLUGIN).await;
    assert_eq!(runtime.restore().await.len(), 1, "it cannot be brought back");
    let (_, differences) = waiting(&runtime, "upgrade-greedy").await;
    assert!(has(&differences, Effect::Breaks, "cannot be compared"), "{differences:?}");
    assert!(runtime.table().get(PLUGIN).is_none());
    let same = asked(&runtime, install("upgrade-v1")).await.unwrap();
    assert!(matches!(same, Outcome::Serving(_)), "what served needs nobody: {same:?}");
    end(runtime).await;
}

#[tokio::test]
async fn the_data_of_a_removed_plugin_are_not_given_up_unseen() {
    let rig = setup(None).load("upgrade-v1").await;
    rig.post("/notes/a").await.unwrap();
    let remove = ChangeKind::Remove { plugin: PLUGIN.to_owned(), file_is_gone: true };
    asked(&rig.runtime, remove).await.unwrap();
    let (number, differences) = waiting(&rig.runtime, "upgrade-lossy").await;
    let texts: Vec<&str> = differences.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["migration 2 (forget notes): table notes: 1 rows before, 0 after"]);
    let outcome = asked(&rig.runtime, approve(Some(number))).await.unwrap();
    assert!(matches!(outcome, Outcome::Serving(_)), "{outcome:?}");
}

#[tokio::test]
async fn who_agrees_says_to_which_of_several() {
    let rig = setup(None).load("upgrade-v1").await;
    let (first, _) = waiting(&rig.runtime, "upgrade-hiding").await;
    let (second, _) = waiting(&rig.runtime, "upgrade-greedy").await;
    assert_eq!(waiting(&rig.runtime, "upgrade-hiding").await.0, first, "it waits already");
    for (expected, reason) in
        [(None, "the generations 3, 2 wait"), (Some(9), "generation 9 does not wait")]
    {
        let error = asked(&rig.runtime, approve(expected)).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert_eq!(rig.generation().number(), 1);
    asked(&rig.runtime, approve(Some(first))).await.unwrap();
    assert!(!rig.generation().inspection().asks_for("random"), "the other one was not meant");
    assert_eq!(state(&rig.runtime, second).await.0, GenerationState::Refused);
}

#[tokio::test]
async fn what_changes_more_than_it_was_agreed_to_waits_again() {
    let rig = setup(None).load("upgrade-v1").await;
    let (first, told) = waiting(&rig.runtime, "upgrade-lossy").await;
    assert!(!has(&told, Effect::Breaks, "table notes"), "there are no notes yet: {told:?}");
    rig.post("/notes/a").await.unwrap();
    let outcome = asked(&rig.runtime, approve(Some(first))).await.unwrap();
    let Outcome::Waiting(second, more) = outcome else { panic!("{outcome:?}") };
    assert!(has(&more, Effect::Breaks, "table notes: 1 rows before"), "{more:?}");
    let (state, reason) = state(&rig.runtime, first).await;
    assert_eq!(state, GenerationState::Refused);
    assert!(reason.contains("more now"), "{reason}");
    // More rows of the same table are no other difference.
    rig.post("/notes/b").await.unwrap();
    let outcome = asked(&rig.runtime, approve(Some(second))).await.unwrap();
    assert!(matches!(outcome, Outcome::Serving(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_secret_that_could_be_read_waits() {
    let settings = json!({ "token": "correct-horse-battery" });
    let plugin = PluginOptions { settings, ..PluginOptions::default() };
    let rig = Setup { plugin, ..setup(None) }.load("secret-leaking").await;
    let (_, differences) = waiting(&rig.runtime, "secret-bared").await;
    let text = "the setting `/token` was a secret, and can be read now";
    assert!(has(&differences, Effect::Grows, text), "{differences:?}");
    let shown = format!("{differences:?}");
    assert!(!shown.contains("correct-horse"), "{shown}");
}

#[tokio::test]
async fn a_dry_run_of_a_plugin_that_is_not_there_makes_no_data() {
    let place = tempfile::tempdir().unwrap();
    let runtime = setup(Some(place.path())).runtime(PLUGIN).await;
    let by = "ada".to_owned();
    let kind = install("upgrade-v2");
    let change = Change { kind, by, approved: false, dry_run: true, stage: None };
    let outcome = runtime.begin(change).outcome().await.unwrap();
    let Outcome::Planned(plan) = outcome else { panic!("{outcome:?}") };
    assert_eq!(plan.migrations.len(), 3, "{plan:?}");
    let files = std::fs::read_dir(place.path().join("databases")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let of_plugin: Vec<String> = names.filter(|name| name.starts_with(PLUGIN)).collect();
    assert!(of_plugin.is_empty(), "{of_plugin:?}");
    assert!(runtime.plugins().await.unwrap().is_empty());
    end(runtime).await;
}
