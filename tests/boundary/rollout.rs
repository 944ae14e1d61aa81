//! Rollouts: which version answers whom, what both share, when the new one is taken back, and what is
//! there after a restart; and copies of requests, which leave nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use caplet_runtime::{
    Caller, Change, ChangeKind, Copied, GenerationState, HeaderRule, HostInterface, LoadError,
    Operation, Outcome, PluginOptions, Rollout, RolloutOrder, ShadowReport, Stage, Step,
};
use http::{HeaderMap, Method, StatusCode};

use crate::rig::changes::{UPGRADE, agreed, disable, enable, install, rollback, settled};
use crate::rig::{Ask, Rig, Setup, bytes_of, json, text, until};

const TOOLS: &str = "test:application/tools@1.0.0";

fn percent(percent: u8) -> Stage {
    Stage { percent, ..Stage::default() }
}

fn shadow() -> Stage {
    Stage { shadow: true, ..percent(100) }
}

async fn serving() -> Rig {
    Setup::hasty().with_notes(&["a"]).await
}

fn staged(kind: ChangeKind, stage: Stage) -> Change {
    Change { stage: Some(stage), ..agreed(kind) }
}

/// Begins to roll a guest out.
async fn try_begin(rig: &Rig, guest: &str, stage: Stage) -> Result<Arc<Operation>, LoadError> {
    let operation = rig.runtime.begin(staged(install(guest), stage));
    operation.outcome().await.map(|outcome| {
        assert!(matches!(outcome, Outcome::Staged(..)), "{outcome:?}");
        operation
    })
}

async fn begun(rig: &Rig, guest: &str, stage: Stage) -> Arc<Operation> {
    try_begin(rig, guest, stage).await.expect("the rollout begins")
}

async fn order(rig: &Rig, order: RolloutOrder) -> Result<Outcome, LoadError> {
    rig.begin(ChangeKind::Rollout { plugin: UPGRADE.to_owned(), order }).outcome().await
}

fn rollout(rig: &Rig) -> Option<Arc<Rollout>> {
    rig.runtime.table().rollout(UPGRADE).cloned()
}

/// A request of the new version.
fn to_candidate(rig: &Rig, method: Method, target: &str) -> Ask {
    let rollout = rollout(rig).expect("a rollout goes on");
    Ask::to(rollout.candidate().clone(), method, target)
}

fn answers(rollout: &Rollout, tenant: &str, subject: &str, headers: &HeaderMap) -> bool {
    rollout.answers(&Caller { tenant, subject: Some(subject), key: "", headers })
}

#[tokio::test]
async fn the_new_version_gets_the_requests_of_its_stage_and_both_share_the_data() {
    let rig = serving().await;
    let stage = Stage {
        percent: 20,
        headers: vec![HeaderRule::try_from("x-canary: yes".to_owned()).unwrap()],
        tenants: vec!["acme".to_owned()],
        shadow: false,
    };
    let upgrade = begun(&rig, "upgrade-v2", stage).await;
    let rollout = rollout(&rig).unwrap();
    let (none, mut canary) = (HeaderMap::new(), HeaderMap::new());
    canary.insert("x-canary", "yes".parse().unwrap());
    let taken: Vec<bool> =
        (0..1_000).map(|n| answers(&rollout, "t", &n.to_string(), &none)).collect();
    let n_taken = taken.iter().filter(|is_taken| **is_taken).count();
    assert!((150..250).contains(&n_taken), "{n_taken} of 1000 callers at 20 %");
    let stranger = taken.iter().position(|is_taken| !is_taken).unwrap().to_string();
    assert!(answers(&rollout, "acme", &stranger, &none));
    assert!(answers(&rollout, "t", &stranger, &canary));

    // Expand has run, so that both write and read; the backfill waits.
    to_candidate(&rig, Method::POST, "/notes/b").send().await.unwrap();
    rig.post("/notes/c").await.unwrap();
    let old = rig.notes().await;
    assert!(old.contains("\"b\"") && !old.contains("label"), "{old}");
    let new = to_candidate(&rig, Method::GET, "/notes").send().await.unwrap();
    assert!(text(&new).contains("none"), "what is old is not filled in yet: {}", text(&new));
    assert_eq!(rig.states().await, [GenerationState::Active, GenerationState::Candidate]);
    let report = rig.runtime.rollout(UPGRADE).unwrap();
    assert_eq!((report.stable.n_invocations, report.candidate.n_invocations), (2, 2));
    for (side, n) in [("stable", 2.0), ("candidate", 2.0)] {
        let labels = [("plugin", UPGRADE), ("stage", side), ("outcome", "well")];
        assert_eq!(rig.counted("caplet_rollout_invocations", &labels), n);
    }

    let wider = RolloutOrder::Stage(percent(60));
    assert!(matches!(order(&rig, wider).await.unwrap(), Outcome::Staged(2, _)));
    let moved = self::rollout(&rig).unwrap();
    for (n, was_taken) in taken.iter().enumerate() {
        assert!(answers(&moved, "t", &n.to_string(), &none) || !was_taken, "caller {n} went back");
    }
    drop((rollout, moved));
    assert_eq!(order(&rig, RolloutOrder::Complete).await.map(|_| ()), Ok(()));
    assert_eq!(settled(&upgrade).await, None);
    assert_eq!(rig.version().await, "2.0.0");
    assert_eq!(rig.states().await, [GenerationState::Superseded, GenerationState::Active]);
    until("the backfill has run", async || rig.notes().await.contains("old")).await;
    assert_eq!(rig.counted("caplet_rollout_invocations", &[("plugin", UPGRADE)]), 0.0);
}

