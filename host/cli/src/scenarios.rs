//! `caplet test`: the scenarios of a plugin against its component, in a host without sockets and disk.

use std::path::{Path, PathBuf};

use caplet_testing::scenario::{
    Coverage, Logs, Report, ScenarioFile, Subject, junit, run as run_file, text,
};
use clap::{Args, ValueHint};

use crate::build::{self, Project, Purpose};
use crate::compiler;
use crate::dry;
use crate::failure::Failure;
use crate::output;
use crate::terminal;

/// `caplet test`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  caplet test
  caplet test guestbook --filter pin
  caplet test --junit report.xml

The plugin is built, and each scenario in tests/*.yaml is run in a host of its own, with an empty
database and a clock that stands still. The exit code is 0 when all pass, 1 when one fails, and 2 when a
file has a mistake in it.")]
pub struct Test {
    /// The plugin's folder, which has a plugin.toml
    #[arg(value_name = "FOLDER", default_value = ".", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// Only scenarios whose names have this in them
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write what came of it to a file, in JUnit's XML
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
    /// Test this component instead of building one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub component: Option<PathBuf>,
}

/// Builds the plugin and runs its scenarios.
///
/// # Errors
/// A mistake in a file, a build that failed, or that a scenario failed.
pub async fn run(options: &Test) -> Result<(), Failure> {
    let logs = Logs::install();
    let project = Project::read(&options.folder)?;
    // Before the build, which takes longer than to see a slip of the pen.
    let files = files(&project)?;
    let component = match &options.component {
        Some(file) => dry::read(file)?,
        None => build::make(&project, Purpose::Release)?,
    };
    let subject = Subject {
        plugin: project.name.clone(),
        component,
        cache: Some(project.folder.join("build/.compiled")),
        compiler: compiler::own()?,
        logs,
        filter: options.filter.clone(),
    };
    let report = play(&files, &subject).await;
    if report.outcomes.is_empty() {
        let part = options.filter.as_deref().unwrap_or_default();
        return Err(Failure::usage(format!("no scenario has `{part}` in its name")));
    }
    if let Some(file) = &options.junit {
        write_junit(file, &report, &project.name)?;
    }
    output::print(&text(&report, terminal::has_colours()))?;
    if report.is_good() { Ok(()) } else { Err(Failure::said()) }
}

/// The scenario files of a project, in the order of their names.
///
/// # Errors
/// That there are none, or a mistake in one.
pub fn files(project: &Project) -> Result<Vec<ScenarioFile>, Failure> {
    let folder = project.tests();
    let is_scenarios =
        |path: &PathBuf| path.extension().is_some_and(|it| it == "yaml" || it == "yml");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_scenarios).collect();
    paths.sort();
    if paths.is_empty() {
        return Err(Failure::usage(format!("{} has no scenarios (*.yaml)", folder.display())));
    }
    let read = |path: &PathBuf| ScenarioFile::read(path);
    let files = paths.iter().map(read).collect::<Result<_, _>>();
    files.map_err(|mistake| Failure::usage(mistake.to_string()))
}

async fn play(files: &[ScenarioFile], subject: &Subject) -> Report {
    let mut report = Report { outcomes: Vec::new(), coverage: Coverage::default() };
    for file in files {
        let (outcomes, coverage) = run_file(file, subject).await;
        report.outcomes.extend(outcomes);
        report.coverage.add(coverage);
    }
    report
}

fn write_junit(file: &Path, report: &Report, plugin: &str) -> Result<(), Failure> {
    let written = junit(report, plugin).and_then(|document| std::fs::write(file, document));
    written.map_err(|reason| {
        Failure::run_time(format!("{} cannot be written: {reason}", file.display()))
    })
}
