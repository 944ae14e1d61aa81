//! `/admin/api/plugins/{name}/rollout`: how a rollout goes, its next stage, and its end.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Extracted;
use caplet_runtime::{
    Change, ChangeKind, HeaderRule, Identity, RolloutOrder, RolloutReport, ShadowDifference,
    ShadowReport, SideReport, Stage,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operations::Operation;
use super::plugins::{Begun, begin};
use super::{Json, Named, State, time};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(read_rollout, stage_rollout, abort_rollout))
        .routes(routes!(complete_rollout))
}

/// The requests that a new version gets: those that at least one of the rules takes.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewStage {
    /// Of 100 callers so many. Who is in at one number is in at every higher one. None when not given;
    /// for copies without any other rule, all.
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<u8>,
    /// Requests with one of these headers, such as `x-canary`, or `x-canary: yes`.
    #[serde(default)]
    headers: Vec<String>,
    /// Callers of one of these tenants.
    #[serde(default)]
    tenants: Vec<String>,
    /// Give the new version only copies of requests that read. The version that serves answers all; the
    /// answers are compared, and what differs is reported.
    #[serde(default)]
    shadow: bool,
}

impl NewStage {
    /// # Errors
    /// 422 with what is wrong.
    pub(super) fn checked(self) -> Result<Stage, Problem> {
        let refused = |reason: String| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body-invalid", format!("{reason}."))
        };
        let has_rules = !self.headers.is_empty() || !self.tenants.is_empty();
        let percent = match (self.percent, has_rules, self.shadow) {
            (Some(percent), ..) => percent,
            (None, true, _) => 0,
            (None, false, true) => 100,
            (None, false, false) => {
                return Err(refused("A stage needs `percent`, `headers` or `tenants`".to_owned()));
            }
        };
        let headers: Result<Vec<_>, _> =
            self.headers.into_iter().map(HeaderRule::try_from).collect();
        let headers = headers.map_err(refused)?;
        let stage = Stage { percent, headers, tenants: self.tenants, shadow: self.shadow };
        stage.check().map_err(refused)?;
        Ok(stage)
    }
}

impl From<Stage> for NewStage {
    fn from(it: Stage) -> Self {
        let headers = it.headers.iter().map(ToString::to_string).collect();
        Self { percent: Some(it.percent), headers, tenants: it.tenants, shadow: it.shadow }
    }
}

/// How a rollout goes.
#[derive(Serialize, ToSchema)]
struct RolloutState {
    /// Which requests the new version gets.
    stage: NewStage,
    /// The same, for people.
    stage_text: String,
    /// When it began, or went on after a restart of the host. The counts are from then on.
    began_at: String,
    /// The version that serves.
    stable: RolloutSide,
    /// The new version.
    candidate: RolloutSide,
    /// What came of copies.
    shadow: ShadowState,
}

/// What one of two versions did.
#[derive(Serialize, ToSchema)]
struct RolloutSide {
    /// The number of its generation.
    generation: u32,
    /// Its version.
    version: String,
    /// Invocations that have ended, without copies.
    invocations: u64,
    /// Those that failed by the plugin's fault, or were answered with a status from 500 on.
    bad: u64,
    /// Within how many milliseconds 99 of 100 ended, at most twice too many.
    p99_ms: f64,
}

/// What came of copies of requests.
#[derive(Serialize, ToSchema)]
struct ShadowState {
    /// Copies whose answer was the same.
    same: u64,
    /// Copies whose answer was another one.
    different: u64,
    /// Copies that were not answered.
    failed: u64,
    /// Requests of which no copy was run, because there was no room for it.
    dropped: u64,
    /// What differed, by operation and place; the first 100 kinds.
    differences: Vec<ShadowDifferenceShown>,
    /// Differences of further kinds.
    left_out: u64,
}

