//! New versions that start well and turn out to be worse: slow ones, and those that come into quarantine.
//! The watch rolls each of them back once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_runtime::{Change, ChangeKind, GenerationState, Limits, Operation, UpgradeOptions};

use crate::rig::{Ask, Rig, Setup, bytes_of, text};

const PLUGIN: &str = "upgrade";

/// Longer than the five times as long as a slow call takes, which the first version must have served.
const SERVED: Duration = Duration::from_secs(4);

/// As many as may run at once, so that none waits for its turn.
const CLIENTS: usize = 64;

/// A first version that is watched for a long time when it is replaced.
async fn serving(limits: Limits) -> Rig {
    let upgrade = UpgradeOptions { watch_ms: 120_000, drain_ms_max: 2_000 };
    Setup { limits, upgrade, ..Setup::default() }.load("upgrade-v1").await
}

async fn upgrade(rig: &Rig, guest: &str) -> Arc<Operation> {
    let kind = ChangeKind::Install { component: bytes_of(guest).into(), file: None, called: None };
    let operation = rig.runtime.begin(Change::approved(kind, "ada"));
    operation.outcome().await.expect("it serves");
    operation
}

async fn version(rig: &Rig) -> String {
    text(&rig.get("/version").await.expect("an answer")).to_owned()
}

/// Calls whatever serves until the watch has decided. Returns what it says.
async fn called_until_settled(rig: &Rig, operation: &Operation) -> Option<String> {
    let call = async |_: usize| {
        while !operation.progress().settled {
            let generation = rig.generation();
            // Whoever is answered is not what this is about.
            let _ = Ask::to(generation, http::Method::GET, "/version").send().await;
        }
    };
    let calling = futures::future::join_all((0..CLIENTS).map(call));
    tokio::time::timeout(Duration::from_secs(100), calling).await.expect("the watch decides");
    operation.progress().trouble
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_slow_is_rolled_back_once() {
    let rig = serving(Limits::default()).await;
    let began = Instant::now();
    let mut n_calls = 0;
    while began.elapsed() < SERVED || n_calls < 200 {
        version(&rig).await;
        n_calls += 1;
    }
    let operation = upgrade(&rig, "upgrade-slow").await;
    let trouble = called_until_settled(&rig, &operation).await.expect("it is rolled back");
    assert!(trouble.starts_with("rolled back: 99 % of its invocations took up to"), "{trouble}");
    assert!(trouble.contains("3 times in a row"), "{trouble}");
    is_back(&rig, "rolled back by watch: 99 %").await;
}

#[tokio::test]
async fn a_version_that_comes_into_quarantine_is_rolled_back_once() {
    // Sooner than the share of what failed would tell.
    let rig = serving(Limits { faults_max: 3, ..Limits::default() }).await;
    rig.get("/notes").await.expect("the first version lists");
    let operation = upgrade(&rig, "upgrade-flawed").await;
    let new = rig.generation();
    let ask = async |target: &str| {
        Ask::to(new.clone(), http::Method::GET, target).send().await.map(|_| ())
    };
    for _ in 0..3 {
        ask("/version").await.expect("that works");
        ask("/notes").await.expect_err("that does not");
    }
    assert!(new.quarantined().is_some() && !new.is_failing());
    tokio::time::timeout(Duration::from_secs(20), operation.settled()).await.expect("it ends");
    let trouble = operation.progress().trouble.expect("it is rolled back");
    assert!(trouble.starts_with("rolled back: it is in quarantine: "), "{trouble}");
    drop(new);
    is_back(&rig, "rolled back by watch: it is in quarantine").await;
    rig.get("/notes").await.expect("the first version lists, and is in no quarantine");
}

/// The first version serves again, as the third generation, which nobody watches.
async fn is_back(rig: &Rig, reason: &str) {
    let began = Instant::now();
    while rig.generation().number() == 2 {
        assert!(began.elapsed() < Duration::from_secs(20), "it is not brought back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(version(rig).await, "1.0.0");
    let history = rig.runtime.history(PLUGIN).await.expect("the history is read");
    use GenerationState::{Active, RolledBack, Superseded};
    let states: Vec<_> = history.iter().rev().map(|it| it.state).collect();
    assert_eq!(states, [Superseded, RolledBack, Active]);
    assert!(history[1].reason.starts_with(reason), "{}", history[1].reason);
    assert!(history[0].created_by.starts_with("watch: "), "{}", history[0].created_by);
}
