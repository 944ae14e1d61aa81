//! What the host gives: who calls, settings, log, clocks and random numbers; and what a plugin gives
//! away: whether it is well, and the mistakes of its author.

use std::sync::atomic::{AtomicU64, Ordering};

use caplet_sdk::prelude::*;
use caplet_sdk::{Body, log::Level};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::statement::hexadecimal;

/// What the script sets.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    greeting: String,
    well: bool,
    largest: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { greeting: "hello".to_owned(), well: true, largest: i64::MAX }
    }
}

static CALLS: AtomicU64 = AtomicU64::new(0);

pub fn check() -> Result<(), Problem> {
    if !settings::current::<Options>()?.well {
        return Err(Problem::conflict("The script says so.").with_code("set-unwell"));
    }
    sql::query_one::<i64>("SELECT count(*) AS n FROM things", &[])?;
    Ok(())
}

pub fn who(caller: Option<Caller>, Tenant(tenant): Tenant) -> Response {
    let caller = caller.map(|caller| {
        let kind = match caller.kind {
            identity::Kind::User => "user",
            identity::Kind::Service => "service",
        };
        json!({
            "subject": caller.subject, "kind": kind, "roles": caller.roles,
            "teams": caller.teams, "scopes": caller.scopes,
        })
    });
    let permitted = identity::permitted("conformance.try");
    json_answer(&json!({ "tenant": tenant, "permitted": permitted, "caller": caller }))
}

pub fn nothing() -> NoContent {
    NoContent
}

pub fn set_values(settings: Settings<Options>) -> Response {
    let Options { greeting, largest, well } = &*settings.0;
    json_answer(&json!({ "greeting": greeting, "largest": largest.to_string(), "well": well }))
}

pub fn log_line(Path(level): Path<String>, Body(body): Body) -> Result<NoContent, Problem> {
    let level = match level.as_str() {
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => return Err(Problem::not_found("There is no such level.")),
    };
    let fields = [("language", "Rust"), ("word", "é🎉")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    log::write(level, &String::from_utf8_lossy(&body), &fields);
    Ok(NoContent)
}

pub fn fail() -> NoContent {
    panic!("it broke: secret-of-the-author")
}

pub fn problem() -> Problem {
    Problem::conflict("It is taken.").with_code("taken").with_member("by", "é🎉")
}

pub fn times() -> Response {
    json_answer(&json!({
        "now_ms": clock::now_ms(),
        "elapsed_ms": clock::elapsed_ms(),
        "remaining_ms": clock::remaining_ms(),
    }))
}

pub fn chance() -> Response {
    json_answer(&json!({
        "bytes": hexadecimal(&random::bytes(16)),
        "none": hexadecimal(&random::bytes(0)),
        "number": random::number().to_string(),
        "id": random::id(),
    }))
}

pub fn calls() -> Response {
    json_answer(&json!({ "calls": CALLS.fetch_add(1, Ordering::Relaxed) + 1 }))
}

fn json_answer(body: &serde_json::Value) -> Response {
    Response::new(200, "application/json", body.to_string().into_bytes())
}
