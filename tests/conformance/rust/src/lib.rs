//! Everything the contract has, for the script in `tests/outside/languages`: the same plugin in each
//! language.
//!
//! - `statement`: running what the script sends to the database.
//! - `content`: bytes that are kept, sent back and served.
//! - `checked`: bodies, queries and paths that have to fit.
//! - `version`: entity tags and preconditions.
//! - `trace`: what is kept about people.
//! - `host`: who calls, settings, log, clocks, random numbers, and mistakes of the author.

mod checked;
mod content;
mod host;
mod statement;
mod trace;
mod version;

use caplet_sdk::prelude::*;

/// Two mebibytes: what the script sends, and room.
const BODY_MAX_BYTES: u32 = 2_097_152;

const CREATE_THINGS: &str = "
    CREATE TABLE things (
        id BIGINT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        size BIGINT CHECK (size > 0),
        parent BIGINT REFERENCES things (id),
        content BYTEA
    );";

const CREATE_TRACES: &str = "
    CREATE TABLE traces (
        id BIGINT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        person TEXT NOT NULL,
        holding TEXT NOT NULL,
        word TEXT NOT NULL
    );";

plugin!(
    Plugin::new("conformance")
        .title("Conformance")
        .summary("Does what it is told, in Rust.")
        .settings::<host::Options>()
        .permission("conformance.try", "Try what needs a permission.")
        .migration(1, "create things", CREATE_THINGS)
        .migration(2, "create traces", CREATE_TRACES)
        .asset("hello.txt", "text/plain; charset=utf-8", "hé🎉".as_bytes())
        .routes(statements())
        .routes(contents())
        .routes(versions())
        .routes(host_functions())
        .route(get("/words/{word}/{*rest}", checked::words).public().header("x-word"))
        .route(post("/checked", checked::checked).public())
        .route(get("/number", checked::number).public())
);

caplet_sdk::health!(host::check);

fn statements() -> [caplet_sdk::route::Route; 5] {
    [
        post("/write", statement::run).operation("write"),
        post("/read", statement::run).operation("read").reads(),
        post("/without", statement::run).operation("without").no_store(),
        post("/page", statement::page).reads(),
        post("/uncaught", statement::uncaught),
    ]
    .map(|route| route.public())
}

fn contents() -> [caplet_sdk::route::Route; 3] {
    [
        post("/echo", content::echo).header("content-type").body_max_bytes(BODY_MAX_BYTES),
        put("/contents/{id}", content::keep).body_max_bytes(BODY_MAX_BYTES),
        get("/contents/{id}", content::content),
    ]
    .map(|route| route.public())
}

fn versions() -> [caplet_sdk::route::Route; 3] {
    [
        get("/versions/{version}", version::read_version),
        put("/versions/{version}", version::change_version),
        delete("/versions/{version}", version::remove_version),
    ]
    .map(|route| route.public())
}

fn host_functions() -> [caplet_sdk::route::Route; 10] {
    [
        get("/identity", host::who).public(),
        get("/signed-in", host::nothing).operation("signed-in"),
        get("/permitted", host::nothing).operation("permitted").permission("conformance.try"),
        get("/settings", host::set_values).public(),
        post("/log/{level}", host::log_line).public(),
        get("/fail", host::fail).public(),
        get("/problem", host::problem).public(),
        get("/clock", host::times).public(),
        get("/random", host::chance).public(),
        get("/calls", host::calls).public(),
    ]
}
