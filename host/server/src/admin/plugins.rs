//! `/admin/api/plugins`: what is loaded, what is not and why; changes of what is loaded, each of
//! which is an operation; and the end of a quarantine by hand.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Extracted;
use caplet_runtime::{
    Change, ChangeKind, Generation, GenerationKind, GenerationRecord, GenerationState, Identity,
    Part, Presence, Quarantined, Revocation, Runtime, Source,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operations::{self, Operation};
use super::rollout::NewStage;
use super::{Json, Named, State, not_read, time};
use crate::pages;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(list, install_plugin))
        .routes(routes!(remove_plugin))
        .routes(routes!(approve_plugin))
        .routes(routes!(roll_back_plugin))
        .routes(routes!(enable_plugin))
        .routes(routes!(disable_plugin))
        .routes(routes!(list_generations))
        .routes(routes!(release_plugin))
}

/// The plugins of this host.
#[derive(Serialize, ToSchema)]
struct Plugins {
    /// Those that serve, by name.
    items: Vec<Plugin>,
    /// Plugins that are installed and do not serve, by name.
    disabled: Vec<String>,
    /// Those that are on their way: being compiled, or started for the first time.
    loading: Vec<LoadingPlugin>,
    /// Files in the plugin folder that are not loaded, and plugins that could not be brought back at the start.
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
    /// The number of the generation that serves, from 1.
    generation: u32,
    /// The SHA-256 of the component, in hexadecimal digits.
    digest: String,
    /// The rights that it asks for.
    rights: Vec<String>,
    /// Those of them that were taken from it.
    revoked: Vec<String>,
    /// What its database takes on disk, in bytes.
    database_bytes: u64,
    /// The limits that hold for it, by name.
    #[schema(value_type = Object)]
    limits: serde_json::Value,
    /// Those of them that were set for this plugin.
    own_limits: Vec<String>,
    /// Set while the plugin is in quarantine: it failed too often, and its callers are answered 503.
    quarantine: Option<Quarantine>,
    /// Set while another version is rolled out beside it.
    rollout: Option<RolloutOfPlugin>,
}

/// A version that gets some of the requests.
#[derive(Serialize, ToSchema)]
struct RolloutOfPlugin {
    /// The number of its generation.
    generation: u32,
    /// Its version.
    version: String,
    /// Which requests it gets, for people.
    stage: String,
}

/// When and why a plugin is not called.
#[derive(Serialize, ToSchema)]
struct Quarantine {
    /// Since when, by RFC 3339.
    since: String,
    /// From when on a call is tried, by RFC 3339.
    until: String,
    /// The last fault, for people.
    reason: String,
    /// How often in a row it came to this.
    n_times: u32,
}

impl From<Quarantined> for Quarantine {
    fn from(it: Quarantined) -> Self {
        let (since, until) = (time(it.since_ms), time(it.until_ms));
        Self { since, until, reason: it.reason, n_times: it.n_times }
    }
}

/// A plugin that is on its way.
#[derive(Serialize, ToSchema)]
struct LoadingPlugin {
    /// Its name; that of its file without the ending, while it is not known.
    name: String,
    /// How far it is: `compiling` or `starting`.
    step: &'static str,
}

/// A file that is not loaded, or a plugin that was not brought back.
#[derive(Serialize, ToSchema)]
struct FailedFile {
    /// Its name in the plugin folder, or the plugin's.
    file: String,
    /// Why, for people.
    reason: String,
}

