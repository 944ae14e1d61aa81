//! `cargo xtask test`: everything that must hold, cheapest first, stopping at the first failure.
//!
//! With filters it leaves the checks out and runs the tests that match: the short way from an edit
//! to its test.

use crate::{
    command::{cargo, run as execute},
    guests, host_binary, outside, prove, tidy, tools, wit,
    workspace::{Origin, Workspace},
};
use anyhow::{Context, Result};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Runs the checks and the tests.
pub fn run(workspace: &Workspace, filters: &[String]) -> Result<()> {
    let begin = Instant::now();
    step("tools", || {
        tools::ensure_wasm_target()?;
        tools::ensure_linters()?;
        tools::ensure_nextest()
    })?;
    if filters.is_empty() {
        check(workspace)?;
    }
    step("guests", || guests::collect(workspace))?;
    step("host", || host_binary::build(workspace, false))?;
    if filters.is_empty() {
        step("documentation tests", || documentation_tests(workspace))?;
    }
    let tools = outside_tools(workspace)?;
    step("tests", || nextest(workspace, filters, &tools))?;
    if filters.is_empty() {
        step("proof, in short", || prove::run(workspace, &prove::Options::short()))?;
    }
    println!("All is well, after {}.", seconds(begin.elapsed()));
    Ok(())
}

fn check(workspace: &Workspace) -> Result<()> {
    step("formatting", || execute(cargo().args(["fmt", "--all", "--check"])))?;
    step("tidy", || tidy::run(workspace))?;
    step("contract", || wit::run(workspace))?;
    step("clippy", clippy)?;
    step("clippy for guests", || clippy_for_guests(workspace))
}

fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {name}");
    let begin = Instant::now();
    let done = work().with_context(|| format!("the step `{name}` failed"))?;
    println!("==> {name}: {}", seconds(begin.elapsed()));
    Ok(done)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn clippy() -> Result<()> {
    execute(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Guests hold code that only their own target compiles.
fn clippy_for_guests(workspace: &Workspace) -> Result<()> {
    let all = workspace.guests()?;
    let (fixtures, libraries): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|guest| guest.origin == Origin::Fixture);
    for (kind, guests) in [("--lib", libraries), ("--examples", fixtures)] {
        if !guests.is_empty() {
            let mut command = guests::cargo_for("clippy", kind, &guests);
            execute(command.args(["--", "-D", "warnings"]))?;
        }
    }
    Ok(())
}

/// `--tests` leaves the fixtures out, which are examples: natively they can do nothing.
fn nextest(workspace: &Workspace, filters: &[String], tools: &Path) -> Result<()> {
    let mut command = cargo();
    command.args(["nextest", "run", "--workspace", "--tests"]).args(filters);
    command.env("CAPLET_GUESTS", workspace.guests_folder()).env("CAPLET_OUTSIDE", tools);
    execute(&mut command)
}

fn outside_tools(workspace: &Workspace) -> Result<PathBuf> {
    let mut folder = PathBuf::new();
    step("tools from outside", || {
        folder = outside::prepare(workspace)?;
        Ok(())
    })?;
    Ok(folder)
}

fn documentation_tests(workspace: &Workspace) -> Result<()> {
    let mut command = cargo();
    execute(
        command
            .args(["test", "--doc", "--workspace"])
            .env("CAPLET_GUESTS", workspace.guests_folder()),
    )
}
