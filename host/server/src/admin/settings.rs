//! `/admin/api/plugins/{name}/settings`, `/grants` and `/limits`: what the operator has set for a plugin.
//! A change is an operation like an upgrade: the same component, in a new generation.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query, State as Extracted};
use caplet_runtime::{Change, ChangeKind, Configuration, Edit, Identity, Part};
use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operations::Operation;
use super::plugins::{Begun, begin};
use super::{Json, Named, State};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(read_settings, replace_settings, merge_settings))
        .routes(routes!(read_grants, replace_grants, merge_grants))
        .routes(routes!(read_limits, replace_limits, merge_limits))
}

/// What a plugin is set to. The values of secrets are in none of it.
#[derive(Serialize, ToSchema)]
struct PluginConfiguration {
    /// The number of the generation that serves by it.
    generation: u32,
    /// What holds, defaults included.
    #[schema(value_type = Object)]
    values: Value,
    /// What of it was set while the host ran; it lies over the configuration file.
    #[schema(value_type = Object)]
    set: Value,
    /// The secrets that are set, as JSON pointers into the values.
    secrets: Vec<String>,
    /// By JSON pointer, where each value and secret comes from: `set` while the host ran,
    /// `configuration` (the file or the environment), `default`, or `rollback` (an earlier generation
    /// had it).
    origins: BTreeMap<String, &'static str>,
}

impl From<Configuration> for PluginConfiguration {
    fn from(it: Configuration) -> Self {
        let origins = it.origins.into_iter().map(|(pointer, source)| (pointer, source.name()));
        Self {
            generation: it.generation,
            values: it.values,
            set: it.set,
            secrets: it.secrets,
            origins: origins.collect(),
        }
    }
}

/// How a change is made.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct How {
    /// Agree to what grows the plugin's powers.
    #[serde(default)]
    approve: bool,
    /// Only tell what would change.
    #[serde(default)]
    dry_run: bool,
}

/// What a request says about the change besides its body.
#[derive(FromRequestParts)]
struct Given {
    how: Result<Query<How>, QueryRejection>,
    headers: HeaderMap,
}

type Tagged = ([(HeaderName, HeaderValue); 1], Json<PluginConfiguration>);

fn read(state: &State, plugin: &str, part: Part) -> Result<Tagged, Problem> {
    let read = state.host()?.runtime.configuration(plugin, part);
    let read = PluginConfiguration::from(read.ok_or_else(|| {
        let detail = "There is no plugin of this name that serves.";
        Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
    })?);
    let tag = HeaderValue::from_str(&tag(&read)).map_err(|_| Problem::internal())?;
    Ok(([(ETAG, tag)], Json(read)))
}

/// The entity tag: another one for each generation, and for each value that is shown. The values of
/// secrets are not in it, and bring another generation.
fn tag(configuration: &PluginConfiguration) -> String {
    let shown = serde_json::to_vec(configuration).unwrap_or_default();
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(shown)[..8]);
    format!("\"{}-{digest}\"", configuration.generation)
}

/// The generation that a change was made for, where its `If-Match` names one (RFC 9110, section 13.1.1).
///
/// # Errors
/// 412 when what is set is not what it names.
fn expected(state: &State, headers: &HeaderMap, at: (&str, Part)) -> Result<Option<u32>, Problem> {
    let given = headers.get_all(IF_MATCH).iter().map(|value| value.to_str().unwrap_or_default());
    let given: Vec<&str> = given.flat_map(|value| value.split(',')).map(str::trim).collect();
    if given.is_empty() {
        return Ok(None);
    }
    let (plugin, part) = at;
    let present = state.host()?.runtime.configuration(plugin, part).map(PluginConfiguration::from);
    match present {
        Some(_) if given.contains(&"*") => Ok(None),
        Some(present) if given.contains(&tag(&present).as_str()) => Ok(Some(present.generation)),
        present => {
            let now = present.map_or("it does not serve".to_owned(), |present| {
                format!("generation {} serves", present.generation)
            });
            let detail = format!(
                "What is set for the plugin is not what `If-Match` names: {now}. Read it again."
            );
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", detail))
        }
    }
}

