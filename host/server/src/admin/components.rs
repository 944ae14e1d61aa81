//! `/admin/api/components`: components are brought here before they are installed, by their bytes.

use axum::body::Bytes;
use axum::extract::State as Extracted;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, State};
use crate::problem::Problem;

/// The path of this area, for the size that its bodies may have.
pub(super) const PATH: &str = "/components";

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(bring_component))
}

/// A component that is kept.
#[derive(Serialize, ToSchema)]
struct Component {
    /// The SHA-256 of its bytes, in hexadecimal digits: what it is called when it is installed.
    digest: String,
}

/// Bring a component, to be installed by its digest. Bringing it again does no harm.
#[utoipa::path(post, path = "/components",
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = Component)))]
async fn bring_component(
    Extracted(state): Extracted<State>,
    component: Bytes,
) -> Result<(StatusCode, Json<Component>), Problem> {
    if !component.starts_with(b"\0asm") {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "body-invalid",
            "The body does not begin like WebAssembly.",
        ));
    }
    let kept = state.host()?.runtime.keep_component(component).await;
    let digest = kept.map_err(|error| {
        tracing::error!(%error, "a component cannot be kept");
        Problem::storage_unavailable()
    })?;
    Ok((StatusCode::CREATED, Json(Component { digest: digest.to_string() })))
}
