//! Where a call runs, from its beginning to its end.
//!
//! It begins in the task of whoever makes it, which costs nothing. It moves to the [`BackRow`], once and as
//! a whole, when it has held its thread for [`HELD_MAX`] at a tick, or at once when its plugin is greedy.
//!
//! It runs to its end even when whoever waited for it goes away: the future of a running guest call must
//! not be dropped, because the engine would have to unwind a guest stack from outside. When the caller
//! goes (a client hangs up), the rest of the call moves into a task of its own, where the invocation's
//! deadline ends it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::back_row::BackRow;

/// How long a call may hold its thread before it has to give way. Shorter ones are over by the time that
/// they would have moved.
const HELD_MAX: Duration = Duration::from_millis(1);

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Waits for a call without owning its fate.
pub(crate) struct Detached<T: Send + 'static> {
    place: Place<T>,
}

enum Place<T> {
    /// In the task that waits.
    Here(Running<T>, Arc<BackRow>),
    /// In a task of its own.
    Back(JoinHandle<T>),
    /// Nowhere any more.
    Ended,
}

impl<T: Send + 'static> Detached<T> {
    /// A call that begins here.
    pub(crate) fn here(
        call: impl Future<Output = T> + Send + 'static,
        back_row: Arc<BackRow>,
    ) -> Self {
        Self { place: Place::Here(Box::pin(call), back_row) }
    }

    /// A call that begins in the back row.
    pub(crate) fn back(
        call: impl Future<Output = T> + Send + 'static,
        back_row: Arc<BackRow>,
    ) -> Self {
        Self { place: Place::Back(back_row.run(call)) }
    }

    fn move_back(&mut self) {
        if let Place::Here(running, back_row) = std::mem::replace(&mut self.place, Place::Ended) {
            self.place = Place::Back(back_row.run(running));
        }
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if let Place::Here(running, _) = &mut self.place {
            let began = Instant::now();
            let poll = running.as_mut().poll(context);
            if poll.is_pending() && began.elapsed() < HELD_MAX {
                return Poll::Pending;
            }
            if let Poll::Ready(outcome) = poll {
                self.place = Place::Ended;
                return Poll::Ready(outcome);
            }
            self.move_back();
        }
        let Place::Back(task) = &mut self.place else {
            panic!("a future is not polled after its end");
        };
        let ended = ready!(Pin::new(task).poll(context));
        self.place = Place::Ended;
        match ended {
            Ok(outcome) => Poll::Ready(outcome),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        let place = std::mem::replace(&mut self.place, Place::Ended);
        if let Place::Here(running, _) = place
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
        let back_row = BackRow::start().unwrap();
        for make in [Detached::here, Detached::back] {
            let (go, gone) = tokio::sync::oneshot::channel::<()>();
            let (done, finished) = tokio::sync::oneshot::channel();
            let call = async move {
                gone.await.unwrap();
                done.send(7).unwrap();
            };
            let mut detached = Box::pin(make(Box::pin(call) as Running<()>, back_row.clone()));
            assert!(futures::poll!(&mut detached).is_pending());
            drop(detached);
            go.send(()).unwrap();
            assert_eq!(finished.await, Ok(7));
        }
    }

    fn thread() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn moves_back_when_it_has_held_its_thread() {
        let back_row = BackRow::start().unwrap();
        let short = async {
            tokio::task::yield_now().await;
            thread()
        };
        assert_eq!(Detached::here(short, back_row.clone()).await, thread());
        let long = async {
            let began = Instant::now();
            while began.elapsed() < HELD_MAX {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
            thread()
        };
        assert_eq!(Detached::here(long, back_row.clone()).await, "caplet-back-row");
        assert_eq!(Detached::back(async { thread() }, back_row).await, "caplet-back-row");
    }

    #[tokio::test]
    #[should_panic(expected = "its own reasons")]
    async fn a_panic_comes_through() {
        let back_row = BackRow::start().unwrap();
        Detached::back(async { panic!("its own reasons") }, back_row).await
    }
}
