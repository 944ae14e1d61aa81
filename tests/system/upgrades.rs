//! `kill -9` in the middle of an upgrade, and of a rollback: whatever step it was at, the host serves one
//! whole version when it starts again, by itself, with all that was acknowledged.

use std::time::Duration;

use caplet_tests::{Place, Server};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

/// What is killed: a change from one version to another, and its steps.
struct Way {
    /// The guests that are brought one after the other, before and by the change.
    guests: [&'static str; 2],
    /// Whether it is the rollback from the second to the first, and not the upgrade.
    is_rollback: bool,
    from: &'static str,
    to: &'static str,
    /// The steps that say in the log that they begin, and what serves after a crash there.
    steps: &'static [(&'static str, Serves)],
}

/// The version that serves after a crash: short steps may be over when their line is read, and all before
/// the swap when the crash comes some time later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serves {
    Old,
    Either,
    New,
}

use Serves::{Either, New, Old};

/// The new version expands, fills in and contracts.
const UPGRADE: Way = Way {
    guests: ["upgrade-v2", "upgrade-v3"],
    is_rollback: false,
    from: "2.0.0",
    to: "3.0.0",
    steps: &[
        ("compile", Old),
        ("describe", Old),
        ("compare", Old),
        ("trial", Either),
        ("expand", Either),
        ("warm", Either),
        ("health", Either),
        ("swap", Either),
        ("drain", New),
        ("backfill", New),
        ("watch", New),
        ("contract", New),
    ],
};

const ROLLBACK: Way = Way {
    guests: ["upgrade-v1", "upgrade-v2"],
    is_rollback: true,
    from: "2.0.0",
    to: "1.0.0",
    steps: &[
        ("compile", Either),
        ("describe", Either),
        ("expand", Either),
        ("warm", Either),
        ("health", Either),
        ("swap", Either),
        ("drain", New),
    ],
};

/// How often each step is hit; more by `CAPLET_KILL_ROUNDS`.
const ROUNDS: u64 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_killed_at_any_step_serves_one_whole_version() {
    UPGRADE.kill_at_each_step().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_killed_in_a_rollback_serves_one_whole_version() {
    ROLLBACK.kill_at_each_step().await;
}

impl Way {
    async fn kill_at_each_step(&self) {
        let rounds = std::env::var("CAPLET_KILL_ROUNDS").ok().and_then(|text| text.parse().ok());
        for round in 0..rounds.unwrap_or(ROUNDS) {
            for &(step, serves) in self.steps {
                let delay = Duration::from_micros(round * 700);
                let serves = if serves == Old && !delay.is_zero() { Either } else { serves };
                self.kill_at((step, serves), delay).await;
            }
        }
    }

    fn versions(&self, serves: Serves) -> Vec<&'static str> {
        match serves {
            Old => vec![self.from],
            Either => vec![self.from, self.to],
            New => vec![self.to],
        }
    }

    async fn kill_at(&self, (step, serves): (&str, Serves), delay: Duration) {
        let place = Place::new();
        let settings = [
            ("CAPLET_UPGRADE__WATCH_MS", "100"),
            ("CAPLET_LOG__FORMAT", "json"),
            ("CAPLET_LOG__FILTER", "info,caplet_runtime::lifecycle=debug"),
        ];
        let (server, mut lines) = place.start_telling(&settings).await;
        let admin = Admin::of(&server).await;
        admin.bring(self.guests[0]).await;
        server.until(|server| server.answers("/api/upgrade/version", 200)).await;
        let note = server.client().post(server.url("/api/upgrade/notes/kept")).send().await;
        assert!(note.expect("the note is sent").status().is_success());
        assert_eq!(server.get("/api/upgrade/notes").await.0, 200);
        if self.is_rollback {
            admin.bring(self.guests[1]).await;
            server
                .until(async |server| server.get("/api/upgrade/version").await.1 == self.from)
                .await;
        }
        while lines.try_recv().is_ok() {}
        if self.is_rollback {
            admin.roll_back().await;
        } else {
            admin.bring(self.guests[1]).await;
        }
        reach(&mut lines, step).await;
        tokio::time::sleep(delay).await;
        server.kill().await;

        let server = place.start(&settings).await;
        check(&server, (step, &self.versions(serves))).await;
        assert_eq!(server.stop().await, 0);
    }
}

/// Waits until the log says that a step begins.
async fn reach(lines: &mut UnboundedReceiver<String>, step: &str) {
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

    /// Begins to bring the version before back.
    async fn roll_back(&self) {
        let order = self.client.post(format!("{}/plugins/upgrade/rollback", self.base));
        let begun = order.bearer_auth(&self.token).json(&json!({})).send().await;
        assert_eq!(begun.expect("an answer").status(), 202);
    }
}
