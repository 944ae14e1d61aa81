//! How a comment looks to a caller: the columns that every answer is made of, and the reading of pages
//! of them. What is hidden looks empty in lists, and whole to those who may see it by its id.
//!
//! The JSON of a comment comes straight from the database, so its members are the columns here.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::{JsonPage, Statement};
use memchr::memmem;
use serde::Deserialize;

use crate::MODERATE;
use crate::comment::Comment;
use crate::markdown::{RENDERER_VERSION, render};
use crate::settings::CommentsSettings;

/// The columns of a comment `c`, as it looks to everybody. Html of an older renderer is left out, to be
/// made again; the number in the first line is `markdown::RENDERER_VERSION`.
const COLUMNS: &str = r#"SELECT
CASE WHEN c.renderer < 2 OR c.state <> 'approved' THEN NULL ELSE c.html END AS html,
c.deleted AS "deleted:bool", c.id, c.target, c.parent, c.reply_to, c.depth,
CASE WHEN c.state = 'approved' THEN c.author END AS author,
CASE WHEN c.state = 'approved' THEN c.author_name END AS author_name,
CASE WHEN c.state = 'approved' THEN c.body END AS body, c.state,
c.created_ms AS "created_at:time", c.edited_ms AS "edited_at:time", c.n_replies,
c.n_up - c.n_down AS score, c.reactions AS "reactions:json""#;

/// The same columns as they look to the author and to moderators.
const ALL_COLUMNS: &str = r#"SELECT CASE WHEN c.renderer < 2 THEN NULL ELSE c.html END AS html,
c.deleted AS "deleted:bool", c.id, c.target, c.parent, c.reply_to, c.depth, c.author, c.author_name,
c.body, c.state, c.created_ms AS "created_at:time", c.edited_ms AS "edited_at:time", c.n_replies,
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

/// Begins a statement with the columns of a comment as everybody sees it, up to `FROM`.
pub fn columns(reader: &Reader) -> Statement {
    begin(COLUMNS, reader)
}

/// The same for those who may see what is hidden.
pub fn all_columns(reader: &Reader) -> Statement {
    begin(ALL_COLUMNS, reader)
}

fn begin(columns: &'static str, reader: &Reader) -> Statement {
    let mut statement = Statement::new(columns);
    match &reader.0 {
        None => statement.push(NOBODYS_PART),
        Some(subject) => statement.push(READERS_VOTE).bind(subject).push(READERS_REACTIONS),
    };
    statement
}

/// A comment as JSON and the entity tag of how it looks to the reader, or none when there is no such
/// comment, or none that the reader may see.
///
/// # Errors
/// Those of the store.
pub fn one(reader: &Reader, id: &str) -> Result<Option<(JsonBytes<Comment>, ETag)>, Problem> {
    let Some(found) = find(columns(reader), id)? else { return Ok(None) };
    if found.is_approved {
        return tagged(found, reader, false).map(Some);
    }
    if found.author == reader.0 || identity::permitted(MODERATE) {
        let Some(whole) = find(all_columns(reader), id)? else { return Ok(None) };
        return tagged(whole, reader, true).map(Some);
    }
    found.is_shown.then(|| tagged(found, reader, false)).transpose()
}

/// A comment as one of two lists of columns shows it.
struct Found {
    json: Vec<u8>,
    version: i64,
    is_approved: bool,
    is_shown: bool,
    author: Option<String>,
}

fn find(mut statement: Statement, id: &str) -> Result<Option<Found>, Problem> {
    statement
        .push(r#", c.version AS "version:key", c.state AS "state:key", c.shown AS "shown:key""#)
        .push(r#", c.author AS "author:key" FROM comments c WHERE c.tenant = $tenant AND c.id = "#)
        .bind(id);
    let page = statement.query_json(1)?;
    let [sql::Value::Integer(version), sql::Value::Text(state), shown, author] =
        page.last.as_slice()
    else {
        return Ok(None);
    };
    let json = page.items.strip_prefix(b"[").and_then(|items| items.strip_suffix(b"]"));
    Ok(json.map(|json| Found {
        json: json.to_vec(),
        version: *version,
        is_approved: state == "approved",
        is_shown: *shown == sql::Value::Integer(1),
        author: if let sql::Value::Text(author) = author { Some(author.clone()) } else { None },
    }))
}

/// What one reader sees of a comment and others do not.
#[derive(Deserialize)]
struct Own<'a> {
    my_vote: i8,
    #[serde(borrow)]
    my_reactions: Vec<&'a str>,
}

/// A comment with its entity tag. Readers who see the same bytes share a tag; it begins with the
/// version, which is what `If-Match` compares.
fn tagged(
    found: Found,
    reader: &Reader,
    is_whole: bool,
) -> Result<(JsonBytes<Comment>, ETag), Problem> {
    let mut variant = String::new();
    if is_whole {
        variant.push_str("whole");
    }
    if reader.0.is_some() {
        let own: Own<'_> = serde_json::from_slice(&found.json).map_err(not_json)?;
        match own.my_vote {
            1 => variant.push_str("+up"),
            -1 => variant.push_str("+down"),
            _ => {}
        }
        for kind in own.my_reactions {
            variant.push('+');
            variant.push_str(kind);
        }
    }
    if found.json.starts_with(STALE) {
        variant.push_str(&format!("+r{RENDERER_VERSION}"));
    }
    let etag = ETag::strong(found.version);
    let etag = if variant.is_empty() { etag } else { etag.variant(variant) };
    let items = [b"[", found.json.as_slice(), b"]"].concat();
    let items = refresh(items)?;
    let comment = items.strip_prefix(b"[").and_then(|items| items.strip_suffix(b"]"));
    Ok((JsonBytes::new(comment.unwrap_or_default().to_vec()), etag))
}

fn not_json(error: serde_json::Error) -> Problem {
    log::error!("comments are not the JSON they should be", error = error);
    Problem::internal()
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
    refreshed(&items).map_err(not_json)
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

    #[test]
    fn statements_know_the_current_renderer() {
        for columns in [COLUMNS, ALL_COLUMNS] {
            assert!(columns.contains(&format!("c.renderer < {RENDERER_VERSION} ")));
        }
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