/// What cannot be, by itself or by the plugin's schema, is told at once.
async fn change(
    (state, caller): (&State, &Identity),
    (plugin, part): (String, Part),
    edit: Edit,
    given: Given,
) -> Begun {
    let Query(How { approve, dry_run }) =
        given.how.map_err(|error| Problem::malformed("query-malformed", error.body_text()))?;
    let expected = expected(state, &given.headers, (&plugin, part))?;
    let checked = state.host()?.runtime.check_edit(&plugin, part, &edit).await;
    checked.map_err(|error| {
        let detail = format!("Nothing was changed: {error}.");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "settings-invalid", detail)
    })?;
    let kind = ChangeKind::Configure { plugin, part, edit, expected };
    let by = caller.subject.clone();
    begin(state, Change { kind, by, approved: approve, dry_run, stage: None })
}

/// The members of a JSON object. A value that does not parse is not shown: it may be a secret.
fn members(body: &Bytes) -> Result<serde_json::Map<String, Value>, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let detail = format!("The body must be a JSON object (line {line}, column {column}).");
        Problem::malformed("body-malformed", detail)
    })
}

macro_rules! part {
    ($part:ident, $path:literal, $read:ident, $replace:ident, $merge:ident) => {
        /// Tell what a plugin is set to, and where each value comes from.
        #[utoipa::path(get, path = $path,
                    params(("name" = String, Path, description = "The plugin.")),
                    responses((status = 200, body = PluginConfiguration,
                        headers(("ETag" = String, description = "For `If-Match` of a change.")))))]
        async fn $read(
            Extracted(state): Extracted<State>,
            Named(plugin): Named<String>,
        ) -> Result<Tagged, Problem> {
            read(&state, &plugin, Part::$part)
        }

        /// Replace all that was set while the host ran. Secrets that are not named stay as they are.
        #[utoipa::path(put, path = $path,
                    params(("name" = String, Path, description = "The plugin."), How,
                        ("If-Match" = Option<String>, Header, description =
                            "The `ETag` of what the change was made for; without it, any.")),
                    request_body(content = Object, content_type = "application/json"),
                    responses((status = 202, body = Operation),
                        (status = 412, description = "It was changed since it was read.")))]
        async fn $replace(
            Extracted(state): Extracted<State>,
            Extension(caller): Extension<Arc<Identity>>,
            Named(plugin): Named<String>,
            given: Given,
            body: Bytes,
        ) -> Begun {
            let edit = Edit::Replace(members(&body)?);
            change((&state, &caller), (plugin, Part::$part), edit, given).await
        }

        /// Set what is named; null takes back what was set while the host ran (RFC 7396).
        #[utoipa::path(patch, path = $path,
                    params(("name" = String, Path, description = "The plugin."), How,
                        ("If-Match" = Option<String>, Header, description =
                            "The `ETag` of what the change was made for; without it, any.")),
                    request_body(content = Object, content_type = "application/merge-patch+json"),
                    responses((status = 202, body = Operation),
                        (status = 412, description = "It was changed since it was read.")))]
        async fn $merge(
            Extracted(state): Extracted<State>,
            Extension(caller): Extension<Arc<Identity>>,
            Named(plugin): Named<String>,
            given: Given,
            body: Bytes,
        ) -> Begun {
            let edit = Edit::Merge(members(&body)?);
            change((&state, &caller), (plugin, Part::$part), edit, given).await
        }
    };
}

part!(Settings, "/plugins/{name}/settings", read_settings, replace_settings, merge_settings);
part!(Grants, "/plugins/{name}/grants", read_grants, replace_grants, merge_grants);
part!(Limits, "/plugins/{name}/limits", read_limits, replace_limits, merge_limits);
