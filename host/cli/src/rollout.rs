//! `caplet rollout`: how the rollout of a plugin goes, its next stage, and its end; and the options by
//! which an install, an approval and a rollback begin with a stage.

use std::fmt::Write as _;

use clap::Args;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::change::{Wait, checked, follow};
use crate::failure::Failure;
use crate::output;
use crate::remote::{Remote, Target};
use crate::table::aligned;

/// What the help of the command shows.
pub const EXAMPLES: &str = "\
Examples:
  caplet upgrade --percent 10 comments.wasm      # one caller in ten gets the new version
  caplet rollout comments                        # how both versions do
  caplet rollout comments --percent 50 --tenant acme
  caplet rollout comments --complete             # or --abort
  caplet upgrade --shadow comments.wasm          # copies only; the answers are compared

A caller stays with its version while the percent grows. A new version that does worse than the one
beside it is taken back by the host.";

/// Which requests a new version gets.
#[derive(Debug, Clone, Default, Args)]
pub struct StageOptions {
    /// Give the new version the requests of so many of 100 callers
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub percent: Option<u8>,
    /// Give it requests with a header, such as `x-canary`, or `x-canary: yes`; may be repeated
    #[arg(long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// Give it the requests of a tenant; may be repeated
    #[arg(long = "tenant", value_name = "NAME")]
    pub tenants: Vec<String>,
    /// Give it only copies of requests that read; compare the answers and throw them away
    #[arg(long)]
    pub shadow: bool,
}

/// `caplet rollout`.
#[derive(Debug, Args)]
pub struct RolloutOptions {
    #[command(flatten)]
    pub target: Target,
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    #[command(flatten)]
    pub stage: StageOptions,
    /// Give the new version all requests
    #[arg(long, conflicts_with_all = ["abort", "percent", "headers", "tenants", "shadow"])]
    pub complete: bool,
    /// Give the version that served all requests again
    #[arg(long, conflicts_with_all = ["percent", "headers", "tenants", "shadow"])]
    pub abort: bool,
    /// How it goes, as JSON
    #[arg(long, conflicts_with_all = ["complete", "abort", "percent", "headers", "tenants", "shadow"])]
    pub json: bool,
    #[command(flatten)]
    pub wait: Wait,
}

/// A stage as the admin API takes it.
#[derive(Debug, Serialize)]
pub struct Stage<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    headers: &'a [String],
    tenants: &'a [String],
    shadow: bool,
}

impl StageOptions {
    /// The stage that was asked for, if one was.
    pub fn stage(&self) -> Option<Stage<'_>> {
        let Self { percent, headers, tenants, shadow } = self;
        let is_said = percent.is_some() || !headers.is_empty() || !tenants.is_empty() || *shadow;
        is_said.then_some(Stage { percent: *percent, headers, tenants, shadow: *shadow })
    }
}

/// What the admin API says of a rollout.
#[derive(Deserialize)]
struct Rollout {
    stage_text: String,
    began_at: String,
    stable: Side,
    candidate: Side,
    shadow: Shadow,
}

#[derive(Deserialize)]
struct Side {
    generation: u32,
    version: String,
    invocations: u64,
    bad: u64,
    p99_ms: f64,
}

#[derive(Deserialize)]
struct Shadow {
    same: u64,
    different: u64,
    failed: u64,
    dropped: u64,
    differences: Vec<Difference>,
    left_out: u64,
}

#[derive(Deserialize)]
struct Difference {
    operation: String,
    at: String,
    stable: String,
    candidate: String,
    times: u64,
    request_id: String,
}

/// Tells how a rollout goes, changes its stage, or ends it.
///
/// # Errors
/// When the host cannot be asked, none goes on, or it refuses.
pub async fn run(options: &RolloutOptions) -> Result<(), Failure> {
    let remote = Remote::new(&options.target)?;
    let path = format!("/plugins/{}/rollout", checked(&options.plugin)?);
    let operation = if options.complete {
        remote.ask(Method::POST, &format!("{path}/complete"), None::<&()>).await?
    } else if options.abort {
        remote.ask(Method::DELETE, &path, None::<&()>).await?
    } else if let Some(stage) = options.stage.stage() {
        remote.ask(Method::PUT, &path, Some(&stage)).await?
    } else {
        return tell(&remote, &path, options.json).await;
    };
    follow(&remote, operation, options.wait).await
}

