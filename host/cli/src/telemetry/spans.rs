//! The queue between requests and the collector. A request puts its spans in and goes on; a task of
//! its own takes them out, some at a time. When the collector is slow or gone the queue fills, and
//! what does not fit is dropped and counted.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use tokio::sync::{mpsc, watch};

use super::client::Client;
use super::target::Target;
use super::{Counters, Telemetry};

/// Spans in one request to the collector.
const BATCH_SPANS_MAX: usize = 512;

/// Where spans go when they end.
#[derive(Debug)]
pub struct Queue {
    spans: mpsc::Sender<SpanData>,
    dropped: caplet_runtime::prometheus::IntCounter,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.spans.try_send(span).is_err() {
            self.dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    /// The end is [`super::Exporter::finish`]'s, which can wait without holding up a thread.
    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The task that empties the queue.
pub struct Sending {
    spans: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
    delay: Duration,
    counters: Counters,
    is_taken: bool,
}

/// What speaks to the collector.
///
/// # Errors
/// When the library refuses the target.
pub fn exporter(
    target: &Target,
    client: Client,
    resource: &Resource,
) -> Result<SpanExporter, String> {
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&target.url)
        .with_timeout(target.timeout)
        .with_headers(target.headers.clone())
        .build()
        .map_err(|error| error.to_string())?;
    exporter.set_resource(resource);
    Ok(exporter)
}

/// The two ends of a queue.
pub fn queue(
    settings: &Telemetry,
    exporter: SpanExporter,
    counters: &Counters,
) -> (Queue, Sending) {
    let (sender, spans) = mpsc::channel(settings.spans_queue_max.max(1));
    let dropped = counters.spans.with_label_values(&["dropped"]);
    let delay = Duration::from_millis(settings.spans_delay_ms);
    let counters = counters.clone();
    (Queue { spans: sender, dropped }, Sending { spans, exporter, delay, counters, is_taken: true })
}

impl Sending {
    /// Sends until it is told to stop, and then what is left.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        while let Some(first) = self.first(&mut stopped).await {
            let mut batch = vec![first];
            // More may come while this one waits; an end of the wait is what was wanted.
            let _ = tokio::time::timeout(self.delay, self.fill(&mut batch, &mut stopped)).await;
            self.send(batch).await;
        }
    }

    /// The next span; none when there are none any more.
    async fn first(&mut self, stopped: &mut watch::Receiver<bool>) -> Option<SpanData> {
        tokio::select! {
            biased;
            span = self.spans.recv() => span,
            _ = stopped.wait_for(|is_stopped| *is_stopped) => {
                self.spans.close();
                self.spans.try_recv().ok()
            }
        }
    }

    /// Adds spans until the batch is full or there will be no more.
    async fn fill(&mut self, batch: &mut Vec<SpanData>, stopped: &mut watch::Receiver<bool>) {
        while batch.len() < BATCH_SPANS_MAX {
            match self.first(stopped).await {
                Some(span) => batch.push(span),
                None => return,
            }
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let n_spans = batch.len() as u64;
        let sent = self.exporter.export(batch).await;
        self.counters.push("traces", sent.is_ok());
        let outcome = if sent.is_ok() { "sent" } else { "failed" };
        self.counters.spans.with_label_values(&[outcome]).inc_by(n_spans);
        tell_of_change(&mut self.is_taken, "traces", sent.map_err(|error| error.to_string()));
    }
}

/// Says when a collector begins to refuse, and when it is over, once each.
pub fn tell_of_change(is_taken: &mut bool, signal: &str, sent: Result<(), String>) {
    let was_taken = std::mem::replace(is_taken, sent.is_ok());
    match sent {
        Err(reason) if was_taken => {
            tracing::warn!(signal, reason, "the collector does not take what is sent");
        }
        Ok(()) if !was_taken => tracing::info!(signal, "the collector takes what is sent again"),
        _ => {}
    }
}