/// One kind of difference between the answers of two versions.
#[derive(Serialize, ToSchema)]
struct ShadowDifferenceShown {
    /// The operation.
    operation: String,
    /// Where: `status`, `answer`, `body`, a header's name, or a JSON pointer into the body with `*` for
    /// the places of a list.
    at: String,
    /// What the version that serves said there: a kind of value, and four digits of a salted hash.
    stable: String,
    /// What the new version said there.
    candidate: String,
    /// How often it differed there.
    times: u64,
    /// The id of the first request.
    request_id: String,
}

impl From<RolloutReport> for RolloutState {
    fn from(it: RolloutReport) -> Self {
        Self {
            stage_text: it.stage.to_string(),
            stage: it.stage.into(),
            began_at: time(it.began_ms),
            stable: it.stable.into(),
            candidate: it.candidate.into(),
            shadow: it.shadow.into(),
        }
    }
}

impl From<SideReport> for RolloutSide {
    fn from(it: SideReport) -> Self {
        Self {
            generation: it.generation,
            version: it.version,
            invocations: it.n_invocations,
            bad: it.n_bad,
            p99_ms: it.p99.as_secs_f64() * 1e3,
        }
    }
}

impl From<ShadowReport> for ShadowState {
    fn from(it: ShadowReport) -> Self {
        Self {
            same: it.n_same,
            different: it.n_different,
            failed: it.n_failed,
            dropped: it.n_dropped,
            differences: it.differences.into_iter().map(ShadowDifferenceShown::from).collect(),
            left_out: it.n_left_out,
        }
    }
}

impl From<ShadowDifference> for ShadowDifferenceShown {
    fn from(it: ShadowDifference) -> Self {
        let ShadowDifference { operation, at, stable, candidate, n_times, request_id } = it;
        Self { operation, at, stable, candidate, times: n_times, request_id }
    }
}

/// Tell how the rollout of a plugin goes. 404 while none goes on.
#[utoipa::path(get, path = "/plugins/{name}/rollout", params(("name" = String, Path, description = "The plugin.")),
    responses((status = 200, body = RolloutState)))]
async fn read_rollout(
    Extracted(state): Extracted<State>,
    Named(plugin): Named<String>,
) -> Result<Json<RolloutState>, Problem> {
    let report = state.host()?.runtime.rollout(&plugin).ok_or_else(none_goes_on)?;
    Ok(Json(report.into()))
}

/// Give the new version the requests of another stage. What is said is the whole stage.
#[utoipa::path(put, path = "/plugins/{name}/rollout", params(("name" = String, Path, description = "The plugin.")),
    request_body = NewStage, responses((status = 202, body = Operation)))]
async fn stage_rollout(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
    body: Result<Json<NewStage>, Problem>,
) -> Begun {
    let Json(stage) = body?;
    order(&state, (plugin, RolloutOrder::Stage(stage.checked()?)), &caller)
}

/// End the rollout: the version that served gets all requests again.
#[utoipa::path(delete, path = "/plugins/{name}/rollout", params(("name" = String, Path, description = "The plugin.")),
    responses((status = 202, body = Operation)))]
async fn abort_rollout(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
) -> Begun {
    order(&state, (plugin, RolloutOrder::Abort), &caller)
}

/// Complete the rollout: the new version gets all requests, and the data their new shape.
#[utoipa::path(post, path = "/plugins/{name}/rollout/complete", params(("name" = String, Path, description = "The plugin.")),
    responses((status = 202, body = Operation)))]
async fn complete_rollout(
    Extracted(state): Extracted<State>,
    Extension(caller): Extension<Arc<Identity>>,
    Named(plugin): Named<String>,
) -> Begun {
    order(&state, (plugin, RolloutOrder::Complete), &caller)
}

fn order(state: &State, (plugin, order): (String, RolloutOrder), caller: &Identity) -> Begun {
    if state.host()?.runtime.rollout(&plugin).is_none() {
        return Err(none_goes_on());
    }
    begin(state, Change::approved(ChangeKind::Rollout { plugin, order }, &caller.subject))
}

fn none_goes_on() -> Problem {
    let detail = "No version of a plugin of this name is being rolled out.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}
