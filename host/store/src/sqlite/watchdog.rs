//! Ends write transactions that hold the writer without using it.
//!
//! One task a database watches whoever holds the writer now; it sleeps while nobody does.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::lease::Lease;
use super::statistics::Counters;
use crate::{Error, Result};

/// What a write transaction shares with the watchdog.
pub(super) struct Holding {
    state: Mutex<State>,
}

enum State {
    /// No statement runs, since then.
    Idle { lease: Lease, since: Instant },
    /// A statement has the lease.
    Running,
    /// There is nothing left to use; each call gets this.
    Ended(Error),
}

impl Holding {
    pub(super) fn new(lease: Lease) -> Self {
        Self { state: Mutex::new(State::Idle { lease, since: Instant::now() }) }
    }

    /// Takes the lease for one call.
    pub(super) fn take(&self) -> Result<Lease> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Running) {
            State::Idle { lease, .. } => Ok(lease),
            State::Running => {
                // A call was dropped while its statement ran elsewhere.
                let error = Error::Unavailable("an earlier call was abandoned".to_owned());
                *state = State::Ended(error.clone());
                Err(error)
            }
            State::Ended(error) => {
                *state = State::Ended(error.clone());
                Err(error)
            }
        }
    }

    /// Gives the lease back after a call.
    pub(super) fn put(&self, lease: Lease) {
        *self.state.lock() = State::Idle { lease, since: Instant::now() };
    }

    /// Ends the transaction: each later call gets `error`.
    pub(super) fn end(&self, error: Error) {
        *self.state.lock() = State::Ended(error);
    }

    /// Ends the transaction when it has been idle for `idle_max`, or says how long to wait.
    fn check(&self, idle_max: Duration) -> Verdict {
        let mut state = self.state.lock();
        match &*state {
            State::Ended(_) => return Verdict::Over,
            State::Running => return Verdict::Again(idle_max),
            State::Idle { since, .. } => {
                let left = idle_max.saturating_sub(since.elapsed());
                if !left.is_zero() {
                    return Verdict::Again(left);
                }
            }
        }
        let error = Error::Timeout(format!("it held the writer idle for more than {idle_max:?}"));
        let before = std::mem::replace(&mut *state, State::Ended(error));
        drop(state);
        // Dropping the lease rolls back, and not under the lock.
        drop(before);
        Verdict::Evicted
    }
}

enum Verdict {
    Again(Duration),
    Evicted,
    Over,
}

/// Watches the writer of one database. Dropping it ends the task.
pub(super) struct Watchdog {
    watch: Arc<Watch>,
    task: AbortHandle,
}

#[derive(Default)]
struct Watch {
    holder: Mutex<Weak<Holding>>,
    changed: Notify,
}

impl Watchdog {
    pub(super) fn start(idle_max: Duration, counters: Arc<Counters>) -> Self {
        let watch = Arc::new(Watch::default());
        let task = tokio::spawn(run(Arc::clone(&watch), idle_max, counters)).abort_handle();
        Self { watch, task }
    }

    /// Watches `holding` from now on.
    pub(super) fn watch(&self, holding: &Arc<Holding>) {
        *self.watch.holder.lock() = Arc::downgrade(holding);
        self.watch.changed.notify_one();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(watch: Arc<Watch>, idle_max: Duration, counters: Arc<Counters>) {
    loop {
        watch.changed.notified().await;
        loop {
            let Some(holding) = watch.holder.lock().upgrade() else { break };
            let verdict = holding.check(idle_max);
            drop(holding);
            match verdict {
                Verdict::Again(time) => tokio::time::sleep(time).await,
                Verdict::Evicted => {
                    counters.timeouts.add(1);
                    break;
                }
                Verdict::Over => break,
            }
        }
    }
}
