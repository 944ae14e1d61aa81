//! A connection that ends itself when the other side stops taking what is sent. hyper has deadlines
//! for reading, but none for writing: without this a client that never reads keeps its answers in
//! memory for ever.
//!
//! A connection that the host ends is closed after the other side has closed it, or after a moment:
//! closing it with unread bytes would reset it, and a client that is reset may lose what it was told
//! before.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::activity::Activity;

/// How long the other side may take to close a connection that the host ends.
const CLOSE_TIME_MAX: Duration = Duration::from_millis(500);

/// Why a write failed.
#[derive(Debug, thiserror::Error)]
#[error("the client did not take the answer in time")]
pub(crate) struct Stalled;

/// A stream whose writes fail once no byte could be written for a while.
pub(crate) struct Stalling<S> {
    stream: S,
    time_max: Duration,
    activity: Arc<Activity>,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Runs from the end of writing until the other side has ended, too.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<S> Stalling<S> {
    pub(crate) fn new(stream: S, time_max: Duration, activity: Arc<Activity>) -> Self {
        Self { stream, time_max, activity, waiting: None, closing: None }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            if self.waiting.take().is_some() {
                self.activity.writing.store(false, Ordering::Relaxed);
            }
            return poll;
        }
        self.activity.writing.store(true, Ordering::Relaxed);
        let time_max = self.time_max;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(time_max)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, Stalled)))
    }
}

impl<S: AsyncRead + Unpin> Stalling<S> {
    /// Reads what still comes, and forgets it, until the other side ends or the time is up.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closing =
            self.closing.get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSE_TIME_MAX)));
        if closing.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut space = [0; 1_024];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            // An error is an end as well.
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        if !self.activity.is_ended_by_host() {
            return Poll::Ready(Ok(()));
        }
        self.poll_closed(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ends_a_write_that_nobody_reads() {
        let (near, _far) = tokio::io::duplex(16);
        let mut stream = Stalling::new(near, Duration::from_secs(30), Arc::default());
        let begun = tokio::time::Instant::now();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_served() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut stream = Stalling::new(near, Duration::from_secs(30), Arc::default());
        let reader = tokio::spawn(async move {
            let mut piece = [0; 16];
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                far.read_exact(&mut piece).await.unwrap();
            }
        });
        stream.write_all(&[0; 64]).await.unwrap();
        reader.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_host_ends_is_closed_once_the_other_side_has_or_a_moment_has_passed() {
        let activity = Arc::new(Activity::default());
        activity.leave();
        let (near, mut far) = tokio::io::duplex(16);
        let mut stream = Stalling::new(near, Duration::from_secs(30), activity.clone());
        let closing = tokio::spawn(async move { stream.shutdown().await });
        far.write_all(&[0; 64]).await.unwrap();
        assert!(!closing.is_finished());
        drop(far);
        closing.await.unwrap().unwrap();

        let (near, _far) = tokio::io::duplex(16);
        let mut stream = Stalling::new(near, Duration::from_secs(30), activity);
        let begun = tokio::time::Instant::now();
        stream.shutdown().await.unwrap();
        assert_eq!(begun.elapsed(), CLOSE_TIME_MAX);
    }
}
