//! Counts what is running, and lets somebody wait until nothing is.

use std::sync::Arc;

use tokio::sync::watch;

/// A count that can be waited on. Clones are the same count.
#[derive(Debug, Clone)]
pub(crate) struct InFlight(Arc<watch::Sender<usize>>);

/// One that is running. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Entered(InFlight);

impl InFlight {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn enter(&self) -> Entered {
        self.0.send_modify(|n| *n += 1);
        Entered(self.clone())
    }

    /// Returns when nothing is running.
    pub(crate) async fn none(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|n| *n == 0).await;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.send_modify(|n| *n -= 1);
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
