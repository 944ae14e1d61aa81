//! `caplet subject`: what a running host keeps about people, and exports and erasures for one of them.
//! The host does the work and remembers how far it is; this waits for the end and tells it.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::remote::{Remote, Target};
use crate::table::aligned;

/// Between two questions how far the host is.
const PAUSE: Duration = Duration::from_millis(200);

/// `caplet subject`.
#[derive(Debug, Subcommand)]
pub enum Subject {
    /// List what each plugin keeps about people, and what erasing does to it.
    Holdings(SubjectHoldings),
    /// Put together all that is kept about a person, as one JSON document.
    Export(SubjectExport),
    /// Erase what is kept about a person. What the law asks to keep stays, and is counted.
    Erase(SubjectErase),
}

/// `caplet subject holdings`.
#[derive(Debug, Args)]
pub struct SubjectHoldings {
    #[command(flatten)]
    pub target: Target,
    /// Everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Whom a command is about.
#[derive(Debug, Args)]
pub struct About {
    #[command(flatten)]
    pub target: Target,
    /// The person: the subject of its tokens
    #[arg(value_name = "ID")]
    pub id: String,
    /// The tenant the person belongs to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub tenant: String,
}

/// `caplet subject export`.
#[derive(Debug, Args)]
pub struct SubjectExport {
    #[command(flatten)]
    pub about: About,
    /// Where to write the document [default: the standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// With --output: print the report as JSON
    #[arg(long, requires = "output")]
    pub json: bool,
}

/// `caplet subject erase`.
#[derive(Debug, Args)]
pub struct SubjectErase {
    #[command(flatten)]
    pub about: About,
    /// Do not ask; must be said where there is no terminal
    #[arg(long)]
    pub yes: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// What the host says of an export or an erasure.
#[derive(Debug, Deserialize, Serialize)]
struct Run {
    id: String,
    kind: String,
    tenant: String,
    state: String,
    began_ms: u64,
    ended_ms: Option<u64>,
    n_pages: u64,
    plugins: Vec<Part>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Part {
    plugin: String,
    state: String,
    reason: Option<String>,
    n_calls: u64,
    n_records: u64,
    erased: Vec<Erased>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Erased {
    holding: String,
    deleted: u64,
    anonymised: u64,
    kept: u64,
}

#[derive(Deserialize)]
struct Holdings {
    items: Vec<PluginHoldings>,
}

#[derive(Deserialize)]
struct PluginHoldings {
    plugin: String,
    answers: bool,
    keeps_data: bool,
    holdings: Vec<Holding>,
}

#[derive(Deserialize)]
struct Holding {
    name: String,
    summary: String,
    erasure: Erasure,
}

#[derive(Deserialize)]
struct Erasure {
    does: String,
    reason: Option<String>,
}

/// # Errors
/// The host cannot be asked, or not every plugin did its part.
pub async fn run(options: &Subject) -> Result<(), Failure> {
    match options {
        Subject::Holdings(options) => holdings(options).await,
        Subject::Export(options) => export(options).await,
        Subject::Erase(options) => erase(options).await,
    }
}

async fn holdings(options: &SubjectHoldings) -> Result<(), Failure> {
    let remote = Remote::new(&options.target)?;
    if options.json {
        return print_json(&remote.get::<Value>("/holdings").await?);
    }
    let holdings: Holdings = remote.get("/holdings").await?;
    let mut rows = vec![["PLUGIN", "KEEPS", "ERASING", "WHAT IT IS"].map(str::to_owned)];
    for plugin in holdings.items {
        let row = |keeps: &str, erasing: &str, summary: &str| {
            [plugin.plugin.as_str(), keeps, erasing, summary].map(str::to_owned)
        };
        match (plugin.answers, plugin.keeps_data) {
            (false, true) => rows.push(row("?", "?", "does not answer: look at it by hand")),
            _ if plugin.holdings.is_empty() => rows.push(row("-", "-", "nothing about people")),
            _ => {}
        }
        rows.extend(plugin.holdings.iter().map(|holding| {
            let Erasure { does, reason } = &holding.erasure;
            let erasing = match reason {
                Some(reason) => format!("{does}: {reason}"),
                None => does.clone(),
            };
            row(&holding.name, &erasing, &holding.summary)
        }));
    }
    output::print(&aligned(0, &rows))
}

async fn export(options: &SubjectExport) -> Result<(), Failure> {
    let remote = Remote::new(&options.about.target)?;
    let path = path_of(&options.about.tenant, &options.about.id, "exports")?;
    let run = to_the_end(&remote, &path, "exporting").await?;
    match &options.output {
        None => write_document(&remote, &path, &run, &mut std::io::stdout().lock()).await?,
        Some(file) => write_file(&remote, &path, &run, file).await?,
    }
    if options.output.is_some() && options.json {
        print_json(&run)?;
    } else {
        eprint!("{}", report(&run));
    }
    concluded(&run)
}

async fn erase(options: &SubjectErase) -> Result<(), Failure> {
    let remote = Remote::new(&options.about.target)?;
    let path = path_of(&options.about.tenant, &options.about.id, "erasures")?;
    if !options.yes {
        confirm(&options.about.id, &options.about.tenant)?;
    }
    let run = to_the_end(&remote, &path, "erasing").await?;
    if options.json {
        print_json(&run)?;
    } else {
        output::print(&report(&run))?;
    }
    concluded(&run)
}

/// Asks the person at the terminal. Where there is none, nobody can say yes.
fn confirm(id: &str, tenant: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("erasing cannot be undone: say --yes to do it"));
    }
    eprint!(
        "Erase what all plugins keep about `{id}` of tenant `{tenant}`? This cannot be undone. [y/N] "
    );
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|reason| Failure::run_time(format!("no answer: {reason}")))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::run_time("nothing was erased")),
    }
}

