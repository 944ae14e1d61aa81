//! The body of a request: sent at once, or in parts over a while, as a slow client does.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// A body whose length is known from the beginning.
#[derive(Debug, Default)]
pub struct Sent {
    parts: VecDeque<Bytes>,
    /// Before each part but the first.
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Sent {
    /// All of it at once.
    pub fn at_once(body: impl Into<Bytes>) -> Self {
        Self { parts: [body.into()].into(), ..Self::default() }
    }

    /// In so many parts, the last one `time` after the first.
    pub fn over(time: Duration, n_parts: u32, body: &Bytes) -> Self {
        let length = body.len().div_ceil(n_parts.max(1) as usize).max(1);
        let parts = body.chunks(length).map(|part| body.slice_ref(part)).collect();
        Self { parts, pause: time / n_parts.saturating_sub(1).max(1), waiting: None }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        let part = self.parts.pop_front();
        if !self.parts.is_empty() {
            self.waiting = Some(Box::pin(sleep(self.pause)));
        }
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.parts.iter().map(|part| part.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::Sent;
    use bytes::Bytes;
    use http_body_util::BodyExt;
    use hyper::body::Body;
    use std::time::{Duration, Instant};

    #[tokio::test]
    async fn a_slow_body_is_whole_and_takes_its_time() {
        let body = Bytes::from_static(b"0123456789");
        let begun = Instant::now();
        let slow = Sent::over(Duration::from_millis(30), 4, &body);
        assert_eq!(slow.size_hint().exact(), Some(10));
        assert_eq!(slow.collect().await.unwrap().to_bytes(), body);
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert_eq!(Sent::at_once(body.clone()).collect().await.unwrap().to_bytes(), body);
    }

    #[test]
    fn nothing_is_an_empty_body() {
        assert!(Sent::default().is_end_stream());
        assert!(Sent::at_once("").is_end_stream());
    }
}
