//! Listening: connections come in, bounded in number, and are let go gracefully. What happens on one
//! is in [`crate::connection`]; how the socket itself is closed, in [`crate::listener`].

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use crate::activity::Open;
use crate::config::Http;
use crate::connection::{self, Order};
use crate::host::{Host, Shared};
use crate::listener::{EMPTYING_TIME_MAX, Listener};

/// How long to wait after a failed accept, which nearly always means that there are no more file
/// descriptors: the next connection that ends frees one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often HTTP/2 connections are asked whether somebody is there, and how long for an answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `host` on `listener` until `stop` is ready. Then no connection is taken any more, clients are
/// told to ask no more, requests in flight are finished within [`Http::shutdown_grace_ms`], and what is
/// left is cut. A client that uses its connections sees no request fail.
///
/// The host itself keeps running: end it with [`Host::shutdown`].
pub async fn serve(listener: impl Into<Listener>, host: Host, stop: impl Future<Output = ()>) {
    let server = Server::new(listener, &host);
    server.accept_until(stop).await;
    let deadline = Instant::now() + host.shared().http.shutdown_grace();
    host.begin_draining();
    let ending = server.close().await;
    ending.all_end(deadline).await;
}

/// A host that listens, for those who end it in steps; the others take [`serve`].
pub struct Server {
    listener: Listener,
    connections: Connections,
}

impl Server {
    /// Makes a server of `host`, which takes no connection yet.
    #[must_use]
    pub fn new(listener: impl Into<Listener>, host: &Host) -> Self {
        Self { listener: listener.into(), connections: Connections::new(host.shared()) }
    }

    /// Where it listens.
    #[must_use]
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Takes connections until `stop` is ready, and returns what that says. Connections that come
    /// later wait in the kernel's queue for the next call, which may be another process's.
    pub async fn accept_until<T>(&self, stop: impl Future<Output = T>) -> T {
        self.connections.orders.send_replace(Order::Serve);
        let mut stop = std::pin::pin!(stop);
        loop {
            let (stream, permit) = tokio::select! {
                biased;
                reason = &mut stop => return reason,
                accepted = self.connections.accept(&self.listener) => accepted,
            };
            self.connections.spawn(stream, permit).await;
        }
    }

    /// Tells all clients to ask no more on their connections, and waits until none does, at most
    /// until `deadline`. Answers may still be being sent. Returns whether all was asked in time.
    ///
    /// Those who are told are told for good; [`Self::accept_until`] may be called again for others.
    pub async fn all_asked(&self, deadline: Instant) -> bool {
        self.connections.all_asked(deadline).await
    }

    /// Closes the socket. Connections that wait in its queue are taken first, unless the socket is
    /// shared: then they are for whoever holds it next.
    pub async fn close(self) -> Ending {
        let Self { listener, connections } = self;
        connections.orders.send_replace(Order::Leave);
        listener.keep_out();
        let emptying = async {
            while let Some(stream) = listener.next_in_queue().await {
                let permit = connections.permit().await;
                connections.spawn(stream, permit).await;
            }
        };
        // Time runs out only where newcomers cannot be kept out, or where all connections are taken.
        let _ = tokio::time::timeout(EMPTYING_TIME_MAX, emptying).await;
        Ending { connections }
    }

    /// Gives the socket back, and leaves what waits in its queue to whoever takes it.
    #[must_use]
    pub fn into_parts(self) -> (Listener, Ending) {
        (self.listener, Ending { connections: self.connections })
    }
}

/// The connections of a server that takes no more.
pub struct Ending {
    connections: Connections,
}

impl Ending {
    /// Tells clients to ask no more and waits until all connections have ended. What is left at
    /// `deadline` is cut.
    pub async fn all_end(self, deadline: Instant) {
        self.connections.orders.send_replace(Order::Leave);
        let all = self.connections.permits.acquire_many(self.connections.permits_max);
        if timeout_at(deadline, all).await.is_err() {
            tracing::warn!("connections were cut because their requests outlasted the grace time");
        }
        self.connections.orders.send_replace(Order::Cut);
    }

    /// Waits until all connections have ended, or until `deadline`, and cuts none. Returns whether
    /// they ended.
    pub async fn ended(&self, deadline: Instant) -> bool {
        let all = self.connections.permits.acquire_many(self.connections.permits_max);
        timeout_at(deadline, all).await.is_ok()
    }
}

/// All connections of one listener.
struct Connections {
    host: Arc<Shared>,
    protocols: auto::Builder<TokioExecutor>,
    /// One for each connection that may be open.
    permits: Arc<Semaphore>,
    /// One for each connection that may ask for something.
    askers: Arc<Semaphore>,
    permits_max: u32,
    orders: watch::Sender<Order>,
}

impl Connections {
    fn new(host: Arc<Shared>) -> Self {
        let permits_max = u32::try_from(host.http.connections_max).unwrap_or(u32::MAX);
        let permits_max = permits_max.clamp(1, u32::MAX >> 4);
        let semaphore = || Arc::new(Semaphore::new(permits_max as usize));
        Self {
            protocols: protocols(&host.http),
            permits: semaphore(),
            askers: semaphore(),
            permits_max,
            orders: watch::Sender::new(Order::Serve),
            host,
        }
    }

    async fn permit(&self) -> OwnedSemaphorePermit {
        match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.host.runtime.count_limit_hit("", "connections");
                owned(&self.permits).await
            }
        }
    }

    async fn accept(&self, listener: &Listener) -> (TcpStream, OwnedSemaphorePermit) {
        let permit = self.permit().await;
        loop {
            match listener.accept().await {
                Ok(stream) => return (stream, permit),
                Err(reason) => {
                    tracing::warn!(%reason, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn spawn(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        // Without this, small writes of a streamed answer wait for each other's acknowledgement.
        if let Err(reason) = stream.set_nodelay(true) {
            tracing::debug!(%reason, "TCP_NODELAY could not be set");
        }
        let host = self.host.clone();
        let protocols = self.protocols.clone();
        // There are as many as permits, and they are given back first.
        let asking = owned(&self.askers).await;
        let mut orders = self.orders.subscribe();
        if *orders.borrow() != Order::Serve {
            orders.mark_changed();
        }
        tokio::spawn(async move {
            let open = Open::new(host.metrics.connections.clone(), permit);
            connection::serve(host, protocols, (stream, open), asking, orders).await;
        });
    }

    async fn all_asked(&self, deadline: Instant) -> bool {
        self.orders.send_replace(Order::Leave);
        let all = self.askers.acquire_many(self.permits_max);
        timeout_at(deadline, all).await.is_ok()
    }
}

/// A permit of a semaphore that is never closed.
async fn owned(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    match semaphore.clone().acquire_owned().await {
        Ok(permit) => permit,
        Err(_) => pending().await,
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
