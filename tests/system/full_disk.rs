//! A full disk: writes are refused with the reason, reads go on, nothing is lost or half done, and
//! when there is room again the host goes on without a restart.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use caplet_tests::{PATIENCE, Place, Server};
use serde_json::Value;

async fn write(server: &Server, id: u32) -> (u16, Value) {
    let url = server.url(&format!("/api/ledger/entries/{id}"));
    let answer = server.client().post(url).send().await.expect("the host answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn entries(server: &Server) -> Vec<String> {
    let (status, text) = server.get("/api/ledger/entries").await;
    assert_eq!(status, 200, "{text}");
    let page: Value = serde_json::from_str(&text).expect("JSON");
    let rows = page["rows"].as_array().expect("rows");
    rows.iter().map(|row| row[1].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn writes_are_refused_and_reads_go_on_until_there_is_room_again() {
    let place = Place::new();
    place.install("ledger", "ledger.wasm");
    let server = place.start_on_small_disk(16).await;
    assert_eq!(write(&server, 0).await.0, 201);

    let filler = server.inside(&place.data().join("filler"));
    fill(&filler);
    let mut acknowledged = vec!["0".to_owned()];
    let mut id = 1;
    let refused = loop {
        let (status, body) = write(&server, id).await;
        if status != 201 {
            break (status, body);
        }
        acknowledged.push(id.to_string());
        id += 1;
        assert!(id < 1_000, "a full disk takes a thousand writes");
    };
    assert_eq!((refused.0, &refused.1["code"]), (507, &Value::from("storage-full")));
    assert_eq!(entries(&server).await, acknowledged);

    std::fs::remove_file(filler).expect("there is room again");
    server.until(|server| async { write(server, 5_000).await.0 == 201 }).await;
    acknowledged.push("5000".to_owned());
    assert_eq!(entries(&server).await, acknowledged);
}

/// Writes to a file until the disk is full.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("the disk can be reached");
    for block in [vec![0; 64 << 10], vec![0; 512]] {
        while file.write_all(&block).is_ok() {}
    }
}

/// Fills the disk once a migration has written a megabyte to the database of the plugin `upgrade`.
fn fill_in_mid_migration(databases: &Path, filler: &Path) {
    let (trial, log) = (databases.join("upgrade.trial.db"), databases.join("upgrade.db-wal"));
    let began = Instant::now();
    let wait_until = |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "the migration never came so far");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let bytes = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    wait_until(&|| trial.exists());
    let before = bytes(&log);
    wait_until(&|| bytes(&log) > before + (1 << 20));
    assert!(!trial.exists(), "it is no trial any more");
    fill(filler);
}

/// What is not loaded, as `/readyz` tells it.
async fn refusal(server: &Server) -> String {
    let ready: Value = serde_json::from_str(&server.get("/readyz").await.1).expect("JSON");
    ready["failed"][0]["reason"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_in_mid_migration_changes_nothing_until_there_is_room_again() {
    let place = Place::new();
    place.install("upgrade-v1", "upgrade.wasm");
    let server = place.start_on_small_disk(256).await;
    for n in 0..100 {
        let url = server.url(&format!("/api/upgrade/notes/note-{n:03}"));
        assert_eq!(server.client().post(url).send().await.expect("an answer").status(), 201);
    }
    let old = async || {
        let (status, version) = server.get("/api/upgrade/version").await;
        let (listed, notes) = server.get("/api/upgrade/notes").await;
        (status, version) == (200, "1.0.0".to_owned())
            && listed == 200
            && notes.contains("note-000")
            && notes.contains("note-099")
    };
    assert!(old().await);

    let databases = server.inside(&place.data().join("databases"));
    let filler = server.inside(&place.data().join("filler"));
    let (watched, path) = (databases.clone(), filler.clone());
    let filling = tokio::task::spawn_blocking(move || fill_in_mid_migration(&watched, &path));
    place.install("upgrade-large", "upgrade.wasm");
    while !filling.is_finished() {
        assert!(old().await, "the old version serves while the disk fills");
    }
    filling.await.expect("the disk was filled in mid-migration");
    server.until(|server| async { !refusal(server).await.is_empty() }).await;
    let reason = refusal(&server).await;
    assert!(reason.contains("its database cannot be brought up to date"), "{reason}");
    assert!(reason.contains("full"), "{reason}");
    assert!(old().await, "the old version serves on a full disk");

    std::fs::remove_file(filler).expect("there is room again");
    let write = || server.client().post(server.url("/api/upgrade/notes/later")).send();
    server.until(|_| async { write().await.is_ok_and(|it| it.status() == 201) }).await;
    assert!(old().await);
    place.install("upgrade-large", "upgrade.wasm");
    server.until(|server| async { server.get("/api/upgrade/version").await.1 == "2.0.0" }).await;
    assert_eq!(refusal(&server).await, "");
    assert!(server.get("/api/upgrade/notes").await.1.contains("note-099"));
    let admin = server.token(&["--scope", "caplet.admin"]).await;
    let history = server.client().get(server.url("/admin/api/plugins/upgrade/generations"));
    let history: Value = history.bearer_auth(admin).send().await.unwrap().json().await.unwrap();
    let states: Vec<_> =
        history["items"].as_array().expect("a list").iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["active", "refused", "superseded"]);
}
