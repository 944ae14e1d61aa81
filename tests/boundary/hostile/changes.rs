//! Rows H: what a new version, or the same one at a later time, may try. Nothing here is signed yet, and
//! plugins bring no pages of their own, so that there are no rows H1, H2, H7 and H11.

use std::time::Duration;

use caplet_runtime::{Difference, Effect, Limits, PluginOptions};

use super::scene::Scene;
use crate::rig::changes::has;
use crate::rig::{Rig, Setup, json, text};

/// The first version of `upgrade` with a note, beside a neighbour.
async fn serving() -> Scene {
    // Idle instances go at once, so that it is seen whether their memory comes back.
    let limits = Limits { idle_ms_max: 1, ..Limits::default() };
    let scene = Scene::of(Setup { limits, ..Setup::hasty() }, "upgrade-v1").await;
    scene.rig.post("/notes/a").await.unwrap();
    scene
}

/// Brings a version that nobody agreed to, and returns what keeps it waiting. The old one serves on.
async fn kept_waiting(rig: &Rig, guest: &str) -> Vec<Difference> {
    let (_, differences) = rig.kept_waiting(guest).await;
    assert_eq!(rig.version().await, "1.0.0", "{guest}");
    let notes = rig.notes().await;
    assert!(notes.contains("\"a\""), "{guest}: {notes}");
    differences
}

pub async fn older_versions() {
    let scene = serving().await;
    let differences = kept_waiting(&scene.rig, "upgrade-older").await;
    assert!(has(&differences, Effect::Breaks, "older than 1.0.0"), "{differences:?}");
    scene.settle().await;
}

pub async fn more_rights_and_permissions() {
    let scene = serving().await;
    let differences = kept_waiting(&scene.rig, "upgrade-greedy").await;
    assert!(has(&differences, Effect::Grows, "`random`"), "{differences:?}");
    assert!(has(&differences, Effect::Adds, "`upgrade.everything`"), "{differences:?}");
    scene.settle().await;
}

pub async fn a_sleeper() {
    let scene = Scene::with("sleeper").await;
    scene.rig.runtime.revoke("sleeper", "sql", "ada").await.unwrap();
    assert_eq!(text(&scene.get("/").await.unwrap()), "asleep");
    scene.rig.clock.advance(Duration::from_secs(1_500 * 24 * 60 * 60));
    let awake = json(&scene.get("/").await.unwrap());
    assert!(awake.to_string().contains("`sql` was revoked"), "{awake}");
    let denials = [("plugin", "sleeper"), ("right", "sql")];
    assert!(scene.rig.counted("caplet_denials_total", &denials) >= 1.0);
    scene.settle().await;
}

pub async fn destructive_migrations() {
    let scene = serving().await;
    let differences = kept_waiting(&scene.rig, "upgrade-lossy").await;
    assert!(has(&differences, Effect::Breaks, "1 rows before, 0 after"), "{differences:?}");
    scene.settle().await;
}

pub async fn a_description_that_lies() {
    let scene = Scene::quiet().await;
    // Its description says nothing of the clock, which it imports.
    let plugin = PluginOptions { grants: Some(vec!["sql".to_owned()]), ..PluginOptions::default() };
    let refused = Setup { plugin, ..Setup::default() }.try_load("sleeper").await.err().unwrap();
    assert!(refused.to_string().contains("`clock`"), "{refused}");
    scene.settle().await;
}
