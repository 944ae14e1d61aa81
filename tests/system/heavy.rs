//! Components that take long to compile: they keep neither the host's start nor a neighbour waiting, whoever
//! asks for them meanwhile is told so, and they are compiled once. The guests here have some thousand
//! functions more than they need.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use caplet_tests::wasm::compiling_slowly;
use caplet_tests::{Place, Server, guest_path};
use serde_json::{Value, json};

/// Functions that a heavy guest has: some seconds of a compiler.
const N_FUNCTIONS: usize = 4_000;

/// A host that starts without waiting for any compiler.
const AT_ONCE: [(&str, &str); 2] =
    [("CAPLET_ENGINE__COMPILE_WAIT_MS", "0"), ("CAPLET_UPGRADE__WATCH_MS", "0")];

/// Puts a heavy form of a guest into the plugin folder.
fn install_heavy(place: &Place, guest: &str, file: &str) {
    let component = std::fs::read(guest_path(guest)).expect("the guest is read");
    let new = place.plugins().join(".heavy.new");
    std::fs::write(&new, compiling_slowly(&component, N_FUNCTIONS)).expect("it is written");
    std::fs::rename(new, place.plugins().join(file)).expect("it is put in place");
}

/// What is on its way, as `/readyz` tells it.
async fn loading(server: &Server) -> Value {
    let (status, text) = server.get("/readyz").await;
    assert_eq!(status, 200, "{text}");
    let ready: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(ready["failed"], json!([]), "{ready}");
    ready["loading"].clone()
}

fn compiling(name: &str) -> Value {
    json!([{ "name": name, "step": "compiling" }])
}

/// Whoever asks for it is told to come again.
async fn assert_not_yet(server: &Server, path: &str) {
    let answer = server.client().get(server.url(path)).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "2");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["code"], "plugin-loading", "{problem}");
}

/// The compiled code that is kept, with the number of each file: one that is written anew has another.
fn kept(place: &Place) -> Vec<(PathBuf, u64, u64)> {
    let entries = std::fs::read_dir(place.data().join("cache")).expect("there is a cache");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_code = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "cwasm");
    let described = |path: PathBuf| {
        let metadata = path.metadata().expect("it is there");
        (path, metadata.ino(), metadata.len())
    };
    let mut kept: Vec<_> = paths.filter(is_code).map(described).collect();
    kept.sort();
    kept
}

/// The priorities of the processes that a host has started, as the system tells them: 0 is usual, 19 the
/// lowest.
fn priorities_of_children(server: &Server) -> Vec<i64> {
    let host = Path::new("/proc").join(server.pid().to_string()).join("task");
    let threads = std::fs::read_dir(host).expect("the host runs");
    let children = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children: Vec<String> = children
        .flat_map(|ids| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let nice = |id: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The fields behind the name, which may have any characters, begin with the third.
        stat.rsplit(')').next()?.split_whitespace().nth(16)?.parse().ok()
    };
    children.iter().filter_map(nice).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heavy_component_keeps_nobody_waiting_and_is_compiled_once() {
    let place = Place::new();
    place.install("echo", "echo.wasm");
    let server = place.start(&[]).await;
    assert_eq!(loading(&server).await, json!([]));
    assert_eq!(server.stop().await, 0);

    // Before the other one in the folder, so that it would be in its way.
    install_heavy(&place, "counter-in-memory", "a-counter.wasm");
    let server = place.start(&AT_ONCE).await;
    assert_eq!(server.get("/api/echo/x").await.0, 200);
    assert_not_yet(&server, "/api/a-counter/").await;
    assert_eq!(loading(&server).await, compiling("a-counter"));
    server.until(|server| async { priorities_of_children(server) == [10] }).await;
    place.install("sleep", "sleep.wasm");
    server.until(|server| server.answers("/api/sleep/0", 200)).await;
    assert_not_yet(&server, "/api/a-counter/").await;
    server.until(|server| server.answers("/api/counter-in-memory/", 200)).await;
    assert_eq!(loading(&server).await, json!([]));
    assert_eq!(server.get("/api/a-counter/").await.0, 404, "that was the file's name alone");
    assert_eq!(server.stop().await, 0);

    let before = kept(&place);
    let server = place.start(&AT_ONCE).await;
    assert_eq!(server.get("/api/counter-in-memory/").await.0, 200, "its code was kept");
    assert_eq!((kept(&place), before.len()), (before, 3));
    assert_eq!(server.stop().await, 0);

    // As after a new version of the host: no code that was kept fits.
    let code = kept(&place).into_iter().max_by_key(|(_, _, bytes)| *bytes).expect("code").0;
    std::fs::remove_file(code).expect("the code is removed");
    let server = place.start(&AT_ONCE).await;
    assert_eq!(server.get("/api/sleep/0").await.0, 200);
    assert_not_yet(&server, "/api/counter-in-memory/").await;
    server.until(|server| server.answers("/api/counter-in-memory/", 200)).await;
    assert_eq!(kept(&place).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_version_serves_while_a_heavy_one_is_compiled() {
    let place = Place::new();
    place.install("upgrade-v1", "upgrade.wasm");
    let server = place.start(&[("CAPLET_UPGRADE__WATCH_MS", "0")]).await;
    install_heavy(&place, "upgrade-v2", "upgrade.wasm");
    server.until(|server| async { loading(server).await == compiling("upgrade") }).await;
    let version = async || server.get("/api/upgrade/version").await;
    assert_eq!(version().await, (200, "1.0.0".to_owned()));
    place.install("echo", "echo.wasm");
    server.until(|server| server.answers("/api/echo/x", 200)).await;
    loop {
        match version().await {
            (200, version) if version == "1.0.0" => {}
            (200, version) if version == "2.0.0" => break,
            other => panic!("{other:?}"),
        }
    }
}
