//! What an operator sets for a plugin that serves: each change is a generation of the same component, by
//! the way of an upgrade. The guest `secret-leaking` has settings, and a secret among them.

use std::path::Path;

use caplet_runtime::{
    Change, ChangeKind, Configuration, Edit, Effect, Fault, GenerationKind, GenerationState,
    LoadError, Outcome, Part, PluginOptions, Source, Step,
};
use http::Method;
use serde_json::{Value, json};

use crate::rig::changes::{UPGRADE, approve, asked, install, merge as merge_into, settled};
use crate::rig::{Ask, Rig, Setup, found, json as body};

const GUEST: &str = "secret-leaking";
const TOKEN: &str = "correct-horse-battery";

/// A host that was started with a token and a greeting.
fn setup(kept: Option<&Path>) -> Setup {
    let settings = json!({ "token": TOKEN, "greeting": "hi" });
    let plugin = PluginOptions { settings, ..PluginOptions::default() };
    Setup { plugin, kept: kept.map(Path::to_owned), ..Setup::hasty() }
}

fn members(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

fn configure(part: Part, edit: Edit) -> ChangeKind {
    ChangeKind::Configure { plugin: GUEST.to_owned(), part, edit, expected: None }
}

fn merge(part: Part, patch: Value) -> ChangeKind {
    merge_into(GUEST, part, patch)
}

async fn changed(rig: &Rig, kind: ChangeKind) -> Result<Outcome, LoadError> {
    let operation = rig.runtime.begin(asked(kind));
    let outcome = operation.outcome().await;
    settled(&operation).await;
    outcome
}

async fn set(rig: &Rig, patch: Value) {
    let outcome = changed(rig, merge(Part::Settings, patch.clone())).await;
    assert!(matches!(outcome, Ok(Outcome::Serving(_))), "{patch}: {outcome:?}");
}

/// What the guest says of its settings.
async fn told(rig: &Rig) -> Value {
    body(&rig.get("/settings").await.expect("the guest answers"))
}

fn configuration(rig: &Rig, part: Part) -> Configuration {
    rig.runtime.configuration(GUEST, part).expect("it serves")
}

fn source(configuration: &Configuration, pointer: &str) -> Option<Source> {
    configuration.origins.iter().find(|(place, _)| place == pointer).map(|(_, source)| *source)
}

#[tokio::test]
async fn a_change_is_a_new_generation_and_requests_stay_on_theirs() {
    let rig = setup(None).load(GUEST).await;
    let old = rig.generation();
    let patch = json!({ "greeting": "good day", "limit": 7 });
    rig.runtime.begin(asked(merge(Part::Settings, patch))).outcome().await.unwrap();
    assert_eq!((rig.generation().number(), rig.generation().digest()), (2, old.digest()));
    let expected = json!({ "greeting": "good day", "limit": 7, "token": TOKEN.len(), "spare": 0 });
    assert_eq!(told(&rig).await, expected);
    let answer = Ask::to(old, Method::GET, "/settings").send().await.expect("the old one answers");
    assert_eq!(body(&answer)["greeting"], "hi");

    let history = rig.runtime.history(GUEST).await.unwrap();
    assert_eq!(history[0].kind, GenerationKind::Configuration);
    assert_eq!(history[0].created_by, "ada");
    assert_eq!(
        history[0].changes,
        [
            "the setting `/greeting` is \"good day\", it was \"hi\"",
            "the setting `/limit` is 7, it was 5"
        ]
    );
    let entry = found("the entry in the audit log", async || {
        let (entries, _) = rig.runtime.audit().page(0).await.unwrap();
        entries.into_iter().find(|entry| entry.action == "settings")
    })
    .await;
    assert!(entry.actor == "ada" && entry.detail.contains("/greeting"), "{entry:?}");
}

#[tokio::test]
async fn what_was_set_lies_over_the_configuration_and_unset_returns_to_it() {
    let rig = setup(None).load(GUEST).await;
    set(&rig, json!({ "greeting": "good day", "spare": "another-token" })).await;
    let now = configuration(&rig, Part::Settings);
    assert_eq!(now.values, json!({ "greeting": "good day", "limit": 5, "unwell": false }));
    assert_eq!(now.set, json!({ "greeting": "good day" }));
    assert_eq!(now.secrets, ["/spare", "/token"]);
    for (pointer, expected) in [
        ("/greeting", Source::Set),
        ("/spare", Source::Set),
        ("/token", Source::Configuration),
        ("/limit", Source::Default),
    ] {
        assert_eq!(source(&now, pointer), Some(expected), "{pointer}");
    }
    let shown = format!("{now:?} {:?}", rig.generation());
    assert!(!shown.contains(TOKEN) && !shown.contains("another-token"), "{shown}");

    set(&rig, json!({ "greeting": null })).await;
    assert_eq!(told(&rig).await["greeting"], "hi");
    let replaced = configure(Part::Settings, Edit::Replace(members(json!({ "limit": 1 }))));
    changed(&rig, replaced).await.unwrap();
    assert_eq!(
        told(&rig).await["spare"],
        "another-token".len(),
        "a secret that is not named stays"
    );
    let outcome = changed(&rig, merge(Part::Settings, json!({ "limit": 1 }))).await.unwrap();
    assert!(matches!(outcome, Outcome::Unchanged), "{outcome:?}");
}

#[tokio::test]
async fn a_rollback_brings_settings_back_and_leaves_limits_and_grants() {
    let rig = setup(None).load(GUEST).await;
    set(&rig, json!({ "greeting": "one", "token": "first-token-1" })).await;
    set(&rig, json!({ "greeting": "two", "token": "second-token-22" })).await;
    changed(&rig, merge(Part::Limits, json!({ "reuse_max": 3 }))).await.unwrap();
    let rollback = ChangeKind::Rollback { plugin: GUEST.to_owned(), to: Some(2) };
    changed(&rig, rollback).await.unwrap();
    let told = told(&rig).await;
    assert_eq!((&told["greeting"], &told["token"]), (&json!("one"), &json!("first-token-1".len())));
    assert_eq!(rig.generation().limits().reuse_max, 3);
    assert_eq!(source(&configuration(&rig, Part::Settings), "/greeting"), Some(Source::Set));
    assert_eq!(source(&configuration(&rig, Part::Limits), "/reuse_max"), Some(Source::Set));
}

#[tokio::test]
async fn bad_input_names_the_place_and_changes_nothing() {
    let rig = setup(None).load(GUEST).await;
    let large = "x".repeat(17 << 10);
    for (part, patch, step, place) in [
        (
            Part::Settings,
            json!({ "colour": 1 }),
            Step::Configure,
            "/colour: there is no such setting; there are",
        ),
        (Part::Settings, json!({ "limit": "5" }), Step::Configure, "/limit: \"5\" is not of type"),
        (Part::Settings, json!({ "limit": -1 }), Step::Configure, "/limit: -1 is less than"),
        (Part::Settings, json!({ "token": "pass word" }), Step::Configure, "/token: "),
        (Part::Settings, json!({ "token": large }), Step::Configure, "`secret_bytes_max`"),
        (Part::Limits, json!({ "cpu": 5 }), Step::Configure, "/cpu: there is no such limit"),
        (Part::Limits, json!({ "cpu_ms_max": "soon" }), Step::Configure, "/cpu_ms_max: "),
        (
            Part::Grants,
            json!({ "grants": ["sql", "teleport"] }),
            Step::Configure,
            "no right `teleport`",
        ),
        (Part::Grants, json!({ "grants": ["sql"] }), Step::Grant, "it asks for `log`"),
        (
            Part::Grants,
            json!({ "redirect_origins": ["nowhere"] }),
            Step::Configure,
            "/redirect_origins",
        ),
        (Part::Grants, json!({ "hosts": [] }), Step::Configure, "/hosts: "),
    ] {
        let kind = merge(part, patch.clone());
        let ChangeKind::Configure { edit, .. } = &kind else { unreachable!() };
        let at_once = rig.runtime.check_edit(GUEST, part, edit).await.unwrap_err();
        let error = changed(&rig, kind.clone()).await.unwrap_err();
        assert_eq!(error, at_once, "{patch}");
        assert_eq!(error.step, step, "{error}");
        let text = error.to_string();
        assert!(text.contains(place) && text.contains(GUEST), "{patch}: {text}");
        assert!(!text.contains("pass word"), "{text}");
    }
    assert_eq!(rig.generation().number(), 1);
    assert_eq!(rig.runtime.history(GUEST).await.unwrap().len(), 1);
    let unknown = merge_into("nobody", Part::Settings, json!({ "a": 1 }));
    let error = changed(&rig, unknown).await.unwrap_err();
    assert!(error.to_string().contains("never installed"), "{error}");
}

#[tokio::test]
async fn settings_that_make_it_unwell_are_refused_without_a_word_of_the_secret() {
    let rig = setup(None).load(GUEST).await;
    let patch = json!({ "unwell": true, "token": "never-told-to-anybody" });
    let error = changed(&rig, merge(Part::Settings, patch)).await.unwrap_err();
    assert_eq!((error.step, error.reasons), (Step::Health, vec!["*** does not work".to_owned()]));
    assert_eq!(rig.generation().number(), 1);
    let history = rig.runtime.history(GUEST).await.unwrap();
    assert_eq!(history[0].state, GenerationState::Refused);
    assert_eq!(history[0].reason, "*** does not work");
}

#[tokio::test]
async fn a_dry_run_tells_the_changes_and_makes_none() {
    let rig = setup(None).load(GUEST).await;
    let patch = json!({ "greeting": "good day", "token": "never-told-to-anybody" });
    let change = Change { dry_run: true, ..asked(merge(Part::Settings, patch)) };
    let Outcome::Planned(plan) = rig.runtime.begin(change).outcome().await.unwrap() else {
        panic!("it was only planned");
    };
    let texts: Vec<&str> = plan.differences.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "the setting `/greeting` is \"good day\", it was \"hi\"",
            "the secret `/token` is changed"
        ]
    );
    assert_eq!(told(&rig).await["greeting"], "hi");
    assert_eq!(rig.runtime.history(GUEST).await.unwrap().len(), 1);
}

