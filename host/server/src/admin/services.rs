//! `/admin/api/services`: the outside services, whether they are well, and what was counted.

use axum::extract::State as Extracted;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, State};
use crate::gateway::ServiceStatus;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The outside services of this host.
#[derive(Serialize, ToSchema)]
struct Services {
    /// All of them, by name.
    items: Vec<ServiceStatus>,
}

/// List the outside services, whether they are well, and what was counted.
#[utoipa::path(
    get,
    path = "/services",
    operation_id = "list_services",
    responses((status = 200, body = Services))
)]
async fn list(Extracted(state): Extracted<State>) -> Result<Json<Services>, Problem> {
    Ok(Json(Services { items: state.host()?.gateway.statuses() }))
}
