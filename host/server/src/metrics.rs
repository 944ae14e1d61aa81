//! What the server counts: requests, their time, and connections. What happens inside a plugin is
//! counted by the runtime.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use caplet_runtime::prometheus::core::Collector;
use caplet_runtime::prometheus::{
    self, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry,
};
use http::StatusCode;

/// The latency buckets, in seconds: from a cached answer to the wall limit.
pub(crate) const BUCKETS: [f64; 12] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 10.0];

/// The classes of statuses, in the order of [`RequestMetrics::by_class`].
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The server's families.
pub(crate) struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    /// Connections that are open.
    pub(crate) connections: IntGauge,
    /// Requests that reached no plugin.
    pub(crate) host: Arc<RequestMetrics>,
    by_plugin: ArcSwap<HashMap<String, Arc<RequestMetrics>>>,
}

/// One plugin's counters, looked up once.
pub(crate) struct RequestMetrics {
    plugin: String,
    by_class: [IntCounter; 4],
    seconds: Histogram,
}

impl Metrics {
    /// Adds the families to `registry`.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = registered(
            registry,
            IntCounterVec::new(
                Opts::new(
                    "caplet_http_requests_total",
                    "Requests by class of status; the plugin is empty for the host's own.",
                ),
                &["plugin", "class"],
            )?,
        )?;
        let options = HistogramOpts::new(
            "caplet_http_request_seconds",
            "Time from a request's head to its answer.",
        );
        let seconds = HistogramVec::new(options.buckets(BUCKETS.to_vec()), &["plugin"])?;
        let seconds = registered(registry, seconds)?;
        let connections = IntGauge::new("caplet_http_connections", "Connections that are open.")?;
        Ok(Self {
            host: RequestMetrics::new(&requests, &seconds, ""),
            connections: registered(registry, connections)?,
            requests,
            seconds,
            by_plugin: ArcSwap::default(),
        })
    }

    /// The counters of a plugin. Only ask for plugins that are loaded: names that callers make up
    /// must not become labels.
    pub(crate) fn plugin(&self, name: &str) -> Arc<RequestMetrics> {
        if let Some(known) = self.by_plugin.load().get(name) {
            return known.clone();
        }
        let new = RequestMetrics::new(&self.requests, &self.seconds, name);
        self.by_plugin.rcu(|known| {
            let mut more = HashMap::clone(known);
            more.insert(name.to_owned(), new.clone());
            more
        });
        new
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

impl RequestMetrics {
    /// The counters under `name` in families whose labels are a name and a class.
    pub(crate) fn new(requests: &IntCounterVec, seconds: &HistogramVec, name: &str) -> Arc<Self> {
        Arc::new(Self {
            plugin: name.to_owned(),
            by_class: CLASSES.map(|class| requests.with_label_values(&[name, class])),
            seconds: seconds.with_label_values(&[name]),
        })
    }

    /// Whose they are; empty for the host's own.
    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    pub(crate) fn finished(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(2);
        self.by_class[class.min(CLASSES.len() - 1)].inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// How many requests have been answered.
    pub(crate) fn count(&self) -> u64 {
        self.by_class.iter().map(IntCounter::get).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_plugin_and_class() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        let took = Duration::from_millis(2);
        metrics.plugin("comments").finished(StatusCode::CREATED, took);
        metrics.plugin("comments").finished(StatusCode::OK, took);
        metrics.plugin("comments").finished(StatusCode::BAD_GATEWAY, took);
        metrics.host.finished(StatusCode::NOT_FOUND, took);
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            r#"caplet_http_requests_total{class="2xx",plugin="comments"} 2"#,
            r#"caplet_http_requests_total{class="5xx",plugin="comments"} 1"#,
            r#"caplet_http_requests_total{class="4xx",plugin=""} 1"#,
            r#"caplet_http_request_seconds_count{plugin="comments"} 3"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