#[tokio::test]
async fn grants_that_reach_further_wait_until_they_are_agreed_to() {
    let rig = setup(None).load(GUEST).await;
    let origins = json!({ "redirect_origins": ["https://shop.example"] });
    let outcome = changed(&rig, merge(Part::Grants, origins.clone())).await.unwrap();
    let Outcome::Waiting(_, differences) = outcome else { panic!("{outcome:?}") };
    assert_eq!(differences[0].effect, Effect::Grows);
    assert_eq!(rig.generation().number(), 1);
    // A change of something else does not agree to it, and does not undo the wait.
    let approve = ChangeKind::Approve { plugin: GUEST.to_owned(), expected: None };
    let outcome = changed(&rig, approve).await.unwrap();
    assert!(matches!(outcome, Outcome::Serving(_)), "{outcome:?}");
    assert_eq!(configuration(&rig, Part::Grants).set, origins);

    let all = rig.generation().inspection().rights.clone();
    let names: Vec<&str> = all.iter().map(|right| right.name).collect();
    let narrower = merge(Part::Grants, json!({ "grants": names }));
    let outcome = changed(&rig, narrower).await.unwrap();
    assert!(matches!(outcome, Outcome::Serving(_)), "what takes away needs nobody: {outcome:?}");
}

#[tokio::test]
async fn a_change_that_was_made_for_another_generation_is_refused_when_its_turn_comes() {
    let rig = setup(None).load(GUEST).await;
    let made_for = |expected| ChangeKind::Configure {
        plugin: GUEST.to_owned(),
        part: Part::Limits,
        edit: Edit::Merge(members(json!({ "reuse_max": 3 }))),
        expected: Some(expected),
    };
    let error = changed(&rig, made_for(7)).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("made for generation 7, and 1 serves now"), "{told}");
    assert!(matches!(changed(&rig, made_for(1)).await.unwrap(), Outcome::Serving(2)));
    changed(&rig, made_for(1)).await.expect_err("the second of two who read the same");
}

