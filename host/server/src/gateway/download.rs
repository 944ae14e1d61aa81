//! The body of an answer on its way to the caller: part by part as it comes, bounded in size and in
//! silence. What goes wrong here comes too late for another status: the answer is cut off, so that
//! the caller sees that it is not complete.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::service::{Service, Turn};
use crate::content::Error;

/// How much and how long.
pub(crate) struct Bounds {
    /// None for event streams.
    pub(crate) bytes_max: Option<u64>,
    /// The longest silence.
    pub(crate) idle: Duration,
    /// When it has to have ended; none for event streams.
    pub(crate) deadline: Option<Instant>,
}

/// An answer's body.
pub(crate) struct Download {
    body: Incoming,
    service: Arc<Service>,
    bounds: Bounds,
    n_bytes: u64,
    /// Runs while the service is silent.
    silence: Option<Pin<Box<Sleep>>>,
    /// Ready when the host stops, for what has no end of its own.
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    ended: bool,
    _turn: Turn,
}

impl Download {
    pub(crate) fn new(body: Incoming, service: Arc<Service>, bounds: Bounds, turn: Turn) -> Self {
        let endless = bounds.deadline.is_none();
        let stopped = endless
            .then(|| Box::pin(service.stopped()) as Pin<Box<dyn Future<Output = ()> + Send>>);
        Self {
            body,
            service,
            bounds,
            n_bytes: 0,
            silence: None,
            stopped,
            ended: false,
            _turn: turn,
        }
    }

    fn came(&mut self, data: Bytes) -> Result<Frame<Bytes>, Error> {
        self.silence = None;
        self.n_bytes += data.len() as u64;
        if self.bounds.bytes_max.is_some_and(|bytes_max| self.n_bytes > bytes_max) {
            return Err(self.cut("answer-too-large"));
        }
        if self.bounds.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(self.cut("answer-timeout"));
        }
        Ok(Frame::data(data))
    }

    fn cut(&mut self, reason: &'static str) -> Error {
        self.ended = true;
        self.service.cut_off(reason);
        reason.into()
    }

    /// The service is silent: for how long may it be, and does the host go on?
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<Error>> {
        if let Some(stopped) = &mut self.stopped
            && stopped.as_mut().poll(context).is_ready()
        {
            self.ended = true;
            return Poll::Ready(None);
        }
        let quiet = Instant::now() + self.bounds.idle;
        let until = self.bounds.deadline.map_or(quiet, |deadline| deadline.min(quiet));
        let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        std::task::ready!(silence.as_mut().poll(context));
        Poll::Ready(Some(self.cut("answer-timeout")))
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => return Poll::Ready(Some(self.came(data))),
                    // Trailers are not passed on.
                    Err(_) => continue,
                },
                Poll::Ready(Some(Err(_))) => {
                    return Poll::Ready(Some(Err(self.cut("answer-reset"))));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return self.wait(context).map(|error| error.map(Err)),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
