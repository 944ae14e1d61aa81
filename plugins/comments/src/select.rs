//! How a comment looks to a caller: the one list of columns that every answer is made of, and the
//! reading of pages of them.
//!
//! The JSON of a comment comes straight from the database, so its members are the columns here.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::{JsonPage, Statement};
use memchr::memmem;

use crate::comment::Comment;
use crate::markdown::render;
use crate::settings::CommentsSettings;

/// The columns of a comment `c`. Html of an older renderer is left out, to be made again; the
/// number in the first line is `markdown::RENDERER_VERSION`.
const COLUMNS: &str = r#"SELECT CASE WHEN c.renderer < 1 THEN NULL ELSE c.html END AS html,
c.deleted AS "deleted:bool", c.id, c.target, c.parent, c.reply_to, c.depth, c.author, c.body,
c.created_ms AS "created_at:time", c.edited_ms AS "edited_at:time", c.n_replies,
c.n_up - c.n_down AS score, c.reactions AS "reactions:json""#;

const NOBODYS_PART: &str = r#", 0 AS my_vote, '[]' AS "my_reactions:json""#;

// The reader is parameter $1 in both.
const READERS_VOTE: &str = ", COALESCE((SELECT v.value FROM votes v
WHERE v.tenant = $tenant AND v.comment = c.id AND v.voter = ";
const READERS_REACTIONS: &str = r#"), 0) AS my_vote,
COALESCE((SELECT '["' || string_agg(r.kind, '","' ORDER BY r.kind) || '"]' FROM reactions r
WHERE r.tenant = $tenant AND r.comment = c.id AND r.reactor = $1), '[]') AS "my_reactions:json""#;

/// What a live comment with html of an older renderer begins with. No text can imitate it: inside a
/// JSON string the quotes would be escaped.
const STALE: &[u8] = br#"{"html":null,"deleted":false"#;

/// Who reads: a subject, or none without a token.
pub struct Reader(pub Option<String>);

impl FromRequest for Reader {
    fn from_request(_request: &mut Request) -> Result<Self, Problem> {
        let caller = identity::caller();
        if caller.is_none() && !settings::current::<CommentsSettings>()?.public_read {
            return Err(Problem::unauthorized("Comments are read with a token here."));
        }
        Ok(Self(caller.map(|caller| caller.subject)))
    }

    fn describe(operation: &mut caplet_sdk::Operation<'_>) {
        operation.reads_identity();
        operation.problem(401, "Comments are read with a token here.");
    }
}

/// Begins a statement with the columns of a comment, up to `FROM`.
pub fn columns(reader: &Reader) -> Statement {
    let mut statement = Statement::new(COLUMNS);
    match &reader.0 {
        None => statement.push(NOBODYS_PART),
        Some(subject) => statement.push(READERS_VOTE).bind(subject).push(READERS_REACTIONS),
    };
    statement
}

/// A comment as JSON and its version, or none when there is no such comment.
///
/// # Errors
/// Those of the store.
pub fn one(reader: &Reader, id: &str) -> Result<Option<(JsonBytes<Comment>, i64)>, Problem> {
    let mut statement = columns(reader);
    statement
        .push(
            r#", c.version AS "version:key" FROM comments c WHERE c.tenant = $tenant AND c.id = "#,
        )
        .bind(id);
    let page = statement.query_json(1)?;
    let Some(sql::Value::Integer(version)) = page.last.first() else { return Ok(None) };
    let version = *version;
    let items = refresh(page.items)?;
    let comment = items.strip_prefix(b"[").and_then(|items| items.strip_suffix(b"]"));
    Ok(comment.map(|comment| (JsonBytes::new(comment.to_vec()), version)))
}

/// Reads at most `limit` rows with `statement(limit)`, and fewer where they would be too large
/// together.
///
/// # Errors
/// Those of the store.
pub fn page(limit: u32, statement: impl Fn(u32) -> Statement) -> Result<JsonPage, Problem> {
    let page = sql::bounded_page(limit, statement)?;
    Ok(JsonPage { items: refresh(page.items)?, ..page })
}

/// Renders again what an older renderer made, in the answer only: a read cannot store it. It is
/// stored when the comment is next edited.
fn refresh(items: Vec<u8>) -> Result<Vec<u8>, Problem> {
    if memmem::find(&items, STALE).is_none() {
        return Ok(items);
    }
    refreshed(&items).map_err(|error| {
        log::error!("comments are not the JSON they should be", error = error);
        Problem::internal()
    })
}

fn refreshed(items: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut comments: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(items)?;
    for comment in &mut comments {
        if let (Some(true), Some(body)) =
            (comment.get("html").map(|html| html.is_null()), comment["body"].as_str())
        {
            let html = render(body);
            comment.insert("html".to_owned(), html.into());
        }
    }
    serde_json::to_vec(&comments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::RENDERER_VERSION;

    #[test]
    fn statements_know_the_current_renderer() {
        assert!(COLUMNS.contains(&format!("c.renderer < {RENDERER_VERSION} ")));
    }

    #[test]
    fn old_html_is_made_again() {
        let items = br#"[{"html":null,"deleted":false,"body":"*a*"},{"html":null,"deleted":true,"body":null}]"#;
        let fresh = String::from_utf8(refresh(items.to_vec()).unwrap()).unwrap();
        assert!(fresh.contains(r#""html":"<p><em>a</em></p>\n""#), "{fresh}");
        assert!(fresh.contains(r#""deleted":true,"html":null"#), "{fresh}");
    }

    #[test]
    fn fresh_and_deleted_comments_are_left_as_they_are() {
        let items =
            br#"[{"html":null,"deleted":true},{"html":"{\"html\":null,\"deleted\":false"}]"#;
        assert_eq!(refresh(items.to_vec()).unwrap(), items);
    }

    #[test]
    fn a_reader_is_bound_once() {
        let statement = columns(&Reader(Some("ada".to_owned())));
        assert_eq!(statement.parameters().len(), 1);
        assert_eq!(statement.text().matches("$1").count(), 2);
        assert!(columns(&Reader(None)).parameters().is_empty());
    }
}