/// Begins a run, or goes on with the one that has not ended, and waits for its end.
async fn to_the_end(remote: &Remote, path: &str, doing: &str) -> Result<Run, Failure> {
    let mut run: Run = remote.ask(Method::POST, path, None::<&()>).await?;
    let progress = Progress::steps(run.plugins.len(), doing);
    let waiting = async {
        while run.state == "running" {
            tokio::time::sleep(PAUSE).await;
            run = remote.get(path).await?;
            let ended = |part: &&Part| !matches!(part.state.as_str(), "waiting" | "running");
            let at = run.plugins.iter().find(|part| part.state == "running");
            let at = at.map(|part| format!("{doing}: {}, {} records", part.plugin, part.n_records));
            let n_ended = run.plugins.iter().filter(ended).count();
            progress.tell(n_ended, at.unwrap_or_else(|| doing.to_owned()));
        }
        Ok(run)
    };
    progress.during(waiting).await
}

/// Writes to a file beside and renames it, so that `file` is there whole or not at all. Only its
/// owner can read it.
async fn write_file(remote: &Remote, path: &str, run: &Run, file: &Path) -> Result<(), Failure> {
    let failed = |reason: std::io::Error| {
        Failure::run_time(format!("cannot write `{}`: {reason}", file.display()))
    };
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let partial = file.with_file_name(name);
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut output =
        options.write(true).create(true).truncate(true).open(&partial).map_err(failed)?;
    let written = write_document(remote, path, run, &mut output).await;
    if let Err(failure) = written {
        // The first failure is the one to tell.
        let _ = std::fs::remove_file(&partial);
        return Err(failure);
    }
    output.sync_all().and_then(|()| std::fs::rename(&partial, file)).map_err(failed)
}

