//! The host's own endpoints: is it alive, is it ready, what does it count, what does it serve.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use caplet_runtime::prometheus::TextEncoder;
use caplet_runtime::{Generation, Table};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::answer;
use crate::host::{Phase, Shared};
use crate::openapi::{self, Part};
use crate::problem::{Answered, Problem};
use crate::request::Exchange;

/// The media type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves a path that is not below `/api/`.
pub(crate) fn serve(exchange: &Exchange<'_>, path: &str) -> Result<Answered, Problem> {
    let endpoint: fn(&Exchange<'_>) -> Result<Answered, Problem> = match path {
        "/" => |exchange| Ok(index(exchange.host)),
        "/healthz" => |_| Ok(answer::json(&json!({ "status": "alive" }))),
        "/readyz" => |exchange| Ok(readiness(exchange.host)),
        "/metrics" => |exchange| metrics(exchange.host),
        "/openapi.json" => document,
        _ => return Err(Problem::not_found()),
    };
    let allowed = [Method::GET, Method::HEAD, Method::OPTIONS];
    match exchange.parts.method {
        Method::GET | Method::HEAD => endpoint(exchange),
        Method::OPTIONS => Ok(answer::options(&allowed)),
        _ => Err(Problem::method_not_allowed(&allowed)),
    }
}

/// What is here, for somebody who opens the bare address.
fn index(host: &Shared) -> Answered {
    let table = host.runtime.table();
    let plugins: Vec<_> = table
        .iter()
        .map(|generation| {
            json!({
                "name": generation.name(),
                "title": generation.description().title,
                "version": generation.version(),
                "path": format!("/api/{}", generation.name()),
            })
        })
        .collect();
    answer::json(&json!({
        "name": "caplet",
        "version": env!("CARGO_PKG_VERSION"),
        "openapi": "/openapi.json",
        "plugins": plugins,
    }))
}

/// Whether requests should be sent here, what is loaded, and which files are not and why.
fn readiness(host: &Shared) -> Answered {
    let phase = host.phase();
    let table = host.runtime.table();
    let plugins: Vec<_> = table
        .iter()
        .map(|generation| json!({ "name": generation.name(), "version": generation.version() }))
        .collect();
    let failed: Vec<_> = host
        .failed_files()
        .into_iter()
        .map(|(file, reason)| json!({ "file": file, "reason": reason }))
        .collect();
    let status = match phase {
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::Draining => "draining",
    };
    let mut response =
        answer::json(&json!({ "status": status, "plugins": plugins, "failed": failed }));
    if phase != Phase::Ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

fn metrics(host: &Shared) -> Result<Answered, Problem> {
    let families = host.runtime.metrics().gather();
    let text = TextEncoder::new().encode_to_string(&families).map_err(|reason| {
        tracing::error!(%reason, "the counters cannot be written");
        Problem::internal()
    })?;
    Ok(answer::content(METRICS_TYPE, text))
}

/// The merged document of one version of the route table.
pub(crate) struct Document {
    table_version: u64,
    etag: HeaderValue,
    body: Bytes,
}

/// Keeps the document until the route table changes.
pub(crate) type DocumentCache = ArcSwapOption<Document>;

fn document(exchange: &Exchange<'_>) -> Result<Answered, Problem> {
    let host = exchange.host;
    let table = host.runtime.table();
    let kept = host.document.load_full().filter(|kept| kept.table_version == table.version());
    let document = match kept {
        Some(document) => document,
        None => {
            let document = Arc::new(build(&table, host)?);
            host.document.store(Some(document.clone()));
            document
        }
    };
    Ok(answer::cacheable(
        &exchange.parts.headers,
        document.etag.clone(),
        HeaderValue::from_static("application/json"),
        document.body.clone(),
    ))
}

fn build(table: &Table, host: &Shared) -> Result<Document, Problem> {
    let parts: Vec<Part<'_>> = table.iter().map(|generation| part(generation)).collect();
    let body = openapi::merge(&parts, host.admin.document()).to_string();
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&body)[..16]);
    let etag = HeaderValue::from_str(&format!("\"{digest}\"")).map_err(|_| Problem::internal())?;
    Ok(Document { table_version: table.version(), etag, body: body.into() })
}

fn part(generation: &Generation) -> Part<'_> {
    let description = generation.description();
    let access: BTreeMap<_, _> =
        description.routes.iter().map(|route| (route.operation.as_str(), &route.access)).collect();
    let summary = match description.summary.as_str() {
        "" => description.title.as_str(),
        summary => summary,
    };
    Part { plugin: generation.name(), summary, document: generation.openapi(), access }
}
