//! `/admin/api/plugins/{name}/rights` and `/admin/api/denials`: what a plugin may do, taken and given back
//! while it serves, and why a call of its was denied.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Extracted;
use caplet_runtime::{Identity, Revocation, RightError};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, Named, State, time};
use crate::host::Shared;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(list_rights))
        .routes(routes!(grant_right, revoke_right))
        .routes(routes!(explain_denials))
}

/// What a plugin may do.
#[derive(Serialize, ToSchema)]
struct Rights {
    /// The rights that it asks for.
    items: Vec<PluginRight>,
}

/// A right of a plugin.
#[derive(Serialize, ToSchema)]
struct PluginRight {
    /// Its name, such as `sql`.
    name: String,
    /// What a plugin that has it may do.
    meaning: String,
    /// Whether the plugin has it now.
    granted: bool,
    /// Who took it; null: nobody.
    revoked_by: Option<String>,
    /// When it was taken; null: never.
    revoked_at: Option<String>,
}

/// Why calls were denied.
#[derive(Serialize, ToSchema)]
struct Denials {
    /// One for each right that the request lacked.
    items: Vec<Denial>,
}

/// Why a call was denied.
#[derive(Serialize, ToSchema)]
struct Denial {
    /// The plugin that called.
    plugin: String,
    /// The right that it lacked.
    right: String,
    /// When it called.
    at: String,
    /// The reason, for people.
    reason: String,
    /// The command that allows it; null: it is allowed now.
    remedy: Option<String>,
}

/// List what a plugin may do.
#[utoipa::path(get, path = "/plugins/{name}/rights",
    params(("name" = String, Path, description = "The plugin.")),
    responses((status = 200, body = Rights)))]
async fn list_rights(
    Extracted(state): Extracted<State>,
    Named(plugin): Named<String>,
) -> Result<Json<Rights>, Problem> {
    let host = state.host()?;
    let revoked = revocations(&host, &plugin).await?;
    let table = host.runtime.table();
    let generation = table.get(&plugin).ok_or_else(Problem::not_found)?;
    let items = generation.inspection().rights.iter().map(|right| {
        let revocation = revoked.iter().find(|revocation| revocation.name == right.name);
        PluginRight {
            name: right.name.to_owned(),
            meaning: right.meaning.to_owned(),
            granted: revocation.is_none(),
            revoked_by: revocation.map(|it| it.revoked_by.clone()),
            revoked_at: revocation.map(|it| time(it.revoked_ms)),
        }
    });
    Ok(Json(Rights { items: items.collect() }))
}

/// Give a plugin a right back that was taken from it.
#[utoipa::path(put, path = "/plugins/{name}/rights/{right}",
    params(("name" = String, Path, description = "The plugin."),
        ("right" = String, Path, description = "The right.")),
    responses((status = 204)))]
async fn grant_right(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named((plugin, right)): Named<(String, String)>,
) -> Result<StatusCode, Problem> {
    let host = state.host()?;
    known(&host, &plugin).await?;
    let granted = host.runtime.grant(&plugin, &right, &caller.subject).await;
    granted.map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a right from a plugin, with effect on calls that are running.
#[utoipa::path(delete, path = "/plugins/{name}/rights/{right}",
    params(("name" = String, Path, description = "The plugin."),
        ("right" = String, Path, description = "The right.")),
    responses((status = 204)))]
async fn revoke_right(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named((plugin, right)): Named<(String, String)>,
) -> Result<StatusCode, Problem> {
    let host = state.host()?;
    known(&host, &plugin).await?;
    let revoked = host.runtime.revoke(&plugin, &right, &caller.subject).await;
    revoked.map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Explain why calls in a request were denied.
#[utoipa::path(get, path = "/denials/{request}",
    params(("request" = String, Path, description = "The request's id.")),
    responses((status = 200, body = Denials)))]
async fn explain_denials(
    Extracted(state): Extracted<State>,
    Named(request): Named<String>,
) -> Result<Json<Denials>, Problem> {
    let host = state.host()?;
    let entries = host.runtime.audit().of_request(&request).await;
    let entries = entries.map_err(|error| super::not_read(&error))?;
    let revoked = host.runtime.revocations().await.map_err(|error| super::not_read(&error))?;
    let mut items: Vec<Denial> = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.action == "right.denied") {
        let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap_or_default();
        let right = detail["right"].as_str().unwrap_or_default().to_owned();
        if items.iter().any(|item| item.plugin == entry.plugin && item.right == right) {
            continue;
        }
        let taken = revoked.iter().find(|it| it.plugin == entry.plugin && it.name == right);
        items.push(Denial {
            reason: reason(&entry.plugin, &right, taken),
            remedy: taken.map(|_| format!("caplet grant {} {right}", entry.plugin)),
            plugin: entry.plugin,
            right,
            at: time(entry.at_ms),
        });
    }
    if items.is_empty() { Err(Problem::not_found()) } else { Ok(Json(Denials { items })) }
}

fn reason(plugin: &str, right: &str, taken: Option<&Revocation>) -> String {
    match taken {
        Some(taken) => {
            let (by, at) = (&taken.revoked_by, time(taken.revoked_ms));
            format!("{by} took the right `{right}` from `{plugin}` at {at}.")
        }
        None => format!("`{plugin}` lacked the right `{right}` then; it has it now."),
    }
}

/// A name that no plugin ever had is a slip of the pen.
async fn known(host: &Shared, plugin: &str) -> Result<(), Problem> {
    let plugins = host.runtime.plugins().await.map_err(|error| super::not_read(&error))?;
    let is_known = plugins.iter().any(|known| known.name == plugin);
    if is_known { Ok(()) } else { Err(Problem::not_found()) }
}

async fn revocations(host: &Shared, plugin: &str) -> Result<Vec<Revocation>, Problem> {
    let all = host.runtime.revocations().await.map_err(|error| super::not_read(&error))?;
    Ok(all.into_iter().filter(|revocation| revocation.plugin == plugin).collect())
}

fn refused(error: &RightError) -> Problem {
    match error {
        RightError::Unknown { .. } => {
            let detail = format!("Not possible: {error}.");
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "right-unknown", detail)
        }
        RightError::Store(error) => super::not_read(error),
    }
}
