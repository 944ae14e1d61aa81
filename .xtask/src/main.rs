//! The workspace's tools, run as `cargo xtask <command>`.
//!
//! - `serve`: builds the host and the bundled plugins and starts them: a newcomer's first command.
//! - `test`: checks and tests everything: the second command, and what CI runs.
//! - `plugins`: builds every guest into one folder.
//! - `outside`: installs the clients and suites that the tests use and that were written elsewhere.
//! - `tidy`: layers and text rules that the compiler does not know.
//! - `wit`: what a change of the contract breaks.
//! - `bench`: the host against the same endpoints written by hand.
//! - `fuzz`: searches for inputs that break the host.
//! - `prove`: what the host promises, tried on the real program, with a report.
//!
//! Nothing here is part of the host, and no crate of the host or of a plugin may use it.

mod bench;
mod command;
mod finding;
mod fuzz;
mod guests;
mod host_binary;
mod machine;
mod memory;
mod outside;
mod prove;
mod serve;
mod server;
mod test;
mod tidy;
mod tools;
mod wit;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// The tools of the Caplet workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the host and the bundled plugins, start them, and say how to try them.
    Serve(serve::Options),
    /// Check and test everything; with filters, build the guests and run the tests that match.
    Test {
        /// Parts of test names, as `cargo nextest run` takes them.
        filters: Vec<String>,
    },
    /// Build all guests and collect them in one folder.
    Plugins,
    /// Install the programs that the tests in `tests/outside` run.
    Outside,
    /// Check the layers and the rules for text.
    Tidy,
    /// Compare the contract with its released versions and check its rules.
    Wit,
    /// Compare the host with hand-written rivals, and print the ratios.
    Bench(bench::Options),
    /// Search for inputs that break the host, with `cargo fuzz`.
    Fuzz(fuzz::Options),
    /// Try upgrades, faults and attacks on the real program, and write a report.
    Prove(prove::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    match command {
        Command::Serve(options) => return serve::run(&workspace, &options),
        Command::Test { filters } => test::run(&workspace, &filters)?,
        Command::Plugins => {
            tools::ensure_wasm_target()?;
            guests::collect(&workspace)?;
        }
        Command::Outside => println!("{}", outside::prepare(&workspace)?.display()),
        Command::Tidy => tidy::run(&workspace)?,
        Command::Wit => wit::run(&workspace)?,
        Command::Bench(options) => bench::run(&workspace, &options)?,
        Command::Fuzz(options) => fuzz::run(&workspace, &options)?,
        Command::Prove(options) => prove::run(&workspace, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}
