//! `caplet grant`, `revoke`, `rights`, `why-denied` and `audit`: what plugins of a running host may do,
//! and what was decided about it.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::output;
use crate::remote::{Remote, Target};
use crate::table::aligned;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum RightsCommand {
    /// Tell what a plugin may do, in sentences.
    #[command(after_help = "Example:\n  caplet rights comments")]
    Rights(RightsOptions),

    /// Take a right from a plugin, with effect on calls that are running.
    #[command(after_help = "\
Example:
  caplet revoke comments sql

It stays taken after a restart and an upgrade, until it is granted again.")]
    Revoke(RightOfPlugin),

    /// Give a plugin a right back.
    #[command(after_help = "\
Example:
  caplet grant comments sql")]
    Grant(RightOfPlugin),

    /// Explain why calls were denied, or a change was refused, and how to allow them.
    #[command(after_help = "\
Example:
  caplet why-denied 01a20529-bf87-7573-84fc-750ff0fe3a8a")]
    WhyDenied(WhyDenied),

    /// Show what was decided about plugins and their rights, when and by whom.
    #[command(after_help = "\
Examples:
  caplet audit
  caplet audit --json | tail -1
  caplet audit --verify                          # was an entry changed or taken out?")]
    Audit(AuditOptions),
}

/// `caplet grant` and `caplet revoke`.
#[derive(Debug, Args)]
pub struct RightOfPlugin {
    #[command(flatten)]
    pub target: Target,
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    /// The right, such as sql
    #[arg(value_name = "RIGHT")]
    pub right: String,
}

/// `caplet rights`.
#[derive(Debug, Args)]
pub struct RightsOptions {
    #[command(flatten)]
    pub target: Target,
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
}

/// `caplet why-denied`.
#[derive(Debug, Args)]
pub struct WhyDenied {
    #[command(flatten)]
    pub target: Target,
    /// The id of the request, which is in its answer and in the log, or that of an operation
    #[arg(value_name = "REQUEST")]
    pub request: String,
}

