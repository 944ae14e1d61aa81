//! The plugin folder as an application follows it: what is said of a file whose content waits, and of
//! one whose plugin cannot be brought back.

use std::path::Path;
use std::time::{Duration, Instant};

use caplet_runtime::{Change, ChangeKind, Edit, FileStatus, Folder, Part, Runtime, UpgradeOptions};

use crate::rig::{Setup, bytes_of};

const FILE: &str = "upgrade.wasm";

fn drop_in(folder: &Path, guest: &str) {
    std::fs::write(folder.join(FILE), bytes_of(guest)).expect("the file is written");
}

async fn follow(runtime: &Runtime, path: &Path) -> Folder {
    let folder = runtime.follow(path.to_owned()).expect("the folder is read");
    folder.first_scan().await;
    folder
}

/// The file's status once it is as expected; the last one when it never is.
async fn status(folder: &Folder, is_expected: impl Fn(&FileStatus) -> bool) -> FileStatus {
    let began = Instant::now();
    loop {
        let status = folder.statuses().into_iter().next().expect("the file was seen");
        if is_expected(&status) || began.elapsed() > Duration::from_secs(20) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn served(runtime: &Runtime) -> String {
    let table = runtime.table();
    table.get("upgrade").map(|it| it.version().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_file_that_waited_is_as_good_as_any_once_it_is_approved() {
    let place = tempfile::tempdir().unwrap();
    let upgrade = UpgradeOptions { watch_ms: 0, drain_ms_max: 2_000 };
    let runtime = Setup { upgrade, ..Setup::default() }.runtime("upgrade").await;
    drop_in(place.path(), "upgrade-v1");
    let folder = follow(&runtime, place.path()).await;
    assert_eq!(served(&runtime), "1.0.0");

    drop_in(place.path(), "upgrade-hiding");
    let waiting = status(&folder, |it| it.error.is_some()).await.error.expect("it waits");
    assert!(waiting.contains("`caplet approve upgrade --generation 2`"), "{waiting}");
    assert_eq!(served(&runtime), "1.0.0");

    let approve = ChangeKind::Approve { plugin: "upgrade".to_owned(), expected: None };
    runtime.begin(Change::approved(approve, "ada")).outcome().await.unwrap();
    assert_eq!(status(&folder, |it| it.error.is_none()).await.error, None);
    assert_eq!(served(&runtime), "2.0.0");
}

/// Runs one host from its start to its end: nothing of it is left afterwards.
fn host_life(life: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("threads").block_on(life);
}

#[test]
fn a_plugin_that_cannot_be_brought_back_is_loaded_from_its_file() {
    let (place, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let setup = || Setup { kept: Some(kept.path().to_owned()), ..Setup::default() };
    drop_in(place.path(), "upgrade-v1");
    host_life(async {
        let runtime = setup().runtime("upgrade").await;
        let _folder = follow(&runtime, place.path()).await;
        assert_eq!(served(&runtime), "1.0.0");
        runtime.shutdown(Duration::from_secs(5)).await;
    });
    std::fs::remove_dir_all(kept.path().join("components")).expect("the components are lost");
    host_life(async {
        let runtime = setup().runtime("upgrade").await;
        let folder = follow(&runtime, place.path()).await;
        let status = status(&folder, |_| true).await;
        assert_eq!((status.plugin.as_deref(), status.error), (Some("upgrade"), None));
        assert_eq!(served(&runtime), "1.0.0");
    });
}

/// How often the folder was refused a change.
async fn n_refused(runtime: &Runtime) -> usize {
    let (entries, _) = runtime.audit().page(0).await.expect("the log is read");
    let is_refused = r#""outcome":"refused""#;
    entries.iter().filter(|it| it.actor == "folder" && it.detail.contains(is_refused)).count()
}

#[tokio::test]
async fn a_file_behind_another_change_is_tried_once_and_again_when_that_has_ended() {
    let place = tempfile::tempdir().unwrap();
    let upgrade = UpgradeOptions { watch_ms: 0, drain_ms_max: 600_000 };
    let runtime = Setup { upgrade, ..Setup::default() }.runtime("upgrade").await;
    drop_in(place.path(), "upgrade-v1");
    let folder = follow(&runtime, place.path()).await;
    // The second change waits for the drain of the first one, in which a call goes on.
    let called = runtime.table().get("upgrade").cloned();
    let limit = |ms: u64| {
        let patch = serde_json::json!({ "wall_ms_max": ms }).as_object().cloned().unwrap();
        let (plugin, edit) = ("upgrade".to_owned(), Edit::Merge(patch));
        let kind = ChangeKind::Configure { plugin, part: Part::Limits, edit, expected: None };
        runtime.begin(Change::approved(kind, "ada"))
    };
    limit(5_000).outcome().await.unwrap();
    let waiting = limit(6_000);

    drop_in(place.path(), "upgrade-v2");
    let behind = status(&folder, |it| it.error.is_some()).await.error.expect("it is refused");
    assert!(behind.contains("it is being changed (limits"), "{behind}");
    let again = async {
        while n_refused(&runtime).await < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), again).await.expect_err("it was tried again");
    drop(called);
    waiting.outcome().await.unwrap();
    assert_eq!(status(&folder, |it| it.error.is_none()).await.error, None);
    assert_eq!(served(&runtime), "2.0.0");
    assert_eq!(n_refused(&runtime).await, 1);
}
