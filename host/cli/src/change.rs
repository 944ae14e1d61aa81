//! `caplet install`, `approve`, `rollback`, `enable`, `disable`, `remove` and `history`: changes of the
//! plugins of a running host, asked for and followed through its admin API.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::dry;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::remote::{Remote, Target};
use crate::rollout::{Stage, StageOptions};
use crate::table::aligned;

/// How long one question for news waits, in milliseconds.
const WAIT_MS: u32 = 5_000;

/// `caplet install`.
#[derive(Debug, Args)]
pub struct Install {
    #[command(flatten)]
    pub target: Target,
    /// The component
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// What a component of `wasi:http` is called [default: as its file]
    #[arg(long, value_name = "PLUGIN")]
    pub name: Option<String>,
    /// Agree to what grows the plugin's powers or breaks its callers
    #[arg(long)]
    pub approve: bool,
    /// Only tell what would change
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub stage: StageOptions,
    #[command(flatten)]
    pub wait: Wait,
}

/// `caplet enable`, `disable` and `remove`.
#[derive(Debug, Args)]
pub struct Named {
    #[command(flatten)]
    pub target: Target,
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    #[command(flatten)]
    pub wait: Wait,
}

/// `caplet approve`.
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    pub named: Named,
    /// The number of the generation that is agreed to [default: the only one that waits]
    #[arg(long, value_name = "NUMBER")]
    pub generation: Option<u32>,
    #[command(flatten)]
    pub stage: StageOptions,
}

/// `caplet rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    pub named: Named,
    /// The number of a generation in the history [default: the one that served before]
    #[arg(long, value_name = "NUMBER")]
    pub to: Option<u32>,
    #[command(flatten)]
    pub stage: StageOptions,
}

/// `caplet history`.
#[derive(Debug, Args)]
pub struct History {
    #[command(flatten)]
    pub target: Target,
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    /// Everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// How far a change is followed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Wait {
    /// Wait until the new version has proved itself and the data have their new shape
    #[arg(long)]
    pub wait: bool,
}

#[derive(Deserialize)]
struct Component {
    digest: String,
}

/// What `POST /admin/api/plugins` takes.
#[derive(Serialize)]
struct NewPlugin<'a> {
    component: &'a str,
    name: &'a str,
    approve: bool,
    dry_run: bool,
    stage: Option<Stage<'a>>,
}

#[derive(Serialize)]
struct Approval<'a> {
    generation: u32,
    stage: Option<Stage<'a>>,
}

#[derive(Serialize)]
struct RollbackTarget<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u32>,
    stage: Option<Stage<'a>>,
}

/// What the admin API says of a change.
#[derive(Deserialize)]
pub struct Operation {
    id: String,
    change: String,
    plugin: Option<String>,
    steps: Vec<Step>,
    outcome: Option<String>,
    generation: Option<u32>,
    refused_at: Option<String>,
    reasons: Vec<String>,
    differences: Vec<Difference>,
    migrations: Vec<String>,
    settled: bool,
    trouble: Option<String>,
}

#[derive(Deserialize)]
struct Step {
    step: String,
}

#[derive(Deserialize)]
struct Difference {
    effect: String,
    text: String,
}

#[derive(Deserialize)]
struct Generations {
    items: Vec<Generation>,
}

#[derive(Deserialize, Serialize)]
struct Generation {
    number: u32,
    version: String,
    digest: String,
    kind: String,
    state: String,
    reason: String,
    #[serde(default)]
    changes: Vec<String>,
    rights: Vec<String>,
    created_by: String,
    created_at: String,
    served_at: Option<String>,
    ended_at: Option<String>,
    #[serde(default)]
    contracted_at: Option<String>,
    stage: Option<String>,
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    description: Option<serde_json::Value>,
}

/// Brings a component to the host and has it installed, or its plugin upgraded.
///
/// # Errors
/// Why the host refused it, or what it waits for.
pub async fn install(options: &Install) -> Result<(), Failure> {
    let remote = Remote::new(&options.target)?;
    let bytes = dry::read(&options.file)?;
    let brought: Component = remote.bring("/components", "application/wasm", bytes).await?;
    let Install { approve, dry_run, .. } = *options;
    let stage = options.stage.stage();
    let name = options.name.clone().unwrap_or_else(|| dry::name_of(&options.file));
    let order = NewPlugin { component: &brought.digest, name: &name, approve, dry_run, stage };
    let operation = remote.ask(Method::POST, "/plugins", Some(&order)).await?;
    follow(&remote, operation, options.wait).await
}

