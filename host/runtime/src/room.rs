//! Calls that find no instance, because those that run have all the memory of their plugin, wait for one in
//! the order in which they came. What ends such a wait is the end of any call of the plugin, after which an
//! instance is free, or its memory.
//!
//! They are bounded by the calls that run at once, and their time by that of the queue, of which this is a
//! part.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::fault::Fault;
use crate::generation::Generation;
use crate::instance::{Reusable, WarmInstances};

/// Why there is no instance while others have the memory.
pub(crate) const CROWDED: Fault =
    Fault::Busy("the plugin's memory is used up by its other instances");

/// Where the calls of one plugin wait.
#[derive(Debug, Default)]
pub(crate) struct Room {
    n_waiting: AtomicUsize,
    /// Told one by one.
    free: Notify,
}

/// A call that waits, until it is dropped.
struct Waiting<'a> {
    room: &'a Room,
    /// How many waited already.
    n_before: usize,
}

/// Tells of room when it is dropped. Made before the instance whose end it tells of, so that it is dropped
/// after it.
pub(crate) struct Leaving<'a>(&'a Room);

impl Room {
    /// Whether somebody would be overtaken.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.n_waiting.load(SeqCst) > 0
    }

    /// Has the end of a call told of.
    pub(crate) fn leaving(&self) -> Leaving<'_> {
        Leaving(self)
    }

    fn join(&self) -> Waiting<'_> {
        Waiting { room: self, n_before: self.n_waiting.fetch_add(1, SeqCst) }
    }
}

impl Waiting<'_> {
    /// Returns whether there may be room before `until`.
    async fn told(&self, until: Instant) -> bool {
        timeout_at(until.into(), self.room.free.notified()).await.is_ok()
    }
}

impl Drop for Waiting<'_> {
    /// There may be room for one more, and nobody else who would tell.
    fn drop(&mut self) {
        if self.room.n_waiting.fetch_sub(1, SeqCst) > 1 {
            self.room.free.notify_one();
        }
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.0.is_waited_for() {
            self.0.free.notify_one();
        }
    }
}

impl Generation {
    /// One of the instances that wait for work, or a new one that `start` makes; when there is no room for
    /// it, the first that there is in the time of the queue. Returns also how long that took.
    ///
    /// # Errors
    /// [`CROWDED`] when there is none in time, or why `start` failed.
    pub(crate) async fn find<I, F>(
        &self,
        idle: &WarmInstances<I>,
        start: impl Fn() -> F,
    ) -> Result<(I, Duration), Fault>
    where
        I: Reusable,
        F: Future<Output = Result<I, Fault>>,
    {
        let room = &self.context.memory.room;
        if !room.is_waited_for() {
            match take_or_start(idle, &start).await {
                Err(fault) if fault == CROWDED => {}
                outcome => return outcome.map(|instance| (instance, Duration::ZERO)),
            }
        }
        let began = Instant::now();
        let until = began + Duration::from_millis(self.limits().queue_ms_max);
        let waiting = room.join();
        let mut may_try = waiting.n_before == 0;
        loop {
            if may_try {
                match take_or_start(idle, &start).await {
                    Err(fault) if fault == CROWDED => {}
                    outcome => return outcome.map(|instance| (instance, began.elapsed())),
                }
            }
            may_try = waiting.told(until).await;
            if !may_try {
                return Err(CROWDED);
            }
        }
    }
}

async fn take_or_start<I, F>(idle: &WarmInstances<I>, start: impl Fn() -> F) -> Result<I, Fault>
where
    I: Reusable,
    F: Future<Output = Result<I, Fault>>,
{
    match idle.take() {
        Some(instance) => Ok(instance),
        None => start().await,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_told_one_after_the_other() {
        let room = Room::default();
        let far = Instant::now() + Duration::from_secs(60);
        drop(room.leaving());
        let (first, second) = (room.join(), room.join());
        assert_eq!((first.n_before, second.n_before), (0, 1));
        let (mut first_told, mut second_told) = (first.told(far).boxed(), second.told(far).boxed());
        assert!((&mut first_told).now_or_never().is_none(), "nothing was free since it waits");
        assert!((&mut second_told).now_or_never().is_none());
        drop(room.leaving());
        assert_eq!((&mut first_told).now_or_never(), Some(true));
        assert!((&mut second_told).now_or_never().is_none());
        drop(first_told);
        drop(first);
        assert_eq!(second_told.now_or_never(), Some(true), "there may be room for more");
        drop(second);
        assert!(!room.is_waited_for());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_until_a_time() {
        let room = Room::default();
        assert!(!room.join().told(Instant::now() + Duration::from_millis(20)).await);
        assert!(!room.is_waited_for());
    }
}
