//! `caplet build`: a component from a plugin's folder, by its language's own tools.
//!
//! - `project`: what `plugin.toml` says.
//! - `language`: the languages, and what each of them has to be able to do.
//! - `tool`: the programs of other people: whether they are there, and running them.
//! - `rust`, `typescript`, `python`, `go`, `c`: a module for each language.
//! - `component`: making a component of a core module, for languages whose tools cannot.
//! - `world`: which of the contract's worlds a plugin fits.
//! - `strip`, `report`: what is done with every component, and said of it.

mod c;
mod component;
mod go;
mod language;
mod project;
mod python;
mod report;
mod rust;
mod strip;
mod tool;
mod typescript;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};

pub use self::language::{Language, Purpose};
pub use self::project::{Project, SDK_FOLDER, not_a_name};
use self::report::{Report, refusal};
use crate::arguments::Common;
use crate::dry;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;

/// `caplet build`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  caplet build
  caplet build guestbook && cp guestbook/build/guestbook.wasm plugins/

The language's own tools are run; what is missing is named with the command that installs it. The
component is stripped, written to build/NAME.wasm, and tried as `caplet check` does.")]
pub struct Build {
    #[command(flatten)]
    pub common: Common,
    /// The plugin's folder, which has a `plugin.toml`
    #[arg(value_name = "FOLDER", default_value = ".", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
}

/// Builds the plugin, tries whether a host would load it, and says what came of it.
///
/// # Errors
/// What is missing or wrong; what the language's tools had to say has been written.
pub async fn run(options: &Build) -> Result<(), Failure> {
    let project = Project::read(&options.folder)?;
    let settings = Settings::load(&options.common, None)?;
    let bytes = make(&project, Purpose::Release)?;
    let runtime = dry::runtime(&settings).await?;
    let n_bytes = bytes.len();
    let loaded = Progress::spinner("checking the component").during(runtime.load(bytes)).await;
    runtime.shutdown(Duration::ZERO).await;
    match loaded {
        Ok(generation) => {
            let report = Report { project: &project, n_bytes, generation: &generation };
            output::print(&report.text())
        }
        Err(error) => {
            output::print(&refusal(&project.output, &error))?;
            Err(Failure::said())
        }
    }
}

/// Builds the component, and writes it to the project's output. Returns its bytes.
///
/// # Errors
/// What is missing, or that the build failed.
pub fn make(project: &Project, purpose: Purpose) -> Result<Vec<u8>, Failure> {
    let toolchain = project.language.toolchain();
    toolchain.check()?;
    let built = toolchain.build(project, purpose)?;
    let component = match purpose {
        Purpose::Trial => built,
        Purpose::Release => strip::strip(&built).map_err(|reason| {
            Failure::run_time(format!("what was built is no component: {reason}"))
        })?,
    };
    write(&project.output, &component).map_err(|reason| {
        Failure::run_time(format!("{} cannot be written: {reason}", project.output.display()))
    })?;
    Ok(component)
}

/// Who reads the file sees the old one or the new one, never a part.
fn write(file: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = file.with_extension("partial");
    fs::write(&partial, content)?;
    fs::rename(&partial, file)
}
