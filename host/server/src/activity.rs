//! What one connection is doing: how many requests it has begun, which of them are still to be
//! answered, and which answers are still being sent. Counted by the requests themselves, and looked
//! at by [`crate::connection`], [`crate::stall`] and [`crate::farewell`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use caplet_runtime::prometheus::IntGauge;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use tokio::sync::OwnedSemaphorePermit;

/// A connection that is open, until it is dropped: among those that there may be at once, and counted.
#[derive(Debug)]
pub(crate) struct Open {
    gauge: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    pub(crate) fn new(gauge: IntGauge, permit: OwnedSemaphorePermit) -> Self {
        gauge.inc();
        Self { gauge, _permit: permit }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// A connection that may still ask for something, until it is dropped.
pub(crate) type Asking = OwnedSemaphorePermit;

/// What a connection is doing, for the one who looks.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Held here, because an upgraded connection outlives the protocol that it began with.
    _open: Option<Open>,
    n_begun: AtomicU32,
    /// Requests whose answer has not been made yet.
    n_asking: AtomicU32,
    /// Requests whose answer has not been sent yet.
    n_running: AtomicU32,
    is_http2: AtomicBool,
    /// The client is to be told that this connection ends.
    is_leaving: AtomicBool,
    /// It speaks another protocol by now, which ends in its own way.
    is_upgraded: AtomicBool,
    /// An answer waits for the client to take it; [`crate::stall::Stalling`] has its own deadline
    /// for that.
    pub(crate) writing: AtomicBool,
}

/// A request that is being served, until its answer has been sent. Ends when dropped.
pub(crate) struct Running {
    activity: Arc<Activity>,
    is_asking: bool,
}

impl Activity {
    pub(crate) fn new(open: Open) -> Arc<Self> {
        Arc::new(Self { _open: Some(open), ..Self::default() })
    }

    pub(crate) fn begin<B>(self: Arc<Self>, request: &Request<B>) -> Running {
        let begun_before = self.n_begun.fetch_add(1, Ordering::Relaxed);
        if begun_before == 0 && request.version() == Version::HTTP_2 {
            self.is_http2.store(true, Ordering::Relaxed);
        }
        self.n_asking.fetch_add(1, Ordering::Relaxed);
        self.n_running.fetch_add(1, Ordering::Relaxed);
        Running { activity: self, is_asking: true }
    }

    /// The requests that were begun, ever. It wraps around.
    pub(crate) fn n_begun(&self) -> u32 {
        self.n_begun.load(Ordering::Relaxed)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.n_running.load(Ordering::Relaxed) > 0 || self.writing.load(Ordering::Relaxed)
    }

    /// Whether an answer is still to be made.
    pub(crate) fn is_asking(&self) -> bool {
        self.n_asking.load(Ordering::Relaxed) > 0
    }

    /// Whether it is known to speak HTTP/2, which has a frame to say goodbye.
    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// Whether the host ends it, and not the client or another protocol.
    pub(crate) fn is_ended_by_host(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed) && !self.is_upgraded.load(Ordering::Relaxed)
    }

    /// Whether the host ends it.
    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// From now on answers over HTTP/1 say that the connection ends.
    pub(crate) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }
}

impl Running {
    /// The answer is made; what is left is to send it.
    pub(crate) fn answered<B>(&mut self, answer: &mut Response<B>) {
        let activity = &self.activity;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            activity.is_upgraded.store(true, Ordering::Relaxed);
        }
        // HTTP/2 has no such header, and an answer that upgrades says something else in it.
        if activity.is_ended_by_host() && !activity.is_http2() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.end_asking();
    }

    fn end_asking(&mut self) {
        if std::mem::take(&mut self.is_asking) {
            self.activity.n_asking.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end_asking();
        self.activity.n_running.fetch_sub(1, Ordering::Relaxed);
    }
}