/// `caplet audit`.
#[derive(Debug, Args)]
pub struct AuditOptions {
    #[command(flatten)]
    pub target: Target,
    /// Everything, as one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Only look whether an entry was changed or taken out
    #[arg(long, conflicts_with = "json")]
    pub verify: bool,
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Right {
    name: String,
    meaning: String,
    granted: bool,
    revoked_by: Option<String>,
    revoked_at: Option<String>,
}

#[derive(Deserialize)]
struct Denial {
    reason: String,
    remedy: Option<String>,
}

#[derive(Deserialize)]
struct Decisions {
    items: Vec<Decision>,
    next_after: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct Decision {
    number: u64,
    at: String,
    actor: String,
    plugin: String,
    action: String,
    detail: serde_json::Value,
    request: String,
    hash: String,
}

#[derive(Deserialize)]
struct Verification {
    n_entries: u64,
    broken_at: Option<u64>,
    last_hash: String,
}

/// Does what was asked.
///
/// # Errors
/// When the host cannot be asked, or refuses.
pub async fn run(command: &RightsCommand) -> Result<(), Failure> {
    match command {
        RightsCommand::Rights(options) => list(options).await,
        RightsCommand::Revoke(options) => revoke(options).await,
        RightsCommand::Grant(options) => grant(options).await,
        RightsCommand::WhyDenied(options) => why_denied(options).await,
        RightsCommand::Audit(options) => audit(options).await,
    }
}

/// Gives a right back.
///
/// # Errors
/// When the host cannot be asked, or refuses.
async fn grant(options: &RightOfPlugin) -> Result<(), Failure> {
    change(options, Method::PUT).await?;
    output::print(&format!("{} may use {}\n", options.plugin, options.right))
}

/// Takes a right away.
///
/// # Errors
/// When the host cannot be asked, or refuses.
async fn revoke(options: &RightOfPlugin) -> Result<(), Failure> {
    change(options, Method::DELETE).await?;
    output::print(&format!("{} may no longer use {}\n", options.plugin, options.right))
}

async fn change(options: &RightOfPlugin, method: Method) -> Result<(), Failure> {
    let (plugin, right) = (segment(&options.plugin)?, segment(&options.right)?);
    let path = format!("/plugins/{plugin}/rights/{right}");
    Remote::new(&options.target)?.send(method, &path, None::<&()>).await.map(drop)
}

/// Tells what a plugin may do, in sentences.
///
/// # Errors
/// When the host cannot be asked.
async fn list(options: &RightsOptions) -> Result<(), Failure> {
    let path = format!("/plugins/{}/rights", segment(&options.plugin)?);
    let rights: Items<Right> = Remote::new(&options.target)?.get(&path).await?;
    let sentence = |right: &Right| {
        let Right { name, meaning, .. } = right;
        if right.granted {
            return format!("{} may {meaning} ({name}).\n", options.plugin);
        }
        let by = right.revoked_by.as_deref().unwrap_or_default();
        let at = right.revoked_at.as_deref().unwrap_or_default();
        format!("{} may not {meaning} ({name}): {by} revoked it at {at}.\n", options.plugin)
    };
    output::print(&rights.items.iter().map(sentence).collect::<String>())
}

/// Explains why calls in a request were denied.
///
/// # Errors
/// When the host cannot be asked, or nothing was denied in that request.
async fn why_denied(options: &WhyDenied) -> Result<(), Failure> {
    let path = format!("/denials/{}", segment(&options.request)?);
    let denials: Items<Denial> = Remote::new(&options.target)?.get(&path).await?;
    let lines = denials.items.iter().map(|denial| match &denial.remedy {
        Some(remedy) => format!("{}\n  {remedy}\n", denial.reason),
        None => format!("{}\n", denial.reason),
    });
    output::print(&lines.collect::<String>())
}

/// Prints the log of decisions, or looks whether it is whole.
///
/// # Errors
/// When the host cannot be asked, or the log is not whole.
async fn audit(options: &AuditOptions) -> Result<(), Failure> {
    let remote = Remote::new(&options.target)?;
    if options.verify {
        return verify(&remote).await;
    }
    let mut rows = vec![["NUMBER", "WHEN", "WHO", "WHAT", "PLUGIN", "DETAIL"].map(str::to_owned)];
    let mut next = Some(0);
    while let Some(after) = next {
        let page: Decisions = remote.get(&format!("/audit?after={after}")).await?;
        for decision in &page.items {
            if options.json {
                let line = serde_json::to_string(decision)
                    .map_err(|error| Failure::run_time(error.to_string()))?;
                output::print(&format!("{line}\n"))?;
            } else {
                rows.push(row(decision));
            }
        }
        next = page.next_after;
    }
    if options.json { Ok(()) } else { output::print(&aligned(0, &rows)) }
}

async fn verify(remote: &Remote) -> Result<(), Failure> {
    let Verification { n_entries, broken_at, last_hash } =
        remote.get("/audit/verification").await?;
    match broken_at {
        None => output::print(&format!("{n_entries} entries fit; the last hash is {last_hash}\n")),
        Some(number) => Err(Failure::run_time(format!(
            "entry {number} of the audit log was changed, or one before it was taken out"
        ))),
    }
}

fn row(decision: &Decision) -> [String; 6] {
    [
        decision.number.to_string(),
        decision.at.get(..19).unwrap_or(&decision.at).replace('T', " "),
        decision.actor.clone(),
        decision.action.clone(),
        decision.plugin.clone(),
        decision.detail.to_string(),
    ]
}

/// A text that can stand in a path.
fn segment(text: &str) -> Result<&str, Failure> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        Ok(text)
    } else {
        Err(Failure::usage(format!("`{text}` is no name and no id")))
    }
}
