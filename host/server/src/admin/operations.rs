//! `/admin/api/operations`: how far a change of a plugin is, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extracted};
use caplet_runtime as runtime;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, Named, State};
use crate::problem::Problem;

/// How long an answer may wait for something new, in milliseconds.
const WAIT_MS_MAX: u64 = 20_000;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(read_operation))
}

/// A change of a plugin, on its way or ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Operation {
    /// What it is called.
    id: String,
    /// What is done: `install`, `approve`, `rollback`, `rollout`, `settings`, `grants`, `limits`, `enable`,
    /// `disable`, `remove` or `restore`.
    change: &'static str,
    /// Who began it.
    by: String,
    /// The plugin, once it is known.
    plugin: Option<String>,
    /// The steps so far; the last one may still be going on.
    steps: Vec<OperationStep>,
    /// What came of it: `serving`, `unchanged`, `ready` (the plugin is disabled), `waiting` (for
    /// approval), `planned` (a dry run), `staged` (it is rolled out), `taken-back`, `stopped` or
    /// `refused`; null while nobody sees a change.
    outcome: Option<&'static str>,
    /// The number of the generation that it is about: which serves by it, is ready, waits, is rolled out
    /// or was taken back.
    generation: Option<u32>,
    /// The step that refused it.
    refused_at: Option<&'static str>,
    /// Why it was refused; what served before serves on.
    reasons: Vec<String>,
    /// What changes for others, where it waits or was only planned.
    differences: Vec<OperationDifference>,
    /// The migrations that would run, where it was only planned.
    migrations: Vec<String>,
    /// Whether all that follows is done too: the old generation is gone, the new one has proved
    /// itself, and the data have their new shape.
    settled: bool,
    /// What went wrong after requests saw the change, such as why it was rolled back.
    trouble: Option<String>,
}

/// A step of an operation.
#[derive(Serialize, ToSchema)]
struct OperationStep {
    /// Its name: `compile`, `describe`, `compare`, `trial`, `expand`, `warm`, `health`, `stage`,
    /// `swap`, `drain`, `watch`, `backfill` or `contract`.
    step: &'static str,
    /// How long it took, in milliseconds; null while it goes on.
    took_ms: Option<f64>,
}

/// Something that changes for others.
#[derive(Serialize, ToSchema)]
struct OperationDifference {
    /// `adds`; `grows`: the plugin or its callers may do more; `breaks`: somebody who relied on it can
    /// no longer. The last two need approval.
    effect: &'static str,
    /// What it is, for people.
    text: String,
}

/// How long to wait.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wait {
    /// How long to wait for something new, in milliseconds, at most 20 000.
    #[serde(default)]
    #[param(maximum = 20_000)]
    wait_ms: u64,
    /// What to wait for: `outcome`, until requests see the change or never will, or `settled`, until
    /// all that follows is done too. A step that begins or ends is answered before.
    #[serde(default)]
    #[param(value_type = String)]
    until: Until,
}

/// What to wait for.
#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Until {
    #[default]
    Outcome,
    Settled,
}

/// Tell how far a change is. Changes are remembered as long as the host runs, the last 200.
#[utoipa::path(get, path = "/operations/{id}", params(("id" = String, Path), Wait),
    responses((status = 200, body = Operation)))]
async fn read_operation(
    Extracted(state): Extracted<State>,
    Named(id): Named<String>,
    wait: Result<Query<Wait>, QueryRejection>,
) -> Result<Json<Operation>, Problem> {
    let malformed = |text: String| Problem::malformed("query-malformed", text);
    let Query(Wait { wait_ms, until }) = wait.map_err(|error| malformed(error.body_text()))?;
    if wait_ms > WAIT_MS_MAX {
        return Err(malformed(format!("`wait_ms` must be at most {WAIT_MS_MAX}.")));
    }
    let operation = state.host()?.runtime.operation(&id).ok_or_else(Problem::not_found)?;
    let is_there = until == Until::Outcome && operation.progress().outcome.is_some();
    if !is_there {
        operation.changed(Duration::from_millis(wait_ms)).await;
    }
    Ok(Json(shown(&operation)))
}

/// An operation as it is now.
pub(super) fn shown(operation: &Arc<runtime::Operation>) -> Operation {
    let progress = operation.progress();
    let mut shown = Operation {
        id: operation.id().to_owned(),
        change: operation.change(),
        by: operation.by().to_owned(),
        plugin: progress.plugin,
        steps: progress.steps.iter().map(step).collect(),
        outcome: None,
        generation: None,
        refused_at: None,
        reasons: Vec::new(),
        differences: Vec::new(),
        migrations: Vec::new(),
        settled: progress.settled,
        trouble: progress.trouble,
    };
    match progress.outcome {
        None => {}
        Some(Ok(outcome)) => shown.has_come_to(outcome),
        Some(Err(error)) => {
            shown.outcome = Some("refused");
            shown.refused_at = Some(error.step.name());
            shown.reasons = error.reasons;
        }
    }
    shown
}

impl Operation {
    fn has_come_to(&mut self, outcome: runtime::Outcome) {
        use runtime::Outcome;
        self.outcome = Some(match outcome {
            Outcome::Serving(number) => {
                self.generation = Some(number);
                "serving"
            }
            Outcome::Unchanged => "unchanged",
            Outcome::Ready(number) => {
                self.generation = Some(number);
                "ready"
            }
            Outcome::Waiting(number, differences) => {
                self.generation = Some(number);
                self.differences = differences.into_iter().map(difference).collect();
                "waiting"
            }
            Outcome::Planned(plan) => {
                self.differences = plan.differences.into_iter().map(difference).collect();
                self.migrations = plan.migrations;
                "planned"
            }
            Outcome::Stopped => "stopped",
            Outcome::Staged(number, _) => {
                self.generation = Some(number);
                "staged"
            }
            Outcome::TakenBack(number) => {
                self.generation = Some(number);
                "taken-back"
            }
        });
    }
}

fn step(step: &runtime::StepProgress) -> OperationStep {
    OperationStep {
        step: step.step.name(),
        took_ms: step.took.map(|took| (took.as_secs_f64() * 1e5).round() / 1e2),
    }
}

fn difference(difference: runtime::Difference) -> OperationDifference {
    let effect = match difference.effect {
        runtime::Effect::Adds => "adds",
        runtime::Effect::Grows => "grows",
        runtime::Effect::Breaks => "breaks",
    };
    OperationDifference { effect, text: difference.text }
}