/// List what is loaded, and what is not.
#[utoipa::path(get, path = "/plugins", responses((status = 200, body = Plugins)))]
async fn list(Extracted(state): Extracted<State>) -> Result<Json<Plugins>, Problem> {
    let host = state.host()?;
    let known = host.runtime.plugins().await.map_err(|error| not_read(&error))?;
    let disabled = known.into_iter().filter(|plugin| plugin.state == Presence::Disabled);
    let disabled = disabled.map(|plugin| plugin.name).collect();
    let revoked = host.runtime.revocations().await.map_err(|error| not_read(&error))?;
    let table = host.runtime.table();
    let items = table.iter().map(|generation| Plugin {
        name: generation.name().to_owned(),
        title: generation.description().title.clone(),
        version: generation.version().to_owned(),
        generation: generation.number(),
        digest: generation.digest().to_string(),
        rights: generation.inspection().rights.iter().map(|it| it.name.to_owned()).collect(),
        revoked: revoked_of(generation, &revoked),
        database_bytes: generation.database_bytes(),
        limits: serde_json::to_value(generation.limits()).unwrap_or_default(),
        own_limits: own_limits(&host.runtime, generation.name()),
        quarantine: generation.quarantined().map(Quarantine::from),
        rollout: table.rollout(generation.name()).map(|it| RolloutOfPlugin {
            generation: it.candidate().number(),
            version: it.candidate().version().to_owned(),
            stage: it.stage().to_string(),
        }),
    });
    let loading = host.runtime.arrivals().into_iter();
    let loading = loading.map(|it| LoadingPlugin { step: pages::step(&it), name: it.name });
    let failed = host.failed_files().into_iter();
    Ok(Json(Plugins {
        items: items.collect(),
        disabled,
        loading: loading.collect(),
        failed: failed.map(|(file, reason)| FailedFile { file, reason }).collect(),
    }))
}

/// The rights that a plugin asks for and does not have any more.
fn revoked_of(generation: &Generation, revoked: &[Revocation]) -> Vec<String> {
    let asked = |name: &str| generation.inspection().rights.iter().any(|it| it.name == name);
    let of = revoked.iter().filter(|it| it.plugin == generation.name() && asked(&it.name));
    of.map(|it| it.name.clone()).collect()
}

/// The limits that were set for a plugin alone.
fn own_limits(runtime: &Runtime, plugin: &str) -> Vec<String> {
    let origins = runtime.configuration(plugin, Part::Limits).map(|it| it.origins);
    let own = origins.into_iter().flatten().filter(|(_, source)| *source != Source::Default);
    own.map(|(place, _)| place.trim_start_matches('/').to_owned()).collect()
}

/// A component that is to serve.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPlugin {
    /// The digest of a component that was brought.
    component: String,
    /// What the plugin is called, when the component has no name of its own: one of `wasi:http`.
    name: Option<String>,
    /// Agree to whatever grows the plugin's powers or breaks its callers.
    #[serde(default)]
    approve: bool,
    /// Only tell what would change.
    #[serde(default)]
    dry_run: bool,
    /// Which requests it gets at first, beside the version that serves; all, when not given.
    stage: Option<NewStage>,
}

/// Which generation is agreed to, and how it is to begin.
#[derive(Deserialize, Default, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Approval {
    /// Its number; the only one that waits, when not given.
    #[schema(minimum = 1)]
    generation: Option<u32>,
    /// Which requests it gets at first, beside the version that serves; all, when not given.
    stage: Option<NewStage>,
}

/// Which generation is to serve again.
#[derive(Deserialize, Default, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct RollbackTarget {
    /// Its number; the one that served before, when not given.
    #[schema(minimum = 1)]
    to: Option<u32>,
    /// Which requests it gets at first, beside the version that serves; all, when not given.
    stage: Option<NewStage>,
}

/// The generations of a plugin.
#[derive(Serialize, ToSchema)]
struct Generations {
    /// The newest first; the oldest of very many are forgotten.
    items: Vec<GenerationOfPlugin>,
}

