//! What a new version is held against, and what an operator's word holds for: a version that serves, one of a
//! plugin that is disabled or could not be brought back, and what was told of a version that waits.

use caplet_runtime::{Change, ChangeKind, Effect, GenerationState, Outcome, PluginOptions};
use serde_json::json;

use crate::rig::changes::{UPGRADE, approve, asked, disable, has, install};
use crate::rig::{Rig, Setup};

async fn state(rig: &Rig, number: u32) -> (GenerationState, String) {
    let history = rig.runtime.history(UPGRADE).await.unwrap();
    let of = history.into_iter().find(|it| it.number == number).expect("it is in the history");
    (of.state, of.reason)
}

#[tokio::test]
async fn a_version_for_a_disabled_plugin_waits_for_what_it_would_wait_for_while_it_serves() {
    let rig = Setup::hasty().with_notes(&["a", "b"]).await;
    rig.asked(disable()).await.unwrap();
    for (guest, effect, text) in [
        ("upgrade-greedy", Effect::Grows, "it asks for `random`"),
        ("upgrade-older", Effect::Breaks, "older than 1.0.0"),
        ("upgrade-hiding", Effect::Breaks, "the route `GET /notes` is gone"),
        ("upgrade-lossy", Effect::Breaks, "table notes: 2 rows before, 0 after"),
    ] {
        let (_, differences) = rig.kept_waiting(guest).await;
        assert!(has(&differences, effect, text), "{guest}: {differences:?}");
    }
    let outcome = rig.asked(install("upgrade-v2")).await.unwrap();
    assert!(matches!(outcome, Outcome::Ready(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_version_waits_where_what_served_last_cannot_be_brought_back() {
    let place = tempfile::tempdir().unwrap();
    let rig = Setup::hasty().kept_at(place.path()).load("upgrade-v1").await;
    rig.end().await;
    std::fs::remove_dir_all(place.path().join("components")).expect("the components are lost");

    let rig = Setup::hasty().kept_at(place.path()).empty(UPGRADE).await;
    assert_eq!(rig.runtime.restore().await.len(), 1, "it cannot be brought back");
    let (_, differences) = rig.kept_waiting("upgrade-greedy").await;
    assert!(has(&differences, Effect::Breaks, "cannot be compared"), "{differences:?}");
    assert!(rig.runtime.table().get(UPGRADE).is_none());
    let same = rig.asked(install("upgrade-v1")).await.unwrap();
    assert!(matches!(same, Outcome::Serving(_)), "what served needs nobody: {same:?}");
    rig.end().await;
}

#[tokio::test]
async fn the_data_of_a_removed_plugin_are_not_given_up_unseen() {
    let rig = Setup::hasty().with_notes(&["a"]).await;
    let remove = ChangeKind::Remove { plugin: UPGRADE.to_owned(), file_is_gone: true };
    rig.asked(remove).await.unwrap();
    let (number, differences) = rig.kept_waiting("upgrade-lossy").await;
    let texts: Vec<&str> = differences.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["migration 2 (forget notes): table notes: 1 rows before, 0 after"]);
    let outcome = rig.asked(approve(Some(number))).await.unwrap();
    assert!(matches!(outcome, Outcome::Serving(_)), "{outcome:?}");
}

#[tokio::test]
async fn who_agrees_says_to_which_of_several() {
    let rig = Setup::hasty().load("upgrade-v1").await;
    let (first, _) = rig.kept_waiting("upgrade-hiding").await;
    let (second, _) = rig.kept_waiting("upgrade-greedy").await;
    assert_eq!(rig.kept_waiting("upgrade-hiding").await.0, first, "it waits already");
    for (expected, reason) in
        [(None, "the generations 3, 2 wait"), (Some(9), "generation 9 does not wait")]
    {
        let error = rig.asked(approve(expected)).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert_eq!(rig.generation().number(), 1);
    rig.asked(approve(Some(first))).await.unwrap();
    assert!(!rig.generation().inspection().asks_for("random"), "the other one was not meant");
    assert_eq!(state(&rig, second).await.0, GenerationState::Refused);
}

#[tokio::test]
async fn what_changes_more_than_it_was_agreed_to_waits_again() {
    let rig = Setup::hasty().load("upgrade-v1").await;
    let (first, told) = rig.kept_waiting("upgrade-lossy").await;
    assert!(!has(&told, Effect::Breaks, "table notes"), "there are no notes yet: {told:?}");
    rig.post("/notes/a").await.unwrap();
    let outcome = rig.asked(approve(Some(first))).await.unwrap();
    let Outcome::Waiting(second, more) = outcome else { panic!("{outcome:?}") };
    assert!(has(&more, Effect::Breaks, "table notes: 1 rows before"), "{more:?}");
    let (state, reason) = state(&rig, first).await;
    assert_eq!(state, GenerationState::Refused);
    assert!(reason.contains("more now"), "{reason}");
    // More rows of the same table are no other difference.
    rig.post("/notes/b").await.unwrap();
    let outcome = rig.asked(approve(Some(second))).await.unwrap();
    assert!(matches!(outcome, Outcome::Serving(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_secret_that_could_be_read_waits() {
    let settings = json!({ "token": "correct-horse-battery" });
    let plugin = PluginOptions { settings, ..PluginOptions::default() };
    let rig = Setup { plugin, ..Setup::hasty() }.load("secret-leaking").await;
    let (_, differences) = rig.kept_waiting("secret-bared").await;
    let text = "the setting `/token` was a secret, and can be read now";
    assert!(has(&differences, Effect::Grows, text), "{differences:?}");
    let shown = format!("{differences:?}");
    assert!(!shown.contains("correct-horse"), "{shown}");
}

#[tokio::test]
async fn a_dry_run_of_a_plugin_that_is_not_there_makes_no_data() {
    let place = tempfile::tempdir().unwrap();
    let rig = Setup::hasty().kept_at(place.path()).empty(UPGRADE).await;
    let change = Change { dry_run: true, ..asked(install("upgrade-v2")) };
    let outcome = rig.runtime.begin(change).outcome().await.unwrap();
    let Outcome::Planned(plan) = outcome else { panic!("{outcome:?}") };
    assert_eq!(plan.migrations.len(), 3, "{plan:?}");
    let files = std::fs::read_dir(place.path().join("databases")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let of_plugin: Vec<String> = names.filter(|name| name.starts_with(UPGRADE)).collect();
    assert!(of_plugin.is_empty(), "{of_plugin:?}");
    assert!(rig.runtime.plugins().await.unwrap().is_empty());
    rig.end().await;
}