#[tokio::test]
async fn an_upgrade_that_waits_outlives_a_change_of_settings() {
    let rig = Setup::hasty().load("upgrade-v1").await;
    rig.kept_waiting("upgrade-hiding").await;
    let limits = merge_into(UPGRADE, Part::Limits, json!({ "reuse_max": 3 }));
    for kind in [limits, approve(None)] {
        assert!(matches!(changed(&rig, kind).await.unwrap(), Outcome::Serving(_)));
    }
    assert_eq!(rig.generation().limits().reuse_max, 3, "what was set meanwhile holds");
}

#[tokio::test]
async fn a_changed_limit_holds_for_the_new_generation() {
    let rig = setup(None).load(GUEST).await;
    changed(&rig, merge(Part::Limits, json!({ "response_bytes_max": 10 }))).await.unwrap();
    assert!(matches!(rig.get("/settings").await, Err(Fault::Answer(_))));
    rig.changed(merge(Part::Limits, json!({ "response_bytes_max": null }))).await;
    assert_eq!(told(&rig).await["greeting"], "hi");
}

#[tokio::test]
async fn changed_limits_of_the_database_hold_too() {
    let rig = Setup::hasty().load("storage").await;
    let two = "SELECT 1 AS a UNION ALL SELECT 2 AS a";
    assert!(rig.query(two).await.to_string().contains('2'));
    rig.changed(merge_into("storage", Part::Limits, json!({ "sql_rows_max": 1 }))).await;
    let refused = rig.query(two).await.to_string();
    assert!(refused.contains("too-large"), "{refused}");
}

