//! What the runtime counts, in a registry of its own (no global one). The server adds its own
//! families to the same registry and writes it out in Prometheus' text format.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, GenericCounter, GenericGauge};
use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec,
    Opts, Registry,
};

/// The families, with plugin as their first label.
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    invocations: IntCounterVec,
    seconds: HistogramVec,
    cpu_seconds: CounterVec,
    limit_hits: IntCounterVec,
    instances: IntGaugeVec,
    loads: IntCounterVec,
    memory_bytes: IntGaugeVec,
    database_bytes: IntGaugeVec,
}

/// The latency buckets, in seconds: from a cached answer to the wall limit.
const BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
    10.0,
];

impl Metrics {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauges = |name: &str, help: &str| {
            registered(&registry, IntGaugeVec::new(Opts::new(name, help), &["plugin"])?)
        };
        Ok(Self {
            invocations: counters(
                "caplet_invocations_total",
                "Invocations by outcome.",
                &["plugin", "outcome"],
            )?,
            limit_hits: counters(
                "caplet_limit_hits_total",
                "Limits that a plugin reached.",
                &["plugin", "limit"],
            )?,
            loads: counters(
                "caplet_loads_total",
                "Attempts to load a plugin by outcome.",
                &["outcome"],
            )?,
            seconds: registered(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new("caplet_invocation_seconds", "Wall time of invocations.")
                        .buckets(BUCKETS.to_vec()),
                    &["plugin"],
                )?,
            )?,
            cpu_seconds: registered(
                &registry,
                CounterVec::new(
                    Opts::new(
                        "caplet_invocation_cpu_seconds_total",
                        "CPU time of invocations, host functions included.",
                    ),
                    &["plugin"],
                )?,
            )?,
            instances: gauges("caplet_instances", "Instances that are alive.")?,
            memory_bytes: gauges(
                "caplet_plugin_memory_bytes",
                "Linear memory of a plugin's instances.",
            )?,
            database_bytes: gauges(
                "caplet_database_bytes",
                "Size of a plugin's database on disk.",
            )?,
            registry,
        })
    }

    pub(crate) fn plugin(&self, plugin: &str) -> Arc<PluginMetrics> {
        Arc::new(PluginMetrics {
            plugin: plugin.to_owned(),
            ok: self.invocations.with_label_values(&[plugin, "ok"]),
            refused: self.invocations.with_label_values(&[plugin, "refused"]),
            failed: self.invocations.with_label_values(&[plugin, "failed"]),
            seconds: self.seconds.with_label_values(&[plugin]),
            cpu_seconds: self.cpu_seconds.with_label_values(&[plugin]),
            instances: self.instances.with_label_values(&[plugin]),
            limit_hits: self.limit_hits.clone(),
        })
    }

    /// Sets the gauges that are read off when somebody looks.
    pub(crate) fn observe(&self, plugin: &str, memory_bytes: usize, database_bytes: u64) {
        let gauge = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.memory_bytes.with_label_values(&[plugin]).set(gauge(memory_bytes as u64));
        self.database_bytes.with_label_values(&[plugin]).set(gauge(database_bytes));
    }

    pub(crate) fn loaded(&self, well: bool) {
        self.loads.with_label_values(&[if well { "ok" } else { "failed" }]).inc();
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// One plugin's counters, looked up once.
pub(crate) struct PluginMetrics {
    plugin: String,
    /// Answered below 400.
    pub(crate) ok: IntCounter,
    /// Answered from 400 on.
    pub(crate) refused: IntCounter,
    /// Not answered: a fault.
    pub(crate) failed: IntCounter,
    seconds: Histogram,
    cpu_seconds: GenericCounter<prometheus::core::AtomicF64>,
    pub(crate) instances: GenericGauge<prometheus::core::AtomicI64>,
    limit_hits: IntCounterVec,
}

impl PluginMetrics {
    pub(crate) fn finished(&self, wall: Duration, cpu: Duration) {
        self.seconds.observe(wall.as_secs_f64());
        self.cpu_seconds.inc_by(cpu.as_secs_f64());
    }

    /// Counts that the plugin reached a limit.
    pub(crate) fn limit_hit(&self, limit: &str) {
        self.limit_hits.with_label_values(&[self.plugin.as_str(), limit]).inc();
    }
}
