//! Listening: connections come in, are bounded in number and patience, speak HTTP/1.1 or HTTP/2 with
//! prior knowledge, and are let go gracefully. What a request gets is [`crate::request`]'s.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::Http;
use crate::host::{Host, Shared};
use crate::request;
use crate::stall::Stalling;

/// How long to wait after a failed accept, which nearly always means that there are no more file
/// descriptors: the next connection that ends frees one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often HTTP/2 connections are asked whether somebody is there, and how long for an answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `host` on `listener` until `stop` is ready. Then no connection is taken any more, requests
/// in flight are finished within [`Http::shutdown_grace_ms`], and what is left is cut.
///
/// The host itself keeps running: end it with [`Host::shutdown`].
pub async fn serve(listener: TcpListener, host: Host, stop: impl Future<Output = ()>) {
    let connections = Connections::new(host.shared());
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, permit) = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = connections.accept(&listener) => accepted,
        };
        connections.spawn(stream, permit);
    }
    drop(listener);
    host.begin_draining();
    connections.drain().await;
}

/// All connections of one listener.
struct Connections {
    host: Arc<Shared>,
    protocols: auto::Builder<TokioExecutor>,
    permits: Arc<Semaphore>,
    graceful: GracefulShutdown,
    /// Set when the connections that are still open must end at once.
    cut: watch::Sender<bool>,
}

impl Connections {
    fn new(host: Arc<Shared>) -> Self {
        Self {
            protocols: protocols(&host.http),
            permits: Arc::new(Semaphore::new(host.http.connections_max)),
            graceful: GracefulShutdown::new(),
            cut: watch::Sender::new(false),
            host,
        }
    }

    async fn accept(&self, listener: &TcpListener) -> (TcpStream, OwnedSemaphorePermit) {
        let permits = self.permits.clone();
        let Ok(permit) = permits.acquire_owned().await else { return pending().await };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return (stream, permit),
                Err(reason) => {
                    tracing::warn!(%reason, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        // Without this, small writes of a streamed answer wait for each other's acknowledgement.
        if let Err(reason) = stream.set_nodelay(true) {
            tracing::debug!(%reason, "TCP_NODELAY could not be set");
        }
        let host = self.host.clone();
        let protocols = self.protocols.clone();
        let watcher = self.graceful.watcher();
        let mut cut = self.cut.subscribe();
        tokio::spawn(async move {
            host.metrics.connections.inc();
            tokio::select! {
                biased;
                () = serve_connection(&host, &protocols, stream, watcher) => {}
                _ = cut.wait_for(|cut| *cut) => {}
            }
            host.metrics.connections.dec();
            drop(permit);
        });
    }

    async fn drain(self) {
        let grace = Duration::from_millis(self.host.http.shutdown_grace_ms);
        if tokio::time::timeout(grace, self.graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were cut because their requests outlasted the grace time");
        }
        self.cut.send_replace(true);
    }
}

fn protocols(http: &Http) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let head_bytes_max = http.header_bytes_max.max(8 << 10);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(http.header_read_time())
        .max_buf_size(head_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(http.streams_max)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX));
    builder
}

async fn serve_connection(
    host: &Arc<Shared>,
    protocols: &auto::Builder<TokioExecutor>,
    stream: TcpStream,
    watcher: Watcher,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let host = host.clone();
        let asked = asked.clone();
        move |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let host = host.clone();
            async move { Ok::<_, Infallible>(request::respond(&host, request).await) }
        }
    });
    let stream = TokioIo::new(Stalling::new(stream, host.http.write_stall_time()));
    let connection = watcher.watch(protocols.serve_connection(stream, service).into_owned());
    tokio::select! {
        biased;
        ended = connection => {
            if let Err(reason) = ended {
                tracing::debug!(%reason, "a connection ended early");
            }
        }
        () = silence(host.http.header_read_time(), &asked) => {
            tracing::debug!("a connection was closed because it asked for nothing");
        }
    }
}

/// Ready when a connection has not made its first request in time. hyper's own timeout begins only
/// once it knows which version of HTTP the other side speaks.
async fn silence(time_max: Duration, asked: &AtomicBool) {
    tokio::time::sleep(time_max).await;
    if asked.load(Ordering::Relaxed) {
        pending::<()>().await;
    }
}
