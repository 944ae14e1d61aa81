//! Traces and metrics for an OpenTelemetry collector: OTLP as protobuf over HTTP. Off unless an
//! endpoint is set. Where spans come from is the server's and the runtime's; the metrics are those of
//! `/metrics`, read from the same registry.
//!
//! - `target`: where a signal is sent, from the settings and OpenTelemetry's own variables.
//! - `client`: the HTTP client that is handed to the library.
//! - `spans`: the queue between requests and the collector, and the task that empties it.
//! - `metrics`, `families`: the task that sends the registry, and the registry in OTLP's terms.
//!
//! No request waits for a collector: what does not fit the queue is dropped and counted.

mod client;
mod families;
mod metrics;
mod spans;
mod target;

use std::collections::BTreeMap;
use std::time::Duration;

use caplet_runtime::prometheus::{self, IntCounterVec, Opts};
use caplet_server::Host;
use caplet_server::secret::Secret;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::{Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::failure::Failure;

use target::{Signal, Standard};

/// Where traces and metrics are sent, and how many.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// The collector, such as `http://127.0.0.1:4318`. Not set: what `OTEL_EXPORTER_OTLP_ENDPOINT`
    /// and its like say; without any of them nothing is sent.
    pub endpoint: Option<String>,
    /// Headers of each request to it, such as an API key.
    pub headers: BTreeMap<String, Secret>,
    /// The name of this host. Not set: what `OTEL_SERVICE_NAME` says, else `caplet`.
    pub service_name: Option<String>,
    /// The part of the traces that begin here which is sent, 0 to 1; a caller's own decision wins.
    /// Not set: what `OTEL_TRACES_SAMPLER` says, else all.
    pub sample_ratio: Option<f64>,
    /// How long the collector may take, in milliseconds. Not set: what `OTEL_EXPORTER_OTLP_TIMEOUT`
    /// says, else ten seconds.
    pub timeout_ms: Option<u64>,
    /// Between two sendings of the metrics, in milliseconds.
    pub metrics_interval_ms: u64,
    /// How long a span may wait for others to be sent with, in milliseconds.
    pub spans_delay_ms: u64,
    /// Spans that wait at once; further ones are dropped.
    pub spans_queue_max: usize,
    /// How long the host waits at its end for what is left to be sent, in milliseconds.
    pub flush_ms_max: u64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: BTreeMap::new(),
            service_name: None,
            sample_ratio: None,
            timeout_ms: None,
            metrics_interval_ms: 60_000,
            spans_delay_ms: 1_000,
            spans_queue_max: 2_048,
            flush_ms_max: 5_000,
        }
    }
}

/// What is counted about the sending itself.
#[derive(Clone)]
struct Counters {
    /// By outcome: `sent`, `failed` (the collector did not take them), `dropped` (the queue was full).
    spans: IntCounterVec,
    /// By signal and outcome.
    pushes: IntCounterVec,
}

impl Counters {
    fn new() -> Result<Self, prometheus::Error> {
        let family = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels)
        };
        let spans = family(
            "caplet_telemetry_spans_total",
            "Spans for the collector by what became of them.",
            &["outcome"],
        )?;
        for outcome in ["sent", "failed", "dropped"] {
            spans.with_label_values(&[outcome]);
        }
        let pushes = family(
            "caplet_telemetry_pushes_total",
            "Requests to the collector by signal and outcome.",
            &["signal", "outcome"],
        )?;
        Ok(Self { spans, pushes })
    }

    fn push(&self, signal: &str, is_taken: bool) {
        let outcome = if is_taken { "sent" } else { "failed" };
        self.pushes.with_label_values(&[signal, outcome]).inc();
    }
}

/// What sends traces and metrics.
pub struct Exporter {
    provider: Option<SdkTracerProvider>,
    metrics: Option<metrics::Pusher>,
    counters: Counters,
    flush_time_max: Duration,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    /// The task that sends the metrics of the host that was attached last.
    pushing: Option<AbortHandle>,
}

impl Exporter {
    /// Begins to send what the settings, or OpenTelemetry's own variables, ask for; none when that is
    /// nothing.
    ///
    /// # Errors
    /// A setting or variable that does not fit.
    pub fn start(settings: &Telemetry) -> Result<Option<Self>, Failure> {
        Self::start_with(settings, &Standard::of_process())
    }

