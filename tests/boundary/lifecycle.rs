//! Changes of plugins: what serves while a bad version is brought, what waits for approval, what is
//! rolled back, and what is there after a restart. The first version of the fixture `upgrade` serves,
//! and its others, each with one behaviour, are to take its place.

use caplet_runtime::{
    Change, ChangeKind, Effect, GenerationState, Outcome, Presence, Step, UpgradeOptions,
};

use crate::rig::changes::{
    UPGRADE, approve, asked, disable, enable, has, install, rollback, settled,
};
use crate::rig::{Rig, Setup, text, until};
use GenerationState::{Active, Refused, RolledBack, Superseded, Waiting};

/// The first version with two notes, both of which it has listed.
async fn serving() -> Rig {
    Setup::hasty().with_notes(&["a", "b"]).await
}

/// The same, for versions that are watched for a long time.
async fn watched() -> Rig {
    let upgrade = UpgradeOptions { watch_ms: 60_000, drain_ms_max: 2_000 };
    Setup { upgrade, ..Setup::default() }.with_notes(&["a", "b"]).await
}

#[tokio::test]
async fn a_bad_version_is_refused_and_the_old_one_serves_on() {
    let rig = serving().await;
    for (guest, step, reason) in [
        ("upgrade-unhealthy", Step::Health, "the notes are \\u{1b}[31mnot"),
        ("upgrade-failing-migration", Step::Trial, "migration 2"),
        ("upgrade-breaking", Step::Trial, "SELECT id FROM notes"),
        ("changed-migration", Step::Expand, "migration 1"),
    ] {
        let error = rig.refused(install(guest)).await;
        assert_eq!(error.step, step, "{guest}: {error}");
        assert!(error.to_string().contains(reason), "{guest}: {error}");
        assert_eq!(rig.version().await, "1.0.0", "{guest}");
        rig.post(&format!("/notes/{guest}")).await.unwrap();
        let notes = rig.notes().await;
        assert!(notes.contains(guest), "{guest}: {notes}");
    }
}

#[tokio::test]
async fn what_grows_or_breaks_waits_until_it_is_agreed_to() {
    let rig = serving().await;
    let mut last = 0;
    for (guest, expected) in [
        ("upgrade-hiding", "the route `GET /notes` is gone"),
        ("upgrade-older", "version 0.9.0 is older than 1.0.0"),
        ("upgrade-lossy", "table notes: 2 rows before, 0 after"),
    ] {
        let (number, differences) = rig.kept_waiting(guest).await;
        last = number;
        assert!(has(&differences, Effect::Breaks, expected), "{guest}: {differences:?}");
        assert_eq!(rig.version().await, "1.0.0", "{guest}");
        assert_eq!(rig.states().await.last(), Some(&Waiting));
    }
    let outcome = rig.asked(approve(Some(last))).await;
    assert!(matches!(outcome, Ok(Outcome::Serving(_))), "{outcome:?}");
    assert_eq!(rig.version().await, "2.0.0");
    let again = rig.asked(approve(Some(last))).await.unwrap_err();
    assert!(again.to_string().contains("nothing waits"), "{again}");
}

#[tokio::test]
async fn a_dry_run_tells_all_and_changes_nothing() {
    let rig = serving().await;
    let change = Change { dry_run: true, ..asked(install("upgrade-lossy")) };
    let Outcome::Planned(plan) = rig.runtime.begin(change).outcome().await.unwrap() else {
        panic!("it was only planned");
    };
    assert_eq!(plan.migrations, ["contract 2: forget notes"]);
    assert!(plan.differences.iter().any(|it| it.text.contains("2 rows before, 0 after")));
    assert_eq!(rig.states().await, [Active]);
    assert_eq!(rig.version().await, "1.0.0");
}

#[tokio::test]
async fn a_rollback_is_possible_until_a_contract_step_has_run() {
    let rig = serving().await;
    let upgrade = rig.changed(install("upgrade-v2")).await;
    assert_eq!(settled(&upgrade).await, None);
    assert_eq!(rig.version().await, "2.0.0");

    rig.changed(rollback(None)).await;
    assert_eq!(rig.version().await, "1.0.0");
    assert_eq!(rig.states().await, [Superseded, RolledBack, Active]);
    let error = rig.refused(rollback(Some(9))).await;
    assert!(error.to_string().contains("no generation 9"), "{error}");

    let lossy = Setup::hasty().with_notes(&["a"]).await;
    let upgrade = lossy.changed(install("upgrade-lossy")).await;
    assert_eq!(settled(&upgrade).await, None);
    let error = lossy.refused(rollback(None)).await;
    assert!(error.to_string().contains("contract step"), "{error}");
    assert_eq!(lossy.version().await, "2.0.0");
    assert_eq!(lossy.states().await[..2], [Superseded, Active]);
    assert!(!lossy.states().await.contains(&Refused));
}

