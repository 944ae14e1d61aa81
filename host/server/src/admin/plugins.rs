//! `/admin/api/plugins`: what is loaded, what is not and why.

use axum::extract::State as Extracted;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, State};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The plugins of this host.
#[derive(Serialize, ToSchema)]
struct Plugins {
    /// Those that serve, by name.
    items: Vec<Plugin>,
    /// Files in the plugin folder that are not loaded.
    failed: Vec<FailedFile>,
}

/// A plugin that serves.
#[derive(Serialize, ToSchema)]
struct Plugin {
    /// The name, which is also the first segment of its paths below `/api`.
    name: String,
    /// The name for people.
    title: String,
    /// The semantic version.
    version: String,
    /// The SHA-256 of the component, in hexadecimal digits.
    digest: String,
    /// The rights that it asks for.
    rights: Vec<String>,
    /// What its database takes on disk, in bytes.
    database_bytes: u64,
}

/// A file that is not loaded.
#[derive(Serialize, ToSchema)]
struct FailedFile {
    /// Its name in the plugin folder.
    file: String,
    /// Why, for people.
    reason: String,
}

/// List what is loaded, and what is not.
#[utoipa::path(get, path = "/plugins", responses((status = 200, body = Plugins)))]
async fn list(Extracted(state): Extracted<State>) -> Result<Json<Plugins>, Problem> {
    let host = state.host()?;
    let table = host.runtime.table();
    let items = table.iter().map(|generation| Plugin {
        name: generation.name().to_owned(),
        title: generation.description().title.clone(),
        version: generation.version().to_owned(),
        digest: generation.digest().to_string(),
        rights: generation.inspection().rights.iter().map(|it| it.name.to_owned()).collect(),
        database_bytes: generation.database_bytes(),
    });
    let failed = host.failed_files().into_iter();
    Ok(Json(Plugins {
        items: items.collect(),
        failed: failed.map(|(file, reason)| FailedFile { file, reason }).collect(),
    }))
}
