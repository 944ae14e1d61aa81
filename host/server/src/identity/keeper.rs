//! The keys of one issuer, kept fresh by a task of their own, so that a request nearly never waits for
//! them: renewed before they end to be fresh, asked for at once when a token names a key that is not
//! there, and used for a bounded time while the issuer cannot be reached. All fetches are the task's,
//! one after the other: however many tokens ask for a key, the issuer is asked once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::fetch::{Fetch, Fetched};
use super::jws::Algorithm;
use super::key::PublicKey;
use super::key_set::{self, KEYS_TRIED_MAX};
use super::metrics::KeyMetrics;

/// How long a token may wait for its issuer's keys.
pub(crate) const WAIT_TIME_MAX: Duration = Duration::from_secs(2);

/// How long no token has the issuer asked, once a token had it asked for nothing. Tokens that name
/// keys that never were cost the issuer no more than this.
pub(crate) const QUIET_TIME: Duration = Duration::from_secs(10);

/// How long the first and the last pause after failed fetches are.
const RETRY_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The part of its freshness after which a set is renewed, in percent, at least and at most: hosts
/// that started together do not ask together.
const RENEWED_AFTER_PERCENT: std::ops::Range<u32> = 70..90;

/// A set of keys, and until when it may be used.
#[derive(Debug)]
pub(crate) struct KeySet {
    /// Changes whenever the keys do.
    pub(crate) version: u64,
    keys: Vec<PublicKey>,
    usable_until: Instant,
}

impl KeySet {
    /// The keys that may have signed a token, the most likely first.
    pub(crate) fn candidates(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> impl Iterator<Item = &PublicKey> {
        let fitting = self.keys.iter().filter(move |key| key.fits(algorithm, id));
        fitting.take(KEYS_TRIED_MAX)
    }
}

/// The keys of one issuer. The task ends with it.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the task and those who verify share.
struct Shared {
    set: ArcSwapOption<KeySet>,
    /// The version of the set in which a token did not find its key, until a fetch begins for it.
    asked: watch::Sender<Option<u64>>,
    progress: watch::Sender<Progress>,
    metrics: KeyMetrics,
    rules: Rules,
}

/// What is kept, and for how long.
pub(crate) struct Rules {
    /// For logs.
    pub(crate) issuer: String,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) stale_time_max: Duration,
}

/// What the task does.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    n_fetches: u64,
    /// Of the set that is there; 0: none yet.
    version: u64,
    is_fetching: bool,
    quiet_until: Option<Instant>,
}

/// A fetch that will have ended soon.
pub(crate) struct Wait {
    progress: watch::Receiver<Progress>,
    until_fetch: u64,
    /// Another version than this is worth a look before the fetch.
    version: u64,
}

impl Wait {
    /// Ready when there are other keys, or the fetch has ended, whatever it brought; at the latest at
    /// `deadline`.
    async fn over(mut self, deadline: Instant) {
        let fetched = self.progress.wait_for(|progress| {
            progress.n_fetches >= self.until_fetch || progress.version != self.version
        });
        // Both ends without a fetch, the time and a host that is gone, are the token's bad luck.
        let _ = tokio::time::timeout_at(deadline, fetched).await;
    }
}

/// How one request waits for the keys of its token: as often as there is something to wait for, and not
/// longer than [`WAIT_TIME_MAX`] in all. Once is not enough, as a fetch may have begun before the key
/// was published.
#[derive(Default)]
pub(crate) struct Patience {
    deadline: OnceLock<Instant>,
    wait: Mutex<Option<Wait>>,
}

impl Patience {
    /// Takes what there is to wait for. Returns whether there is time for that.
    pub(crate) fn take(&self, wait: Wait) -> bool {
        let now = Instant::now();
        let has_time = now < *self.deadline.get_or_init(|| now + WAIT_TIME_MAX);
        if has_time {
            *self.wait.lock() = Some(wait);
        }
        has_time
    }

    /// Waits for what was taken last. Returns whether there was anything, so that the question is to be
    /// put again.
    pub(crate) async fn waited(&self) -> bool {
        let wait = self.wait.lock().take();
        match (wait, self.deadline.get()) {
            (Some(wait), Some(deadline)) => {
                wait.over(*deadline).await;
                true
            }
            _ => false,
        }
    }
}

impl Keeper {
    /// Keeps what `fetch` brings. `first` is there from the beginning, when there is a set already.
    pub(crate) fn start(
        rules: Rules,
        fetch: Fetch,
        first: Option<Vec<PublicKey>>,
        metrics: KeyMetrics,
    ) -> Self {
        let shared = Arc::new(Shared {
            set: ArcSwapOption::empty(),
            asked: watch::Sender::new(None),
            progress: watch::Sender::new(Progress { is_fetching: true, ..Progress::default() }),
            metrics,
            rules,
        });
        if let Some(keys) = first {
            shared.take(keys, Duration::ZERO);
        }
        let task = tokio::spawn(keep(shared.clone(), fetch)).abort_handle();
        Self { shared, task }
    }

