//! `kill -9` in the middle of an upgrade: whatever step it was at, the host serves one whole version
//! when it starts again, by itself, with all that was acknowledged.

use std::time::Duration;

use caplet_tests::{Place, Server};
use serde_json::{Value, json};

/// The steps of an upgrade that say in the log that they begin, and the version that serves after a
/// crash there: the old one, the new one, or either: short steps may be over when their line is read, and
/// all before the swap when the crash comes some time later.
const STEPS: [(&str, &[&str]); 12] = [
    ("compile", OLD),
    ("describe", OLD),
    ("compare", OLD),
    ("trial", EITHER),
    ("expand", EITHER),
    ("warm", EITHER),
    ("health", EITHER),
    ("swap", EITHER),
    ("drain", NEW),
    ("backfill", NEW),
    ("watch", NEW),
    ("contract", NEW),
];

const OLD: &[&str] = &["2.0.0"];
const EITHER: &[&str] = &["2.0.0", "3.0.0"];
const NEW: &[&str] = &["3.0.0"];

/// How often each step is hit; more by `CAPLET_KILL_ROUNDS`.
const ROUNDS: u64 = 1;

/// The version that serves, and the one that is brought: it expands, fills in and contracts.
const VERSIONS: [&str; 2] = ["upgrade-v2", "upgrade-v3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_killed_at_any_step_serves_one_whole_version() {
    let rounds = std::env::var("CAPLET_KILL_ROUNDS").ok().and_then(|text| text.parse().ok());
    for round in 0..rounds.unwrap_or(ROUNDS) {
        for (step, versions) in STEPS {
            let delay = Duration::from_micros(round * 700);
            let versions = if versions == OLD && !delay.is_zero() { EITHER } else { versions };
            kill_at(step, versions, delay).await;
        }
    }
}

async fn kill_at(step: &str, versions: &[&str], delay: Duration) {
    let place = Place::new();
    let settings = [
        ("CAPLET_UPGRADE__WATCH_MS", "100"),
        ("CAPLET_LOG__FORMAT", "json"),
        ("CAPLET_LOG__FILTER", "info,caplet_runtime::lifecycle=debug"),
    ];
    let (server, mut lines) = place.start_telling(&settings).await;
    let admin = Admin::of(&server).await;
    admin.bring(VERSIONS[0]).await;
    server.until(|server| server.answers("/api/upgrade/version", 200)).await;
    let note = server.client().post(server.url("/api/upgrade/notes/kept")).send().await;
    assert!(note.expect("the note is sent").status().is_success());
    assert_eq!(server.get("/api/upgrade/notes").await.0, 200);
    while lines.try_recv().is_ok() {}
    admin.bring(VERSIONS[1]).await;
    let named = format!("\"step\":\"{step}\"");
    let reached = async {
        while let Some(line) = lines.recv().await {
            if line.contains(&named) {
                return;
            }
        }
        panic!("the host ended by itself");
    };
    tokio::time::timeout(caplet_tests::PATIENCE, reached).await.expect("the step is reached");
    tokio::time::sleep(delay).await;
    server.kill().await;

    let server = place.start(&settings).await;
    check(&server, (step, versions)).await;
    assert_eq!(server.stop().await, 0);
}

/// One version serves, its history says so, and it works with the data.
async fn check(server: &Server, (step, versions): (&str, &[&str])) {
    let (_, version) = server.get("/api/upgrade/version").await;
    assert!(versions.contains(&version.as_str()), "killed at {step}: {version} serves");
    let (status, notes) = server.get("/api/upgrade/notes").await;
    assert!(status == 200 && notes.contains("kept"), "killed at {step}: {status} {notes}");
    let written = server.client().post(server.url("/api/upgrade/notes/new")).send().await;
    assert!(written.expect("an answer").status().is_success(), "killed at {step}");
    let history = Admin::of(server).await.get("/plugins/upgrade/generations").await;
    let active: Vec<_> = history["items"]
        .as_array()
        .expect("a history")
        .iter()
        .filter(|generation| generation["state"] == "active")
        .map(|generation| generation["version"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(active, [version.as_str()], "killed at {step}: {history}");
}

/// The admin API of a host.
struct Admin {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Admin {
    async fn of(server: &Server) -> Self {
        let token = server.token(&["--scope", "caplet.admin"]).await;
        Self { client: server.client().clone(), base: server.url("/admin/api"), token }
    }

    async fn get(&self, path: &str) -> Value {
        let asked = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        asked.send().await.expect("an answer").json().await.expect("JSON")
    }

    /// Begins to install a guest.
    async fn bring(&self, guest: &str) {
        let component = std::fs::read(caplet_tests::guest_path(guest)).expect("the guest");
        let brought = self
            .client
            .post(format!("{}/components", self.base))
            .bearer_auth(&self.token)
            .header("content-type", "application/wasm")
            .body(component);
        let brought: Value =
            brought.send().await.expect("an answer").json().await.expect("a digest");
        let order = json!({ "component": brought["digest"], "approve": true });
        let begun = self
            .client
            .post(format!("{}/plugins", self.base))
            .bearer_auth(&self.token)
            .json(&order);
        let begun = begun.send().await.expect("an answer");
        assert_eq!(begun.status(), 202);
    }
}