/// Agrees to a generation that waits: the one that was named, or the only one, which is shown.
///
/// # Errors
/// Why the host refused it, or that several wait.
pub async fn approve(options: &Approve) -> Result<(), Failure> {
    let generation = match options.generation {
        Some(generation) => generation,
        None => only_waiting(&options.named).await?,
    };
    let approval = Approval { generation, stage: options.stage.stage() };
    change(&options.named, Method::POST, "/approve", Some(&approval)).await
}

/// The number of the only generation that waits. Tells what it waits for.
async fn only_waiting(options: &Named) -> Result<u32, Failure> {
    let plugin = checked(&options.plugin)?;
    let path = format!("/plugins/{plugin}/generations");
    let generations: Generations = Remote::new(&options.target)?.get(&path).await?;
    let waiting: Vec<_> = generations.items.iter().filter(|it| it.state == "waiting").collect();
    let told = |it: &&Generation| {
        let Generation { number, version, reason, .. } = it;
        format!("generation {number}, version {version}: {reason}\n")
    };
    match &waiting[..] {
        [] => Err(Failure::run_time(format!("{plugin}: nothing waits for approval"))),
        [one] => {
            output::print(&format!("{plugin}: agreeing to {}", told(one)))?;
            Ok(one.number)
        }
        [newest, ..] => {
            output::print(&waiting.iter().map(told).collect::<String>())?;
            let remedy = format!("caplet approve {plugin} --generation {}", newest.number);
            Err(Failure::run_time(format!("{plugin}: several wait; say which, such as `{remedy}`")))
        }
    }
}

/// Lets an earlier generation serve again.
///
/// # Errors
/// Why the host refused it.
pub async fn rollback(options: &Rollback) -> Result<(), Failure> {
    let target = RollbackTarget { to: options.to, stage: options.stage.stage() };
    change(&options.named, Method::POST, "/rollback", Some(&target)).await
}

/// Lets a disabled plugin serve again.
///
/// # Errors
/// Why the host refused it.
pub async fn enable(options: &Named) -> Result<(), Failure> {
    change(options, Method::POST, "/enable", None::<&()>).await
}

/// Takes a plugin out of service.
///
/// # Errors
/// Why the host refused it.
pub async fn disable(options: &Named) -> Result<(), Failure> {
    change(options, Method::POST, "/disable", None::<&()>).await
}

/// Removes a plugin; its data stays.
///
/// # Errors
/// Why the host refused it.
pub async fn remove(options: &Named) -> Result<(), Failure> {
    change(options, Method::DELETE, "", None::<&()>).await
}

/// Prints the generations of a plugin.
///
/// # Errors
/// When the host cannot be asked.
pub async fn history(options: &History) -> Result<(), Failure> {
    let path = format!("/plugins/{}/generations", checked(&options.plugin)?);
    let generations: Generations = Remote::new(&options.target)?.get(&path).await?;
    if options.json {
        let text = serde_json::to_string_pretty(&generations.items)
            .map_err(|error| Failure::run_time(error.to_string()))?;
        return output::print(&format!("{text}\n"));
    }
    let head = ["NUMBER", "VERSION", "BY", "BROUGHT", "STATE", "WHO", "REASON"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(generations.items.iter().map(row)).collect();
    output::print(&aligned(0, &rows))
}

fn row(generation: &Generation) -> [String; 7] {
    let at = &generation.created_at;
    [
        generation.number.to_string(),
        generation.version.clone(),
        generation.kind.clone(),
        at.get(..19).unwrap_or(at).replace('T', " "),
        generation.state.clone(),
        generation.created_by.clone(),
        match &generation.stage {
            Some(stage) if generation.state == "candidate" => stage.clone(),
            _ => why(generation),
        },
    ]
}

/// Why it ended or waits, or what it changed.
fn why(generation: &Generation) -> String {
    let reason = Some(generation.reason.clone()).filter(|reason| !reason.is_empty());
    reason.unwrap_or_else(|| generation.changes.join("; "))
}

async fn change(
    options: &Named,
    method: Method,
    action: &str,
    body: Option<&impl Serialize>,
) -> Result<(), Failure> {
    let remote = Remote::new(&options.target)?;
    let path = format!("/plugins/{}{action}", checked(&options.plugin)?);
    let operation = remote.ask(method, &path, body).await?;
    follow(&remote, operation, options.wait).await
}

/// A name that can stand in a path.
///
/// # Errors
/// When it cannot.
pub fn checked(plugin: &str) -> Result<&str, Failure> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !plugin.is_empty() && plugin.bytes().all(is_name) {
        Ok(plugin)
    } else {
        Err(Failure::usage(format!("`{plugin}` is no name of a plugin")))
    }
}

