//! `/admin/api/subjects` and `/admin/api/holdings`: what is kept about people, and exports and
//! erasures for one of them.

use axum::extract::{Path, State as Extracted};
use caplet_runtime::Holding;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, State};
use crate::problem::Problem;
use crate::subjects::{ExportedPage, Kind, Person, Run};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(list_holdings))
        .routes(routes!(read_export, start_export))
        .routes(routes!(read_export_page))
        .routes(routes!(read_erasure, start_erasure))
}

/// What the plugins keep about people.
#[derive(Serialize, ToSchema)]
struct Holdings {
    /// By plugin.
    items: Vec<PluginHoldings>,
}

/// What one plugin keeps about people.
#[derive(Serialize, ToSchema)]
struct PluginHoldings {
    /// The plugin's name.
    plugin: String,
    /// Whether the plugin answers for data subjects. One that does not has to be looked at by hand,
    /// unless it keeps no data at all.
    answers: bool,
    /// Whether it has a database.
    keeps_data: bool,
    /// Kinds of personal data: name, summary, purpose, retention and what erasing does.
    #[schema(value_type = Vec<Object>)]
    holdings: Vec<Holding>,
}

/// List what each plugin keeps about people, and why.
#[utoipa::path(get, path = "/holdings", responses((status = 200, body = Holdings)))]
async fn list_holdings(Extracted(state): Extracted<State>) -> Result<Json<Holdings>, Problem> {
    let host = state.host()?;
    let table = host.runtime.table();
    let items = table.iter().map(|generation| PluginHoldings {
        plugin: generation.name().to_owned(),
        answers: generation.answers_for_subjects(),
        keeps_data: generation.inspection().asks_for("sql"),
        holdings: generation.holdings().to_vec(),
    });
    Ok(Json(Holdings { items: items.collect() }))
}

/// Tell how far the latest export for a person is.
#[utoipa::path(
    get,
    path = "/subjects/{tenant}/{id}/exports",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Run), (status = 404))
)]
async fn read_export(
    extracted: Extracted<State>,
    path: Path<(String, String)>,
) -> Result<Json<Run>, Problem> {
    latest(extracted, path, Kind::Export).await
}

/// Begin an export for a person, or go on with the one that has not ended.
#[utoipa::path(
    post,
    path = "/subjects/{tenant}/{id}/exports",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Run), (status = 409), (status = 503))
)]
async fn start_export(
    extracted: Extracted<State>,
    path: Path<(String, String)>,
) -> Result<Json<Run>, Problem> {
    begin(extracted, path, Kind::Export).await
}

/// Read a page of what the latest export found; pages count from 1 to the run's `n_pages`.
#[utoipa::path(
    get,
    path = "/subjects/{tenant}/{id}/exports/pages/{number}",
    params(("tenant" = String, Path), ("id" = String, Path), ("number" = u32, Path)),
    responses((status = 200, body = ExportedPage), (status = 404), (status = 409))
)]
async fn read_export_page(
    Extracted(state): Extracted<State>,
    Path((tenant, id, number)): Path<(String, String, String)>,
) -> Result<Json<ExportedPage>, Problem> {
    let number = number.parse().map_err(|_| Problem::not_found())?;
    let host = state.host()?;
    host.subjects.page(&host, &Person::new(tenant, id)?, number).await.map(Json)
}

/// Tell how far the latest erasure for a person is.
#[utoipa::path(
    get,
    path = "/subjects/{tenant}/{id}/erasures",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Run), (status = 404))
)]
async fn read_erasure(
    extracted: Extracted<State>,
    path: Path<(String, String)>,
) -> Result<Json<Run>, Problem> {
    latest(extracted, path, Kind::Erasure).await
}

/// Begin an erasure for a person, or go on with the one that has not ended.
#[utoipa::path(
    post,
    path = "/subjects/{tenant}/{id}/erasures",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Run), (status = 409), (status = 503))
)]
async fn start_erasure(
    extracted: Extracted<State>,
    path: Path<(String, String)>,
) -> Result<Json<Run>, Problem> {
    begin(extracted, path, Kind::Erasure).await
}

async fn begin(
    Extracted(state): Extracted<State>,
    Path((tenant, id)): Path<(String, String)>,
    kind: Kind,
) -> Result<Json<Run>, Problem> {
    let host = state.host()?;
    host.subjects.begin(&host, kind, &Person::new(tenant, id)?).await.map(Json)
}

async fn latest(
    Extracted(state): Extracted<State>,
    Path((tenant, id)): Path<(String, String)>,
    kind: Kind,
) -> Result<Json<Run>, Problem> {
    let host = state.host()?;
    host.subjects.latest(&host, kind, &Person::new(tenant, id)?).await.map(Json)
}
