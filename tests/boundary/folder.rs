//! The plugin folder as an application follows it: what is said of a file whose content waits, and of
//! one whose plugin cannot be brought back.

use std::path::Path;

use caplet_runtime::{ChangeKind, FileStatus, Folder, Part, Runtime, UpgradeOptions};
use serde_json::json;

use crate::rig::changes::{UPGRADE, approve, host_life, merge};
use crate::rig::{Setup, bytes_of, found, until};

/// So many looks outlast the time after which a file is read again that was in the way of a change.
const LOOKS_BEFORE_ANOTHER_ATTEMPT: u64 = 8;

const FILE: &str = "upgrade.wasm";

fn drop_in(folder: &Path, guest: &str) {
    std::fs::write(folder.join(FILE), bytes_of(guest)).expect("the file is written");
}

async fn follow(runtime: &Runtime, path: &Path) -> Folder {
    let folder = runtime.follow(path.to_owned()).expect("the folder is read");
    folder.first_scan().await;
    folder
}

/// What is said of the file.
fn status(folder: &Folder) -> FileStatus {
    folder.statuses().into_iter().next().expect("the file was seen")
}

/// Why the file is not loaded, once that is said.
async fn not_loaded(folder: &Folder) -> String {
    found("a reason", async || status(folder).error).await
}

/// Waits until nothing is said against the file any more.
async fn is_loaded(folder: &Folder) {
    until("the file is loaded", async || status(folder).error.is_none()).await;
}

fn served(runtime: &Runtime) -> String {
    let table = runtime.table();
    table.get(UPGRADE).map(|it| it.version().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_file_that_waited_is_as_good_as_any_once_it_is_approved() {
    let place = tempfile::tempdir().unwrap();
    let rig = Setup::hasty().empty(UPGRADE).await;
    drop_in(place.path(), "upgrade-v1");
    let folder = follow(&rig.runtime, place.path()).await;
    assert_eq!(served(&rig.runtime), "1.0.0");

    drop_in(place.path(), "upgrade-hiding");
    let waiting = not_loaded(&folder).await;
    assert!(waiting.contains("`caplet approve upgrade --generation 2`"), "{waiting}");
    assert_eq!(served(&rig.runtime), "1.0.0");

    rig.changed(approve(None)).await;
    is_loaded(&folder).await;
    assert_eq!(served(&rig.runtime), "2.0.0");
}

#[test]
fn a_plugin_that_cannot_be_brought_back_is_loaded_from_its_file() {
    let (place, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let setup = || Setup::default().kept_at(kept.path());
    drop_in(place.path(), "upgrade-v1");
    host_life(async {
        let rig = setup().empty(UPGRADE).await;
        let _folder = follow(&rig.runtime, place.path()).await;
        assert_eq!(served(&rig.runtime), "1.0.0");
        rig.end().await;
    });
    std::fs::remove_dir_all(kept.path().join("components")).expect("the components are lost");
    host_life(async {
        let rig = setup().empty(UPGRADE).await;
        let folder = follow(&rig.runtime, place.path()).await;
        let status = status(&folder);
        assert_eq!((status.plugin.as_deref(), status.error), (Some(UPGRADE), None));
        assert_eq!(served(&rig.runtime), "1.0.0");
    });
}

/// How often the folder was refused a change.
async fn n_refused(runtime: &Runtime) -> usize {
    let (entries, _) = runtime.audit().page(0).await.expect("the log is read");
    let is_refused = r#""outcome":"refused""#;
    entries.iter().filter(|it| it.actor == "folder" && it.detail.contains(is_refused)).count()
}

fn limit(ms: u64) -> ChangeKind {
    merge(UPGRADE, Part::Limits, json!({ "wall_ms_max": ms }))
}

#[tokio::test]
async fn a_file_behind_another_change_is_tried_once_and_again_when_that_has_ended() {
    let place = tempfile::tempdir().unwrap();
    let upgrade = UpgradeOptions { watch_ms: 0, drain_ms_max: 600_000 };
    let rig = Setup { upgrade, ..Setup::default() }.empty(UPGRADE).await;
    drop_in(place.path(), "upgrade-v1");
    let folder = follow(&rig.runtime, place.path()).await;
    // The second change waits for the drain of the first one, in which a call goes on.
    let called = rig.generation();
    rig.changed(limit(5_000)).await;
    let waiting = rig.begin(limit(6_000));

    drop_in(place.path(), "upgrade-v2");
    let behind = not_loaded(&folder).await;
    assert!(behind.contains("it is being changed (limits"), "{behind}");
    until("it is in the audit log", async || n_refused(&rig.runtime).await > 0).await;
    folder.looked(LOOKS_BEFORE_ANOTHER_ATTEMPT).await;
    assert_eq!(n_refused(&rig.runtime).await, 1, "it was tried again");
    drop(called);
    waiting.outcome().await.unwrap();
    is_loaded(&folder).await;
    assert_eq!(served(&rig.runtime), "2.0.0");
    assert_eq!(n_refused(&rig.runtime).await, 1);
}
