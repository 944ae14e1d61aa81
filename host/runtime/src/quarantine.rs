//! Keeps a generation from being called that fails again and again by its own fault: so many faults
//! within a window, and its callers are told to come again later, longer each time. When the time is
//! over, one call is let through; what becomes of it decides.
//!
//! It belongs to one generation: a new one begins free, and what calls of an old one come to says
//! nothing about it. The times are those of the host's clock; when it is set back, a quarantine ends
//! early rather than late.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::audit::{Audit, Decision};
use crate::clock::Clock;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::metrics::PluginMetrics;

/// When and why a generation is not called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// From when on a call is tried, in milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// The last fault, for operators.
    pub reason: String,
    /// How often in a row it came to this, at least once.
    pub n_times: u32,
}

/// Watches the faults of one generation.
pub(crate) struct Quarantine {
    /// Whether calls have to ask: the only thing that a well plugin's calls look at.
    is_closed: AtomicBool,
    state: Mutex<State>,
    faults_max: usize,
    window_ms: u64,
    ms_min: u64,
    ms_max: u64,
    clock: Arc<dyn Clock>,
    metrics: Arc<PluginMetrics>,
    audit: Option<Audit>,
}

#[derive(Default)]
struct State {
    /// When the last faults were, oldest first; fewer than make a quarantine.
    faults_ms: VecDeque<u64>,
    quarantined: Option<Quarantined>,
    is_probed: bool,
    /// When the last quarantine ended and how many in a row there had been.
    ended: Option<(u64, u32)>,
}

/// The one call by which it is found out whether a generation is well again.
pub(crate) struct Probe {
    quarantine: Arc<Quarantine>,
}

impl Quarantine {
    pub(crate) fn new(
        limits: &Limits,
        clock: Arc<dyn Clock>,
        (metrics, audit): (Arc<PluginMetrics>, Option<Audit>),
    ) -> Arc<Self> {
        Arc::new(Self {
            is_closed: AtomicBool::new(false),
            state: Mutex::default(),
            faults_max: limits.faults_max as usize,
            window_ms: limits.faults_window_ms,
            ms_min: limits.quarantine_ms_min,
            ms_max: limits.quarantine_ms_max,
            clock,
            metrics,
            audit,
        })
    }

