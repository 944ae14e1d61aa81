//! The span of a request, named and described as OpenTelemetry's conventions for HTTP servers ask.
//! Who exports it is not decided here: a subscriber with an OpenTelemetry layer does, the command
//! line's or an embedder's. Without a subscriber that wants it, it costs one comparison.
//!
//! The query is not shown: it may hold what is personal.

use http::request::Parts;
use http::{HeaderMap, StatusCode, Version};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::correlation::{Correlation, TRACESTATE, single};

/// Begins the span of a request, in the caller's trace when there is one, and takes over the trace
/// id that it got, so that logs and answers name what is exported.
pub(crate) fn request(parts: &Parts, ids: &mut Correlation) -> Span {
    let span = tracing::debug_span!(
        target: "caplet::request",
        "request",
        otel.name = %parts.method,
        otel.kind = "server",
        http.request.method = %parts.method,
        url.path = parts.uri.path(),
        url.scheme = parts.uri.scheme_str().unwrap_or("http"),
        network.protocol.version = protocol(parts.version),
        caplet.request_id = %ids.request_id,
        http.route = Empty,
        http.response.status_code = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    );
    if !span.is_disabled() {
        join(&span, &parts.headers, ids);
    }
    span
}

fn join(span: &Span, headers: &HeaderMap, ids: &mut Correlation) {
    // What is around the host, in an application that embeds it and traces by itself.
    let around = Span::current();
    if let Some(parent) = parent(headers, ids)
        && around.context().span().span_context().trace_id() != parent.trace_id()
    {
        // It fails where no layer exports spans, and nothing is lost then.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    let context = span.context();
    let exported = context.span().span_context().clone();
    if exported.is_valid() {
        ids.join(
            exported.trace_id().to_bytes(),
            exported.span_id().to_bytes(),
            exported.is_sampled(),
        );
    }
}

/// The caller's place in its trace.
fn parent(headers: &HeaderMap, ids: &Correlation) -> Option<SpanContext> {
    let caller = ids.caller.as_ref()?;
    let state = single(headers, &TRACESTATE).and_then(|state| state.parse::<TraceState>().ok());
    Some(SpanContext::new(
        TraceId::from_hex(&ids.trace_id).ok()?,
        SpanId::from_bytes(caller.span_id.to_be_bytes()),
        TraceFlags::new(caller.flags),
        true,
        state.unwrap_or_default(),
    ))
}

/// Names the span after the route, which is known only now. `path` is the pattern and not what was
/// asked for, so that names stay few.
pub(crate) fn routed(span: &Span, method: &str, path: impl FnOnce() -> String) {
    if span.is_disabled() {
        return;
    }
    let path = path();
    span.record("http.route", &path);
    span.context().span().update_name(format!("{method} {path}"));
}

/// Notes what the request was answered. Only an answer that is the host's or a plugin's fault is an
/// error of a server's span.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    if span.is_disabled() {
        return;
    }
    // As the signed number that the attribute is: others are exported as texts.
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("error.type", status.as_str()).record("otel.status_code", "ERROR");
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}
