//! Who may run now: a bounded number at once, a bounded number that waits, the rest is told to come
//! again. Stands before the pool of instances, so that overload costs a counter and no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::Fault;
use crate::limits::Limits;

/// The gate of one plugin.
pub(crate) struct Admission {
    running: Arc<Semaphore>,
    n_waiting: AtomicUsize,
    running_max: usize,
    queue_max: usize,
    queue_time_max: Duration,
}

/// The right to run one invocation. Held until it has ended.
#[derive(Debug)]
pub(crate) struct Permit {
    _running: OwnedSemaphorePermit,
    /// How long its holder waited for it.
    pub(crate) waited: Duration,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits.concurrency_max)),
            running_max: limits.concurrency_max,
            n_waiting: AtomicUsize::new(0),
            queue_max: limits.queue_max,
            queue_time_max: Duration::from_millis(limits.queue_ms_max),
        }
    }

    /// Waits for a turn, in the order of the calls.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many wait already, or the wait took too long; [`Fault::Stopping`]
    /// after [`Self::close`].
    pub(crate) async fn enter(&self) -> Result<Permit, Fault> {
        if let Ok(running) = self.running.clone().try_acquire_owned() {
            return Ok(Permit { _running: running, waited: Duration::ZERO });
        }
        let _waiting = Waiting::join(self).ok_or(Fault::Busy("the plugin's queue is full"))?;
        let began = Instant::now();
        let turn = self.running.clone().acquire_owned();
        match tokio::time::timeout(self.queue_time_max, turn).await {
            Ok(Ok(running)) => Ok(Permit { _running: running, waited: began.elapsed() }),
            Ok(Err(_closed)) => Err(Fault::Stopping),
            Err(_elapsed) => Err(Fault::Busy("waited too long in the plugin's queue")),
        }
    }

    /// How many run.
    pub(crate) fn n_running(&self) -> usize {
        self.running_max.saturating_sub(self.running.available_permits())
    }

    /// How many wait for their turn.
    pub(crate) fn n_waiting(&self) -> usize {
        self.n_waiting.load(Relaxed)
    }

    /// Lets nobody in any more; those who wait are sent away.
    pub(crate) fn close(&self) {
        self.running.close();
    }
}

/// A place in the queue, given up when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(admission: &'a Admission) -> Option<Self> {
        let below = |n: usize| (n < admission.queue_max).then_some(n + 1);
        admission.n_waiting.fetch_update(Relaxed, Relaxed, below).ok()?;
        Some(Self(&admission.n_waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(concurrency_max: usize, queue_max: usize) -> Admission {
        Admission::new(&Limits {
            concurrency_max,
            queue_max,
            queue_ms_max: 20,
            ..Limits::default()
        })
    }

    #[tokio::test]
    async fn refuses_at_once_when_the_queue_is_full() {
        let admission = admission(1, 0);
        let running = admission.enter().await.unwrap();
        assert!(matches!(admission.enter().await, Err(Fault::Busy(_))));
        drop(running);
        assert!(admission.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_waiting_and_frees_the_place() {
        let admission = admission(1, 1);
        let _running = admission.enter().await.unwrap();
        assert!(matches!(admission.enter().await, Err(Fault::Busy(_))));
        assert_eq!(admission.n_waiting.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn sends_all_away_when_closed() {
        let admission = admission(1, 1);
        admission.close();
        assert_eq!(admission.enter().await.unwrap_err(), Fault::Stopping);
    }
}
