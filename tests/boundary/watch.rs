//! New versions that start well and turn out to be worse: slow ones, and those that come into quarantine.
//! The watch rolls each of them back once.

use std::time::{Duration, Instant};

use caplet_runtime::{GenerationState, Limits, Operation, UpgradeOptions};

use crate::rig::changes::{UPGRADE, install, settled};
use crate::rig::{Ask, Rig, Setup, until};

/// Longer than the five times as long as a slow call takes, which the first version must have served.
const SERVED: Duration = Duration::from_secs(4);

/// As many as may run at once, so that none waits for its turn.
const CLIENTS: usize = 64;

/// A first version that is watched for a long time when it is replaced.
async fn serving(limits: Limits) -> Rig {
    let upgrade = UpgradeOptions { watch_ms: 120_000, drain_ms_max: 2_000 };
    Setup { limits, upgrade, ..Setup::default() }.load("upgrade-v1").await
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
        rig.version().await;
        n_calls += 1;
    }
    let operation = rig.changed(install("upgrade-slow")).await;
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
    let operation = rig.changed(install("upgrade-flawed")).await;
    let new = rig.generation();
    let ask = async |target: &str| {
        Ask::to(new.clone(), http::Method::GET, target).send().await.map(|_| ())
    };
    for _ in 0..3 {
        ask("/version").await.expect("that works");
        ask("/notes").await.expect_err("that does not");
    }
    assert!(new.quarantined().is_some() && !new.is_failing());
    let trouble = settled(&operation).await.expect("it is rolled back");
    assert!(trouble.starts_with("rolled back: it is in quarantine: "), "{trouble}");
    drop(new);
    is_back(&rig, "rolled back by watch: it is in quarantine").await;
    rig.get("/notes").await.expect("the first version lists, and is in no quarantine");
}

/// The first version serves again, as the third generation, which nobody watches.
async fn is_back(rig: &Rig, reason: &str) {
    until("it is brought back", async || rig.generation().number() != 2).await;
    assert_eq!(rig.version().await, "1.0.0");
    use GenerationState::{Active, RolledBack, Superseded};
    assert_eq!(rig.states().await, [Superseded, RolledBack, Active]);
    let history = rig.runtime.history(UPGRADE).await.expect("the history is read");
    assert!(history[1].reason.starts_with(reason), "{}", history[1].reason);
    assert!(history[0].created_by.starts_with("watch: "), "{}", history[0].created_by);
}
