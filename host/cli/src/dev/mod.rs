//! `caplet dev`: a host that builds and serves what an author writes. A change of a file is built, and
//! the component takes the place of the one before by the way that every upgrade goes; what differs is
//! agreed to.
//!
//! - `watch`: which files there are, and whether they have changed.
//! - `workbench`: building, swapping, seeding, and what is said of it.

mod watch;
mod workbench;

use std::path::PathBuf;

use caplet_runtime::Compiler;
use clap::{Args, ValueHint};

use self::workbench::Workbench;
use crate::arguments::Common;
use crate::build::Project;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::term::{End, Term};
use crate::{logging, scenarios, serve, socket};

/// `caplet dev`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  caplet dev
  caplet dev guestbook --listen 127.0.0.1:9000

The people of tests/*.yaml get tokens, which are printed, and the `seed` steps of those files are played
once. The data vanish at the end, unless --data keeps them. Ctrl-C ends it.")]
pub struct Dev {
    /// The plugin's folder, which has a plugin.toml
    #[arg(value_name = "FOLDER", default_value = ".", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// A configuration file of the host [default: caplet.toml, when there is one here]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Keep the data in a directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
}

/// Serves the plugin until a signal comes.
///
/// # Errors
/// Why it cannot begin: no project, no toolchain, a mistake in a scenario file, no host.
pub async fn run(options: &Dev) -> Result<(), Failure> {
    let project = Project::read(&options.folder)?;
    project.language.toolchain().check()?;
    let files = scenarios::files(&project)?;
    let vanishing = tempfile::tempdir()
        .map_err(|reason| Failure::run_time(format!("no temporary directory: {reason}")))?;
    let settings = settings(options, vanishing.path().join("data"))?;
    logging::start(&settings.log, &Progress::none(), None)?;
    let stop = Stop::watch()?;
    let listener = socket::bound(&settings.listen).await?;
    // In this process: the process that compiles for a host gives way to everything else, and the
    // author waits for it.
    let term = Term::begin_with(&settings, Compiler::default()).await?;
    term.host().ready().await;
    let url = serve::announce(&listener)?;
    let workbench = Workbench::new(project, files, term.host().clone(), url);
    let working = tokio::spawn(workbench.work());
    let end = term.run(listener, &stop).await;
    working.abort();
    match end {
        End::Stopped { is_complete: false } => {
            Err(Failure::run_time("some calls outlasted the grace time and were given up"))
        }
        _ => Ok(()),
    }
}

fn settings(options: &Dev, vanishing: PathBuf) -> Result<Settings, Failure> {
    let data = options.data.clone().unwrap_or(vanishing);
    let common = Common {
        config: options.config.clone(),
        plugins: Some(data.join("plugins")),
        data: Some(data),
    };
    let mut settings = Settings::load(&common, options.listen.as_deref())?;
    settings.engine.quick_code = true;
    Ok(settings)
}
