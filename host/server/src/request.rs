//! One request from its head to its answer, whatever it asks for: ids, limits of the head, the path's
//! check, the choice between plugins and host, and the end that every answer shares.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use http::header::VARY;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use tracing::{Instrument, Span};

use crate::api::{self, Plan, Planned};
use crate::content::RequestBody;
use crate::correlation::Correlation;
use crate::host::Shared;
use crate::identity::Patience;
use crate::metrics::RequestMetrics;
use crate::problem::{Answered, Problem};
use crate::{admin, answer, gateway, path, stream, system, trace};

/// Header fields of a request; more is answered 431. The same number as hyper's for HTTP/1.
const HEADERS_MAX: usize = 100;

/// Below this lie the plugins and services.
pub(crate) const API: &str = "/api/";

/// What a request is served with: the host, its head and its ids.
pub(crate) struct Exchange<'a> {
    pub(crate) host: &'a Shared,
    pub(crate) parts: &'a Parts,
    pub(crate) ids: &'a Correlation,
    pub(crate) span: &'a Span,
    /// Who is at the other end of the connection, where the host listens by itself.
    pub(crate) peer: Option<SocketAddr>,
    /// For a token that names a key that its issuer is being asked for.
    pub(crate) patience: Patience,
}

/// Serves one request. Never fails: what goes wrong is an answer, too.
pub(crate) fn respond<B>(
    host: &Shared,
    request: Request<B>,
    peer: Option<SocketAddr>,
) -> impl Future<Output = Answered>
where
    B: RequestBody,
{
    // Taken apart out here, so that the future does not hold the request twice.
    let (parts, body) = request.into_parts();
    serve(host, parts, body, peer)
}

async fn serve<B>(host: &Shared, parts: Parts, body: B, peer: Option<SocketAddr>) -> Answered
where
    B: RequestBody,
{
    let began = Instant::now();
    let mut ids = Correlation::of(&parts.headers, host.clock.now_ms());
    let span = trace::request(&parts, &mut ids);
    let patience = Patience::default();
    let exchange = Exchange { host, parts: &parts, ids: &ids, span: &span, peer, patience };
    let served = dispatch(&exchange, body).instrument(span.clone());
    let served = AssertUnwindSafe(served).catch_unwind().await;
    let Served { metrics, vary, answered } = served.unwrap_or_else(|panic| {
        report_panic(&exchange, &*panic);
        Served { metrics: None, vary: None, answered: Err(Problem::internal()) }
    });
    let metrics = metrics.as_ref().unwrap_or(&host.metrics.host);
    if let Some(limit) = answered.as_ref().err().and_then(Problem::limit) {
        host.runtime.count_limit_hit(metrics.plugin(), limit);
    }
    let mut response = answered.unwrap_or_else(|problem| problem.into_response(&ids.request_id));
    answer::finish(&mut response, &parts.method);
    if let Some(vary) = vary {
        response.headers_mut().append(VARY, *vary);
    }
    if host.cors.is_on() && !is_administration(&parts) {
        host.cors.finish(&parts, response.headers_mut());
    }
    ids.write(response.headers_mut());
    let took = began.elapsed();
    metrics.finished(response.status(), took);
    trace::answered(&span, response.status());
    log_access(&exchange, response.status(), took);
    response
}

/// What came of a request.
struct Served {
    metrics: Option<Arc<RequestMetrics>>,
    vary: Option<Box<HeaderValue>>,
    answered: Result<Answered, Problem>,
}

/// All that may fail or panic.
async fn dispatch<B>(exchange: &Exchange<'_>, body: B) -> Served
where
    B: RequestBody,
{
    let mut planned = make_plan(exchange);
    while planned.plan.is_err() && Box::pin(exchange.patience.waited()).await {
        planned = make_plan(exchange);
    }
    let Planned { metrics, vary, plan } = planned;
    let answered = match plan {
        Ok(Plan::Call(planned)) => api::call_plugin(exchange, planned, body).await,
        Ok(Plan::Stream(planned)) => Box::pin(stream::forward(exchange, *planned, body)).await,
        Ok(Plan::Forward(planned)) => {
            Box::pin(gateway::forward::forward(exchange, *planned, body)).await
        }
        Ok(Plan::Administer) => Box::pin(admin::serve(exchange, body)).await,
        Ok(Plan::Answer(answer)) => Ok(answer),
        Err(problem) => Err(problem),
    };
    Served { metrics, vary, answered }
}

fn make_plan(exchange: &Exchange<'_>) -> Planned {
    let path = match check_head(exchange.host, exchange.parts) {
        Ok(path) => path,
        Err(problem) => return Planned::of(Err(problem)),
    };
    if let Some(answer) = exchange.host.cors.preflight(exchange.parts)
        && !admin::owns(&path)
    {
        return Planned::of(Ok(Plan::Answer(answer)));
    }
    match path.strip_prefix(API) {
        Some(rest) => api::plan(exchange, rest),
        None if admin::owns(&path) => Planned::of(Ok(Plan::Administer)),
        None => Planned::of(system::serve(exchange, &path).map(Plan::Answer)),
    }
}

fn is_administration(parts: &Parts) -> bool {
    path::normalise(parts.uri.path()).is_ok_and(|path| admin::owns(&path))
}

fn check_head<'a>(host: &Shared, parts: &'a Parts) -> Result<std::borrow::Cow<'a, str>, Problem> {
    let url_bytes = parts.uri.path_and_query().map_or(0, |url| url.as_str().len());
    if url_bytes > host.http.url_bytes_max {
        let detail = format!("The URL is longer than {} bytes.", host.http.url_bytes_max);
        let problem = Problem::new(StatusCode::URI_TOO_LONG, "url-too-long", detail);
        return Err(problem.at_limit("url-bytes"));
    }
    if parts.headers.len() > HEADERS_MAX {
        let detail = format!("The request has more than {HEADERS_MAX} header fields.");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Problem::new(status, "headers-too-many", detail).at_limit("headers"));
    }
    path::normalise(parts.uri.path())
        .map_err(|refused| Problem::malformed("path-malformed", refused.to_string()))
}

fn log_access(exchange: &Exchange<'_>, status: StatusCode, took: Duration) {
    tracing::debug!(
        target: "caplet::access",
        request_id = %exchange.ids.request_id,
        trace_id = %exchange.ids.trace_id,
        method = %exchange.parts.method,
        path = exchange.parts.uri.path(),
        status = status.as_u16(),
        took_us = took.as_micros(),
    );
}

fn report_panic(exchange: &Exchange<'_>, panic: &(dyn Any + Send)) {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(
        request_id = %exchange.ids.request_id,
        method = %exchange.parts.method,
        path = exchange.parts.uri.path(),
        "the host panicked: {message}"
    );
}