/// Waits for what comes of a change, and tells it.
///
/// # Errors
/// Why the host refused it, what it waits for, or what went wrong after.
pub async fn follow(remote: &Remote, begun: Operation, wait: Wait) -> Result<(), Failure> {
    let progress = Progress::spinner("changing the plugin");
    let is_done = |it: &Operation| it.outcome.is_some() && (it.settled || !wait.wait);
    let following = async {
        let mut operation = begun;
        while !is_done(&operation) {
            if let Some(last) = operation.steps.last() {
                progress.tell(operation.steps.len(), &last.step);
            }
            let until = if wait.wait { "settled" } else { "outcome" };
            let path = format!("/operations/{}?wait_ms={WAIT_MS}&until={until}", operation.id);
            operation = remote.get(&path).await?;
        }
        Ok::<_, Failure>(operation)
    };
    let operation = progress.during(following).await?;
    tell(&operation)
}

fn tell(operation: &Operation) -> Result<(), Failure> {
    let plugin = operation.plugin.as_deref().unwrap_or("the plugin");
    let number = operation.generation.unwrap_or_default();
    match operation.outcome.as_deref().unwrap_or_default() {
        "refused" => {
            let step = operation.refused_at.as_deref().unwrap_or("unknown");
            let reasons = operation.reasons.join("; ");
            Err(Failure::run_time(format!("{plugin}: refused at the step {step}: {reasons}")))
        }
        "waiting" => {
            output::print(&differences(operation))?;
            let remedy = format!("`caplet approve {plugin} --generation {number}` agrees to it");
            Err(Failure::run_time(format!("{plugin} waits for approval; {remedy}")))
        }
        "planned" => output::print(&format!("{}{}", differences(operation), migrations(operation))),
        "unchanged" => output::print(&format!("{plugin} is so already\n")),
        "ready" => output::print(&format!(
            "{plugin} is disabled; generation {number} will serve when it is enabled\n"
        )),
        "staged" if operation.trouble.is_none() && !is_over(operation) => output::print(&format!(
            "{plugin}: generation {number} is being rolled out; `caplet rollout {plugin}` tells \
                 how it goes\n"
        )),
        "taken-back" => {
            output::print(&format!("{plugin}: generation {number} gets no more requests\n"))
        }
        "stopped" => output::print(&format!("{plugin} takes no more requests\n")),
        _ => match &operation.trouble {
            Some(trouble) => Err(Failure::run_time(format!("{plugin}: {trouble}"))),
            None => output::print(&format!("{plugin} serves by generation {number}\n")),
        },
    }
}

/// Whether a rollout has come to its end. One that is moved to another stage is not over, though all is
/// done that was asked for.
fn is_over(operation: &Operation) -> bool {
    operation.settled && operation.change != "rollout"
}

fn differences(operation: &Operation) -> String {
    if operation.differences.is_empty() {
        return "Nothing changes for others.\n".to_owned();
    }
    let rows = operation.differences.iter();
    let rows: Vec<_> = rows.map(|it| [it.effect.clone(), it.text.clone()]).collect();
    aligned(0, &rows)
}

fn migrations(operation: &Operation) -> String {
    operation.migrations.iter().map(|migration| format!("migration: {migration}\n")).collect()
}
