//! A rollout as an operator sees it: begun, looked at, moved on and completed from the command line, on
//! the real program, under requests, and over a kill in the middle.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use caplet_tests::{Place, Server};
use tokio::process::Command;

const VERSION: &str = "/api/upgrade/version";

const SETTINGS: [(&str, &str); 1] = [("CAPLET_UPGRADE__WATCH_MS", "100")];

/// The command line, which speaks to one host.
pub struct Operator {
    url: String,
    token: String,
}

impl Operator {
    pub async fn of(server: &Server) -> Self {
        let token = server.token(&["--scope", "caplet.admin"]).await;
        Self { url: server.url(""), token }
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(caplet_tests::binary());
        command.args(arguments).args(["--url", &self.url, "--token", &self.token]);
        command.output().await.expect("the command runs")
    }

    /// What a command prints that does what it was asked for.
    pub async fn does(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What a command says that is refused.
    pub async fn is_refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(!output.status.success(), "{arguments:?} was not refused");
        String::from_utf8(output.stderr).expect("text")
    }
}

/// Where the component of a guest is.
pub fn path(guest: &str) -> String {
    caplet_tests::guest_path(guest).display().to_string()
}

/// The version that answers a caller with a header.
async fn version(server: &Server, header: (&str, &str)) -> String {
    let request = server.client().get(server.url(VERSION)).header(header.0, header.1);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("a text")
}

/// What the answers to everybody say that they vary by.
async fn vary(server: &Server) -> Option<String> {
    vary_of(server, VERSION).await
}

