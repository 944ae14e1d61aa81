//! `/admin/api/audit`: the log of decisions, and whether it is whole.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extracted};
use caplet_runtime as runtime;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, State, time};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list_decisions)).routes(routes!(verify_decisions))
}

/// A page of the log.
#[derive(Serialize, ToSchema)]
struct Decisions {
    /// The entries, the oldest first, at most 1 000.
    items: Vec<Decision>,
    /// What `after` is for the next page; null on the last.
    next_after: Option<u64>,
}

/// A decision.
#[derive(Serialize, ToSchema)]
struct Decision {
    /// Its place in the log, from 1, without gaps.
    number: u64,
    /// When it was made.
    at: String,
    /// Who made it.
    actor: String,
    /// The plugin that it is about; else empty.
    plugin: String,
    /// What was decided, such as `install`, `rollback`, `right.revoke`, `right.denied`.
    action: String,
    /// What else is to be known.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
    /// The request in which it came up; else empty.
    request: String,
    /// The SHA-256 over it and the hash of the one before.
    hash: String,
}

/// Whether the log is whole.
#[derive(Serialize, ToSchema)]
struct Verification {
    /// How many entries fit.
    n_entries: u64,
    /// The number of the first one that does not fit; null: all do.
    broken_at: Option<u64>,
    /// The hash of the last one that fits. Whoever keeps it elsewhere can tell later that nothing was
    /// cut off.
    last_hash: String,
}

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Page {
    /// The number of the last entry that is known.
    #[serde(default)]
    #[param(minimum = 0)]
    after: i64,
}

/// List what was decided about plugins and their rights.
#[utoipa::path(get, path = "/audit", params(Page), responses((status = 200, body = Decisions)))]
async fn list_decisions(
    Extracted(state): Extracted<State>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Decisions>, Problem> {
    let malformed = |text: String| Problem::malformed("query-malformed", text);
    let Query(Page { after }) = page.map_err(|error| malformed(error.body_text()))?;
    let after = u64::try_from(after).map_err(|_| malformed("`after` is below 0.".to_owned()))?;
    let page = state.host()?.runtime.audit().page(after).await;
    let (entries, more) = page.map_err(|error| super::not_read(&error))?;
    let next_after = entries.last().filter(|_| more).map(|last| last.number);
    Ok(Json(Decisions { items: entries.into_iter().map(decision).collect(), next_after }))
}

/// Look through the whole log for entries that were changed or taken out.
#[utoipa::path(get, path = "/audit/verification", responses((status = 200, body = Verification)))]
async fn verify_decisions(
    Extracted(state): Extracted<State>,
) -> Result<Json<Verification>, Problem> {
    let verified = state.host()?.runtime.audit().verify().await;
    let verified = verified.map_err(|error| super::not_read(&error))?;
    let runtime::Verified { n_entries, broken_at, last_hash } = verified;
    Ok(Json(Verification { n_entries, broken_at, last_hash }))
}

fn decision(entry: runtime::AuditEntry) -> Decision {
    Decision {
        number: entry.number,
        at: time(entry.at_ms),
        actor: entry.actor,
        plugin: entry.plugin,
        action: entry.action,
        detail: serde_json::from_str(&entry.detail).unwrap_or_default(),
        request: entry.request,
        hash: entry.hash,
    }
}
