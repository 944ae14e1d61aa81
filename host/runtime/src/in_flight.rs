//! Counts what is running, and lets somebody wait until nothing is. Every request passes here twice,
//! so that counting is one atomic step; only reaching zero looks for who waits.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// A count that can be waited on. Clones are the same count.
#[derive(Debug, Clone)]
pub(crate) struct InFlight(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    n_running: AtomicUsize,
    none: Notify,
}

/// One that is running. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Entered(InFlight);

impl InFlight {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn enter(&self) -> Entered {
        self.0.n_running.fetch_add(1, SeqCst);
        Entered(self.clone())
    }

    /// Returns when nothing is running.
    pub(crate) async fn none(&self) {
        loop {
            let mut none = pin!(self.0.none.notified());
            // From here on no notification is missed, so that the count may be looked at.
            none.as_mut().enable();
            if self.0.n_running.load(SeqCst) == 0 {
                return;
            }
            none.await;
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let count = &self.0.0;
        if count.n_running.fetch_sub(1, SeqCst) == 1 {
            count.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_the_last_one() {
        let in_flight = InFlight::new();
        let (first, second) = (in_flight.enter(), in_flight.clone().enter());
        let mut none = Box::pin(in_flight.none());
        assert!(futures::poll!(&mut none).is_pending());
        drop(first);
        assert!(futures::poll!(&mut none).is_pending());
        drop(second);
        none.await;
    }
}
