//! Spans, as an application sees them that embeds the host and brings a subscriber of its own.

use std::sync::{Arc, Mutex};

use caplet_testing::TestHost;
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::Instrument;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Keeps the spans that have ended.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Kept {
    /// Sets a subscriber for this thread that keeps every span.
    fn subscribe() -> (Self, DefaultGuard) {
        let kept = Self::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        (kept, tracing::subscriber::set_default(subscriber))
    }

    fn find(&self, name: &str) -> SpanData {
        let spans = self.0.lock().unwrap();
        let found = spans.iter().find(|span| span.name == name).cloned();
        found.unwrap_or_else(|| {
            let names: Vec<_> = spans.iter().map(|span| span.name.clone()).collect();
            panic!("{name} is not in {names:?}")
        })
    }
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|it| it.key.as_str() == name);
    found.map(|it| it.value.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn the_callers_trace_goes_on_in_request_and_plugin() {
    let host = TestHost::with_plugin("echo").await;
    let (kept, _guard) = Kept::subscribe();
    let sent = format!("00-{TRACE_ID}-{CALLER}-01");
    let answer = host.get("/api/echo/x?q=hidden").header("traceparent", &sent).send().await;
    let request = kept.find("GET /api/echo/{*path}");
    assert_eq!(request.span_context.trace_id().to_string(), TRACE_ID);
    assert_eq!(request.parent_span_id.to_string(), CALLER);
    assert!(request.parent_span_is_remote && request.span_kind == SpanKind::Server);
    assert_eq!(attribute(&request, "http.response.status_code"), "200");
    assert_eq!(attribute(&request, "url.path"), "/api/echo/x");
    assert!(!format!("{request:?}").contains("hidden"));
    let own = request.span_context.span_id();
    let response = format!("00-{TRACE_ID}-{own}-01");
    assert_eq!(answer.header("traceresponse"), Some(response.as_str()));
    let spans = kept.0.lock().unwrap();
    let invocation = spans.iter().find(|span| span.parent_span_id == own).expect("the plugin's");
    assert!(invocation.name.starts_with("echo."), "{}", invocation.name);
}

#[tokio::test]
async fn a_span_around_the_host_is_the_parent() {
    let host = TestHost::with_plugin("echo").await;
    let (kept, _guard) = Kept::subscribe();
    let around = tracing::info_span!("around");
    async { host.get("/healthz").send().await.expect_status(200) }.instrument(around).await;
    let (around, request) = (kept.find("around"), kept.find("GET"));
    assert_eq!(request.parent_span_id, around.span_context.span_id());
    assert_eq!(request.span_context.trace_id(), around.span_context.trace_id());
}

#[tokio::test]
async fn only_what_the_server_did_wrong_is_an_error() {
    let host = TestHost::with_plugin("trap").await;
    let (kept, _guard) = Kept::subscribe();
    host.get("/api/nothing").send().await.expect_status(404);
    assert_eq!(kept.find("GET").status, Status::Unset);
    kept.0.lock().unwrap().clear();
    let table = host.host().runtime().table();
    let pattern = table.get("trap").expect("it is loaded").description().routes[0].pattern.clone();
    host.get(&format!("/api/trap{pattern}")).send().await.expect_status(502);
    let broken = kept.find(&format!("GET /api/trap{pattern}"));
    assert!(matches!(broken.status, Status::Error { .. }));
    assert_eq!(attribute(&broken, "error.type"), "502");
    let spans = kept.0.lock().unwrap();
    let invocation = spans.iter().find(|span| span.name.starts_with("trap.")).expect("its span");
    assert_eq!(attribute(invocation, "error.type"), "plugin-failed");
}
