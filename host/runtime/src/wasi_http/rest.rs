//! What is left of a call when the head of its answer is there.
//!
//! It goes on where the body of the answer is read, in the task of the connection: between a guest that writes
//! and a client that reads no thread is woken. It moves into a task of its own when nobody has read for a
//! moment or ever will, so that it comes to its end, or to its deadline, whatever the reader does.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

use super::forward::{BodyError, HttpBody};
use crate::detached::Detached;

/// How long a call rests at least before it moves, and half as long as at most.
const UNREAD_TIME: Duration = Duration::from_millis(100);

/// The rest of a call, which whoever reads goes on with.
struct Rest {
    /// None when it has ended, or goes on elsewhere.
    running: Mutex<Option<Detached<()>>>,
    /// Whether somebody read since it was looked at last.
    is_read: AtomicBool,
}

impl Rest {
    fn poll(&self, context: &mut Context<'_>) {
        self.is_read.store(true, Relaxed);
        let mut running = self.running.lock();
        if let Some(call) = &mut *running
            && Pin::new(call).poll(context).is_ready()
        {
            *running = None;
        }
    }

    /// Looks whether somebody reads. Returns whether it is to be looked at again.
    fn look(&self) -> bool {
        // Where somebody is at it, somebody reads.
        let Some(mut running) = self.running.try_lock() else { return true };
        if !self.is_read.swap(false, Relaxed)
            && let Some(call) = running.take()
        {
            tokio::spawn(call);
        }
        running.is_some()
    }
}

/// A body whose reader goes on with the call that writes it.
pub(super) struct Driven {
    /// Before the call: that nobody reads any more is known to it when it goes on alone.
    body: HttpBody,
    rest: Reader,
}

/// The reader's hold of a call.
struct Reader(Arc<Rest>);

impl Drop for Reader {
    fn drop(&mut self) {
        // Nearly always there is nothing left but to end.
        self.0.poll(&mut Context::from_waker(Waker::noop()));
        if let Some(call) = self.0.running.lock().take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(call);
        }
    }
}

impl Driven {
    pub(super) fn new(body: HttpBody, call: Detached<()>, unread: &Arc<Unread>) -> Self {
        let (running, is_read) = (Mutex::new(Some(call)), AtomicBool::new(true));
        let rest = Arc::new(Rest { running, is_read });
        unread.watch(&rest);
        Self { body, rest: Reader(rest) }
    }
}

impl Body for Driven {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut frame = Pin::new(&mut self.body).poll_frame(context);
        self.rest.0.poll(context);
        if frame.is_pending() {
            frame = Pin::new(&mut self.body).poll_frame(context);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The calls of one component that readers go on with. Looked at as long as there are any.
#[derive(Default)]
pub(super) struct Unread(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    all: Vec<Weak<Rest>>,
    is_looked_at: bool,
}

impl Unread {
    fn watch(self: &Arc<Self>, rest: &Arc<Rest>) {
        let mut watched = self.0.lock();
        watched.all.push(Arc::downgrade(rest));
        if !watched.is_looked_at {
            watched.is_looked_at = true;
            tokio::spawn(self.clone().look());
        }
    }

    async fn look(self: Arc<Self>) {
        loop {
            tokio::time::sleep(UNREAD_TIME).await;
            let all = std::mem::take(&mut self.0.lock().all);
            let goes_on = |rest: &Weak<Rest>| rest.upgrade().is_some_and(|rest| rest.look());
            let still: Vec<_> = all.into_iter().filter(goes_on).collect();
            let mut watched = self.0.lock();
            watched.all.extend(still);
            if watched.all.is_empty() {
                watched.is_looked_at = false;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty};
    use tokio::sync::oneshot;

    use super::*;
    use crate::back_row::BackRow;

    /// A body that never ends, and whose call ends when it is told to.
    fn unended(go: oneshot::Receiver<()>, done: oneshot::Sender<()>) -> (Driven, Arc<Unread>) {
        let call = async move {
            let _ = go.await;
            let _ = done.send(());
        };
        let call = Detached::here(call, BackRow::start().unwrap());
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let unread = Arc::default();
        (Driven::new(body, call, &unread), unread)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_comes_to_its_end_with_a_body_that_nobody_reads() {
        let ((go, gone), (done, ended)) = (oneshot::channel(), oneshot::channel());
        let (body, unread) = unended(gone, done);
        go.send(()).unwrap();
        ended.await.unwrap();
        assert!(body.rest.0.running.lock().is_none(), "it goes on elsewhere");
        while unread.0.lock().is_looked_at {
            tokio::time::sleep(UNREAD_TIME).await;
        }
    }

    #[tokio::test]
    async fn a_call_comes_to_its_end_with_a_body_that_is_dropped() {
        let ((go, gone), (done, ended)) = (oneshot::channel(), oneshot::channel());
        let (body, _unread) = unended(gone, done);
        drop(body);
        go.send(()).unwrap();
        ended.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_goes_on_with_the_call() {
        let ((go, gone), (done, mut ended)) = (oneshot::channel(), oneshot::channel());
        let (mut body, _unread) = unended(gone, done);
        go.send(()).unwrap();
        assert!(ended.try_recv().is_err(), "nobody has read");
        assert!(body.frame().await.is_none());
        assert_eq!(ended.try_recv(), Ok(()));
    }
}
