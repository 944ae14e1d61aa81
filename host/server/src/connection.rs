//! One connection: the protocol, what it asks for, how long it may be quiet, and how it ends.
//!
//! hyper has a timeout for heads, but it begins only once the version of HTTP is known, and sets a
//! timer for each request, which costs a twentieth of a small one. Instead each connection is looked
//! at a few times in its allowance, whether it has asked for anything since the last look. How it is
//! told to end when the host ends is in [`crate::farewell`].

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::activity::{Activity, Asking, Open};
use crate::farewell::Farewell;
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
    /// Answer what is asked, tell the client to ask no more here, and end.
    Leave,
    /// End now.
    Cut,
}

/// How long a connection has been quiet: before its first request, or after one.
struct Patience {
    activity: Arc<Activity>,
    looks: Interval,
    /// Looks that it may be quiet after a request.
    idle_looks: u32,
    n_begun: u32,
    n_quiet_looks: u32,
    /// It was told to finish, and has asked for nothing since.
    is_finishing: bool,
}

/// What a look came to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It asks, is answered, or has some time left.
    Fine,
    /// The host ends: it is told to ask no more.
    Leave,
    /// It has been told, and has asked for nothing since.
    Quiet,
    /// It has been quiet for its time: it may finish.
    Finish,
    /// It has not finished since.
    Cut,
}

impl Patience {
    fn new(activity: Arc<Activity>, first_time_max: Duration, idle_time_max: Duration) -> Self {
        let period = (first_time_max / LOOKS).max(Duration::from_millis(1));
        let mut looks = interval_at(Instant::now() + period, period);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let idle_looks = idle_time_max.as_nanos().div_ceil(period.as_nanos());
        let idle_looks = u32::try_from(idle_looks).unwrap_or(u32::MAX - 1).max(LOOKS);
        Self { activity, looks, idle_looks, n_begun: 0, n_quiet_looks: 0, is_finishing: false }
    }

    /// Whether it has asked for nothing since the last look.
    fn is_quiet(&self) -> bool {
        !self.activity.is_busy() && self.activity.n_begun() == self.n_begun
    }

    fn look(&mut self) -> Verdict {
        if !self.is_quiet() {
            self.n_begun = self.activity.n_begun();
            self.n_quiet_looks = 0;
            self.is_finishing = false;
            return Verdict::Fine;
        }
        self.n_quiet_looks += 1;
        // A host that ends waits for nobody longer than for a first request.
        let is_idle = self.n_begun > 0 && !self.activity.is_leaving();
        let looks_max = if is_idle { self.idle_looks } else { LOOKS };
        match self.n_quiet_looks {
            n if n < looks_max => Verdict::Fine,
            _ if self.is_finishing => Verdict::Cut,
            _ => {
                self.is_finishing = true;
                Verdict::Finish
            }
        }
    }
}

/// Serves a connection to its end. `asking` is given back as soon as it can ask for nothing more,
/// which is earlier when the last answer is still being sent.
pub(crate) async fn serve(
    host: Arc<Shared>,
    protocols: auto::Builder<TokioExecutor>,
    (stream, open): (TcpStream, Open),
    asking: Asking,
    mut orders: watch::Receiver<Order>,
) {
    let peer = stream.peer_addr().ok();
    let activity = Activity::new(open);
    let mut patience =
        Patience::new(activity.clone(), host.http.header_read_time(), host.http.idle_time());
    let mut farewell = Farewell::new(activity.clone(), host.http.shutdown_quiet_time(), asking);
    let stream = Stalling::new(stream, host.http.write_stall_time(), activity.clone());
    let limits = host.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (host, activity) = (host.clone(), activity.clone());
        async move {
            let mut running = activity.begin(&request);
            let mut answer = request::respond(&host, request, peer).await;
            running.answered(&mut answer);
            Ok::<_, Infallible>(answer.map(|content| content.holding(running)))
        }
    });
    let mut connection =
        pin!(protocols.serve_connection_with_upgrades(TokioIo::new(stream), service));
    loop {
        let verdict = tokio::select! {
            biased;
            ended = connection.as_mut() => return tell(&limits, ended),
            order = order(&mut orders) => order,
            _ = patience.looks.tick() => patience.look(),
            is_quiet = farewell.look() => if is_quiet { Verdict::Quiet } else { Verdict::Fine },
        };
        match verdict {
            Verdict::Fine => {}
            Verdict::Leave => {
                if farewell.begin() {
                    connection.as_mut().graceful_shutdown();
                }
            }
            Verdict::Quiet | Verdict::Finish => {
                // What has arrived since the last poll is seen first: closing on it would reset it.
                tokio::task::yield_now().await;
                if let Poll::Ready(ended) = futures::poll!(connection.as_mut()) {
                    return tell(&limits, ended);
                }
                let may_end = match verdict {
                    Verdict::Quiet => farewell.end(),
                    _ => patience.is_quiet(),
                };
                if may_end {
                    connection.as_mut().graceful_shutdown();
                }
            }
            Verdict::Cut => return,
        }
    }
}

/// Tells of a connection that ended in another way than it should.
fn tell(host: &Shared, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(reason) = ended {
        count_limit(host, &*reason);
        tracing::debug!(%reason, "a connection ended early");
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
        Ok(Order::Leave) => Verdict::Leave,
        Ok(Order::Cut) | Err(_) => Verdict::Cut,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    fn patience() -> Patience {
        Patience::new(Arc::default(), Duration::from_secs(10), Duration::from_secs(60))
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
        let request = Request::new(());
        for _ in 0..10 {
            drop(activity.clone().begin(&request));
            assert_eq!(patience.look(), Verdict::Fine);
        }
        let running = activity.clone().begin(&request);
        assert!((0..10).all(|_| patience.look() == Verdict::Fine));
        drop(running);
        activity.writing.store(true, Relaxed);
        assert!((0..10).all(|_| patience.look() == Verdict::Fine));
        activity.writing.store(false, Relaxed);
        // After a request it may be quiet for longer.
        let n_looks = (1..=100).find(|_| patience.look() == Verdict::Finish);
        assert_eq!(n_looks, Some(24));
        assert_eq!(patience.look(), Verdict::Cut);
    }

    #[tokio::test]
    async fn a_host_that_ends_waits_for_no_idle_connection() {
        let mut patience = patience();
        let activity = patience.activity.clone();
        drop(activity.clone().begin(&Request::new(())));
        assert_eq!(patience.look(), Verdict::Fine);
        for _ in 0..10 {
            assert_eq!(patience.look(), Verdict::Fine);
        }
        activity.leave();
        assert_eq!(patience.look(), Verdict::Finish);
        assert_eq!(patience.look(), Verdict::Cut);
    }
}
