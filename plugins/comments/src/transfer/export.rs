//! `GET /export`: the archive, one JSON object a line, the oldest first.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use caplet_sdk::{Operation, cursor};
use serde_json::value::RawValue;

use crate::comment::Key;

const ORDER: &str = "export";
/// One JSON object a line.
const MEDIA_TYPE: &str = "application/jsonl";

const COLUMNS: &str = r#"SELECT c.id, c.target, c.reply_to, c.author, c.author_name, c.body, c.state,
c.deleted AS "deleted:bool", c.created_ms AS "created_at:time", c.edited_ms AS "edited_at:time",
c.n_up - c.n_down AS score, c.reactions AS "reactions:json", c.id AS "id:key"
FROM comments c WHERE c.tenant = $tenant"#;

/// A part of an archive, and where the next one is.
pub struct Archive {
    lines: Vec<u8>,
    next: Option<String>,
}

impl IntoResponse for Archive {
    fn into_response(self) -> Response {
        let mut response = Response::new(200, MEDIA_TYPE, self.lines);
        if let Some(next) = self.next {
            response.set_header("link", format!("<{next}>; rel=\"next\""));
        }
        response
    }

    fn describe(operation: &mut Operation<'_>) {
        let description = "A part of the archive; the header `link` leads to the next one.";
        let schema = serde_json::json!({ "type": "string" });
        operation.content(200, description, MEDIA_TYPE, schema);
    }
}

/// `GET /export`
pub fn export_comments(page: Page) -> Result<Archive, Problem> {
    let after = page.after::<(Key,)>(ORDER)?;
    let rows = sql::bounded_page(page.limit, |limit| {
        let mut statement = Statement::new(COLUMNS);
        if let Some((Key(id),)) = &after {
            statement.push(" AND c.id > ").bind(id);
        }
        statement.push(" ORDER BY c.id LIMIT ").bind(limit + 1);
        statement
    })?;
    let next = rows.more.then(|| {
        let cursor = cursor::encode(ORDER, rows.last.as_slice());
        format!("/api/comments/export?limit={}&cursor={cursor}", page.limit)
    });
    Ok(Archive { lines: lines(&rows.items)?, next })
}

/// A JSON array of objects as lines of one object each.
fn lines(items: &[u8]) -> Result<Vec<u8>, Problem> {
    let objects: Vec<&RawValue> = serde_json::from_slice(items).map_err(|error| {
        log::error!("comments are not the JSON they should be", error = error);
        Problem::internal()
    })?;
    let mut lines = Vec::with_capacity(items.len() + 1);
    for object in objects {
        // Texts are written without line breaks, so an object is one line.
        lines.extend_from_slice(object.get().as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_line() {
        let lines = lines(br#"[{"a":"b\nc"},{"a":1}]"#).unwrap();
        assert_eq!(String::from_utf8(lines).unwrap(), "{\"a\":\"b\\nc\"}\n{\"a\":1}\n");
        assert!(super::lines(b"[]").unwrap().is_empty());
    }
}