#[tokio::test]
async fn a_contract_step_waits_for_the_last_request_of_the_old_version() {
    let rig = serving().await;
    let old = rig.ask(http::Method::GET, "/notes");
    let upgrade = rig.changed(install("upgrade-lossy")).await;
    assert_eq!(rig.version().await, "2.0.0");
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
    let rig = watched().await;
    let upgrade = rig.changed(install("upgrade-trapping")).await;
    until("the first version answers again", async || {
        rig.get("/version").await.is_ok_and(|answer| text(&answer) == "1.0.0")
    })
    .await;
    let trouble = settled(&upgrade).await.expect("it is said");
    assert!(trouble.starts_with("rolled back: its last invocations all failed"), "{trouble}");
    let history = rig.runtime.history(UPGRADE).await.unwrap();
    assert_eq!(history[1].state, RolledBack);
    assert!(history[1].reason.contains("rolled back by watch"), "{}", history[1].reason);
}

#[tokio::test]
async fn a_version_that_was_brought_back_stays_however_badly_it_does() {
    let rig = watched().await;
    rig.changed(install("upgrade-trapping")).await;
    rig.changed(rollback(None)).await;
    let back = rig.changed(rollback(Some(2))).await;
    // Nobody watches it any more, long before the time to watch is over.
    assert_eq!(settled(&back).await, None);
    for _ in 0..30 {
        rig.get("/version").await.expect_err("it traps");
    }
    assert_eq!(rig.states().await.last(), Some(&Active));
    assert_eq!(rig.generation().number(), 4);
}

#[tokio::test]
async fn two_changes_of_one_plugin_do_not_cross() {
    let rig = serving().await;
    let both = ["upgrade-v2", "upgrade-hiding"].map(|guest| rig.begin(install(guest)));
    let mut outcomes = Vec::new();
    for operation in both {
        outcomes.push(operation.outcome().await);
    }
    let n_served = outcomes.iter().filter(|it| it.is_ok()).count();
    assert!(n_served >= 1, "{outcomes:?}");
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(error.to_string().contains("it is being changed (install"), "{error}");
    }
    let n_active = rig.states().await.iter().filter(|it| **it == Active).count();
    assert_eq!(n_active, 1);
}

#[tokio::test]
async fn a_host_that_starts_again_serves_what_served() {
    let place = tempfile::tempdir().unwrap();
    let setup = || Setup::hasty().kept_at(place.path());
    let rig = setup().with_notes(&["a"]).await;
    let upgrade = rig.changed(install("upgrade-v2")).await;
    settled(&upgrade).await;
    rig.end().await;

    let rig = setup().restore(UPGRADE).await;
    assert_eq!(rig.version().await, "2.0.0");
    assert_eq!(rig.generation().number(), 2);
    rig.changed(rollback(None)).await;
    assert_eq!(rig.version().await, "1.0.0");
    assert!(rig.notes().await.contains('a'));
}

#[tokio::test]
async fn an_upgrade_after_a_restart_is_held_against_the_statements_before() {
    let place = tempfile::tempdir().unwrap();
    let setup = || Setup::hasty().kept_at(place.path());
    let rig = setup().with_notes(&[]).await;
    rig.end().await;

    let rig = setup().restore(UPGRADE).await;
    let error = rig.refused(install("upgrade-breaking")).await;
    assert!(error.to_string().contains("SELECT id FROM notes"), "{error}");
}

#[tokio::test]
async fn a_disabled_plugin_stays_disabled_and_is_upgraded_meanwhile() {
    let rig = serving().await;
    rig.changed(disable()).await;
    assert!(rig.runtime.table().get(UPGRADE).is_none());
    let outcome = rig.asked(install("upgrade-v2")).await;
    assert!(matches!(outcome, Ok(Outcome::Ready(2))), "{outcome:?}");
    assert!(rig.runtime.table().get(UPGRADE).is_none());
    rig.changed(enable()).await;
    assert_eq!(rig.version().await, "2.0.0");

    let remove = ChangeKind::Remove { plugin: UPGRADE.to_owned(), file_is_gone: false };
    rig.changed(remove).await;
    assert_eq!(rig.runtime.plugins().await.unwrap()[0].state, Presence::Removed);
    let error = rig.refused(enable()).await;
    assert!(error.to_string().contains("install it again"), "{error}");
    rig.changed(install("upgrade-v2")).await;
    assert!(rig.notes().await.contains('a'), "its data stayed");
}
