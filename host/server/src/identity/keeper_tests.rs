//! When an issuer is asked, how long its keys are used, and who waits for whom. The clock stands still
//! unless everybody waits.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use serde_json::json;

use super::*;
use crate::identity::fetch;

const AGE: Duration = Duration::from_secs(600);
const STALE: Duration = Duration::from_secs(3_600);

/// An issuer whose answers are what the test says.
#[derive(Default)]
struct Issuer {
    n_asked: AtomicU64,
    ids: Mutex<Vec<&'static str>>,
    /// How long each answer takes; none: for ever.
    delays: Mutex<VecDeque<Option<Duration>>>,
    is_down: Mutex<bool>,
}

impl Issuer {
    fn with(ids: &[&'static str]) -> Arc<Self> {
        let issuer = Self::default();
        *issuer.ids.lock().unwrap() = ids.to_vec();
        Arc::new(issuer)
    }

    fn publish(&self, ids: &[&'static str]) {
        *self.ids.lock().unwrap() = ids.to_vec();
    }

    fn set_down(&self, is_down: bool) {
        *self.is_down.lock().unwrap() = is_down;
    }

    fn n_asked(&self) -> u64 {
        self.n_asked.load(Ordering::Relaxed)
    }

    async fn answer(self: Arc<Self>) -> Result<Fetched, fetch::Error> {
        self.n_asked.fetch_add(1, Ordering::Relaxed);
        let ids = self.ids.lock().unwrap().clone();
        let delay = self.delays.lock().unwrap().pop_front();
        if let Some(delay) = delay {
            tokio::time::sleep(delay.unwrap_or(fetch::FETCH_TIME_MAX)).await;
        }
        if *self.is_down.lock().unwrap() {
            return Err(fetch::Error::Slow);
        }
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = |id: &&str| json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": id});
        let keys: Vec<_> = ids.iter().map(key).collect();
        Ok(Fetched { text: json!({ "keys": keys }).to_string().into(), age: AGE })
    }

    fn keeper(self: &Arc<Self>) -> Keeper {
        let rules = Rules {
            issuer: "test".into(),
            algorithms: Algorithm::OF_ISSUERS.to_vec(),
            stale_time_max: STALE,
        };
        let issuer = self.clone();
        let fetch: Fetch = Box::new(move || issuer.clone().answer().boxed());
        Keeper::start(rules, fetch, None, KeyMetrics::unregistered())
    }
}

fn has(keeper: &Keeper, id: &str) -> bool {
    let set = keeper.current();
    set.is_some_and(|set| set.candidates(Algorithm::EdDsa, Some(id)).next().is_some())
}

fn version(keeper: &Keeper) -> Option<u64> {
    keeper.current().map(|set| set.version)
}

/// Asks for a key that is not there and waits.
async fn ask(keeper: &Keeper) -> bool {
    let Some(wait) = keeper.ask(version(keeper)) else { return false };
    over(wait).await;
    true
}

async fn over(wait: Wait) {
    wait.over(Instant::now() + WAIT_TIME_MAX).await;
}

async fn started(issuer: &Arc<Issuer>) -> Keeper {
    let keeper = issuer.keeper();
    assert!(ask(&keeper).await);
    keeper
}

#[tokio::test(start_paused = true)]
async fn the_first_token_waits_for_the_first_keys() {
    let issuer = Issuer::with(&["a"]);
    let keeper = started(&issuer).await;
    assert!(has(&keeper, "a") && !has(&keeper, "b"));
}

#[tokio::test(start_paused = true)]
async fn keys_are_renewed_before_they_end_without_anybody_asking() {
    let issuer = Issuer::with(&["a"]);
    let keeper = started(&issuer).await;
    let (before, asked) = (version(&keeper), issuer.n_asked());
    issuer.publish(&["a", "b"]);
    tokio::time::sleep(AGE).await;
    assert!(has(&keeper, "b") && issuer.n_asked() == asked + 1);
    assert_ne!(version(&keeper), before);
    let renewed = version(&keeper);
    tokio::time::sleep(AGE).await;
    assert_eq!(version(&keeper), renewed, "the same keys are the same version");
}

#[tokio::test(start_paused = true)]
async fn rotations_in_a_row_are_followed_at_once() {
    let issuer = Issuer::with(&["k0"]);
    let keeper = started(&issuer).await;
    for id in ["k1", "k2", "k3", "k4"] {
        issuer.publish(&[id]);
        assert!(ask(&keeper).await);
        assert!(has(&keeper, id), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_never_were_cost_the_issuer_one_question_in_a_while() {
    let issuer = Issuer::with(&["a"]);
    let keeper = started(&issuer).await;
    tokio::time::sleep(QUIET_TIME).await;
    let before = issuer.n_asked();
    let waits: Vec<_> = (0..1_000).map(|_| keeper.ask(version(&keeper)).unwrap()).collect();
    futures::future::join_all(waits.into_iter().map(over)).await;
    for _ in 0..1_000 {
        assert!(!ask(&keeper).await, "the issuer is left in peace");
    }
    assert_eq!(issuer.n_asked(), before + 1);
    tokio::time::sleep(QUIET_TIME).await;
    assert!(ask(&keeper).await);
    assert_eq!(issuer.n_asked(), before + 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_began_before_the_rotation_is_not_the_last_word() {
    let issuer = Issuer::with(&["a"]);
    let keeper = started(&issuer).await;
    tokio::time::sleep(QUIET_TIME).await;
    let slow = Some(Duration::from_millis(500));
    issuer.delays.lock().unwrap().extend([slow, slow]);
    let first = keeper.ask(version(&keeper)).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    issuer.publish(&["a", "b"]);
    let second = keeper.ask(version(&keeper)).unwrap();
    over(first).await;
    assert!(!has(&keeper, "b"));
    over(second).await;
    assert!(has(&keeper, "b"));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_patient_until_its_key_is_there() {
    let issuer = Issuer::with(&["a"]);
    issuer.delays.lock().unwrap().push_back(Some(Duration::from_millis(500)));
    let keeper = issuer.keeper();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // The first fetch brings the keys of before this.
    issuer.publish(&["a", "b"]);
    let patience = Patience::default();
    while !has(&keeper, "b") {
        assert!(patience.take(keeper.ask(version(&keeper)).unwrap()));
        assert!(patience.waited().await);
    }
    assert!(!patience.waited().await, "there is nothing to wait for");
    tokio::time::sleep(WAIT_TIME_MAX).await;
    assert!(!patience.take(keeper.ask(version(&keeper)).unwrap()), "there is no time left");
}

#[tokio::test(start_paused = true)]
async fn a_token_waits_no_longer_than_the_bound() {
    let issuer = Issuer::with(&["a"]);
    let keeper = started(&issuer).await;
    tokio::time::sleep(QUIET_TIME).await;
    issuer.delays.lock().unwrap().push_back(None);
    let begin = Instant::now();
    assert!(ask(&keeper).await);
    assert_eq!(begin.elapsed(), WAIT_TIME_MAX);
    assert!(has(&keeper, "a"), "what was there is used meanwhile");
}

#[tokio::test(start_paused = true)]
async fn keys_outlive_their_issuer_for_a_bounded_time() {
    let issuer = Issuer::with(&["a"]);
    let keeper = started(&issuer).await;
    issuer.set_down(true);
    tokio::time::sleep(STALE).await;
    assert!(has(&keeper, "a"));
    assert!(issuer.n_asked() > 50, "it is tried again and again");
    tokio::time::sleep(AGE).await;
    assert!(keeper.current().is_none());
    issuer.set_down(false);
    tokio::time::sleep(RETRY_PAUSES.1).await;
    assert!(has(&keeper, "a"));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_is_asked_ever_more_seldom() {
    let issuer = Issuer::with(&["a"]);
    issuer.set_down(true);
    let _keeper = issuer.keeper();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!((60..=140).contains(&issuer.n_asked()), "{}", issuer.n_asked());
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_keeper() {
    let issuer = Issuer::with(&["a"]);
    drop(started(&issuer).await);
    let before = issuer.n_asked();
    tokio::time::sleep(AGE * 3).await;
    assert_eq!(issuer.n_asked(), before);
}