/// A generation of a plugin.
#[derive(Serialize, ToSchema)]
struct GenerationOfPlugin {
    /// Its number, from 1.
    number: u32,
    /// Its version.
    version: String,
    /// The SHA-256 of its component, in hexadecimal digits.
    digest: String,
    /// What brought it: `install`, `upgrade`, `rollback` or `configuration`.
    #[schema(value_type = String)]
    kind: GenerationKind,
    /// What became of it: `preparing`, `waiting`, `candidate`, `active`, `superseded`, `rolled-back` or `refused`.
    #[schema(value_type = String)]
    state: GenerationState,
    /// Why it was refused or rolled back, or what it waits for; else empty.
    reason: String,
    /// What it changed in what the operator has set, one sentence each; never the value of a secret.
    changes: Vec<String>,
    /// The rights that it asks for.
    rights: Vec<String>,
    /// Who brought it.
    created_by: String,
    /// When it was brought.
    created_at: String,
    /// When it began to take requests; null: never.
    served_at: Option<String>,
    /// When it ended; null: it did not.
    ended_at: Option<String>,
    /// When it gave up the old shape of the data; null: it did not.
    contracted_at: Option<String>,
    /// Which requests it gets, or got last, while it is rolled out, for people; null: it was not.
    stage: Option<String>,
    /// The highest number of its migrations, 0 when it has none; null: it was not kept.
    schema_version: Option<u32>,
    /// What it said of itself: title, routes, permissions, the schema of its settings, migrations and files;
    /// null: it was not kept.
    #[schema(value_type = Option<Object>)]
    description: Option<serde_json::Value>,
}

pub(super) type Begun = Result<(StatusCode, Json<Operation>), Problem>;

/// Install a plugin, or upgrade it: the component that was brought is to serve.
#[utoipa::path(post, path = "/plugins", request_body = NewPlugin,
    responses((status = 202, body = Operation)))]
async fn install_plugin(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    body: Result<Json<NewPlugin>, Problem>,
) -> Begun {
    let Json(NewPlugin { component, name, approve, dry_run, stage }) = body?;
    let stage = stage.map(NewStage::checked).transpose()?;
    let kept = state.host()?.runtime.kept_component(&component).await;
    let component = kept.ok_or_else(|| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "body-invalid",
            "`component` is no digest of a component that was brought to /admin/api/components.",
        )
    })?;
    let kind = ChangeKind::Install { component, file: None, called: name };
    begin(&state, Change { kind, by: caller.subject.clone(), approved: approve, dry_run, stage })
}

/// Remove a plugin from service. Its data and its history stay.
#[utoipa::path(delete, path = "/plugins/{name}", params(("name" = String, Path, description = "The plugin.")),
    responses((status = 202, body = Operation)))]
async fn remove_plugin(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
) -> Begun {
    let kind = ChangeKind::Remove { plugin, file_is_gone: false };
    begin(&state, Change::approved(kind, &caller.subject))
}

/// Agree to what a generation that waits was told to change. One that changes more by now waits again, under
/// another number.
#[utoipa::path(post, path = "/plugins/{name}/approve", params(("name" = String, Path, description = "The plugin.")),
    request_body = Option<Approval>, responses((status = 202, body = Operation),
        (status = 412, description = "The generation of that number does not wait.")))]
async fn approve_plugin(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
    body: Result<Option<Json<Approval>>, Problem>,
) -> Begun {
    let Approval { generation, stage } = body?.map(|Json(it)| it).unwrap_or_default();
    let stage = stage.map(NewStage::checked).transpose()?;
    if let Some(number) = generation {
        check_waits(&state, &plugin, number).await?;
    }
    let kind = ChangeKind::Approve { plugin, expected: generation };
    begin(&state, Change { stage, ..Change::approved(kind, &caller.subject) })
}

/// 412 when the generation of that number does not wait for approval.
async fn check_waits(state: &State, plugin: &str, number: u32) -> Result<(), Problem> {
    let history = state.host()?.runtime.history(plugin).await.map_err(|error| not_read(&error))?;
    let waits = |it: &GenerationRecord| it.number == number && it.state == GenerationState::Waiting;
    if history.iter().any(waits) {
        return Ok(());
    }
    let detail = format!("Generation {number} of `{plugin}` does not wait for approval.");
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", detail))
}

