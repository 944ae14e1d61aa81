//! One connection: the protocol, what it asks for, how long it may be quiet, and how it ends.
//!
//! hyper has a timeout for heads, but it begins only once the version of HTTP is known, and sets a
//! timer for each request, which costs a twentieth of a small one. Instead each connection is looked
//! at a few times in its allowance, whether it has asked for anything since the last look.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use caplet_runtime::prometheus::IntGauge;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::host::Shared;
use crate::request;
use crate::stall::{Stalled, Stalling};

/// How often a connection is looked at in the time that it may be quiet.
const LOOKS: u32 = 4;

/// What all connections of a listener are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Serve.
    Serve,
    /// Answer what has been asked, and end.
    Finish,
    /// End now.
    Cut,
}

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

/// What a connection is doing, for the one who looks.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Held here, because an upgraded connection outlives the protocol that it began with.
    _open: Option<Open>,
    n_begun: AtomicU32,
    n_running: AtomicU32,
    /// An answer waits for the client to take it; [`Stalling`] has its own deadline for that.
    pub(crate) writing: AtomicBool,
}

/// A request that is being served, until its answer has been sent. Ends when dropped.
struct Running(Arc<Activity>);

impl Activity {
    fn new(open: Open) -> Arc<Self> {
        Arc::new(Self { _open: Some(open), ..Self::default() })
    }

    fn begin(self: Arc<Self>) -> Running {
        self.n_begun.fetch_add(1, Ordering::Relaxed);
        self.n_running.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    fn is_busy(&self) -> bool {
        self.n_running.load(Ordering::Relaxed) > 0 || self.writing.load(Ordering::Relaxed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.n_running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a connection has been quiet.
struct Patience {
    activity: Arc<Activity>,
    looks: Interval,
    n_begun: u32,
    n_quiet_looks: u32,
}

/// What a look came to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It asks, is answered, or has some time left.
    Fine,
    /// It has been quiet for its time: it may finish.
    Finish,
    /// It has not finished since.
    Cut,
}

impl Patience {
    fn new(activity: Arc<Activity>, time_max: Duration) -> Self {
        let period = (time_max / LOOKS).max(Duration::from_millis(1));
        let mut looks = interval_at(Instant::now() + period, period);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { activity, looks, n_begun: 0, n_quiet_looks: 0 }
    }

    fn look(&mut self) -> Verdict {
        let n_begun = self.activity.n_begun.load(Ordering::Relaxed);
        if self.activity.is_busy() || n_begun != self.n_begun {
            self.n_begun = n_begun;
            self.n_quiet_looks = 0;
            return Verdict::Fine;
        }
        self.n_quiet_looks += 1;
        match self.n_quiet_looks {
            n if n < LOOKS => Verdict::Fine,
            LOOKS => Verdict::Finish,
            _ => Verdict::Cut,
        }
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    host: Arc<Shared>,
    protocols: auto::Builder<TokioExecutor>,
    (stream, open): (TcpStream, Open),
    mut orders: watch::Receiver<Order>,
) {
    let peer = stream.peer_addr().ok();
    let activity = Activity::new(open);
    let mut patience = Patience::new(activity.clone(), host.http.header_read_time());
    let stream = Stalling::new(stream, host.http.write_stall_time(), activity.clone());
    let limits = host.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (host, activity) = (host.clone(), activity.clone());
        async move {
            let running = activity.begin();
            let answer = request::respond(&host, request, peer).await;
            Ok::<_, Infallible>(answer.map(|content| content.holding(running)))
        }
    });
    let mut connection =
        pin!(protocols.serve_connection_with_upgrades(TokioIo::new(stream), service));
    loop {
        let verdict = tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(reason) = ended {
                    count_limit(&limits, &*reason);
                    tracing::debug!(%reason, "a connection ended early");
                }
                return;
            }
            order = order(&mut orders) => order,
            _ = patience.looks.tick() => patience.look(),
        };
        match verdict {
            Verdict::Fine => {}
            Verdict::Finish => connection.as_mut().graceful_shutdown(),
            Verdict::Cut => return,
        }
    }
}

/// Counts the limit that ended a connection, when it was one of those that no answer tells of.
fn count_limit(host: &Shared, reason: &(dyn std::error::Error + 'static)) {
    let limit_of = |cause: &(dyn std::error::Error + 'static)| {
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
            return Some("header-bytes");
        }
        // An error of input and output does not name what it was made of as its source.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(|inner| inner.is::<Stalled>()).then_some("write-stall")
    };
    let mut causes = std::iter::successors(Some(reason), |error| error.source());
    if let Some(limit) = causes.find_map(limit_of) {
        host.runtime.count_limit_hit("", limit);
    }
}

/// The next order. One who gives orders no more has ended: then nothing is left to be served.
async fn order(orders: &mut watch::Receiver<Order>) -> Verdict {
    match orders.changed().await.map(|()| *orders.borrow_and_update()) {
        Ok(Order::Serve) => Verdict::Fine,
        Ok(Order::Finish) => Verdict::Finish,
        Ok(Order::Cut) | Err(_) => Verdict::Cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        Patience::new(Arc::default(), Duration::from_secs(10))
    }

    #[tokio::test]
    async fn a_quiet_connection_may_finish_and_is_cut_when_it_does_not() {
        let mut patience = patience();
        let verdicts: Vec<Verdict> = (0..5).map(|_| patience.look()).collect();
        use Verdict::{Cut, Fine, Finish};
        assert_eq!(verdicts, [Fine, Fine, Fine, Finish, Cut]);
    }

    #[tokio::test]
    async fn asking_running_and_writing_are_not_quiet() {
        let mut patience = patience();
        let activity = patience.activity.clone();
        for _ in 0..10 {
            drop(activity.clone().begin());
            assert_eq!(patience.look(), Verdict::Fine);
        }
        let running = activity.clone().begin();
        assert!((0..10).all(|_| patience.look() == Verdict::Fine));
        drop(running);
        activity.writing.store(true, Ordering::Relaxed);
        assert!((0..10).all(|_| patience.look() == Verdict::Fine));
        activity.writing.store(false, Ordering::Relaxed);
        assert!((0..4).any(|_| patience.look() == Verdict::Finish));
    }
}