    /// The keys, when there are any that may be used.
    pub(crate) fn current(&self) -> Option<Arc<KeySet>> {
        self.shared.set.load_full().filter(|set| Instant::now() < set.usable_until)
    }

    /// Asks the issuer for a key that is not in the set of version `seen`. None when that would be in
    /// vain: the issuer was asked a moment ago.
    pub(crate) fn ask(&self, seen: Option<u64>) -> Option<Wait> {
        let receiver = self.shared.progress.subscribe();
        let Progress { version, n_fetches, is_fetching, quiet_until } = *receiver.borrow();
        let wait =
            |n_more| Some(Wait { progress: receiver, until_fetch: n_fetches + n_more, version });
        match seen {
            // Other keys have come meanwhile.
            Some(seen) if seen != version => return wait(0),
            None if is_fetching => return wait(1),
            _ if quiet_until.is_some_and(|until| Instant::now() < until) => return None,
            _ => {}
        }
        self.shared.asked.send_if_modified(|asked| asked.replace(version) != Some(version));
        // A fetch that is under way may have begun before the key was there.
        wait(if is_fetching { 2 } else { 1 })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(shared: Arc<Shared>, fetch: Fetch) {
    let mut n_failures = 0;
    let mut was_asked = false;
    loop {
        shared.asked.send_replace(None);
        shared.progress.send_modify(|progress| progress.is_fetching = true);
        let outcome = fetch().await.map_err(|error| error.to_string());
        let outcome = outcome.and_then(|fetched| shared.take_fetched(&fetched));
        let pause = match &outcome {
            Ok((_, age)) => *age * fastrand::u32(RENEWED_AFTER_PERCENT) / 100,
            Err(_) => retry_pause(n_failures),
        };
        n_failures = if outcome.is_ok() { 0 } else { n_failures + 1 };
        shared.report(&outcome, n_failures);
        let is_fruitful = matches!(outcome, Ok((true, _)));
        shared.progress.send_modify(|progress| {
            progress.n_fetches += 1;
            progress.is_fetching = false;
            if was_asked && !is_fruitful {
                progress.quiet_until = Some(Instant::now() + QUIET_TIME);
            }
        });
        was_asked = tokio::select! {
            () = tokio::time::sleep(pause) => false,
            () = shared.asked_in_earnest() => true,
        };
    }
}

/// Twice as long after each failure, and up to half of it less.
fn retry_pause(n_failures: u32) -> Duration {
    let (first, last) = RETRY_PAUSES;
    let pause = first.saturating_mul(1 << n_failures.min(10)).min(last);
    pause * fastrand::u32(50..=100) / 100
}

impl Shared {
    /// Ready when a token did not find its key in the set that is there. Those that did not find theirs
    /// in the one before have been answered by its successor.
    async fn asked_in_earnest(&self) {
        let mut asked = self.asked.subscribe();
        // It ends with the sender only, which is in `self`.
        let _ = asked.wait_for(|version| *version == Some(self.version())).await;
    }

    fn version(&self) -> u64 {
        self.set.load().as_ref().map_or(0, |set| set.version)
    }

    /// Whether the fetched set has other keys than before, and how long it is fresh.
    fn take_fetched(&self, fetched: &Fetched) -> Result<(bool, Duration), String> {
        let keys = key_set::parse(&fetched.text, &self.rules.algorithms);
        let keys = keys.map_err(|error| error.to_string())?;
        Ok((self.take(keys, fetched.age), fetched.age))
    }

    fn take(&self, keys: Vec<PublicKey>, age: Duration) -> bool {
        let before = self.set.load_full();
        let is_same = before.as_ref().is_some_and(|set| set.keys == keys);
        let version = before.map_or(0, |set| set.version) + u64::from(!is_same);
        self.metrics.keys.set(i64::try_from(keys.len()).unwrap_or(i64::MAX));
        let usable_until = Instant::now() + age + self.rules.stale_time_max;
        let set = Arc::new(KeySet { version, keys, usable_until });
        // Both at once: who has seen the new keys must not be told that they are still to come.
        self.progress.send_modify(|progress| {
            self.set.store(Some(set));
            progress.version = version;
        });
        !is_same
    }

    fn report(&self, outcome: &Result<(bool, Duration), String>, n_failures: u32) {
        let issuer = self.rules.issuer.as_str();
        match outcome {
            Ok((changed, _)) => {
                self.metrics.fetched.inc();
                if *changed {
                    tracing::info!(issuer, "the issuer has other keys than before");
                }
            }
            Err(reason) => {
                self.metrics.failed.inc();
                let now = Instant::now();
                let set = self.set.load();
                let left = set.as_ref().map(|set| set.usable_until.saturating_duration_since(now));
                let usable_s = left.unwrap_or_default().as_secs();
                tracing::warn!(
                    issuer,
                    n_failures,
                    usable_s,
                    "the issuer's keys cannot be had: {reason}"
                );
            }
        }
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
