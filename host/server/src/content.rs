//! The content of a message: complete in memory, as nearly every answer is, or a stream that comes
//! while it is sent on. One type for both, so that the answers of plugins need no box.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

/// Why a stream ended before its end. A message whose content fails is cut off, and so is its
/// connection: the receiver sees that it is not complete.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a request's body has to be: it may have to be sent on while it comes.
pub trait RequestBody: Body<Data = Bytes, Error: Into<Error>> + Send + Unpin + 'static {}

impl<B> RequestBody for B where B: Body<Data = Bytes, Error: Into<Error>> + Send + Unpin + 'static {}

/// The content of a request or answer.
pub struct Content(Inner);

enum Inner {
    Full(Full<Bytes>),
    Stream(Stream),
}

struct Stream {
    body: Pin<Box<dyn Body<Data = Bytes, Error = Error> + Send>>,
    /// Kept as long as the body.
    held: Option<Box<dyn Send>>,
}

impl Content {
    /// Nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// All of it, now.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Inner::Full(Full::new(bytes.into())))
    }

    /// What `body` yields, when it yields it.
    #[must_use]
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error = Error> + Send + 'static,
    {
        Self(Inner::Stream(Stream { body: Box::pin(body), held: None }))
    }

    /// The same content, which keeps `guard` until it has been sent. What is complete already lets
    /// go of it at once.
    #[must_use]
    pub(crate) fn holding(mut self, guard: impl Send + 'static) -> Self {
        if let Inner::Stream(stream) = &mut self.0 {
            stream.held = Some(Box::new(guard));
        }
        self
    }

    /// Whether it comes while it is sent on, so that it may fail on the way.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self.0, Inner::Stream(_))
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_stream() { "Content(stream)" } else { "Content(full)" })
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.get_mut().0 {
            Inner::Full(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
            Inner::Stream(stream) => stream.body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(full) => full.is_end_stream(),
            Inner::Stream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(full) => full.size_hint(),
            Inner::Stream(stream) => stream.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty, StreamBody};

    use super::*;

    #[tokio::test]
    async fn is_what_it_was_made_of() {
        let full = Content::full("hello");
        assert_eq!((full.size_hint().exact(), full.is_stream()), (Some(5), false));
        assert_eq!(full.collect().await.unwrap().to_bytes(), "hello");
        assert!(Content::empty().is_end_stream());
        let frames = [Ok(Frame::data(Bytes::from("a"))), Err(Error::from("cut off"))];
        let mut stream = Content::stream(StreamBody::new(futures::stream::iter(frames)));
        assert!(stream.is_stream() && !stream.is_end_stream());
        assert_eq!(stream.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        assert_eq!(stream.frame().await.unwrap().unwrap_err().to_string(), "cut off");
        let nothing = Empty::new().map_err(|never: std::convert::Infallible| match never {});
        assert!(Content::stream(nothing).is_end_stream());
    }
}
