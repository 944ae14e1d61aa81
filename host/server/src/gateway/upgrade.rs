//! Upgraded connections (WebSocket): after the service agreed, bytes pass both ways as they are,
//! until a side ends, nothing moves for too long, or the host stops.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use caplet_runtime::prometheus::IntCounter;
use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, timeout, timeout_at};

use super::attempt;
use super::failure::{Failure, Late};
use super::forward::answered;
use super::headers::{self, has_word};
use super::service::{Service, Turn};
use super::upload::Progress;
use crate::content::Content;
use crate::problem::Answered;

/// The one protocol that is passed through; others, such as `h2c`, would lead around the host.
const PROTOCOL: &str = "websocket";

/// How long both sides may take to change the protocol once they agreed to, and to take the last
/// bytes at the end.
const CHANGE_TIME_MAX: Duration = Duration::from_secs(10);
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

/// The caller's side of the connection, when the request asks for an upgrade that is passed through.
pub(crate) fn wanted(parts: &Parts) -> Option<OnUpgrade> {
    let asks = parts.method == Method::GET
        && has_word(&parts.headers, &CONNECTION, "upgrade")
        && has_word(&parts.headers, &UPGRADE, PROTOCOL);
    if asks { parts.extensions.get::<OnUpgrade>().cloned() } else { None }
}

/// Asks the service to upgrade, and passes its answer on.
pub(crate) async fn open(
    service: Arc<Service>,
    mut head: Parts,
    caller: OnUpgrade,
    turn: Turn,
    deadline: Instant,
) -> Result<Answered, Failure> {
    head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    head.headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
    let request = Request::from_parts(head, Content::empty());
    let progress = Progress::new();
    let attempt = attempt::make(&service, request, &progress, true);
    let mut answer =
        timeout_at(deadline, attempt).await.unwrap_or(Err(Failure::TimedOut(Late::Total)))?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return answered(service, answer, turn, deadline);
    }
    if !has_word(answer.headers(), &UPGRADE, PROTOCOL) {
        return Err(Failure::Malformed("it changed to another protocol than asked".to_owned()));
    }
    let mut response = Response::new(Content::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let cookies = service.options.cookies;
    let mut passed = headers::of_answer(answer.headers(), &service.response_rules, cookies);
    passed.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    passed.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
    *response.headers_mut() = passed;
    tokio::spawn(pass_through(service, caller, hyper::upgrade::on(&mut answer), turn));
    Ok(response)
}

/// Lives as long as the two connections.
async fn pass_through(service: Arc<Service>, caller: OnUpgrade, upstream: OnUpgrade, _turn: Turn) {
    let both = async { tokio::try_join!(caller, upstream) };
    let Ok(Ok((caller, upstream))) = timeout(CHANGE_TIME_MAX, both).await else {
        tracing::debug!(service = service.name, "a connection ended before it was upgraded");
        return;
    };
    let counters = &service.counters;
    let moved = Arc::new(AtomicU64::new(0));
    let mut caller = Metered::new(caller, &counters.upgraded_in, &moved);
    let mut upstream = Metered::new(upstream, &counters.upgraded_out, &moved);
    let ended = tokio::select! {
        copied = copy_bidirectional(&mut caller, &mut upstream) => {
            copied.map_or_else(|reason| reason.to_string(), |_| "closed".to_owned())
        }
        () = silence(&moved, service.options.timeouts.stream_idle()) => "nothing moved".to_owned(),
        () = service.stopped() => "the host stops".to_owned(),
    };
    tracing::debug!(service = service.name, ended, "an upgraded connection ended");
    let closing = async { tokio::join!(caller.shutdown(), upstream.shutdown()) };
    // One that does not take its last bytes is closed all the same.
    let _ = timeout(CLOSE_TIME_MAX, closing).await;
}

/// Ready when nothing moved for `time_max`.
async fn silence(moved: &AtomicU64, time_max: Duration) {
    let mut before = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(time_max).await;
        let now = moved.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
    }
}

/// A connection whose received bytes are counted.
struct Metered {
    stream: TokioIo<Upgraded>,
    bytes: IntCounter,
    moved: Arc<AtomicU64>,
}

impl Metered {
    fn new(stream: Upgraded, bytes: &IntCounter, moved: &Arc<AtomicU64>) -> Self {
        Self { stream: TokioIo::new(stream), bytes: bytes.clone(), moved: moved.clone() }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let n_bytes = (buffer.filled().len() - before) as u64;
        self.bytes.inc_by(n_bytes);
        self.moved.fetch_add(n_bytes, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
