//! `/admin/api/plugins/{name}/rights`: what a plugin may do, taken and given back while it serves. Why a call
//! was denied is in [`super::denials`].

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
    OpenApiRouter::new().routes(routes!(list_rights)).routes(routes!(grant_right, revoke_right))
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