async fn vary_of(server: &Server, path: &str) -> Option<String> {
    let answer = server.client().get(server.url(path)).send().await.expect("an answer");
    answer.headers().get("vary").map(|value| value.to_str().expect("names").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caches_are_told_by_which_headers_the_version_is_chosen() {
    let place = Place::new();
    place.install("upgrade-v1", "upgrade.wasm");
    let server = place.start(&SETTINGS).await;
    assert_eq!(vary(&server).await, None);
    let operator = Operator::of(&server).await;
    let canary = ["--header", "x-canary: yes", "--header", "x-tester"];
    operator.does(&[&["upgrade", &path("upgrade-v2")], &canary[..]].concat()).await;
    for path in [VERSION, "/api/upgrade/nowhere"] {
        assert_eq!(vary_of(&server, path).await.as_deref(), Some("x-canary, x-tester"), "{path}");
    }
    assert_eq!(version(&server, ("x-tester", "")).await, "2.0.0");
    operator.does(&["rollout", "upgrade", "--percent", "10"]).await;
    let by_caller = "authorization, x-api-key, x-rollout-key";
    assert_eq!(vary(&server).await.as_deref(), Some(by_caller));
    operator.does(&["rollout", "upgrade", "--complete"]).await;
    assert_eq!(vary(&server).await, None);

    operator.does(&["install", &path("http-incoming"), "--name", "hello"]).await;
    let service = path("http-service");
    let newer = ["upgrade", &service, "--name", "hello", "--approve"];
    operator.does(&[&newer[..], &canary[..2]].concat()).await;
    for path in ["/api/hello/", "/api/hello/nowhere", "/api/hello/trap"] {
        assert_eq!(vary_of(&server, path).await.as_deref(), Some("x-canary"), "{path}");
    }
    assert_eq!(server.stop().await, 0);
}

/// The versions that answer a hundred callers, each of which is known by a key.
async fn versions(server: &Server) -> Vec<String> {
    let mut versions = Vec::new();
    for n in 0..100 {
        versions.push(version(server, ("x-rollout-key", &n.to_string())).await);
    }
    versions
}

/// Asks on and on. Tells at the end how many answers were none of a version.
fn ask_on(server: &Server, is_over: &Arc<AtomicBool>) -> tokio::task::JoinHandle<u32> {
    let (client, url) = (server.client().clone(), server.url(VERSION));
    let is_over = is_over.clone();
    tokio::spawn(async move {
        let mut n_bad = 0;
        for n in 0.. {
            if is_over.load(Relaxed) {
                break;
            }
            let asked = client.get(&url).header("x-rollout-key", n.to_string()).send().await;
            n_bad += u32::from(!asked.is_ok_and(|answer| answer.status() == 200));
        }
        n_bad
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_comes_to_its_callers_step_by_step() {
    let place = Place::new();
    let server = place.start(&SETTINGS).await;
    let operator = Operator::of(&server).await;
    operator.does(&["install", &path("upgrade-v1")]).await;
    let upgrade = ["upgrade", "--approve", "--header", "x-canary: yes", "--tenant", "acme"];
    let told = operator.does(&[&upgrade[..], &[&path("upgrade-v2")]].concat()).await;
    assert!(told.contains("generation 2 is being rolled out"), "{told}");

    let acme = format!("Bearer {}", server.token(&["--tenant", "acme"]).await);
    let other = format!("Bearer {}", server.token(&["--tenant", "other"]).await);
    for (header, expected) in [
        (("x-canary", "yes"), "2.0.0"),
        (("x-canary", "no"), "1.0.0"),
        (("authorization", acme.as_str()), "2.0.0"),
        (("authorization", other.as_str()), "1.0.0"),
    ] {
        assert_eq!(version(&server, header).await, expected, "{header:?}");
    }
    let unknown = server.client().get(server.url(VERSION)).bearer_auth("nonsense").send().await;
    assert_eq!(unknown.expect("an answer").status(), 401);

    let is_over = Arc::new(AtomicBool::new(false));
    let asking = ask_on(&server, &is_over);
    operator.does(&["rollout", "upgrade", "--percent", "50"]).await;
    let first = versions(&server).await;
    let n_new = first.iter().filter(|version| *version == "2.0.0").count();
    assert!((30..70).contains(&n_new), "{n_new} of 100 callers at 50 %");
    assert_eq!(versions(&server).await, first, "a caller changed its version");

    let status = operator.does(&["status"]).await;
    let line = "rolling out: upgrade 2.0.0 (generation 2): 50 % of the callers";
    assert!(status.contains(line), "{status}");
    let told = operator.does(&["rollout", "upgrade"]).await;
    assert!(told.contains("stable") && told.contains("candidate"), "{told}");
    assert!(operator.does(&["history", "upgrade"]).await.contains("candidate"));
    let (_, metrics) = server.get("/metrics").await;
    let counted =
        "caplet_rollout_invocations{outcome=\"well\",plugin=\"upgrade\",stage=\"candidate\"}";
    assert!(metrics.contains(counted), "{metrics}");
    let (_, front) = server.get("/").await;
    assert!(front.contains("1.0.0") && !front.contains("2.0.0"), "{front}");
    let refused = operator.is_refused(&["install", &path("upgrade-v3")]).await;
    assert!(refused.contains("is being rolled out (50 % of the callers)"), "{refused}");
    is_over.store(true, Relaxed);
    assert_eq!(asking.await.expect("it asks"), 0, "answers that were none of a version");

    server.kill().await;
    let server = place.start(&SETTINGS).await;
    let operator = Operator::of(&server).await;
    assert_eq!(versions(&server).await, first, "a caller changed its version with the restart");
    let is_over = Arc::new(AtomicBool::new(false));
    let asking = ask_on(&server, &is_over);
    let told = operator.does(&["rollout", "upgrade", "--complete", "--wait"]).await;
    assert!(told.contains("upgrade serves by generation 2"), "{told}");
    is_over.store(true, Relaxed);
    assert_eq!(asking.await.expect("it asks"), 0, "answers that were none of a version");
    assert!(versions(&server).await.iter().all(|version| version == "2.0.0"));
    let none = operator.is_refused(&["rollout", "upgrade"]).await;
    assert!(none.contains("being rolled out"), "{none}");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_answers_nobody_and_is_told_about() {
    let place = Place::new();
    let server = place.start(&SETTINGS).await;
    let operator = Operator::of(&server).await;
    operator.does(&["install", &path("upgrade-v1")]).await;
    let note = server.client().post(server.url("/api/upgrade/notes/a")).send().await;
    assert!(note.expect("an answer").status().is_success());
    operator.does(&["upgrade", "--approve", "--shadow", &path("upgrade-v2")]).await;
    let (_, notes) = server.get("/api/upgrade/notes").await;
    server
        .until(|server| async {
            assert_eq!(server.get("/api/upgrade/notes").await.1, notes);
            let told = operator.does(&["rollout", "upgrade", "--json"]).await;
            let rollout: serde_json::Value = serde_json::from_str(&told).expect("JSON");
            rollout["shadow"]["different"].as_u64() > Some(0)
        })
        .await;
    let told = operator.does(&["rollout", "upgrade"]).await;
    assert!(told.contains("copies of the requests of 100 % of the callers"), "{told}");
    assert!(told.contains("/columns"), "{told}");
    // What writes is done once, by the version that serves.
    let note = server.client().post(server.url("/api/upgrade/notes/b")).send().await;
    assert_eq!(note.expect("an answer").headers()["x-version"], "1.0.0");
    let told = operator.does(&["rollout", "upgrade", "--abort", "--wait"]).await;
    assert!(told.contains("generation 2 gets no more requests"), "{told}");
    let (status, notes) = server.get("/api/upgrade/notes").await;
    assert!(status == 200 && notes.contains("\"b\"") && !notes.contains("label"), "{notes}");
    assert_eq!(server.stop().await, 0);
}
