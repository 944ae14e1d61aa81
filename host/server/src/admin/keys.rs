//! `/admin/api/keys`: API keys, made, listed and revoked. The text of a key is in one answer and never
//! again.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Extracted};
use caplet_runtime::{DEFAULT_TENANT, Decision, Identity};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, State};
use crate::host::Shared;
use crate::identity::api_keys::{Error, Order};
use crate::problem::Problem;
use crate::token::Claims;

/// The longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

/// The longest life of a key that ends, in seconds: ten years.
const TTL_S_MAX: u64 = 10 * 366 * 24 * 3_600;

/// Keys on a page, at most and when nothing is said.
const PAGE_MAX: u32 = 100;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(create_key, list_keys)).routes(routes!(revoke_key))
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApiKey {
    /// What it is for, 1 to 100 characters.
    name: String,
    /// The tenant that it belongs to.
    #[serde(default = "default_tenant")]
    tenant: String,
    /// Whom it stands for; `key-` and its id, when not given.
    #[serde(default)]
    subject: String,
    /// Roles within the tenant.
    #[serde(default)]
    roles: Vec<String>,
    /// Teams within the tenant.
    #[serde(default)]
    teams: Vec<String>,
    /// Scopes; one named like a permission grants it.
    #[serde(default)]
    scopes: Vec<String>,
    /// When it ends, in seconds from now, up to ten years; never, when not given.
    #[schema(minimum = 1, maximum = 316_224_000)]
    ttl_s: Option<u64>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
struct MadeApiKey {
    /// What it is called in lists and logs.
    id: String,
    /// The key itself. It is shown once.
    key: String,
}

/// A key, without its secret.
#[derive(Serialize, Deserialize, ToSchema)]
struct ApiKey {
    /// What it is called.
    id: String,
    /// What it is for.
    name: String,
    /// The tenant that it belongs to.
    tenant: String,
    /// Whom it stands for.
    subject: String,
    /// Roles within the tenant.
    roles: Vec<String>,
    /// Teams within the tenant.
    teams: Vec<String>,
    /// Scopes.
    scopes: Vec<String>,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: String,
    /// When it ends; null: never.
    expires_at: Option<String>,
    /// When it was used last, to the minute; null: never.
    last_used_at: Option<String>,
    /// When it was revoked; null: it was not.
    revoked_at: Option<String>,
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
struct ApiKeys {
    /// Those of the page, by id; revoked and expired ones for 90 days.
    items: Vec<ApiKey>,
    /// What `cursor` is for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Page {
    /// Where the page before ended.
    #[serde(default)]
    cursor: String,
    /// Keys on the page, 1 to 100.
    #[serde(default = "page_max")]
    #[param(minimum = 1, maximum = 100)]
    limit: u32,
}

fn default_tenant() -> String {
    DEFAULT_TENANT.to_owned()
}

fn page_max() -> u32 {
    PAGE_MAX
}

/// Make an API key.
#[utoipa::path(post, path = "/keys", request_body = NewApiKey,
    responses((status = 201, body = MadeApiKey)))]
async fn create_key(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    body: Result<Json<NewApiKey>, Problem>,
) -> Result<(StatusCode, Json<MadeApiKey>), Problem> {
    let Json(new) = body?;
    let host = state.host()?;
    let now_ms = host.clock.now_ms();
    let order = order(new, &caller, now_ms)?;
    let name = order.name.clone();
    let mut detail = json!({
        "name": name,
        "tenant": order.claims.tenant,
        "subject": order.claims.subject,
        "roles": order.claims.roles,
        "scopes": order.claims.scopes,
        "expires_ms": order.expires_ms,
    });
    let (id, key) = host.api_keys.create(order, now_ms).await.map_err(|error| problem(&error))?;
    tracing::info!(id, name, by = caller.subject, "an API key was made");
    detail["id"] = json!(id);
    decided(&host, &caller, ("key.make", detail)).await;
    Ok((StatusCode::CREATED, Json(MadeApiKey { id, key })))
}

/// List the API keys.
#[utoipa::path(get, path = "/keys", params(Page), responses((status = 200, body = ApiKeys)))]
async fn list_keys(
    Extracted(state): Extracted<State>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<ApiKeys>, Problem> {
    let malformed = |text: String| Problem::malformed("query-malformed", text);
    let Query(Page { cursor, limit }) = page.map_err(|error| malformed(error.body_text()))?;
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(malformed(format!("`limit` must be 1 to {PAGE_MAX}.")));
    }
    if !cursor.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(malformed("`cursor` is not one that a page named.".to_owned()));
    }
    let listed = state.host()?.api_keys.list(&cursor, limit).await;
    let (items, more) = listed.map_err(|error| problem(&error.into()))?;
    let items: Vec<ApiKey> = serde_json::from_slice(&items).map_err(|error| {
        tracing::error!(%error, "the API keys cannot be listed");
        Problem::internal()
    })?;
    let next_cursor = items.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Json(ApiKeys { items, next_cursor }))
}

/// Revoke an API key, with effect at once.
#[utoipa::path(delete, path = "/keys/{id}", params(("id" = String, Path)),
    responses((status = 204)))]
async fn revoke_key(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    let host = state.host()?;
    let revoked = host.api_keys.revoke(&id, host.clock.now_ms()).await;
    if !revoked.map_err(|error| problem(&error.into()))? {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no API key of this id, or it was revoked before.",
        ));
    }
    tracing::info!(id, by = caller.subject, "an API key was revoked");
    decided(&host, &caller, ("key.revoke", json!({ "id": id }))).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn decided(host: &Shared, caller: &Identity, (action, detail): (&'static str, Value)) {
    let (actor, plugin, request) = (caller.subject.clone(), String::new(), String::new());
    let decision = Decision { actor, plugin, action, detail, request };
    host.runtime.audit().note(decision).await;
}

fn order(new: NewApiKey, caller: &Identity, now_ms: u64) -> Result<Order, Problem> {
    let invalid =
        |text: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body-invalid", text);
    let characters = new.name.chars().count();
    if !(1..=NAME_CHARACTERS_MAX).contains(&characters) || new.name.chars().any(char::is_control) {
        return Err(invalid(format!("`name` must be 1 to {NAME_CHARACTERS_MAX} characters.")));
    }
    if new.ttl_s.is_some_and(|ttl_s| !(1..=TTL_S_MAX).contains(&ttl_s)) {
        return Err(invalid(format!("`ttl_s` must be 1 to {TTL_S_MAX}.")));
    }
    Ok(Order {
        name: new.name,
        claims: Claims {
            tenant: new.tenant,
            roles: new.roles,
            teams: new.teams,
            scopes: new.scopes,
            ..Claims::user(new.subject)
        },
        expires_ms: new.ttl_s.map(|ttl_s| now_ms.saturating_add(ttl_s * 1_000)),
        created_by: caller.subject.clone(),
    })
}

fn problem(error: &Error) -> Problem {
    match error {
        Error::Claims(refused) => {
            let detail = format!("Not allowed: {refused}.");
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body-invalid", detail)
        }
        Error::TooMany => {
            let detail = "There are as many API keys as there may be. Revoke some.";
            Problem::new(StatusCode::CONFLICT, "keys-too-many", detail)
        }
        Error::Random(_) | Error::Store(_) => {
            tracing::error!(%error, "the API keys cannot be changed");
            Problem::storage_unavailable()
        }
    }
}
