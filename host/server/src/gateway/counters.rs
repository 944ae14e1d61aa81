//! What is counted of services. Names are those in the configuration, so that callers cannot make
//! labels up.

use std::sync::Arc;

use caplet_runtime::prometheus::core::Collector;
use caplet_runtime::prometheus::{
    self, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::metrics::{BUCKETS, RequestMetrics};

/// Every reason for which requests fail or answers are cut off.
pub(crate) const REASONS: [&str; 12] = [
    "unreachable",
    "reset",
    "malformed",
    "too-large",
    "timeout",
    "circuit-open",
    "unhealthy",
    "busy",
    "caller",
    "answer-reset",
    "answer-timeout",
    "answer-too-large",
];

/// The families of all services.
pub(crate) struct Families {
    requests: IntCounterVec,
    seconds: HistogramVec,
    failures: IntCounterVec,
    retries: IntCounterVec,
    bytes: IntCounterVec,
    running: IntGaugeVec,
    upgrades: IntGaugeVec,
    circuit: IntGaugeVec,
    healthy: IntGaugeVec,
}

/// One service's counters.
pub(crate) struct Counters {
    pub(crate) requests: Arc<RequestMetrics>,
    failures: [IntCounter; REASONS.len()],
    pub(crate) retries: IntCounter,
    /// Bytes on upgraded connections, from callers and to them.
    pub(crate) upgraded_in: IntCounter,
    pub(crate) upgraded_out: IntCounter,
    pub(crate) running: IntGauge,
    pub(crate) upgrades: IntGauge,
    /// 0 closed, 1 half open, 2 open.
    pub(crate) circuit: IntGauge,
    /// 1 unless the service said that it is not well.
    pub(crate) healthy: IntGauge,
}

impl Families {
    /// Adds the families to `registry`.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name, help, labels: &[&str]| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name, help| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), &["service"])?)
        };
        let seconds = HistogramOpts::new(
            "caplet_service_request_seconds",
            "Time from a request's head to the head of its answer.",
        );
        let seconds = HistogramVec::new(seconds.buckets(BUCKETS.to_vec()), &["service"])?;
        Ok(Self {
            requests: counter(
                "caplet_service_requests_total",
                "Requests to outside services by class of status.",
                &["service", "class"],
            )?,
            seconds: registered(registry, seconds)?,
            failures: counter(
                "caplet_service_failures_total",
                "Requests that an outside service did not answer well, and why.",
                &["service", "reason"],
            )?,
            retries: counter(
                "caplet_service_retries_total",
                "Attempts after the first.",
                &["service"],
            )?,
            bytes: counter(
                "caplet_service_upgraded_bytes_total",
                "Bytes on upgraded connections.",
                &["service", "direction"],
            )?,
            running: gauge("caplet_service_requests_running", "Requests under way.")?,
            upgrades: gauge("caplet_service_upgrades_open", "Upgraded connections.")?,
            circuit: gauge("caplet_service_circuit", "0 closed, 1 half open, 2 open.")?,
            healthy: gauge("caplet_service_healthy", "0 when the service is not well.")?,
        })
    }

    /// The counters of a service.
    pub(crate) fn service(&self, name: &str) -> Counters {
        let counters = Counters {
            requests: RequestMetrics::new(&self.requests, &self.seconds, name),
            failures: REASONS.map(|reason| self.failures.with_label_values(&[name, reason])),
            retries: self.retries.with_label_values(&[name]),
            upgraded_in: self.bytes.with_label_values(&[name, "in"]),
            upgraded_out: self.bytes.with_label_values(&[name, "out"]),
            running: self.running.with_label_values(&[name]),
            upgrades: self.upgrades.with_label_values(&[name]),
            circuit: self.circuit.with_label_values(&[name]),
            healthy: self.healthy.with_label_values(&[name]),
        };
        counters.healthy.set(1);
        counters
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

impl Counters {
    /// Counts a failure.
    pub(crate) fn failed(&self, reason: &str) {
        let place = REASONS.iter().position(|known| *known == reason);
        debug_assert!(place.is_some(), "{reason} is not in the list of reasons");
        if let Some(place) = place {
            self.failures[place].inc();
        }
    }

    /// How often which reason was counted; those that were not are left out.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = self.failures.iter().map(IntCounter::get);
        REASONS.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }
}
