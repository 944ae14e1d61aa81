//! What one call of a plugin costs without HTTP: the runtime's own benchmark, as often as there are
//! rounds.

use super::{
    report::{Bar, Report, Unit, median},
    stage::Stage,
};
use crate::{
    command::{cargo, output},
    workspace::Workspace,
};
use anyhow::{Context, Result};
use serde::Deserialize;

/// What the benchmark prints.
#[derive(Debug, Deserialize)]
struct Times {
    warm_us: Time,
    fresh_us: Time,
}

#[derive(Debug, Deserialize)]
struct Time {
    median: f64,
}

/// Runs it and adds the medians.
pub fn run(workspace: &Workspace, stage: &Stage, report: &mut Report) -> Result<()> {
    println!("Building the benchmark of calls.");
    let (mut warm_us, mut fresh_us) = (Vec::new(), Vec::new());
    for round in 1..=stage.rounds {
        let times = once(workspace, stage)?;
        let (warm, fresh) = (times.warm_us.median, times.fresh_us.median);
        println!("call, round {round} of {}: warm {warm} µs, fresh {fresh} µs", stage.rounds);
        warm_us.push(warm);
        fresh_us.push(fresh);
    }
    let unit = Unit::Microseconds;
    report.add("call, warm instance", median(&warm_us), unit, Some(Bar::AtMost(5.0)));
    report.add("call, fresh instance", median(&fresh_us), unit, Some(Bar::AtMost(50.0)));
    Ok(())
}

fn once(workspace: &Workspace, stage: &Stage) -> Result<Times> {
    let mut command = cargo();
    command.current_dir(workspace.root());
    // As for the host's program: with the package alone the engine would be compiled again.
    command.args(["bench", "--quiet", "--workspace", "--bench", "call"]);
    let text = output(command.env("CAPLET_GUESTS", &stage.guests))?;
    let line = text.lines().rfind(|line| line.starts_with('{'));
    let line = line.with_context(|| format!("the benchmark of calls said: {text}"))?;
    serde_json::from_str(line).with_context(|| format!("the benchmark of calls said {line}"))
}
