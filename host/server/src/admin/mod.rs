//! The admin API below `/admin/api`: what operators, the command line and consoles see and do. Every
//! request needs the permission [`PERMISSION`]. An area of it is a module with its routes and handlers
//! ([`audit`], [`components`], [`denials`], [`keys`], [`operations`], [`plugins`], [`rights`], [`rollout`], [`services`], [`settings`], [`subjects`]); what the areas share is here: the check of the
//! caller, the reading of bodies, errors as problem documents, and the OpenAPI document that is made
//! from the handlers.

mod audit;
mod components;
mod denials;
mod keys;
mod operations;
mod plugins;
mod reject;
mod rights;
mod rollout;
mod services;
mod settings;
mod subjects;

use std::sync::{Arc, Weak};

use axum::body::Body as AxumBody;
use axum::extract::DefaultBodyLimit;
use caplet_runtime::Identity;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracing::Instrument;
use utoipa_axum::router::OpenApiRouter;

use crate::body;
use crate::content::{Content, RequestBody};
use crate::host::Shared;
use crate::identity::credential::authenticate_patiently;
use crate::problem::{Answered, Problem};
use crate::request::Exchange;

pub(crate) use reject::{Json, Named};

/// What a caller needs for all of the admin API.
pub const PERMISSION: &str = "caplet.admin";

/// Where the admin API lies.
pub(crate) const PREFIX: &str = "/admin/api";

/// The largest body taken, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What a handler is called with besides its parameters: the host, for as long as it lives.
#[derive(Clone)]
pub(crate) struct State(Weak<Shared>);

impl State {
    /// The host.
    ///
    /// # Errors
    /// 503 when it is gone.
    pub(crate) fn host(&self) -> Result<Arc<Shared>, Problem> {
        self.0.upgrade().ok_or_else(Problem::stopping)
    }
}

/// The routes of all areas, and their document.
pub(crate) struct Admin {
    router: axum::Router,
    document: serde_json::Value,
}

impl Admin {
    /// `host` is the host that the routes are about.
    pub(crate) fn new(host: Weak<Shared>) -> Self {
        let routes = OpenApiRouter::new()
            .merge(audit::routes())
            .merge(components::routes())
            .merge(keys::routes())
            .merge(operations::routes())
            .merge(plugins::routes())
            .merge(rights::routes())
            .merge(denials::routes())
            .merge(rollout::routes())
            .merge(services::routes())
            .merge(settings::routes())
            .merge(subjects::routes());
        let (router, document) = OpenApiRouter::new().nest(PREFIX, routes).split_for_parts();
        let router = router
            .fallback(|| async { Problem::not_found() })
            .method_not_allowed_fallback(reject::method_not_allowed)
            // What is too large was refused before, by the host's own limits.
            .layer(DefaultBodyLimit::disable())
            .with_state(State(host));
        // Every part of the document is a map, a list or a text.
        Self { router, document: serde_json::to_value(document).unwrap_or_default() }
    }

    /// The OpenAPI document of the admin API alone; its paths are whole.
    pub(crate) fn document(&self) -> &serde_json::Value {
        &self.document
    }
}

/// Whether a normalised path belongs to the admin API.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Serves a request of the admin API: the caller first, so that strangers learn nothing of what is
/// there.
pub(crate) async fn serve<B>(exchange: &Exchange<'_>, body: B) -> Result<Answered, Problem>
where
    B: RequestBody,
{
    let caller = authorize(exchange).await?;
    let host = exchange.host;
    let is_component = exchange.parts.uri.path().ends_with(components::PATH);
    let bytes_max =
        if is_component { host.runtime.limits().component_bytes_max } else { BODY_BYTES_MAX };
    body::check_headers(&exchange.parts.headers, bytes_max)?;
    let body = body::read(body, bytes_max, &host.http).await?;
    let mut request = Request::new(AxumBody::from(body));
    *request.method_mut() = exchange.parts.method.clone();
    *request.uri_mut() = exchange.parts.uri.clone();
    *request.headers_mut() = exchange.parts.headers.clone();
    request.extensions_mut().insert(caller);
    // In a task of its own: what was begun is brought to its end also when the client goes away.
    let answering = host.admin.router.clone().oneshot(request).in_current_span();
    let mut response = match tokio::spawn(answering).await {
        Ok(Ok(response)) => response,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    };
    if let Some(problem) = reject::problem(&mut response) {
        return Err(problem);
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|_| Problem::internal())?.to_bytes();
    Ok(Answered::from_parts(parts, Content::full(body)))
}

async fn authorize(exchange: &Exchange<'_>) -> Result<Arc<Identity>, Problem> {
    let caller = authenticate_patiently(exchange).await?.ok_or_else(Problem::token_missing)?;
    if exchange.host.authorizer.permitted(&caller, PERMISSION) {
        Ok(caller)
    } else {
        Err(Problem::permission_missing(PERMISSION))
    }
}

/// A time in Unix milliseconds as RFC 3339 has it, in UTC. Those of a clock that went mad are cut.
fn time(unix_ms: u64) -> String {
    let unix_ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn not_read(error: &caplet_store::Error) -> Problem {
    tracing::error!(%error, "the host's own database cannot be used");
    Problem::storage_unavailable()
}
