//! The rows of the hostile tests: each is a plugin, a statement or a request that tries to do harm, or a
//! fault. They are tests of their own, run by the test runner, and collected here under the names and
//! sentences of the [catalogue](super::catalogue).

use anyhow::{Context, Result};
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use std::{fs, time::Instant};

use super::{
    Plan,
    catalogue::{ENTRIES, Entry},
    row::Row,
};
use crate::command::cargo;

/// The profile of the test runner that writes what it found to a file.
const PROFILE: &str = "prove";

/// How often a host is killed at each step of a change.
const KILL_ROUNDS: &str = "20";

/// A test that ran.
#[derive(Debug, PartialEq)]
struct Case {
    name: String,
    seconds: f64,
    failure: Option<String>,
}

/// Runs the tests, and makes a row of each.
pub fn run(plan: &Plan<'_>) -> Result<Vec<Row>> {
    let begun = Instant::now();
    let file = plan.workspace.target().join("nextest").join(PROFILE).join("junit.xml");
    if file.exists() {
        fs::remove_file(&file).context("cannot remove what the tests wrote before")?;
    }
    let mut command = cargo();
    command.args(["nextest", "run", "--workspace", "--tests", "--profile", PROFILE]);
    command.args(["--no-fail-fast", "-E", &filter()]);
    command.env("CAPLET_KILL_ROUNDS", KILL_ROUNDS);
    // Whether they all held is in the file: here it only matters that they ran.
    let status = command.env("CAPLET_GUESTS", plan.workspace.guests_folder()).status();
    status.context("cannot start the test runner")?;
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let cases = cases(&text)?;
    println!("{} tests, {:.0} s", cases.len(), begun.elapsed().as_secs_f64());
    Ok(ENTRIES.iter().map(|entry| row(entry, &cases)).collect())
}

/// Which tests are run.
fn filter() -> String {
    let filters: Vec<String> = ENTRIES
        .iter()
        .map(|(_, test, place, _)| format!("({} & test(/(^|::){test}$/))", place.filter()))
        .collect();
    filters.join(" | ")
}

/// The row of an entry: it holds when its test did.
fn row((id, test, _, sentence): &Entry, cases: &[Case]) -> Row {
    let mut row = Row::new(id, sentence, format!("cargo xtask test {test}"));
    let is_it = |case: &&Case| {
        case.name.strip_suffix(test).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
    };
    let mut own = cases.iter().filter(is_it).peekable();
    if own.peek().is_none() {
        return row.failed(format!("The test `{test}` was not run."));
    }
    // One test of the store's suite runs over each backend.
    for case in own {
        row.duration_s += case.seconds;
        if let Some(reason) = &case.failure {
            row = row.failed(format!("{}: {reason}", case.name));
        }
    }
    row
}

/// What the test runner wrote.
fn cases(text: &str) -> Result<Vec<Case>> {
    let mut reader = Reader::from_str(text);
    let mut cases: Vec<Case> = Vec::new();
    loop {
        match reader.read_event()? {
            Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                "testcase" => cases.push(Case {
                    name: attribute(&tag, "name")?.context("a test has no name")?,
                    seconds: attribute(&tag, "time")?.and_then(|it| it.parse().ok()).unwrap_or(0.0),
                    failure: None,
                }),
                "failure" | "error" => {
                    let reason = attribute(&tag, "message")?.unwrap_or_default();
                    if let Some(case) = cases.last_mut() {
                        case.failure = Some(reason);
                    }
                }
                _ => {}
            },
            Event::Eof => return Ok(cases),
            _ => {}
        }
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>> {
    let attribute = tag.try_get_attribute(name)?;
    let value = attribute.map(|it| it.normalized_value(XmlVersion::Implicit1_0));
    Ok(value.transpose()?.map(|text| text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::{cases, filter, row};
    use crate::prove::catalogue::Place;

    #[test]
    fn every_entry_is_a_row_and_one_whose_test_failed_or_is_missing_does_not_hold() {
        let text = r#"<?xml version="1.0"?><testsuites><testsuite name="caplet-tests::boundary">
            <testcase name="hostile::a01_loop" classname="x" time="1.5"></testcase>
            <testcase name="b02_memory" time="0.1">
                <failure message="thread panicked &lt;here&gt;">long</failure>
            </testcase></testsuite></testsuites>"#;
        let cases = cases(text).unwrap();
        let row = |test| row(&("A1", test, Place::Hostile, "It ends."), &cases);
        let good = row("a01_loop");
        assert_eq!((good.id.as_str(), good.what.as_str()), ("A1", "It ends."));
        assert!(good.passed && good.duration_s > 1.0);
        assert_eq!(row("b02_memory").notes, ["b02_memory: thread panicked <here>"]);
        assert!(!row("b02_memory").passed);
        assert_eq!(row("loop").notes, ["The test `loop` was not run."]);
        assert!(!row("01_loop").passed, "it is part of another name");
    }

    #[test]
    fn tests_are_run_by_their_whole_names() {
        assert!(filter().contains(
            "(package(caplet-tests) & binary(boundary) & test(/(^|::)a01_loop_in_handler$/))"
        ));
    }
}
