//! What came of the scenarios, in the form that continuous integration reads: JUnit's XML.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::report::Report;
use super::run::Outcome;

/// The report as an XML document: one suite a plugin, one case a scenario.
///
/// # Errors
/// When it cannot be written.
pub fn junit(report: &Report, plugin: &str) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let n_failed = report.outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let counts = [report.outcomes.len().to_string(), n_failed.to_string()];
    let seconds = report.outcomes.iter().map(|it| it.duration.as_secs_f64()).sum::<f64>();
    writer
        .create_element("testsuite")
        .with_attribute(("name", plugin))
        .with_attribute(("tests", counts[0].as_str()))
        .with_attribute(("failures", counts[1].as_str()))
        .with_attribute(("time", format!("{seconds:.3}").as_str()))
        .write_inner_content(|writer| {
            report.outcomes.iter().try_for_each(|outcome| case(writer, outcome, plugin))
        })?;
    Ok(writer.into_inner())
}

fn case(writer: &mut Writer<Vec<u8>>, outcome: &Outcome, plugin: &str) -> io::Result<()> {
    let seconds = format!("{:.3}", outcome.duration.as_secs_f64());
    let element = writer
        .create_element("testcase")
        .with_attribute(("name", outcome.name.as_str()))
        .with_attribute(("classname", plugin))
        .with_attribute(("file", outcome.place.as_str()))
        .with_attribute(("time", seconds.as_str()));
    let Some((place, step, misplay)) = &outcome.failure else {
        return element.write_empty().map(drop);
    };
    let reasons: Vec<String> = misplay
        .differences
        .iter()
        .map(|difference| format!("{}: {}", difference.place.trim_end(), difference.text))
        .collect();
    let message = format!("{place}: {step}");
    let text = format!("{}\n{}", reasons.join("\n"), misplay.answer);
    element
        .write_inner_content(|writer| {
            let failure = writer.create_element("failure");
            let failure = failure.with_attribute(("message", message.as_str()));
            failure.write_text_content(BytesText::new(&text)).map(drop)
        })
        .map(drop)
}
