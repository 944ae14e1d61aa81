//! The host's own endpoints: is it alive, is it ready, what does it count, what does it serve.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use caplet_runtime::prometheus::TextEncoder;
use caplet_runtime::{FileStatus, Folder, Generation, Table};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::host::{Phase, Shared};
use crate::openapi::{self, Part};
use crate::pages::{self, View, assets};
use crate::problem::{Answered, Problem};
use crate::request::Exchange;
use crate::{answer, base};

/// The media type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves a path that is not below `/api/`.
pub(crate) fn serve(exchange: &Exchange<'_>, path: &str) -> Result<Answered, Problem> {
    let endpoint: fn(&Exchange<'_>, &str) -> Result<Answered, Problem> = match path {
        "/" => |exchange, _| pages::index(exchange),
        "/docs" => |exchange, _| pages::docs(exchange),
        "/healthz" => |_, _| Ok(answer::json(&json!({ "status": "alive" }))),
        "/readyz" => |exchange, _| readiness(exchange),
        "/metrics" => |exchange, _| metrics(exchange),
        "/openapi.json" => |exchange, _| document(exchange),
        _ if path.starts_with(assets::FOLDER) => {
            |exchange, path| assets::serve(exchange, path.trim_start_matches(assets::FOLDER))
        }
        _ => return Err(Problem::not_found()),
    };
    let allowed = [Method::GET, Method::HEAD, Method::OPTIONS];
    match exchange.parts.method {
        Method::GET | Method::HEAD => endpoint(exchange, path),
        Method::OPTIONS => Ok(answer::options(&allowed)),
        _ => Err(Problem::method_not_allowed(&allowed)),
    }
}

/// Whether requests should be sent here, what is loaded, what is on its way, and which files are not
/// loaded and why.
fn readiness(exchange: &Exchange<'_>) -> Result<Answered, Problem> {
    let host = exchange.host;
    let phase = host.phase();
    let mut response = answer::json(&match pages::view(exchange)? {
        View::Everything => what_is_loaded(host, phase),
        View::Health => json!({ "status": phase.name() }),
    });
    if phase != Phase::Ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

impl Shared {
    /// The files in the plugin folder that are not loaded, and the plugins that could not be brought back at
    /// the start, by name, and why.
    pub(crate) fn failed_files(&self) -> Vec<(String, String)> {
        let statuses = self.folder.as_ref().map(Folder::statuses).unwrap_or_default();
        let told = |plugin: &str| {
            let is_it = |it: &FileStatus| it.plugin.as_deref() == Some(plugin);
            statuses.iter().any(|status| is_it(status) && status.error.is_some())
        };
        let lost = self.runtime.not_restored().into_iter().filter(|(plugin, _)| !told(plugin));
        let lost = lost.map(|(plugin, reason)| (plugin, format!("not brought back: {reason}")));
        let lost: Vec<_> = lost.collect();
        let files = statuses.into_iter().filter_map(|status| Some((status.file, status.error?)));
        files.chain(lost).collect()
    }
}

fn what_is_loaded(host: &Shared, phase: Phase) -> Value {
    let table = host.runtime.table();
    let plugins: Vec<_> = table
        .iter()
        .map(|generation| {
            let (name, version) = (generation.name(), generation.version());
            json!({ "name": name, "version": version, "health": pages::health(generation) })
        })
        .collect();
    let failed: Vec<_> = host
        .failed_files()
        .into_iter()
        .map(|(file, reason)| json!({ "file": file, "reason": reason }))
        .collect();
    let loading: Vec<_> = host
        .runtime
        .arrivals()
        .into_iter()
        .map(|it| json!({ "name": it.name, "step": pages::step(&it) }))
        .collect();
    json!({ "status": phase.name(), "plugins": plugins, "loading": loading, "failed": failed })
}

fn metrics(exchange: &Exchange<'_>) -> Result<Answered, Problem> {
    pages::require_view(exchange)?;
    let host = exchange.host;
    let families = host.runtime.metrics().gather();
    let text = TextEncoder::new().encode_to_string(&families).map_err(|reason| {
        tracing::error!(%reason, "the counters cannot be written");
        Problem::internal()
    })?;
    Ok(answer::content(METRICS_TYPE, text))
}

/// The merged document of one version of the route table, with the base that the outside sees.
pub(crate) struct Document {
    table_version: u64,
    base: String,
    etag: HeaderValue,
    body: Bytes,
}

/// Keeps the document until the route table changes, or it is asked for below another base.
pub(crate) type DocumentCache = ArcSwapOption<Document>;

fn document(exchange: &Exchange<'_>) -> Result<Answered, Problem> {
    pages::require_view(exchange)?;
    let host = exchange.host;
    let base = base::of(host, exchange.parts);
    let table = host.runtime.table();
    let kept = host.document.load_full();
    let kept = kept.filter(|it| it.table_version == table.version() && it.base == base);
    let document = match kept {
        Some(document) => document,
        None => {
            let document = Arc::new(build(&table, host, &base)?);
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

fn build(table: &Table, host: &Shared, base: &str) -> Result<Document, Problem> {
    let parts: Vec<Part<'_>> = table.iter().map(|generation| part(generation)).collect();
    let body = openapi::merge(&parts, host.admin.document(), base).to_string();
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&body)[..16]);
    let etag = HeaderValue::from_str(&format!("\"{digest}\"")).map_err(|_| Problem::internal())?;
    Ok(Document { table_version: table.version(), base: base.to_owned(), etag, body: body.into() })
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