/// One JSON document: the run, and the pages of what it found, which are fetched one by one.
async fn write_document(
    remote: &Remote,
    path: &str,
    run: &Run,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let failed = |reason: std::io::Error| Failure::run_time(format!("cannot write: {reason}"));
    let head = serde_json::to_string(run)
        .map_err(|reason| Failure::run_time(format!("cannot write: {reason}")))?;
    write!(output, "{{\"run\":{head},\"pages\":[").map_err(failed)?;
    for number in 1..=run.n_pages {
        let page: Value = remote.get(&format!("{path}/pages/{number}")).await?;
        let comma = if number == 1 { "" } else { "," };
        write!(output, "{comma}\n{page}").map_err(failed)?;
    }
    writeln!(output, "\n]}}").and_then(|()| output.flush()).map_err(failed)
}

/// What the run did, for people.
fn report(run: &Run) -> String {
    let head = ["PLUGIN", "STATE", "RECORDS", "DETAILS"].map(str::to_owned);
    let rows = run.plugins.iter().map(|part| {
        let state = match part.state.as_str() {
            "silent" => "does not answer",
            state => state,
        };
        let n_records = part.n_records.to_string();
        [part.plugin.clone(), state.to_owned(), n_records, details(part)]
    });
    aligned(0, &std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn details(part: &Part) -> String {
    if let Some(reason) = &part.reason {
        return reason.clone();
    }
    let holdings = part.erased.iter().filter_map(|erased| {
        let counts =
            [(erased.deleted, "deleted"), (erased.anonymised, "anonymised"), (erased.kept, "kept")];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!counts.is_empty()).then(|| format!("{}: {}", erased.holding, counts.join(", ")))
    });
    holdings.collect::<Vec<_>>().join("; ")
}

/// The exit code: 0 only when every plugin did its part.
fn concluded(run: &Run) -> Result<(), Failure> {
    let named: Vec<&str> = run
        .plugins
        .iter()
        .filter(|part| part.state != "done")
        .map(|part| part.plugin.as_str())
        .collect();
    if run.state == "done" && named.is_empty() {
        return Ok(());
    }
    let named = named.join(", ");
    Err(Failure::run_time(format!("not complete: these plugins have to be looked at: {named}")))
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|reason| Failure::run_time(format!("cannot write: {reason}")))?;
    output::print(&format!("{text}\n"))
}

/// The path of a person's runs, with whatever is in the names encoded.
fn path_of(tenant: &str, id: &str, kind: &str) -> Result<String, Failure> {
    let unfit =
        || Failure::usage(format!("`{tenant}` and `{id}` are no tenant and id of a person"));
    if [tenant, id].iter().any(|name| matches!(*name, "" | "." | "..")) {
        return Err(unfit());
    }
    let mut url = Url::parse("http://host/").map_err(|_| unfit())?;
    url.path_segments_mut().map_err(|()| unfit())?.extend(["subjects", tenant, id, kind]);
    Ok(url.path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(state: &str, erased: Vec<Erased>) -> Part {
        Part {
            plugin: "notes".to_owned(),
            state: state.to_owned(),
            reason: None,
            n_calls: 1,
            n_records: 3,
            erased,
        }
    }

    fn run(state: &str, part: Part) -> Run {
        Run {
            id: "1".to_owned(),
            kind: "erasure".to_owned(),
            tenant: "default".to_owned(),
            state: state.to_owned(),
            began_ms: 0,
            ended_ms: None,
            n_pages: 0,
            plugins: vec![part],
        }
    }

    #[test]
    fn ids_may_hold_anything() {
        let path = path_of("acme", "a/b c?d", "exports").unwrap();
        assert_eq!(path, "/subjects/acme/a%2Fb%20c%3Fd/exports");
        assert!(path_of("acme", "..", "exports").is_err());
    }

    #[test]
    fn reports_what_was_done_and_names_who_failed() {
        let erased = Erased { holding: "votes".to_owned(), deleted: 3, anonymised: 0, kept: 1 };
        let done = run("done", part("done", vec![erased]));
        assert!(report(&done).contains("votes: 3 deleted, 1 kept"));
        assert!(concluded(&done).is_ok());
        let silent = run("incomplete", part("silent", Vec::new()));
        assert!(report(&silent).contains("does not answer"));
        assert!(concluded(&silent).unwrap_err().text().contains("notes"));
    }
}
