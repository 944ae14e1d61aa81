//! What the runtime counts, in a registry of its own (no global one). The server adds its own
//! families to the same registry and writes it out in Prometheus' text format.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, GenericCounter, GenericGauge};
use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec,
    Opts, Registry,
};

use crate::lifecycle::RolloutReport;
use crate::usage::Usage;

/// The families, with plugin as their first label.
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    invocations: IntCounterVec,
    seconds: HistogramVec,
    cpu_seconds: CounterVec,
    limit_hits: IntCounterVec,
    denials: IntCounterVec,
    faults: IntCounterVec,
    slow_calls: IntCounterVec,
    sql_statements: IntCounterVec,
    sql_seconds: CounterVec,
    instances: IntGaugeVec,
    running: IntGaugeVec,
    waiting: IntGaugeVec,
    loads: IntCounterVec,
    quarantines: IntCounterVec,
    quarantined: IntGaugeVec,
    memory_bytes: IntGaugeVec,
    database_bytes: IntGaugeVec,
    rollouts: IntGaugeVec,
    shadow_calls: IntCounterVec,
}

/// What is read off about a plugin when somebody looks.
pub(crate) struct Observed {
    pub(crate) memory_bytes: u64,
    pub(crate) database_bytes: u64,
    pub(crate) n_running: u64,
    pub(crate) n_waiting: u64,
    pub(crate) is_quarantined: bool,
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
        let seconds = |name: &str, help: &str| {
            registered(&registry, CounterVec::new(Opts::new(name, help), &["plugin"])?)
        };
        Ok(Self {
            invocations: counters(
                "caplet_invocations_total",
                "Invocations by outcome.",
                &["plugin", "outcome"],
            )?,
            denials: counters(
                "caplet_denials_total",
                "Calls of host functions whose right was revoked.",
                &["plugin", "right"],
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
            seconds: registered(&registry, latency()?)?,
            cpu_seconds: seconds(
                "caplet_invocation_cpu_seconds_total",
                "CPU time of invocations, host functions included.",
            )?,
            faults: counters(
                "caplet_faults_total",
                "Invocations without an answer, by the code of the reason.",
                &["plugin", "code"],
            )?,
            slow_calls: counters(
                "caplet_slow_calls_total",
                "Invocations that took as long as the log tells of.",
                &["plugin"],
            )?,
            sql_statements: counters(
                "caplet_sql_statements_total",
                "SQL statements that were run.",
                &["plugin"],
            )?,
            sql_seconds: seconds(
                "caplet_sql_seconds_total",
                "Wall time of invocations in their store.",
            )?,
            instances: gauges("caplet_instances", "Instances that are alive.")?,
            running: gauges("caplet_invocations_running", "Invocations that run now.")?,
            waiting: gauges("caplet_invocations_waiting", "Invocations that wait for their turn.")?,
            quarantines: counters(
                "caplet_quarantines_total",
                "How often a plugin was put into quarantine, or kept there.",
                &["plugin"],
            )?,
            quarantined: gauges("caplet_quarantined", "1 while a plugin is in quarantine.")?,
            rollouts: registered(
                &registry,
                IntGaugeVec::new(
                    Opts::new(
                        "caplet_rollout_invocations",
                        "Invocations of both versions since the present rollout began.",
                    ),
                    &["plugin", "stage", "outcome"],
                )?,
            )?,
            shadow_calls: counters(
                "caplet_shadow_calls_total",
                "Copies of requests for a version that is rolled out as a shadow, by outcome.",
                &["plugin", "outcome"],
            )?,
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
            slow_calls: self.slow_calls.with_label_values(&[plugin]),
            sql_statements: self.sql_statements.with_label_values(&[plugin]),
            sql_seconds: self.sql_seconds.with_label_values(&[plugin]),
            instances: self.instances.with_label_values(&[plugin]),
            faults: self.faults.clone(),
            limit_hits: self.limit_hits.clone(),
            quarantines: self.quarantines.with_label_values(&[plugin]),
        })
    }

