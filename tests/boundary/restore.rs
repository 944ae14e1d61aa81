//! How plugins come back when a host starts, while an operator changes them already.

use std::path::Path;

use caplet_runtime::{Change, GenerationState, Outcome, Part};
use caplet_tests::wasm::compiling_slowly;
use serde_json::json;

use crate::rig::changes::{UPGRADE, agreed, disable, enable, install, merge, rollback, settled};
use crate::rig::{Rig, Setup, bytes_of, until};

/// So many that an operator has the time to change something.
const N_FUNCTIONS: usize = 400;

fn setup(place: &Path) -> Setup {
    Setup::hasty().kept_at(place)
}

/// A host that has ended, with a first version that is compiled for a while when the next host starts.
async fn ended(place: &Path) {
    let rig = setup(place).empty(UPGRADE).await;
    let slow = compiling_slowly(&bytes_of("upgrade-v1"), N_FUNCTIONS);
    rig.runtime.load(slow).await.expect("it loads");
    rig.end().await;
}

/// A host that brings the plugin back while `meanwhile` is done.
async fn restoring(place: &Path, meanwhile: impl AsyncFnOnce(&Rig)) -> Rig {
    let rig = setup(place).empty(UPGRADE).await;
    let runtime = rig.runtime.clone();
    let restoring = tokio::spawn(async move { runtime.restore().await });
    until("it is compiled", async || {
        rig.runtime.arrivals().iter().any(|it| it.name == UPGRADE && it.is_compiling)
    })
    .await;
    meanwhile(&rig).await;
    let failed = restoring.await.expect("it comes to an end");
    assert!(failed.is_empty(), "{failed:?}");
    rig
}

fn n_active(states: &[GenerationState]) -> usize {
    states.iter().filter(|state| **state == GenerationState::Active).count()
}

#[tokio::test]
async fn what_is_disabled_while_it_comes_back_stays_so() {
    let place = tempfile::tempdir().unwrap();
    ended(place.path()).await;
    let rig = restoring(place.path(), async |rig| drop(rig.changed(disable()).await)).await;
    assert!(rig.runtime.table().get(UPGRADE).is_none(), "it was disabled");
    rig.end().await;
    let rig = restoring_nothing(place.path()).await;
    assert!(rig.runtime.table().get(UPGRADE).is_none(), "also after a restart");
    rig.end().await;
}

async fn restoring_nothing(place: &Path) -> Rig {
    let rig = setup(place).empty(UPGRADE).await;
    assert!(rig.runtime.restore().await.is_empty());
    rig
}

#[tokio::test]
async fn what_is_upgraded_while_it_comes_back_is_of_the_new_version() {
    let place = tempfile::tempdir().unwrap();
    ended(place.path()).await;
    let rig = restoring(place.path(), async |rig| {
        drop(rig.changed(install("upgrade-v2")).await);
    })
    .await;
    assert_eq!(rig.version().await, "2.0.0");
    assert_eq!(n_active(&rig.states().await), 1);
    rig.end().await;
}

#[tokio::test]
async fn a_change_that_goes_on_does_not_keep_a_plugin_from_coming_back() {
    let place = tempfile::tempdir().unwrap();
    ended(place.path()).await;
    let rig = restoring(place.path(), async |rig| {
        // It compiles while it has the turn, and changes nothing.
        let plan = merge(UPGRADE, Part::Limits, json!({ "reuse_max": 7 }));
        let plan = Change { dry_run: true, ..agreed(plan) };
        rig.runtime.begin(plan);
    })
    .await;
    assert_eq!(rig.version().await, "1.0.0");
    assert!(rig.runtime.not_restored().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn what_cannot_come_back_is_told_with_the_reason() {
    let place = tempfile::tempdir().unwrap();
    ended(place.path()).await;
    std::fs::remove_dir_all(place.path().join("components")).expect("the components are lost");
    let rig = setup(place.path()).empty(UPGRADE).await;
    assert_eq!(rig.runtime.restore().await.len(), 1);
    let told = rig.runtime.not_restored();
    let [(plugin, reason)] = &told[..] else { panic!("{told:?}") };
    assert!(plugin == UPGRADE && reason.contains("install it again"), "{reason}");
    rig.changed(install("upgrade-v1")).await;
    assert!(rig.runtime.not_restored().is_empty(), "it is there again");
    rig.end().await;
}

#[tokio::test]
async fn a_host_that_ends_waits_for_a_change() {
    let rig = Setup::hasty().load("upgrade-v1").await;
    let operation = rig.begin(install("upgrade-v2"));
    let outcome = tokio::spawn(async move { operation.outcome().await });
    rig.end().await;
    let outcome = outcome.await.expect("it comes to an end");
    assert!(matches!(outcome, Ok(Outcome::Serving(2))), "{outcome:?}");
}

#[tokio::test]
async fn a_disabled_plugin_has_a_way_back_until_the_new_version_serves() {
    let rig = Setup::hasty().with_notes(&["a"]).await;
    settled(&*rig.changed(install("upgrade-v2")).await).await;
    rig.changed(disable()).await;
    let ready = rig.changed(install("upgrade-v3")).await.outcome().await;
    assert!(matches!(ready, Ok(Outcome::Ready(_))), "{ready:?}");
    rig.changed(rollback(Some(2))).await;
    rig.changed(enable()).await;
    assert_eq!(rig.version().await, "2.0.0");
    assert!(rig.notes().await.contains('a'));
    settled(&*rig.changed(install("upgrade-v3")).await).await;
    let error = rig.refused(rollback(Some(2))).await;
    assert!(error.to_string().contains("contract"), "{error}");
}
