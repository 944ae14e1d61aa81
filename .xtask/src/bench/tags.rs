//! The plugin `tags` with much in it: 100 000 tags, of which some are suggested, and a million taggings,
//! of which the most frequent are listed. One client asks, as one who types does: what counts is how
//! long it waits.

use super::{
    contest::{Contest, Side},
    load::{Load, Request},
    report::{Bar, Report, Unit, median_of},
    stage::{Stage, TAGS},
};
use anyhow::Result;

/// What is typed: nothing, beginnings of many, few and no names, and names with a typing error.
const TYPED: [&str; 8] = ["", "b", "ba", "bake", "tisero", "rasxlo", "lumobx", "zzzzzz"];

/// The windows of time that tags are counted in.
const WINDOWS: [&str; 5] = ["all", "day", "week", "month", "year"];

/// Fills the database of the plugin and measures both.
pub fn run(stage: &Stage, report: &mut Report) -> Result<()> {
    // The host makes the tables.
    stage.host()?.stop()?;
    println!("Writing 100 000 tags and a million taggings.");
    stage.fill(TAGS, &stage.root.join("tests/rivals/tags.sql"))?;
    let suggest = TYPED.map(|typed| Request::get(&format!("/api/tags/suggest?q={typed}")));
    let popular = WINDOWS.map(|window| Request::get(&format!("/api/tags/popular?window={window}")));
    measure("suggestions of 100 000 tags", suggest.into(), 50.0, stage, report)?;
    measure("popular of a million taggings", popular.into(), 100.0, stage, report)
}

fn measure(
    name: &'static str,
    requests: Vec<Request>,
    bar_ms: f64,
    stage: &Stage,
    report: &mut Report,
) -> Result<()> {
    let contest = Contest {
        name,
        sides: &[Side::Host],
        loads: vec![Load { requests, connections: 1 }],
        data: None,
        status: 200,
        differing: &[],
    };
    let measured = contest.run(stage)?;
    report.compare(&contest, &[], &measured);
    let p99_ms = median_of(&measured[0], |round| round.p99_ms);
    let bar = Some(Bar::AtMost(bar_ms));
    report.add(&format!("{name}, p99"), p99_ms, Unit::Milliseconds, bar);
    Ok(())
}