    /// Sets the gauges that are read off when somebody looks.
    pub(crate) fn observe(&self, plugin: &str, observed: &Observed) {
        let set = |gauges: &IntGaugeVec, value: u64| {
            gauges.with_label_values(&[plugin]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.memory_bytes, observed.memory_bytes);
        set(&self.database_bytes, observed.database_bytes);
        set(&self.running, observed.n_running);
        set(&self.waiting, observed.n_waiting);
        set(&self.quarantined, u64::from(observed.is_quarantined));
    }

    /// Sets what is read off about a rollout.
    pub(crate) fn observe_rollout(&self, report: &RolloutReport) {
        for (stage, side) in [("stable", &report.stable), ("candidate", &report.candidate)] {
            let well = side.n_invocations.saturating_sub(side.n_bad);
            for (outcome, n) in [("well", well), ("bad", side.n_bad)] {
                let gauge = self.rollouts.with_label_values(&[&*report.plugin, stage, outcome]);
                gauge.set(i64::try_from(n).unwrap_or(i64::MAX));
            }
        }
    }

    /// Forgets what was read off about rollouts, of which some may have ended.
    pub(crate) fn forget_rollouts(&self) {
        self.rollouts.reset();
    }

    pub(crate) fn shadow(&self, plugin: &str) -> ShadowMetrics {
        let counter = |outcome| self.shadow_calls.with_label_values(&[plugin, outcome]);
        ShadowMetrics {
            same: counter("same"),
            different: counter("different"),
            failed: counter("failed"),
            dropped: counter("dropped"),
        }
    }

    pub(crate) fn denials(&self, plugin: &str) -> Denials {
        Denials { plugin: plugin.to_owned(), counters: self.denials.clone() }
    }

    pub(crate) fn limit_hit(&self, plugin: &str, limit: &str) {
        self.limit_hits.with_label_values(&[plugin, limit]).inc();
    }

    pub(crate) fn loaded(&self, well: bool) {
        self.loads.with_label_values(&[if well { "ok" } else { "failed" }]).inc();
    }
}

fn latency() -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new("caplet_invocation_seconds", "Wall time of invocations.");
    HistogramVec::new(options.buckets(BUCKETS.to_vec()), &["plugin"])
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// What came of copies of one plugin's requests.
pub(crate) struct ShadowMetrics {
    pub(crate) same: IntCounter,
    pub(crate) different: IntCounter,
    pub(crate) failed: IntCounter,
    pub(crate) dropped: IntCounter,
}

/// How often a plugin was denied a right.
pub(crate) struct Denials {
    plugin: String,
    counters: IntCounterVec,
}

impl Denials {
    pub(crate) fn count(&self, right: &str) {
        self.counters.with_label_values(&[self.plugin.as_str(), right]).inc();
    }
}

/// One plugin's counters, looked up once.
pub(crate) struct PluginMetrics {
    plugin: String,
    /// Answered below 400.
    pub(crate) ok: IntCounter,
    /// Answered from 400 on.
    pub(crate) refused: IntCounter,
    /// Not answered: a fault.
    failed: IntCounter,
    seconds: Histogram,
    cpu_seconds: GenericCounter<prometheus::core::AtomicF64>,
    /// Took as long as the log tells of.
    pub(crate) slow_calls: IntCounter,
    sql_statements: IntCounter,
    sql_seconds: GenericCounter<prometheus::core::AtomicF64>,
    faults: IntCounterVec,
    pub(crate) instances: GenericGauge<prometheus::core::AtomicI64>,
    limit_hits: IntCounterVec,
    /// Was put into quarantine.
    pub(crate) quarantines: IntCounter,
}

impl PluginMetrics {
    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    pub(crate) fn finished(&self, wall: Duration, usage: &Usage) {
        self.seconds.observe(wall.as_secs_f64());
        self.cpu_seconds.inc_by(usage.cpu.as_secs_f64());
        if usage.store.n_statements > 0 {
            self.sql_statements.inc_by(u64::from(usage.store.n_statements));
            self.sql_seconds.inc_by(usage.store.time.as_secs_f64());
        }
    }

    /// Counts what a copy of a request took, which is none of the invocations.
    pub(crate) fn copied(&self, usage: &Usage) {
        self.cpu_seconds.inc_by(usage.cpu.as_secs_f64());
        self.sql_statements.inc_by(u64::from(usage.store.n_statements));
        self.sql_seconds.inc_by(usage.store.time.as_secs_f64());
    }

    /// Counts an invocation that has no answer.
    pub(crate) fn fault(&self, code: &str) {
        self.failed.inc();
        self.faults.with_label_values(&[self.plugin.as_str(), code]).inc();
    }

    /// Counts that the plugin reached a limit.
    pub(crate) fn limit_hit(&self, limit: &str) {
        self.limit_hits.with_label_values(&[self.plugin.as_str(), limit]).inc();
    }
}
