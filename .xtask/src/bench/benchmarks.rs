//! Which benchmarks there are: what is asked of whom, and the bar that the host should reach.

use super::{
    call,
    contest::{Contest, Side},
    data::{Data, POSTS, body},
    load::{Load, Request},
    report::{Bar, Report},
    stage::Stage,
};
use crate::workspace::Workspace;
use anyhow::Result;
use clap::ValueEnum;

const READERS: u32 = 16;
const WRITERS: u32 = 64;

const CONSTANT: Side = Side::Rival { command: "constant", wants_database: false };
const LIST_SQLX: Side = Side::Rival { command: "list-sqlx", wants_database: true };
const LIST_RUSQLITE: Side = Side::Rival { command: "list-rusqlite", wants_database: true };
const CREATE: Side = Side::Rival { command: "create", wants_database: true };

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
}

impl Benchmark {
    /// Runs it and adds what it measured.
    pub fn run(self, workspace: &Workspace, stage: &Stage, report: &mut Report) -> Result<()> {
        match self {
            Self::Call => call::run(workspace, stage, report),
            Self::Constant => constant(stage, report),
            Self::List => list(stage, report),
            Self::Create => create(stage, report),
        }
    }
}

fn constant(stage: &Stage, report: &mut Report) -> Result<()> {
    let contest = Contest {
        name: "constant",
        sides: &[Side::Host, CONSTANT],
        load: Load { requests: vec![Request::get("/api/constant-json")], connections: READERS },
        data: None,
        status: 200,
        differing: &[],
    };
    report.compare(&contest, &[Some(Bar::AtLeast(0.9))], contest.run(stage)?);
    Ok(())
}

fn list(stage: &Stage, report: &mut Report) -> Result<()> {
    let data = Data::make(stage)?;
    let request = Request::get("/api/comments?target=post:1");
    let contest = Contest {
        name: "list",
        sides: &[Side::Host, LIST_SQLX, LIST_RUSQLITE],
        load: Load { requests: vec![request], connections: READERS },
        data: Some(&data),
        status: 200,
        differing: &[],
    };
    report.compare(&contest, &[Some(Bar::AtLeast(1.4)), None], contest.run(stage)?);
    Ok(())
}

fn create(stage: &Stage, report: &mut Report) -> Result<()> {
    let data = Data::make(stage)?;
    report.commit_us = Some(stage.commit_us()?);
    let writers = [("create", WRITERS, Some(Bar::AtLeast(2.0))), ("create, one writer", 1, None)];
    for (name, connections, bar) in writers {
        let requests = (1..=POSTS).map(|post| data.create(post, &body(post))).collect();
        let contest = Contest {
            name,
            sides: &[Side::Host, CREATE],
            load: Load { requests, connections },
            data: Some(&data),
            status: 201,
            differing: &["id", "created_at"],
        };
        report.compare(&contest, &[bar], contest.run(stage)?);
    }
    Ok(())
}
