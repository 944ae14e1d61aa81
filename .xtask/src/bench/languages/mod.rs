//! Plugins in each language: the same two, made by the program that is measured from their templates and
//! sources, and asked in turns.
//!
//! - The list is that of the plugin which `caplet new` begins: one statement whose rows the host writes as
//!   JSON, as the template of each language has it; 20 rows, over HTTP.
//! - The call is of the conformance plugins' `GET /calls`, which counts and answers `{"calls":7}` without
//!   a host function: what is left is the language, its SDK and the way there and back. Its time is the
//!   host's own counter of what calls took, so that neither HTTP nor the load generator is in it.
//!
//! Every figure is of the same program on the same machine in one run. `make` builds, `edit` is an author
//! who changes one, `place` a host with the plugins of one language, `row` the table's.

mod edit;
mod make;
mod place;
mod row;

pub use row::{HEAD, Row};

use super::{
    contest::turns,
    report::{Bar, Report, Unit, median},
    stage::Stage,
};
use crate::{outside, workspace::Workspace};
use anyhow::{Result, bail};
use edit::edit_to_serving;
use make::{Made, Maker};
use place::{Asked, Place, until_answered};
use std::time::Instant;

/// How often a host with one plugin of each language is started, with their code in the cache.
const STARTS: usize = 7;

/// A language, or one of its engines.
pub struct Language {
    /// What its plugin is called after.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// As `caplet new` takes it.
    pub word: &'static str,
    /// The file of the begun plugin that is edited.
    pub source: &'static str,
    /// What `plugin.toml` has as `engine`.
    pub engine: Option<&'static str>,
    /// The least that its list may reach of the throughput of the first language's.
    pub list_ratio_min: Option<f64>,
    /// The most that its call may take of the first language's.
    pub call_ratio_max: Option<f64>,
    /// The most from an edit to the answer that shows it, in seconds.
    pub edit_s_max: Option<f64>,
}

const fn language(
    id: &'static str,
    title: &'static str,
    source: &'static str,
    list_ratio_min: f64,
) -> Language {
    let list_ratio_min = Some(list_ratio_min);
    let (engine, call_ratio_max, edit_s_max) = (None, None, None);
    Language { id, title, word: id, source, engine, list_ratio_min, call_ratio_max, edit_s_max }
}

/// All others are compared with the first.
const LANGUAGES: [Language; 6] = [
    Language {
        list_ratio_min: None,
        edit_s_max: Some(2.0),
        ..language("rust", "Rust", "src/note.rs", 1.0)
    },
    Language { call_ratio_max: Some(1.2), ..language("c", "C", "src/plugin.c", 0.9) },
    language("go", "Go", "plugin.go", 0.5),
    Language {
        edit_s_max: Some(2.0),
        ..language("typescript", "TypeScript on QuickJS", "src/plugin.ts", 0.25)
    },
    Language {
        word: "typescript",
        engine: Some("spidermonkey"),
        list_ratio_min: None,
        ..language("spidermonkey", "TypeScript on SpiderMonkey", "src/plugin.ts", 0.0)
    },
    language("python", "Python", "plugin.py", 0.15),
];

/// Builds the plugins, measures them, and adds the table and its bars.
pub fn run(workspace: &Workspace, stage: &Stage, report: &mut Report) -> Result<()> {
    let tools = outside::prepare(workspace)?;
    let maker = Maker { stage, tools: &tools, folder: stage.folder.join("languages") };
    let made = LANGUAGES.iter().map(|language| maker.make(language)).collect::<Result<Vec<_>>>()?;
    let edits =
        made.iter().map(|made| edit_to_serving(&maker, made)).collect::<Result<Vec<_>>>()?;
    let places = made.iter().map(|made| Place::prepare(stage, made)).collect::<Result<Vec<_>>>()?;
    let mut asked: Vec<Vec<Asked>> = LANGUAGES.iter().map(|_| Vec::new()).collect();
    let mut failures = Vec::new();
    for round in 0..stage.rounds {
        for index in turns(round, LANGUAGES.len()) {
            let title = LANGUAGES[index].title;
            println!("languages, round {} of {}: {title}", round + 1, stage.rounds);
            match places[index].ask() {
                Ok(once) => asked[index].push(once),
                // What the others did is of use without it.
                Err(error) => failures.push(format!("{title}, round {}: {error:#}", round + 1)),
            }
        }
    }
    let measured = places.iter().zip(edits).zip(&asked);
    let rows: Vec<_> = measured.map(|((it, edit_s), asked)| Row::new(it, edit_s, asked)).collect();
    judge(&rows, report)?;
    report.languages = rows;
    start(stage, &made, report)?;
    if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("; ")) }
}

/// Holds each language against the first, and against its own bars.
fn judge(rows: &[Row], report: &mut Report) -> Result<()> {
    for (row, language) in rows.iter().zip(&LANGUAGES) {
        let name = format!("edit to serving: {}", language.title);
        let bar = language.edit_s_max.map(|max| Bar::AtMost(max * 1e3));
        report.add(&name, row.edit_s * 1e3, Unit::Milliseconds, bar);
    }
    let [first, others @ ..] = rows else { bail!("there are languages") };
    for (row, language) in others.iter().zip(&LANGUAGES[1..]) {
        let title = language.title;
        let call = row.call_us / first.call_us;
        let bar = language.call_ratio_max.map(Bar::AtMost);
        report.add(&format!("call: {title} / {}", first.language), call, Unit::Ratio, bar);
        let list = row.lists_per_s / first.lists_per_s;
        let bar = language.list_ratio_min.map(Bar::AtLeast);
        report.add(&format!("list: {title} / {}", first.language), list, Unit::Ratio, bar);
    }
    Ok(())
}

/// From the start of a host with one plugin of each language to an answer of each.
fn start(stage: &Stage, made: &[Made], report: &mut Report) -> Result<()> {
    let folder = stage.folder.join("languages/all");
    let place = Place::with_all(stage, made, &folder)?;
    let paths: Vec<_> = made.iter().map(Made::list).collect();
    let first = first_answers(&place, &paths)?;
    let unit = Unit::Milliseconds;
    report.add("start with one of each language, compiling all", first, unit, None);
    let times = (0..STARTS).map(|_| first_answers(&place, &paths)).collect::<Result<Vec<_>>>()?;
    let bar = Some(Bar::AtMost(1000.0));
    report.add("start with one of each language, code in the cache", median(&times), unit, bar);
    Ok(())
}

/// In milliseconds.
fn first_answers(place: &Place<'_>, paths: &[String]) -> Result<f64> {
    let began = Instant::now();
    let server = place.start()?;
    for path in paths {
        until_answered(&server, path)?;
    }
    let time = began.elapsed();
    server.stop()?;
    Ok(time.as_secs_f64() * 1e3)
}
