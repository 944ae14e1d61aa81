//! A future that runs to its end even when whoever waited for it goes away.
//!
//! The future of a running guest call must not be dropped: the engine would have to unwind a guest
//! stack from outside. When the caller goes (a client hangs up), the rest of the call moves into a
//! task of its own, where the invocation's deadline ends it.

use std::pin::Pin;
use std::task::{Context, Poll};

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Waits for a future without owning its fate.
pub(crate) struct Detached<T: Send + 'static> {
    running: Option<Running<T>>,
}

impl<T: Send + 'static> Detached<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { running: Some(Box::pin(future)) }
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let running = self.running.as_mut().expect("a future is not polled after its end");
        let poll = running.as_mut().poll(context);
        if poll.is_ready() {
            self.running = None;
        }
        poll
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(running);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn goes_on_when_the_caller_goes() {
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let (done, finished) = tokio::sync::oneshot::channel();
        let mut detached = Box::pin(Detached::new(async move {
            gone.await.unwrap();
            done.send(7).unwrap();
        }));
        assert!(futures::poll!(&mut detached).is_pending());
        drop(detached);
        go.send(()).unwrap();
        assert_eq!(finished.await, Ok(7));
    }
}
