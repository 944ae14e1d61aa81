//! Scenarios that are written down in a file, in no language of programming: requests by people, what
//! has to come of each, and nothing else. They are run against the real component in a host without
//! sockets and disk, whose clock stands still.
//!
//! - `file`: the keys of the file, and its mistakes.
//! - `pattern`: variables, patterns, and comparing JSON.
//! - `play`: one step against a host.
//! - `run`: a file against a component; `logs`: what the plugin logged meanwhile.
//! - `report`, `junit`: what came of it, for people and for machines.

mod file;
mod junit;
mod logs;
mod pattern;
mod play;
mod report;
mod run;

pub use file::{Expect, Line, Mistake, Person, Scenario, ScenarioFile, Step, Stored};
pub use junit::junit;
pub use logs::{Logged, Logs};
pub use pattern::{Difference, Variables};
pub use play::{Misplay, Player, claims};
pub use report::{Report, text};
pub use run::{Coverage, Outcome, Subject, run};

/// Runs the scenarios of a file against a component that was built for the tests. Returns which of the
/// plugin's operations they call.
///
/// # Panics
/// When something is not as the file says.
pub async fn assert_scenarios(file: &str, plugin: &str) -> Coverage {
    let logs = Logs::install();
    let file = ScenarioFile::read(std::path::Path::new(file));
    let file = file.unwrap_or_else(|mistake| panic!("{mistake}"));
    let subject = Subject {
        plugin: plugin.to_owned(),
        component: crate::component(plugin),
        cache: Some(crate::guests::cache()),
        compiler: caplet_runtime::Compiler::default(),
        logs,
        filter: None,
    };
    let (outcomes, coverage) = run(&file, &subject).await;
    let report = Report { outcomes, coverage };
    assert!(report.is_good(), "\n{}", text(&report, false));
    report.coverage
}