    fn start_with(settings: &Telemetry, standard: &Standard) -> Result<Option<Self>, Failure> {
        let traces = target::find(settings, standard, Signal::Traces)?;
        let metrics = target::find(settings, standard, Signal::Metrics)?;
        if traces.is_none() && metrics.is_none() {
            return Ok(None);
        }
        let failed = |reason: String| Failure::run_time(format!("telemetry: {reason}"));
        let client = client::new().map_err(failed)?;
        let counters = Counters::new().map_err(|error| failed(error.to_string()))?;
        let resource = resource(settings, standard);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let provider = match traces {
            Some(target) => {
                let exporter =
                    spans::exporter(&target, client.clone(), &resource).map_err(failed)?;
                let (queue, sending) = spans::queue(settings, exporter, &counters);
                tasks.spawn(sending.run(stopped.clone()));
                Some(provider(queue, resource.clone(), sampler(settings.sample_ratio)?))
            }
            None => None,
        };
        let metrics = metrics.map(|target| {
            let interval = Duration::from_millis(settings.metrics_interval_ms.max(1));
            metrics::Pusher {
                client,
                target,
                resource,
                interval,
                stopped,
                counters: counters.clone(),
            }
        });
        let flush_time_max = Duration::from_millis(settings.flush_ms_max);
        Ok(Some(Self { provider, metrics, counters, flush_time_max, stop, tasks, pushing: None }))
    }

    /// What takes the host's spans from a subscriber. It wants nothing else: without it no span is
    /// made at all.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.provider.as_ref()?.tracer("caplet");
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false);
        Some(layer.with_filter(own_spans()))
    }

    /// Begins to send the metrics of `host`, and of none that was attached before, and adds those of
    /// the sending to them.
    ///
    /// # Errors
    /// When the counters cannot be added.
    pub fn attach(&mut self, host: &Host) -> Result<(), Failure> {
        let registry = host.runtime().metrics();
        let families: [Box<dyn prometheus::core::Collector>; 2] =
            [Box::new(self.counters.spans.clone()), Box::new(self.counters.pushes.clone())];
        for family in families {
            let added = registry.register(family);
            added.map_err(|reason| Failure::run_time(format!("telemetry: {reason}")))?;
        }
        if let Some(pushing) = self.pushing.take() {
            pushing.abort();
        }
        if let Some(pusher) = self.metrics.clone() {
            self.pushing = Some(self.tasks.spawn(pusher.run(host.clone())));
        }
        Ok(())
    }

    /// Sends what is left, for as long as the settings allow.
    pub async fn finish(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.flush_time_max, all).await.is_err() {
            tracing::warn!("the collector did not take the last traces and metrics in time");
        }
    }
}

/// The spans of the host, and nothing else: neither events nor what libraries trace.
fn own_spans<S>() -> impl Filter<S> {
    let is_own =
        |metadata: &Metadata<'_>| metadata.is_span() && metadata.target().starts_with("caplet");
    FilterFn::new(is_own).with_max_level_hint(LevelFilter::DEBUG)
}

fn provider(
    queue: spans::Queue,
    resource: Resource,
    sampler: Option<Sampler>,
) -> SdkTracerProvider {
    let builder = SdkTracerProvider::builder().with_resource(resource).with_span_processor(queue);
    match sampler {
        Some(sampler) => builder.with_sampler(sampler).build(),
        None => builder.build(),
    }
}

/// The sampler of the settings; without one the library reads its own variables.
fn sampler(ratio: Option<f64>) -> Result<Option<Sampler>, Failure> {
    let Some(ratio) = ratio else { return Ok(None) };
    if !(0.0..=1.0).contains(&ratio) {
        let text = format!("telemetry.sample_ratio: found {ratio}, expected a number from 0 to 1");
        return Err(Failure::usage(text));
    }
    Ok(Some(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)))))
}

/// Who is sending.
fn resource(settings: &Telemetry, standard: &Standard) -> Resource {
    let name = settings.service_name.clone();
    let name = name.or_else(|| (!standard.names_the_service()).then(|| "caplet".to_owned()));
    let builder = Resource::builder().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", uuid::Uuid::now_v7().to_string()),
    ]);
    match name {
        Some(name) => builder.with_service_name(name).build(),
        None => builder.build(),
    }
}
