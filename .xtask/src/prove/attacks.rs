//! The rows of the hostile tests: each is a plugin or a request that tries to do harm. They are tests of
//! their own, run by the test runner, and collected here.

use anyhow::{Context, Result};
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use std::{fs, time::Instant};

use super::{Plan, row::Row};
use crate::command::cargo;

/// The tests whose rows are attacks: plugins against the host, and statements against the store.
const FILTER: &str = "(package(caplet-tests) & binary(/^(hostile|boundary)$/)) | \
                      (package(caplet-store) & test(/attack/))";

/// The profile of the test runner that writes what it found to a file.
const PROFILE: &str = "prove";

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
    let mut command = cargo();
    command.args([
        "nextest",
        "run",
        "--workspace",
        "--tests",
        "--profile",
        PROFILE,
        "--no-fail-fast",
    ]);
    command.args(["-E", FILTER]).env("CAPLET_GUESTS", plan.workspace.guests_folder());
    // Whether they all held is in the file: here it only matters that they ran.
    command.status().context("cannot start the test runner")?;
    let file = plan.workspace.target().join("nextest").join(PROFILE).join("junit.xml");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let cases = cases(&text)?;
    println!("{} attacks, {:.0} s", cases.len(), begun.elapsed().as_secs_f64());
    Ok(cases.into_iter().map(row).collect())
}

fn row(case: Case) -> Row {
    let (module, test) = case.name.rsplit_once("::").unwrap_or(("", &case.name));
    let what = format!("{}.", test.replace('_', " "));
    let id = match module {
        "" => test.to_owned(),
        module => format!("{}-{test}", module.replace("::", "-")),
    };
    let replay = format!("cargo xtask test {test}");
    let mut row = Row::new(&id.replace('_', "-"), &what, replay);
    row.duration_s = case.seconds;
    match case.failure {
        Some(reason) => row.failed(reason),
        None => row,
    }
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
    use super::{cases, row};

    #[test]
    fn every_test_is_a_row_and_one_that_failed_does_not_hold() {
        let text = r#"<?xml version="1.0"?><testsuites><testsuite name="caplet-tests::hostile">
            <testcase name="rows::a1_a_loop_is_ended" classname="x" time="1.5"></testcase>
            <testcase name="b2_memory_is_bounded" time="0.1">
                <failure message="thread panicked &lt;here&gt;">long</failure>
            </testcase></testsuite></testsuites>"#;
        let rows: Vec<_> = cases(text).unwrap().into_iter().map(row).collect();
        assert_eq!(rows[0].id, "rows-a1-a-loop-is-ended");
        assert_eq!(rows[0].what, "a1 a loop is ended.");
        assert!(rows[0].passed && rows[0].duration_s > 1.0);
        assert!(!rows[1].passed);
        assert_eq!(rows[1].notes, ["thread panicked <here>"]);
    }
}
