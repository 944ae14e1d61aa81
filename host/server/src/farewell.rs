//! How one connection is told to end without a request being lost on the way.
//!
//! HTTP/2 has a frame for it, which names the last request that will be answered. HTTP/1 has none: a
//! host that closes a connection which is only quiet at the moment resets the request that is on its
//! way. So such a connection is kept; its next answer says `connection: close`. When it has asked for
//! nothing for a while, nobody is about to use it, and it is closed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::activity::{Activity, Asking};

/// How often a connection is looked at in the time that it has to be quiet.
const LOOKS: u32 = 4;

/// The end of one connection, from the order to leave until it asks no more.
pub(crate) struct Farewell {
    activity: Arc<Activity>,
    quiet_time: Duration,
    /// Given back once nothing more is asked for on this connection.
    asking: Option<Asking>,
    /// Runs from the order to leave until nothing more is asked for.
    looks: Option<Interval>,
    n_begun: u32,
    n_quiet_looks: u32,
}

impl Farewell {
    pub(crate) fn new(activity: Arc<Activity>, quiet_time: Duration, asking: Asking) -> Self {
        let asking = Some(asking);
        Self { activity, quiet_time, asking, looks: None, n_begun: 0, n_quiet_looks: 0 }
    }

    /// Tells the client with its next answer. Returns whether the protocol can tell it now.
    pub(crate) fn begin(&mut self) -> bool {
        if self.looks.is_some() || self.asking.is_none() {
            return false;
        }
        self.activity.leave();
        let period = (self.quiet_time / LOOKS).max(Duration::from_millis(1));
        let mut looks = interval_at(Instant::now() + period, period);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.looks = Some(looks);
        self.n_begun = self.activity.n_begun();
        self.activity.is_http2()
    }

    /// Waits for the next look, for ever where there is none; whether the connection has been quiet
    /// for its time.
    pub(crate) async fn look(&mut self) -> bool {
        match &mut self.looks {
            Some(looks) => looks.tick().await,
            None => std::future::pending().await,
        };
        if self.is_asking() {
            self.n_quiet_looks = 0;
        } else {
            self.n_quiet_looks += 1;
        }
        self.n_quiet_looks >= LOOKS
    }

    /// Lets go of the connection, unless it has asked for something since the last look. Returns
    /// whether it did.
    pub(crate) fn end(&mut self) -> bool {
        if self.is_asking() {
            self.n_quiet_looks = 0;
            return false;
        }
        self.looks = None;
        self.asking = None;
        true
    }

    /// Whether it asks, or has asked since the last look.
    fn is_asking(&mut self) -> bool {
        let n_begun = self.activity.n_begun();
        let n_before = std::mem::replace(&mut self.n_begun, n_begun);
        self.activity.is_asking() || n_begun != n_before
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONNECTION;
    use http::{Request, Response, Version};
    use tokio::sync::Semaphore;

    use super::*;

    const QUIET_TIME: Duration = Duration::from_millis(400);

    async fn farewell() -> (Farewell, Arc<Activity>, Arc<Semaphore>) {
        let askers = Arc::new(Semaphore::new(1));
        let asking = askers.clone().acquire_owned().await.unwrap();
        let activity = Arc::new(Activity::default());
        (Farewell::new(activity.clone(), QUIET_TIME, asking), activity, askers)
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_is_let_go_after_its_time_and_not_before() {
        let (mut farewell, _, askers) = farewell().await;
        assert!(!farewell.begin(), "nothing is known of its protocol");
        let begun = Instant::now();
        while !farewell.look().await {}
        assert_eq!(begun.elapsed(), QUIET_TIME);
        assert_eq!(askers.available_permits(), 0);
        assert!(farewell.end());
        assert_eq!(askers.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_asks_is_waited_for_and_what_is_only_being_sent_is_not() {
        let (mut farewell, activity, _) = farewell().await;
        farewell.begin();
        let mut running = activity.clone().begin(&Request::new(()));
        for _ in 0..10 {
            assert!(!farewell.look().await);
        }
        let mut answer = Response::new(());
        running.answered(&mut answer);
        assert_eq!(answer.headers()[CONNECTION], "close");
        while !farewell.look().await {}
        drop(activity.begin(&Request::new(())));
        assert!(!farewell.end(), "it asked at the last moment");
    }

    #[tokio::test]
    async fn http_2_is_told_at_once_and_without_a_header() {
        let (mut farewell, activity, _) = farewell().await;
        let mut request = Request::new(());
        *request.version_mut() = Version::HTTP_2;
        let mut running = activity.begin(&request);
        assert!(farewell.begin());
        let mut answer = Response::new(());
        running.answered(&mut answer);
        assert!(answer.headers().is_empty());
    }
}
