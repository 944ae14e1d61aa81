//! The `caplet` command: a host for plugins, and the tools around it.
//!
//! - `arguments`: what can be typed, and the help that teaches it.
//! - `settings`, `environment`: what can be set, from which source, and the errors of bad values.
//! - `serve`, `token`, `key`, `list`, `describe`, `inspect`, `check`, `status`, `top`, `completions`,
//!   `subject`, `change`, `configure`, `rollout`, `rights`: the commands.
//! - `new`, `build`, `scenarios` (`caplet test`), `dev`: the commands of authors; `carried`: the templates,
//!   SDKs and contract that they put into a plugin.
//! - `socket`, `takeover`: what a host listens on, and how a new one replaces it; `term`: one host from
//!   its start to its end; `rehearsal`: what can be known before the running host is touched.
//! - `compiler`: the process that compiles, which the host starts from this same program.
//! - `remote`: the running host, for the commands that ask it.
//! - `dry`: a runtime that touches nothing, for the commands that only look.
//! - `telemetry`: traces and metrics for a collector.
//! - `allocator`: how the memory that is free goes back to the system.
//! - `output`, `table`, `terminal`, `progress`, `logging`, `failure`: how things are written, and how the
//!   process ends.
//!
//! Everything that happens to a request is in `caplet-server`.

mod allocator;
mod arguments;
mod build;
mod carried;
mod change;
mod check;
mod compiler;
mod completions;
mod configure;
mod describe;
mod dev;
mod dry;
mod environment;
mod failure;
mod inspect;
mod key;
mod list;
mod logging;
mod new;
mod output;
mod progress;
mod rehearsal;
mod remote;
mod rights;
mod rollout;
mod scenarios;
mod serve;
mod settings;
mod socket;
mod status;
mod stop;
mod subject;
mod table;
mod takeover;
mod telemetry;
mod term;
mod terminal;
mod token;
mod top;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    allocator::give_back_what_is_free();
    let arguments = Arguments::parse();
    // Before there are threads: its limits are those of the whole process.
    if matches!(arguments.command, Command::CompileWorker) {
        return caplet_runtime::compile_worker();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(reason) => return Failure::run_time(format!("cannot start threads: {reason}")).tell(),
    };
    let outcome = runtime.block_on(run(arguments));
    // Blocking work that is still running (a compilation, a read) must not keep the process.
    runtime.shutdown_background();
    outcome.map_or_else(|failure| failure.tell(), |()| ExitCode::SUCCESS)
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    // These listen to the log in ways of their own.
    let is_quiet =
        !matches!(arguments.command, Command::Serve(_) | Command::Dev(_) | Command::Test(_));
    if is_quiet {
        logging::start_quietly()?;
        environment::warn_of_unknown();
    }
    match arguments.command {
        Command::CompileWorker => Ok(()),
        Command::Serve(options) => serve::run(options).await,
        Command::New(options) => new::run(&options),
        Command::Build(options) => build::run(&options).await,
        Command::Test(options) => scenarios::run(&options).await,
        Command::Dev(options) => dev::run(&options).await,
        Command::Token(options) => token::run(&options),
        Command::Key(options) => key::run(options.command).await,
        Command::List(options) => list::run(&options).await,
        Command::Describe(options) => describe::run(&options).await,
        Command::Inspect(options) => inspect::run(&options).await,
        Command::Check(options) => check::run(&options).await,
        Command::Rights(command) => rights::run(&command).await,
        Command::Install(options) => change::install(&options).await,
        Command::Approve(options) => change::approve(&options).await,
        Command::Rollback(options) => change::rollback(&options).await,
        Command::Enable(options) => change::enable(&options).await,
        Command::Disable(options) => change::disable(&options).await,
        Command::Remove(options) => change::remove(&options).await,
        Command::Rollout(options) => rollout::run(&options).await,
        Command::History(options) => change::history(&options).await,
        Command::Configure(command) => configure::run(&command).await,
        Command::Status(options) => status::run(&options).await,
        Command::Release(options) => status::release(&options).await,
        Command::Top(options) => top::run(&options).await,
        Command::Completions(options) => completions::run(&options),
        Command::Subject(options) => subject::run(&options).await,
    }
}
