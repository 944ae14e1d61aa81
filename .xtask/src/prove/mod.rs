//! `cargo xtask prove`: what the host promises, tried on the real program, with a report.
//!
//! Each scenario starts hosts on free ports, puts load on them, does something to them, and looks at
//! every single answer. What it finds becomes rows with figures, their bars, and a seed with which the
//! same requests come again in the same order. A row that fails makes the command fail.
//!
//! - `stage`: what is built and where it runs; `caller`: one request and what came back; `question`: what
//!   is asked, and what a good answer is; `sent`: bodies, also slow ones; `load`: many requests at a
//!   fixed rate, whatever the host does; `feed`: an outside service that streams.
//! - `samples`: what all answers say together; `row`: what is made of it.
//! - `swaps` (with `versions`), `drops`, `faults`, `overload`, `hostile`, `attacks`: the scenarios;
//!   `admin`: changing a plugin by hand; `catalogue`: the attacks and faults that have tests of their own.
//! - `report`, `page`, `plot`: the JSON, and the page that says it to people.
//!
//! Latencies are measured from the moment at which a request was due, so that a host that stands still
//! is not spared the requests that would have come in the meantime.

mod admin;
mod attacks;
mod caller;
mod catalogue;
mod drops;
mod faults;
mod feed;
mod hostile;
mod load;
mod overload;
mod page;
mod plot;
mod question;
mod report;
mod row;
mod samples;
mod sent;
mod stage;
mod swaps;
mod versions;

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use report::Report;
use row::Row;
use stage::Stage;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// What `cargo xtask prove` can be told.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How long the scenarios may load hosts, in minutes. Less time means fewer rounds of each.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=240))]
    minutes: u32,
    /// Which to run, separated by commas [default: all].
    #[arg(long, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Repeats the requests of an earlier run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Try the program as `cargo build` makes it, and not the released one.
    #[arg(long)]
    dev: bool,
    /// Try this program of the host, and build none.
    #[arg(long, value_name = "FILE", conflicts_with = "dev")]
    program: Option<PathBuf>,
    /// A few minutes, with the program as `cargo build` makes it: what must never happen fails, times
    /// are only told, and what has tests of its own is left out. It is a part of `cargo xtask test`.
    #[arg(long, conflicts_with = "minutes")]
    short: bool,
}

impl Options {
    /// The short run.
    pub fn short() -> Self {
        Self { minutes: 0, only: Vec::new(), seed: 1, dev: true, program: None, short: true }
    }

    fn is_development(&self) -> bool {
        self.dev || self.short
    }

    /// How long the scenarios may load hosts.
    fn time(&self) -> Duration {
        if self.short { SHORT_TIME } else { Duration::from_secs(u64::from(self.minutes) * 60) }
    }

    fn scenarios(&self) -> Vec<Scenario> {
        let all = Scenario::value_variants().iter().copied();
        match &self.only[..] {
            [] => all.filter(|it| !self.short || *it != Scenario::Attacks).collect(),
            chosen => chosen.to_vec(),
        }
    }
}

/// How long the scenarios of a short run may load hosts. Each takes at least a round.
const SHORT_TIME: Duration = Duration::from_secs(120);

/// What can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Plugins are upgraded and rolled back under load.
    Swaps,
    /// Files are dropped into the plugin folder.
    Drops,
    /// Hosts are killed, stopped and replaced under load.
    Faults,
    /// More is asked than a host can answer.
    Overload,
    /// Hostile plugins beside others, under load.
    Hostile,
    /// Hostile plugins and requests: the rows of the tests.
    Attacks,
}

impl Scenario {
    /// Its part of the time, in hundredths.
    fn share(self) -> u32 {
        match self {
            Self::Swaps => 50,
            Self::Drops => 5,
            Self::Faults => 22,
            Self::Overload => 13,
            Self::Hostile => 10,
            // It takes what it takes.
            Self::Attacks => 0,
        }
    }

    async fn run(self, plan: &Plan<'_>) -> Result<Vec<Row>> {
        match self {
            Self::Swaps => swaps::run(plan).await,
            Self::Drops => drops::run(plan).await,
            Self::Faults => faults::run(plan).await,
            Self::Overload => overload::run(plan).await,
            Self::Hostile => hostile::run(plan).await,
            Self::Attacks => attacks::run(plan),
        }
    }
}

/// What a scenario is given.
struct Plan<'a> {
    workspace: &'a Workspace,
    stage: &'a Stage,
    seed: u64,
    /// How long it may load hosts.
    time: Duration,
    /// Whether what is measured was not built for release.
    is_development: bool,
    /// Whether it is a short run.
    short: bool,
}

/// Builds everything, runs the scenarios, and writes `prove/report.html` and `prove/report.json` in
/// the target directory. Fails when a row does.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let stage = Stage::build(workspace, options)?;
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let runtime = threads.worker_threads(2).enable_all().build().context("cannot start threads")?;
    let mut report = Report::new(options)?;
    let chosen = options.scenarios();
    let shares: u32 = chosen.iter().map(|scenario| scenario.share()).sum();
    for scenario in chosen {
        let time = options.time() * scenario.share() / shares.max(1);
        let Options { seed, dev: is_development, short, .. } = *options;
        let plan = Plan { workspace, stage: &stage, seed, time, is_development, short };
        let begun = Instant::now();
        let rows = runtime.block_on(scenario.run(&plan));
        // The others take minutes and may well succeed.
        let rows = rows.unwrap_or_else(|error| vec![Row::broken(&format!("{scenario:?}"), &error)]);
        println!("{scenario:?}: {:.0} s", begun.elapsed().as_secs_f64());
        rows.into_iter().for_each(|row| report.add(row));
    }
    report.write(&stage.folder)?;
    match report.n_failed() {
        0 => Ok(()),
        n => bail!("{n} rows failed: see {}", stage.folder.join("report.html").display()),
    }
}