    /// Lets a call through. With a probe the call decides, by [`Self::settle`].
    ///
    /// # Errors
    /// [`Fault::Quarantined`] with the seconds to wait.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Option<Probe>, Fault> {
        if !self.is_closed.load(Relaxed) {
            return Ok(None);
        }
        let mut state = self.state.lock();
        let Some(quarantined) = &state.quarantined else { return Ok(None) };
        let now_ms = self.clock.now_ms();
        let is_over = !(quarantined.since_ms..quarantined.until_ms).contains(&now_ms);
        if !is_over || state.is_probed {
            let left_ms = quarantined.until_ms.saturating_sub(now_ms);
            return Err(Fault::Quarantined(left_ms.div_ceil(1_000).max(1)));
        }
        state.is_probed = true;
        Ok(Some(Probe { quarantine: self.clone() }))
    }

    /// Learns what a call came to.
    pub(crate) fn settle(&self, probe: Option<Probe>, fault: Option<&Fault>) {
        let is_by_plugin = fault.is_some_and(Fault::is_plugin_fault);
        match (&probe, fault) {
            (Some(_), None) if self.open(true) => {
                self.decided("quarantine.end", json!({ "because": "its call was answered" }));
            }
            (None, Some(fault)) if is_by_plugin => self.count(fault),
            (Some(_), Some(fault)) if is_by_plugin => self.close_again(fault),
            _ => {}
        }
        // Only now may another call be the probe.
        drop(probe);
    }

    /// Ends the quarantine by hand. Returns whether there was one.
    pub(crate) fn release(&self) -> bool {
        let was_closed = self.open(false);
        let mut state = self.state.lock();
        state.ended = None;
        state.faults_ms.clear();
        was_closed
    }

    pub(crate) fn quarantined(&self) -> Option<Quarantined> {
        if !self.is_closed.load(Relaxed) {
            return None;
        }
        self.state.lock().quarantined.clone()
    }

    /// Counts a fault of a call that was let through when all was well.
    fn count(&self, fault: &Fault) {
        let mut state = self.state.lock();
        if self.faults_max == 0 || state.quarantined.is_some() {
            return;
        }
        let now_ms = self.clock.now_ms();
        let from_ms = now_ms.saturating_sub(self.window_ms);
        state.faults_ms.retain(|at_ms| (from_ms..=now_ms).contains(at_ms));
        state.faults_ms.push_back(now_ms);
        if state.faults_ms.len() >= self.faults_max {
            self.close(&mut state, fault);
        }
    }

    /// The one call that was tried has failed.
    fn close_again(&self, fault: &Fault) {
        let mut state = self.state.lock();
        // Somebody may have ended the quarantine by hand meanwhile.
        if state.quarantined.is_some() {
            self.close(&mut state, fault);
        }
    }

    fn close(&self, state: &mut State, fault: &Fault) {
        let now_ms = self.clock.now_ms();
        let n_before = match (&state.quarantined, state.ended) {
            (Some(quarantined), _) => quarantined.n_times,
            (None, Some((ended_ms, n_times))) if now_ms < ended_ms + self.ms_max => n_times,
            (None, _) => 0,
        };
        let length_ms = self.ms_min.saturating_mul(2_u64.saturating_pow(n_before)).min(self.ms_max);
        let (reason, until_ms) = (fault.to_string(), now_ms.saturating_add(length_ms));
        tracing::warn!(
            plugin = self.metrics.plugin(),
            %reason,
            length_ms,
            "quarantined: it failed too often"
        );
        self.metrics.quarantines.inc();
        let detail = json!({ "reason": reason, "length_ms": length_ms, "n_times": n_before + 1 });
        self.decided("quarantine.begin", detail);
        state.faults_ms.clear();
        state.quarantined =
            Some(Quarantined { since_ms: now_ms, until_ms, reason, n_times: n_before + 1 });
        self.is_closed.store(true, Relaxed);
    }

    /// Has it written down what the host decided. The calls that lead to it do not wait for that.
    fn decided(&self, action: &'static str, detail: Value) {
        let Some(audit) = &self.audit else { return };
        let plugin = self.metrics.plugin().to_owned();
        let (actor, request) = ("host".to_owned(), String::new());
        let decision = Decision { actor, plugin, action, detail, request };
        audit.note_later(decision);
    }

    /// Ends the quarantine. Returns whether there was one.
    fn open(&self, is_well: bool) -> bool {
        let mut state = self.state.lock();
        self.is_closed.store(false, Relaxed);
        let Some(quarantined) = state.quarantined.take() else { return false };
        state.ended = Some((self.clock.now_ms(), quarantined.n_times));
        let how = if is_well { "its call was answered" } else { "by hand" };
        tracing::info!(plugin = self.metrics.plugin(), "released from quarantine: {how}");
        true
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.quarantine.state.lock().is_probed = false;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::FakeClock;
    use crate::metrics::Metrics;

    const START_MS: u64 = 1_700_000_000_000;

    struct Scene {
        quarantine: Arc<Quarantine>,
        clock: Arc<FakeClock>,
    }

    fn scene() -> Scene {
        let clock = Arc::new(FakeClock::new(START_MS));
        let metrics = Metrics::new().unwrap().plugin("p");
        let quarantine = Quarantine::new(&Limits::default(), clock.clone(), (metrics, None));
        Scene { quarantine, clock }
    }

    impl Scene {
        fn call(&self, fault: Option<&Fault>) -> Result<(), Fault> {
            let probe = self.quarantine.enter()?;
            self.quarantine.settle(probe, fault);
            Ok(())
        }

        fn fail(&self, n_times: usize) {
            for _ in 0..n_times {
                self.call(Some(&Fault::Trap("broken".into()))).unwrap();
            }
        }

        fn pass(&self, seconds: u64) {
            self.clock.advance(Duration::from_secs(seconds));
        }

        fn refused_s(&self) -> u64 {
            match self.call(None) {
                Err(Fault::Quarantined(seconds)) => seconds,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn closes_after_so_many_faults_within_the_window_and_says_why() {
        let scene = scene();
        scene.fail(4);
        scene.pass(61);
        scene.fail(4);
        assert_eq!(scene.call(None), Ok(()), "the first four are forgotten");
        scene.fail(1);
        assert_eq!(scene.refused_s(), 10);
        let quarantined = scene.quarantine.quarantined().unwrap();
        assert_eq!(quarantined.reason, "trapped: broken");
        assert_eq!(quarantined.until_ms, quarantined.since_ms + 10_000);
        scene.pass(9);
        assert_eq!(scene.refused_s(), 1);
    }

    #[test]
    fn faults_of_others_do_not_count() {
        let scene = scene();
        for _ in 0..100 {
            scene.call(Some(&Fault::Busy("the host"))).unwrap();
        }
        assert_eq!(scene.quarantine.quarantined(), None);
    }

    #[test]
    fn waits_twice_as_long_each_time_up_to_the_maximum() {
        let scene = scene();
        scene.fail(5);
        for seconds in [10, 20, 40, 80, 160, 320, 600, 600] {
            assert_eq!(scene.refused_s(), seconds);
            scene.pass(seconds);
            scene.fail(1);
        }
    }

    #[test]
    fn lets_one_call_through_at_a_time_and_opens_when_it_is_answered() {
        let scene = scene();
        scene.fail(5);
        scene.pass(10);
        let probe = scene.quarantine.enter().unwrap();
        assert!(probe.is_some());
        assert_eq!(scene.refused_s(), 1, "somebody finds out already");
        scene.quarantine.settle(probe, Some(&Fault::Busy("the host")));
        let given_up = scene.quarantine.enter().unwrap();
        drop(given_up);
        assert_eq!(scene.call(None), Ok(()));
        assert_eq!(scene.quarantine.quarantined(), None);
        scene.fail(4);
        assert_eq!(scene.call(None), Ok(()));
    }

    #[test]
    fn a_plugin_that_fails_again_soon_waits_longer_than_the_last_time() {
        let scene = scene();
        scene.fail(5);
        scene.pass(10);
        scene.call(None).unwrap();
        scene.fail(5);
        assert_eq!(scene.refused_s(), 20);
        scene.pass(20);
        scene.call(None).unwrap();
        scene.pass(600);
        scene.fail(5);
        assert_eq!(scene.refused_s(), 10, "it was well for long");
    }

    #[test]
    fn a_release_by_hand_forgets_all() {
        let scene = scene();
        assert!(!scene.quarantine.release());
        scene.fail(5);
        assert!(scene.quarantine.release());
        scene.fail(4);
        assert_eq!(scene.call(None), Ok(()));
        scene.fail(1);
        assert_eq!(scene.refused_s(), 10);
    }
}