async fn tell(remote: &Remote, path: &str, json: bool) -> Result<(), Failure> {
    if json {
        let rollout: serde_json::Value = remote.get(path).await?;
        return output::print(&format!("{rollout:#}\n"));
    }
    output::print(&text(&remote.get(path).await?))
}

fn text(rollout: &Rollout) -> String {
    let since = rollout.began_at.get(..19).unwrap_or(&rollout.began_at).replace('T', " ");
    let mut text = format!("{} since {since}\n", rollout.stage_text);
    let head = ["", "GENERATION", "VERSION", "INVOCATIONS", "BAD", "P99 MS"].map(str::to_owned);
    let sides = [("stable", &rollout.stable), ("candidate", &rollout.candidate)];
    let rows: Vec<_> = std::iter::once(head).chain(sides.map(side)).collect();
    text += &aligned(0, &rows);
    let Shadow { same, different, failed, dropped, differences, left_out } = &rollout.shadow;
    if same + different + failed + dropped > 0 {
        // Writing into a string does not fail.
        let _ = writeln!(
            text,
            "copies: {same} the same, {different} different, {failed} failed, {dropped} left out"
        );
    }
    if !differences.is_empty() {
        let head = ["OPERATION", "AT", "STABLE", "CANDIDATE", "TIMES", "REQUEST"];
        let head = head.map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(differences.iter().map(row)).collect();
        text += &aligned(0, &rows);
    }
    if *left_out > 0 {
        let _ = writeln!(text, "and {left_out} differences of further kinds");
    }
    text
}

fn side((name, side): (&str, &Side)) -> [String; 6] {
    [
        name.to_owned(),
        side.generation.to_string(),
        side.version.clone(),
        side.invocations.to_string(),
        side.bad.to_string(),
        format!("{:.1}", side.p99_ms),
    ]
}

fn row(it: &Difference) -> [String; 6] {
    [
        it.operation.clone(),
        if it.at.is_empty() { "(whole body)".to_owned() } else { it.at.clone() },
        it.stable.clone(),
        it.candidate.clone(),
        it.times.to_string(),
        it.request_id.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_what_was_said_and_nothing_else() {
        assert!(StageOptions::default().stage().is_none());
        let options = StageOptions { percent: Some(0), ..StageOptions::default() };
        let said = serde_json::to_value(options.stage()).unwrap();
        let stage = serde_json::json!({
            "percent": 0, "headers": [], "tenants": [], "shadow": false
        });
        assert_eq!(said, stage);
    }

    #[test]
    fn tells_both_sides_and_what_differs() {
        let side = |generation, invocations| {
            serde_json::json!({ "generation": generation, "version": format!("{generation}.0.0"),
                "invocations": invocations, "bad": 1, "p99_ms": 1.024 })
        };
        let rollout = serde_json::json!({
            "stage_text": "10 % of the callers", "began_at": "2026-01-02T03:04:05.678Z",
            "stable": side(1, 90), "candidate": side(2, 10),
            "shadow": { "same": 3, "different": 1, "failed": 0, "dropped": 2, "left_out": 1,
                "differences": [{ "operation": "list", "at": "", "stable": "list of 1",
                    "candidate": "list of 2", "times": 1, "request_id": "r" }] },
        });
        let told = text(&serde_json::from_value(rollout).unwrap());
        for part in [
            "10 % of the callers since 2026-01-02 03:04:05",
            "stable     1           1.0.0    90",
            "candidate  2           2.0.0    10",
            "copies: 3 the same, 1 different, 0 failed, 2 left out",
            "(whole body)",
            "and 1 differences of further kinds",
        ] {
            assert!(told.contains(part), "{part} is not in:\n{told}");
        }
    }
}
