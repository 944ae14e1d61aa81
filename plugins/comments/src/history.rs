//! `GET /{id}/history`: the texts a comment had before its edits.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use schemars::JsonSchema;
use serde::Serialize;

use crate::comment::Stored;

const ORDER: &str = "history";

/// A text that a comment had before an edit.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct Revision {
    /// From 1, the text it was created with.
    number: u32,
    /// The text as it was written.
    body: String,
    /// The subject of who wrote it.
    writer: String,
    /// RFC 3339.
    written_at: String,
}

/// `GET /{id}/history`
pub fn list_revisions(
    Path(id): Path<String>,
    caller: Caller,
    page: Page,
) -> Result<Listing<Revision>, Problem> {
    Stored::load(&id)?.require_author_or_moderator(&caller)?;
    let after = page.after::<(i64,)>(ORDER)?;
    let revisions = crate::select::page(page.limit, |limit| statement(&id, after, limit))?;
    Ok(Listing::from_json(ORDER, revisions))
}

fn statement(id: &str, after: Option<(i64,)>, limit: u32) -> Statement {
    let mut statement = Statement::new(
        r#"SELECT number, body, writer, written_ms AS "written_at:time", number AS "number:key"
           FROM revisions WHERE tenant = $tenant AND comment = "#,
    );
    statement.bind(id);
    if let Some((number,)) = after {
        statement.push(" AND number < ").bind(number);
    }
    statement.push(" ORDER BY number DESC LIMIT ").bind(limit + 1);
    statement
}
