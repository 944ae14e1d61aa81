//! Which benchmarks there are: what is asked of whom, and the bar that the host should reach.

use super::{
    call, components,
    contest::{Contest, Side},
    data::{Data, POSTS, body},
    django::{self, Django},
    languages,
    load::{Load, Request},
    report::{Bar, Report, Unit, median_of},
    rest,
    stage::Stage,
    tags,
};
use crate::workspace::Workspace;
use anyhow::Result;
use clap::ValueEnum;

const READERS: u32 = 16;
const WRITERS: u32 = 64;

/// How many use the host and Django at once, to read and to write.
const USERS: u32 = 16;

/// How many comments a long thread has.
const LONG_THREAD: u32 = 10_000;

const CONSTANT: Side = Side::Rival { command: "constant", wants_database: false };
const LIST_SQLX: Side = Side::Rival { command: "list-sqlx", wants_database: true };
const LIST_RUSQLITE: Side = Side::Rival { command: "list-rusqlite", wants_database: true };
const CREATE: Side = Side::Rival { command: "create", wants_database: true };

/// The request for the first page of a post's comments.
pub const LIST: &str = "/api/comments?target=post:1";

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Benchmark {
    /// A call of a plugin without HTTP.
    Call,
    /// A constant as JSON.
    Constant,
    /// A list of 20 comments.
    List,
    /// Writing comments, by 64 clients and by one.
    Create,
    /// A thread of 10 000 comments.
    Thread,
    /// 100 000 tags and a million taggings.
    Tags,
    /// The same lists and comments by Django.
    Django,
    /// From the start of the program to its first answer.
    Start,
    /// What a plugin holds that nobody calls.
    Idle,
    /// The same plugins in each language.
    Languages,
    /// Components of `wasi:http`.
    Components,
}

impl Benchmark {
    /// Runs it and adds what it measured.
    pub fn run(self, workspace: &Workspace, stage: &Stage, report: &mut Report) -> Result<()> {
        match self {
            Self::Call => call::run(workspace, stage, report),
            Self::Constant => constant(stage, report),
            Self::List => list(stage, report),
            Self::Create => create(stage, report),
            Self::Thread => thread(stage, report),
            Self::Tags => tags::run(stage, report),
            Self::Django => against_django(stage, report),
            Self::Start => rest::start(stage, report),
            Self::Idle => rest::idle(stage, report),
            Self::Languages => languages::run(workspace, stage, report),
            Self::Components => components::run(stage, report),
        }
    }

    /// Whether it wants the hand-written rivals, or the program that comes with them.
    pub fn wants_rivals(self) -> bool {
        matches!(self, Self::Constant | Self::List | Self::Create | Self::Tags | Self::Django)
    }
}

fn constant(stage: &Stage, report: &mut Report) -> Result<()> {
    let requests = vec![Request::get("/api/constant-json")];
    let contest = Contest {
        name: "constant",
        sides: &[Side::Host, CONSTANT],
        loads: vec![Load { requests, connections: READERS }],
        data: None,
        status: 200,
        differing: &[],
    };
    report.compare(&contest, &[Some(Bar::AtLeast(0.9))], &contest.run(stage)?);
    Ok(())
}

fn list(stage: &Stage, report: &mut Report) -> Result<()> {
    let data = Data::make(stage)?;
    let contest = Contest {
        name: "list",
        sides: &[Side::Host, LIST_SQLX, LIST_RUSQLITE],
        loads: vec![Load { requests: vec![Request::get(LIST)], connections: READERS }],
        data: Some(&data),
        status: 200,
        differing: &[],
    };
    let bars = [Some(Bar::AtLeast(2.0)), Some(Bar::AtLeast(0.9))];
    report.compare(&contest, &bars, &contest.run(stage)?);
    Ok(())
}

fn create(stage: &Stage, report: &mut Report) -> Result<()> {
    let data = Data::make(stage)?;
    report.commit_us = Some(stage.commit_us()?);
    let writers = [("create", WRITERS, 2.0), ("create, one writer", 1, 0.8)];
    for (name, connections, bar) in writers {
        let contest = Contest {
            name,
            sides: &[Side::Host, CREATE],
            loads: vec![Load { requests: creates(&data), connections }],
            data: Some(&data),
            status: 201,
            differing: &["id", "created_at"],
        };
        report.compare(&contest, &[Some(Bar::AtLeast(bar))], &contest.run(stage)?);
    }
    Ok(())
}

/// A comment on each post.
fn creates(data: &Data<'_>) -> Vec<Request> {
    (1..=POSTS).map(|post| data.create(post, &body(post))).collect()
}

/// The first page of a thread costs the same however long the thread is: beside the bar, the
/// throughput is compared with that of a thread of 20.
fn thread(stage: &Stage, report: &mut Report) -> Result<()> {
    let data = Data::with_thread(stage, LONG_THREAD)?;
    let mut rates = Vec::new();
    for (name, path, bar) in [
        ("a short thread's first page", LIST, None),
        ("a thread of 10 000: first page", "/api/comments?target=post:0", Some(20.0)),
        ("a thread of 10 000: as a tree", "/api/comments?target=post:0&view=tree", Some(20.0)),
    ] {
        let contest = Contest {
            name,
            sides: &[Side::Host],
            loads: vec![Load { requests: vec![Request::get(path)], connections: READERS }],
            data: Some(&data),
            status: 200,
            differing: &[],
        };
        let measured = contest.run(stage)?;
        report.compare(&contest, &[], &measured);
        let p99_ms = median_of(&measured[0], |round| round.p99_ms);
        let name = format!("{name}, p99");
        report.add(&name, p99_ms, Unit::Milliseconds, bar.map(Bar::AtMost));
        rates.push(median_of(&measured[0], |round| round.requests_per_s));
    }
    report.add("first page: 10 000 comments / 20 comments", rates[1] / rates[0], Unit::Ratio, None);
    Ok(())
}

fn against_django(stage: &Stage, report: &mut Report) -> Result<()> {
    let data = Data::make(stage)?;
    let token = Django::of(stage).prepare()?;
    let by_django = (1..=POSTS).map(|post| django::create(post, &token)).collect();
    let kinds = [
        ("list, as Django", vec![Request::get(LIST)], vec![django::list()], 200, 60.0),
        ("create, as Django", creates(&data), by_django, 201, 20.0),
    ];
    for (name, of_host, of_django, status, bar) in kinds {
        let loads = [of_host, of_django].map(|requests| Load { requests, connections: USERS });
        let contest = Contest {
            name,
            sides: &[Side::Host, Side::Django],
            loads: loads.into(),
            data: Some(&data),
            status,
            differing: &[],
        };
        let measured = contest.run(stage)?;
        report.compare(&contest, &[Some(Bar::AtLeast(bar))], &measured);
        let [host, django] = [0, 1].map(|side| median_of(&measured[side], |it| it.memory_mib));
        let name = format!("{name}, memory: caplet / Django");
        report.add(&name, host / django, Unit::Ratio, Some(Bar::AtMost(1.0 / 3.0)));
    }
    Ok(())
}