/// Let an earlier generation serve again.
#[utoipa::path(post, path = "/plugins/{name}/rollback", params(("name" = String, Path, description = "The plugin.")),
    request_body = RollbackTarget, responses((status = 202, body = Operation)))]
async fn roll_back_plugin(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
    body: Result<Json<RollbackTarget>, Problem>,
) -> Begun {
    let Json(RollbackTarget { to, stage }) = body?;
    let stage = stage.map(NewStage::checked).transpose()?;
    let kind = ChangeKind::Rollback { plugin, to };
    begin(&state, Change { stage, ..Change::approved(kind, &caller.subject) })
}

/// Let a disabled plugin serve again.
#[utoipa::path(post, path = "/plugins/{name}/enable", params(("name" = String, Path, description = "The plugin.")),
    responses((status = 202, body = Operation)))]
async fn enable_plugin(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
) -> Begun {
    begin(&state, Change::approved(ChangeKind::Enable { plugin }, &caller.subject))
}

/// Take a plugin out of service, also after a restart, until it is enabled.
#[utoipa::path(post, path = "/plugins/{name}/disable", params(("name" = String, Path, description = "The plugin.")),
    responses((status = 202, body = Operation)))]
async fn disable_plugin(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
) -> Begun {
    begin(&state, Change::approved(ChangeKind::Disable { plugin }, &caller.subject))
}

/// List what served a plugin, and what was refused.
#[utoipa::path(get, path = "/plugins/{name}/generations", params(("name" = String, Path, description = "The plugin.")),
    responses((status = 200, body = Generations)))]
async fn list_generations(
    Extracted(state): Extracted<State>,
    Named(plugin): Named<String>,
) -> Result<Json<Generations>, Problem> {
    let host = state.host()?;
    let history = host.runtime.history(&plugin).await.map_err(|error| not_read(&error))?;
    if history.is_empty() {
        return Err(Problem::not_found());
    }
    let mut items = Vec::new();
    for record in history {
        let description = host.runtime.description_of(&plugin, record.number).await;
        items.push(of_record(record, description.map_err(|error| not_read(&error))?));
    }
    Ok(Json(Generations { items }))
}

pub(super) fn begin(state: &State, change: Change) -> Begun {
    let host = state.host()?;
    tracing::info!(
        change = change.kind.name(),
        by = change.by,
        "a change of a plugin was asked for"
    );
    let operation = host.runtime.begin(change);
    Ok((StatusCode::ACCEPTED, Json(operations::shown(&operation))))
}

fn of_record(
    record: GenerationRecord,
    description: Option<serde_json::Value>,
) -> GenerationOfPlugin {
    GenerationOfPlugin {
        number: record.number,
        version: record.version,
        digest: record.digest,
        kind: record.kind,
        state: record.state,
        reason: record.reason,
        changes: record.changes,
        rights: record.rights,
        created_by: record.created_by,
        created_at: time(record.created_ms),
        served_at: record.served_ms.map(time),
        ended_at: record.ended_ms.map(time),
        contracted_at: record.contracted_ms.map(time),
        stage: record.stage.map(|stage| stage.to_string()),
        schema_version: record.schema_version,
        description,
    }
}

/// End the quarantine of a plugin, with effect at once.
#[utoipa::path(delete, path = "/plugins/{name}/quarantine",
    params(("name" = String, Path, description = "The plugin.")), responses((status = 204)))]
async fn release_plugin(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
) -> Result<StatusCode, Problem> {
    if !state.host()?.runtime.release(&plugin, &caller.subject).await {
        let detail = "There is no plugin of this name in quarantine.";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", detail));
    }
    tracing::info!(plugin, by = caller.subject, "a quarantine was ended by hand");
    Ok(StatusCode::NO_CONTENT)
}