#[tokio::test]
async fn what_was_set_is_there_after_a_restart_and_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let rig = setup(Some(folder.path())).load(GUEST).await;
    set(&rig, json!({ "greeting": "good day", "token": "another-token" })).await;
    changed(&rig, merge(Part::Limits, json!({ "reuse_max": 3 }))).await.unwrap();
    let number = rig.generation().number();
    rig.end().await;

    let rig = setup(Some(folder.path())).restore(GUEST).await;
    assert_eq!(rig.generation().number(), number, "nothing has changed");
    let expected = json!({ "greeting": "good day", "limit": 5, "token": 13, "spare": 0 });
    assert_eq!(told(&rig).await, expected);
    assert_eq!(rig.generation().limits().reuse_max, 3);
    assert!(matches!(changed(&rig, install(GUEST)).await.unwrap(), Outcome::Unchanged));
}

#[tokio::test]
async fn a_new_key_encrypts_anew_and_a_lost_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("secrets.key");
    let rig = setup(Some(folder.path())).load(GUEST).await;
    set(&rig, json!({ "greeting": "good day" })).await;
    rig.end().await;
    let old = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, format!("{}\n{old}", "ab".repeat(32))).unwrap();
    setup(Some(folder.path())).restore(GUEST).await.end().await;
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    let rig = setup(Some(folder.path())).restore(GUEST).await;
    assert_eq!(told(&rig).await["greeting"], "good day", "the old key is not needed any more");
    rig.end().await;

    std::fs::write(&key, "cd".repeat(32)).unwrap();
    let rig = setup(Some(folder.path())).empty(GUEST).await;
    let failed = rig.runtime.restore().await;
    assert!(failed[0].1.to_string().contains("`secrets.key`"), "{}", failed[0].1);
    let replace = configure(Part::Settings, Edit::Replace(members(json!({ "limit": 2 }))));
    // What was set before cannot be read, so nobody can say what this changes.
    let outcome = rig.asked(replace.clone()).await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting(..)), "{outcome:?}");
    rig.changed(replace).await;
    assert_eq!(configuration(&rig, Part::Settings).set, json!({ "limit": 2 }));
}
