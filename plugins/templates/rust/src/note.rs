//! A note: its shape for callers, and what can be done with it.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

/// A note, as callers see it: what the columns below are written as.
#[derive(JsonSchema)]
#[allow(dead_code)]
pub struct Note {
    id: String,
    author: String,
    body: String,
    pinned: bool,
    created_at: String,
}

/// The database writes the rows as JSON; `:bool`, `:time` and `:key` say how.
const COLUMNS: &str = r#"SELECT id, author, body, pinned AS "pinned:bool",
    created_ms AS "created_at:time", id AS "id:key" FROM notes WHERE tenant = $tenant"#;

/// A new note.
#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    /// The text.
    #[garde(length(chars, min = 1, max = 500))]
    body: String,
}

pub fn write(
    caller: Caller,
    settings: Settings<crate::settings::Settings>,
    Json(note): Json<NewNote>,
) -> Result<Created<JsonBytes<Note>>, Problem> {
    let characters_max = settings.body_characters_max;
    if note.body.chars().count() > characters_max {
        let detail = format!("has more than {characters_max} characters");
        return Err(Problem::unprocessable_at("/body", detail));
    }
    let id = random::id();
    sql::execute(
        "INSERT INTO notes (tenant, id, author, body, created_ms)
         VALUES ($tenant, $1, $2, $3, $4)",
        params![&id, &caller.subject, &note.body, clock::now_ms()],
    )?;
    log::info!("a note was written", id = id);
    Ok(Created::new(format!("/api/{{name}}/{id}"), load(&id)?))
}

pub fn read(Path(id): Path<String>) -> Result<JsonBytes<Note>, Problem> {
    load(&id)
}

pub fn list(page: Page) -> Result<Listing<Note>, Problem> {
    let mut statement = Statement::new(COLUMNS);
    if let Some((id,)) = page.after::<(String,)>("new")? {
        statement.push(" AND id < ").bind(id);
    }
    statement.push(" ORDER BY id DESC LIMIT ").bind(page.limit + 1);
    Ok(Listing::from_json("new", statement.query_json(page.limit)?))
}

pub fn pin(Path(id): Path<String>) -> Result<NoContent, Problem> {
    let statement = "UPDATE notes SET pinned = 1 WHERE tenant = $tenant AND id = $1";
    match sql::execute(statement, params![id])? {
        0 => Err(no_such_note()),
        _ => Ok(NoContent),
    }
}

fn load(id: &str) -> Result<JsonBytes<Note>, Problem> {
    let statement = format!("{COLUMNS} AND id = $1");
    match sql::query_json_optional(&statement, params![id])? {
        Some((json, _)) => Ok(JsonBytes::new(json)),
        None => Err(no_such_note()),
    }
}

fn no_such_note() -> Problem {
    Problem::not_found("There is no such note.")
}
