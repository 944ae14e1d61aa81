//! Listening: connections come in, bounded in number, and are let go gracefully. What happens on one
//! is in [`crate::connection`].

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::Http;
use crate::connection::{self, Open, Order};
use crate::host::{Host, Shared};

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
    /// One for each connection that may be open.
    permits: Arc<Semaphore>,
    permits_max: u32,
    orders: watch::Sender<Order>,
}

impl Connections {
    fn new(host: Arc<Shared>) -> Self {
        let permits_max = u32::try_from(host.http.connections_max).unwrap_or(u32::MAX);
        let permits_max = permits_max.clamp(1, u32::MAX >> 4);
        Self {
            protocols: protocols(&host.http),
            permits: Arc::new(Semaphore::new(permits_max as usize)),
            permits_max,
            orders: watch::Sender::new(Order::Serve),
            host,
        }
    }

    async fn accept(&self, listener: &TcpListener) -> (TcpStream, OwnedSemaphorePermit) {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.host.runtime.count_limit_hit("", "connections");
                let Ok(permit) = self.permits.clone().acquire_owned().await else {
                    return pending().await;
                };
                permit
            }
        };
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
        let orders = self.orders.subscribe();
        tokio::spawn(async move {
            let open = Open::new(host.metrics.connections.clone(), permit);
            connection::serve(host, protocols, (stream, open), orders).await;
        });
    }

    /// Waits until every connection has given back its permit.
    async fn drain(self) {
        self.orders.send_replace(Order::Finish);
        let grace = Duration::from_millis(self.host.http.shutdown_grace_ms);
        let all = self.permits.acquire_many(self.permits_max);
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("connections were cut because their requests outlasted the grace time");
        }
        self.orders.send_replace(Order::Cut);
    }
}

fn protocols(http: &Http) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let head_bytes_max = http.header_bytes_max.max(8 << 10);
    builder.http1().header_read_timeout(None).max_buf_size(head_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(http.streams_max)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX));
    builder
}
