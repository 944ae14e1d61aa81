//! Reading a request's body: whole, within a limit, and at a pace. What is in it is the plugin's.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

use crate::config::Http;
use crate::problem::Problem;

/// Refuses a body by its headers, before any of it is read.
pub(crate) fn check_headers(headers: &HeaderMap, bytes_max: usize) -> Result<(), Problem> {
    let encodings = headers.get_all(CONTENT_ENCODING);
    if encodings.iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let detail = "The body has a content encoding; send it as it is.";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-encoding-unsupported",
            detail,
        ));
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    match announced {
        Some(length) if length > bytes_max as u64 => Err(Problem::body_too_large(bytes_max)),
        _ => Ok(()),
    }
}

/// Reads a body of at most `bytes_max`.
///
/// # Errors
/// 413 as soon as it is larger, 408 when it comes too slowly, 400 when it breaks off.
pub(crate) async fn read<B>(mut body: B, bytes_max: usize, http: &Http) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let begun = Instant::now();
    // Most bodies are one piece, which is handed on as it came.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    loop {
        let received = first.len() + all.len();
        let deadline = begun + http.body_time(received);
        let frame = timeout_at(deadline, body.frame()).await.map_err(|_| too_slow())?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| broken_off())?.into_data() else { continue };
        if received + data.len() > bytes_max {
            return Err(Problem::body_too_large(bytes_max));
        }
        if received == 0 {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// 408 for a body below its pace.
pub(crate) fn too_slow() -> Problem {
    let detail = "The body came too slowly.";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail).at_limit("body-rate")
}

/// 400 for a body that ended early.
pub(crate) fn broken_off() -> Problem {
    Problem::malformed("body-incomplete", "The body broke off.")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use hyper::body::Frame;
    use tokio::time::Sleep;

    use super::*;

    /// A body of pieces that come one `pause` after another.
    struct Pieces {
        left: Vec<&'static [u8]>,
        pause: Duration,
        waiting: Option<Pin<Box<Sleep>>>,
    }

    impl Pieces {
        fn new(pieces: &[&'static [u8]], pause: Duration) -> Self {
            Self { left: pieces.iter().rev().copied().collect(), pause, waiting: None }
        }
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let pause = self.pause;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            std::task::ready!(waiting.as_mut().poll(context));
            self.waiting = None;
            Poll::Ready(self.left.pop().map(|piece| Ok(Frame::data(Bytes::from_static(piece)))))
        }
    }

    async fn status(pieces: &[&'static [u8]], pause: Duration, bytes_max: usize) -> u16 {
        match read(Pieces::new(pieces, pause), bytes_max, &Http::default()).await {
            Ok(_) => 200,
            Err(problem) => problem.status().as_u16(),
        }
    }

    #[tokio::test]
    async fn joins_the_pieces() {
        let body = Pieces::new(&[b"", b"ab", b"", b"cd", b"e"], Duration::ZERO);
        assert_eq!(read(body, 5, &Http::default()).await.unwrap(), "abcde");
    }

    #[tokio::test]
    async fn counts_a_body_without_a_length() {
        assert_eq!(status(&[b"ab", b"cd"], Duration::ZERO, 4).await, 200);
        assert_eq!(status(&[b"ab", b"cd", b"e"], Duration::ZERO, 4).await, 413);
        assert_eq!(status(&[b"abcde"], Duration::ZERO, 4).await, 413);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_a_body_that_trickles() {
        let second = Duration::from_secs(1);
        assert_eq!(status(&[b"a".as_slice(); 4], second, 100).await, 200);
        assert_eq!(status(&[b"a".as_slice(); 6], second, 100).await, 408);
        assert_eq!(status(&[[0; 1_100].as_slice(); 20], second, 30_000).await, 200);
        assert_eq!(status(&[[0; 900].as_slice(); 60], second, 60_000).await, 408);
    }

    #[test]
    fn refuses_by_headers_alone() {
        let check = |name, value: &str, bytes_max| {
            let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
            check_headers(&headers, bytes_max)
                .map_or_else(|problem| problem.status().as_u16(), |()| 200)
        };
        assert_eq!(check(CONTENT_LENGTH, "10", 10), 200);
        assert_eq!(check(CONTENT_LENGTH, "11", 10), 413);
        assert_eq!(check(CONTENT_ENCODING, "Identity", 10), 200);
        assert_eq!(check(CONTENT_ENCODING, "gzip", 10), 415);
    }
}
