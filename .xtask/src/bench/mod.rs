//! `cargo xtask bench`: the host against the same endpoints written by hand, on this machine, now.
//!
//! Each side is started alone, warmed up and put under the same load, in turns, several times; what
//! counts is the ratio of the medians. Figures and no verdicts: a bar that is missed is shown and does
//! not fail. What fails is a side that answers something else, or an error.
//!
//! - `stage`: what is built and where it runs; a side is a child process ([`crate::server`]).
//! - `data`: the comments in the database; `load`: requests, answers, and `wrk`.
//! - `contest`: sides in turns; `benchmarks`: which there are; `call`: the one without HTTP; `tags`:
//!   the one with a million taggings; `rest`: starting, and doing nothing.
//! - `django` and `components`: the rivals that are installed and not written; `languages`: plugins in
//!   each language.
//! - `report`: the table and `results.json`.
//!
//! The hand-written sides are in `tests/rivals`.

mod benchmarks;
mod call;
mod components;
mod contest;
mod data;
mod django;
mod languages;
mod load;
mod report;
mod rest;
mod stage;
mod tags;

use crate::workspace::Workspace;
use anyhow::{Result, bail};
use benchmarks::Benchmark;
use clap::ValueEnum;
use report::Report;
use stage::Stage;
use std::path::PathBuf;

/// What `cargo xtask bench` can be told.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How often each side is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each side is measured in a round, in seconds.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Which to run, separated by commas [default: all].
    #[arg(long, value_delimiter = ',')]
    only: Vec<Benchmark>,
    /// Measure the program as `cargo build` makes it, and not the released one: to try the benchmarks.
    #[arg(long)]
    dev: bool,
    /// Measure this program of the host, and build none.
    #[arg(long, value_name = "FILE", conflicts_with = "dev")]
    program: Option<PathBuf>,
}

/// Builds everything, runs the benchmarks, prints their figures and writes them to
/// `bench/results.json` in the target directory.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let chosen = match &options.only[..] {
        [] => Benchmark::value_variants(),
        chosen => chosen,
    };
    let stage = Stage::build(workspace, options, chosen)?;
    let mut report = Report::new(&stage)?;
    let mut failures = Vec::new();
    for benchmark in chosen {
        // The others take minutes and may well succeed.
        if let Err(error) = benchmark.run(workspace, &stage, &mut report) {
            eprintln!("error: {benchmark:?}: {error:#}");
            failures.push(format!("{benchmark:?}: {error:#}"));
        }
    }
    print!("\n{}", report.table());
    report.write(&stage.folder.join("results.json"))?;
    if failures.is_empty() { Ok(()) } else { bail!("not measured: {}", failures.join("; ")) }
}