#[tokio::test]
async fn what_is_given_up_waits_until_the_new_version_serves_all() {
    let rig = serving().await;
    begun(&rig, "upgrade-v3", percent(10)).await;
    to_candidate(&rig, Method::GET, "/notes").send().await.unwrap();
    rig.get("/notes").await.unwrap();
    let aborted = order(&rig, RolloutOrder::Abort).await.unwrap();
    assert!(matches!(aborted, Outcome::TakenBack(2)), "{aborted:?}");
    rig.get("/notes").await.unwrap();
    assert_eq!(rig.states().await, [GenerationState::Active, GenerationState::RolledBack]);
    let history = rig.runtime.history(UPGRADE).await.unwrap();
    assert_eq!(history[0].reason, "taken back by ada");
    assert!(history.iter().all(|generation| generation.contracted_ms.is_none()));
    let none = order(&rig, RolloutOrder::Complete).await.unwrap_err();
    assert!(none.to_string().contains("no version of it is being rolled out"), "{none}");
    // What was expanded for it is no obstacle to another attempt.
    begun(&rig, "upgrade-v3", percent(10)).await;
    order(&rig, RolloutOrder::Complete).await.unwrap();
    assert_eq!(rig.version().await, "3.0.0");
    until("the old shape is given up", async || {
        rig.runtime.history(UPGRADE).await.unwrap()[0].contracted_ms.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_new_version_that_does_worse_is_taken_back_once() {
    let rig = serving().await;
    let upgrade = begun(&rig, "upgrade-trapping", percent(10)).await;
    for _ in 0..3 {
        to_candidate(&rig, Method::GET, "/version").send().await.expect_err("it traps");
    }
    let trouble = settled(&upgrade).await.expect("it is said");
    assert!(trouble.starts_with("taken back: its last invocations all failed"), "{trouble}");
    assert!(rollout(&rig).is_none());
    assert_eq!(rig.version().await, "1.0.0");
    let history = rig.runtime.history(UPGRADE).await.unwrap();
    assert_eq!(history[0].state, GenerationState::RolledBack);
    assert!(history[0].reason.starts_with("taken back by watch: "), "{}", history[0].reason);
}

#[tokio::test]
async fn other_changes_wait_for_the_end_of_a_rollout() {
    let rig = serving().await;
    begun(&rig, "upgrade-v2", percent(10)).await;
    let again = try_begin(&rig, "upgrade-v3", percent(10)).await.unwrap_err();
    let plain = rig.refused(install("upgrade-v3")).await;
    let back = rig.refused(rollback(None)).await;
    for error in [again, plain, back] {
        assert_eq!(error.step, Step::Turn);
        let told = error.to_string();
        assert!(told.contains("generation 2 is being rolled out (10 % of the callers)"), "{told}");
        assert!(told.contains("caplet rollout upgrade --complete"), "{told}");
    }
    assert!(rollout(&rig).is_some());
    // Taking the plugin out of service is no time to ask questions.
    rig.changed(disable()).await;
    assert!(rollout(&rig).is_none());
    rig.changed(enable()).await;
    assert_eq!(rig.version().await, "1.0.0");
    assert_eq!(rig.states().await, [GenerationState::Active, GenerationState::RolledBack]);
}

#[tokio::test]
async fn a_stage_needs_a_version_beside_it_and_rules_that_can_be() {
    let empty = Setup::hasty().empty(UPGRADE).await;
    let alone = try_begin(&empty, "upgrade-v1", percent(10)).await.unwrap_err();
    assert!(alone.to_string().contains("bring it without a stage"), "{alone}");
    let rig = serving().await;
    let much = try_begin(&rig, "upgrade-v2", percent(101)).await.unwrap_err();
    assert!(much.to_string().contains("101 percent"), "{much}");
    assert_eq!(rig.states().await, [GenerationState::Active]);
}

#[tokio::test]
async fn a_rollback_can_be_rolled_out_too() {
    let rig = serving().await;
    let upgrade = rig.changed(install("upgrade-v2")).await;
    assert_eq!(settled(&upgrade).await, None);
    rig.runtime.begin(staged(rollback(None), percent(50))).outcome().await.unwrap();
    let answer = to_candidate(&rig, Method::GET, "/version").send().await.unwrap();
    assert_eq!(text(&answer), "1.0.0");
    order(&rig, RolloutOrder::Complete).await.unwrap();
    use GenerationState::{Active, RolledBack, Superseded};
    assert_eq!(rig.states().await, [Superseded, RolledBack, Active]);
}

#[tokio::test]
async fn a_rollout_goes_on_after_a_restart_beside_the_one_version_that_serves() {
    let kept = tempfile::tempdir().unwrap();
    let setup = || Setup::hasty().kept_at(kept.path());
    let rig = setup().with_notes(&["a"]).await;
    begun(&rig, "upgrade-v2", percent(30)).await;
    let taken = |rig: &Rig| -> Vec<bool> {
        let (rollout, none) = (rollout(rig).unwrap(), HeaderMap::new());
        (0..100).map(|n| answers(&rollout, "t", &n.to_string(), &none)).collect()
    };
    let before = taken(&rig);
    rig.end().await;

    let rig = setup().restore(UPGRADE).await;
    assert_eq!(taken(&rig), before, "callers stay where they were");
    assert_eq!(rig.version().await, "1.0.0");
    let new = to_candidate(&rig, Method::GET, "/version").send().await.unwrap();
    assert_eq!(text(&new), "2.0.0");
    assert_eq!(rig.states().await, [GenerationState::Active, GenerationState::Candidate]);
    order(&rig, RolloutOrder::Complete).await.unwrap();
    assert_eq!(rig.version().await, "2.0.0");
    assert_eq!(rig.states().await, [GenerationState::Superseded, GenerationState::Active]);
}

/// What came of the copies so far.
fn shadowed(rig: &Rig) -> ShadowReport {
    rig.runtime.rollout(UPGRADE).expect("a rollout goes on").shadow
}

/// A copy of a request, as the server makes it.
fn copied(rig: &Rig, target: &str) -> Copied {
    let call = to_candidate(rig, Method::GET, target).call();
    Copied { operation: "list".to_owned(), request_id: "r1".into(), call: Ok(Box::new(call)) }
}

#[tokio::test]
async fn a_copy_is_compared_and_leaves_nothing_behind() {
    let rig = serving().await;
    let upgrade = begun(&rig, "upgrade-v2", shadow()).await;
    let rollout = rollout(&rig).unwrap();
    assert!(!answers(&rollout, "t", "anybody", &HeaderMap::new()));
    let real = rig.get("/notes").await.unwrap();
    let invocations = || rig.counted("caplet_invocations_total", &[("plugin", UPGRADE)]);
    let (n_before, n_copies) = (invocations(), 3);
    for _ in 0..n_copies {
        let n_run = || {
            let report = shadowed(&rig);
            report.n_same + report.n_different + report.n_failed + report.n_dropped
        };
        let began = n_run();
        rollout.copy(copied(&rig, "/notes"), &real);
        until("a copy has run", async || n_run() > began).await;
    }
    let report = rig.runtime.rollout(UPGRADE).unwrap();
    assert_eq!((report.shadow.n_different, report.shadow.n_same), (n_copies, 0), "{report:?}");
    let told: Vec<_> = report
        .shadow
        .differences
        .iter()
        .map(|it| (it.at.as_str(), it.stable.as_str(), it.candidate.as_str(), it.n_times))
        .collect();
    assert_eq!(
        told,
        [
            ("/columns", "list of 1", "list of 2", n_copies),
            ("/rows/*", "list of 1", "list of 2", n_copies)
        ]
    );
    assert_eq!(report.shadow.differences[0].request_id, "r1");
    assert_eq!(invocations(), n_before, "copies are none of the plugin's invocations");
    assert_eq!(report.candidate.n_invocations, 0);

    // What has to write is not copied at all.
    let call = to_candidate(&rig, Method::POST, "/notes/z").call();
    let call = Ok(Box::new(call));
    rollout.copy(Copied { operation: "add".to_owned(), request_id: "r2".into(), call }, &real);
    let gone = Copied {
        operation: "gone".to_owned(),
        request_id: "r3".into(),
        call: Err(StatusCode::NOT_FOUND),
    };
    rollout.copy(gone, &real);
    let has_status = || {
        let report = shadowed(&rig);
        report.differences.iter().any(|it| it.at == "status" && it.candidate == "404")
    };
    until("a route that is gone is told", async || has_status()).await;
    let notes = json(&rig.get("/notes").await.unwrap());
    assert!(!notes.to_string().contains("\"z\""), "{notes}");
    drop(rollout);
    order(&rig, RolloutOrder::Abort).await.unwrap();
    assert!(settled(&upgrade).await.is_some());
}

#[tokio::test]
async fn a_copy_that_traps_harms_nobody() {
    let rig = serving().await;
    begun(&rig, "upgrade-trapping", shadow()).await;
    let rollout = rollout(&rig).unwrap();
    let real = rig.get("/notes").await.unwrap();
    let report = || shadowed(&rig);
    let n_known = || report().n_failed + report().n_dropped;
    for n in 0..20 {
        rollout.copy(copied(&rig, "/notes"), &real);
        until("a copy has failed", async || n_known() > n).await;
        assert_eq!(rig.get("/notes").await.unwrap(), real);
    }
    // After five faults it is left alone.
    assert_eq!((report().n_failed, report().n_dropped), (5, 15));
    assert_eq!(report().differences[0].candidate, "plugin-failed");
    assert!(rig.generation().quarantined().is_none() && !rig.generation().is_failing());
    assert_eq!(rig.counted("caplet_faults_total", &[("plugin", UPGRADE)]), 0.0);
    assert_eq!(rig.counted("caplet_shadow_calls_total", &[("outcome", "failed")]), 5.0);
    assert_eq!(rig.limit_hits("shadow"), 15.0);
    assert!(self::rollout(&rig).is_some(), "whoever looks decides");
}

#[tokio::test]
async fn a_copy_is_refused_what_has_an_effect_elsewhere() {
    let n_called = Arc::new(AtomicU32::new(0));
    let counted = n_called.clone();
    let tools = HostInterface::new(TOOLS, "ask the tests").function("caller", move |_, (): ()| {
        counted.fetch_add(1, Relaxed);
        async { Ok(("called".to_owned(),)) }
    });
    let grants = Some(vec![TOOLS.to_owned(), "sql".to_owned()]);
    let plugin = PluginOptions { grants, ..PluginOptions::default() };
    let rig = Setup { interfaces: vec![tools], plugin, ..Setup::hasty() }.empty(UPGRADE).await;
    rig.runtime.load(bytes_of("upgrade-v1")).await.unwrap();
    begun(&rig, "upgrade-calling", shadow()).await;
    let real = rig.get("/version").await.unwrap();
    rollout(&rig).unwrap().copy(copied(&rig, "/version"), &real);
    until("the copy has failed", async || shadowed(&rig).n_failed == 1).await;
    assert_eq!(n_called.load(Relaxed), 0);
    // Whoever is answered by it may.
    order(&rig, RolloutOrder::Stage(percent(10))).await.unwrap();
    let answer = to_candidate(&rig, Method::GET, "/version").send().await.unwrap();
    assert_eq!((text(&answer), n_called.load(Relaxed)), ("called", 1));
}

#[tokio::test]
async fn copies_are_left_out_when_too_many_run() {
    let rig = serving().await;
    begun(&rig, "upgrade-v2", shadow()).await;
    let rollout = rollout(&rig).unwrap();
    let real = rig.get("/slow?ms=1").await.unwrap();
    for _ in 0..20 {
        rollout.copy(copied(&rig, "/slow?ms=300"), &real);
    }
    assert_eq!(shadowed(&rig).n_dropped, 16);
    assert_eq!(rig.version().await, "1.0.0", "nobody waits for a copy");
    let n_run = || {
        let report = shadowed(&rig);
        report.n_same + report.n_different + report.n_failed
    };
    until("the others have run", async || n_run() == 4).await;
}

#[tokio::test]
async fn a_file_waits_for_the_end_of_a_rollout_and_is_read_then() {
    let folder = tempfile::tempdir().unwrap();
    let rig = serving().await;
    begun(&rig, "upgrade-v2", percent(10)).await;
    std::fs::write(folder.path().join("upgrade.wasm"), bytes_of("upgrade-v2")).unwrap();
    let following = rig.runtime.follow(folder.path().to_owned()).unwrap();
    following.first_scan().await;
    let error = following.statuses()[0].error.clone().expect("it is not loaded");
    assert!(error.contains("generation 2 is being rolled out"), "{error}");
    order(&rig, RolloutOrder::Abort).await.unwrap();
    until("the file is loaded", async || {
        rig.get("/version").await.is_ok_and(|answer| text(&answer) == "2.0.0")
    })
    .await;
    let history = rig.runtime.history(UPGRADE).await.unwrap();
    assert_eq!(history.len(), 3, "it was tried more often: {history:?}");
}
