//! `PATCH /{id}`: edits a comment and keeps the text it had.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::MODERATE;
use crate::comment::{self, BODY_MAX_CHARS, Comment, Stored, check_body};
use crate::judgement::{self, Text};
use crate::markdown::{RENDERER_VERSION, render};
use crate::select::Reader;
use crate::settings::CommentsSettings;
use crate::state;
use crate::thread;

/// An edit.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The new text, as Markdown.
    #[garde(length(chars, min = 1, max = BODY_MAX_CHARS), custom(check_body))]
    body: String,
}

/// `PATCH /{id}`
pub fn edit_comment(
    Path(id): Path<String>,
    preconditions: Preconditions,
    caller: Caller,
    settings: Settings<CommentsSettings>,
    Json(edit): Json<Edit>,
) -> Result<WithEtag<JsonBytes<Comment>>, Problem> {
    // Before the first statement: from there on other writers wait.
    let html = render(&edit.body);
    let judged = judgement::of_text(&Text { body: &edit.body, html: &html }, &settings);
    let stored = Stored::load_undeleted(&id)?;
    require_may_edit(&stored, &caller, settings.edit_window_s)?;
    let judged = judged?;
    preconditions.check(stored.etag())?;
    if stored.body.as_deref() != Some(edit.body.as_str()) {
        keep_text(&stored)?;
        replace_text(&stored, &edit.body, html, &caller.subject)?;
        // What was hidden before stays as hidden as it was.
        if stored.state.is_approved() {
            state::change(&stored, judged)?;
            thread::touch(&stored.target)?;
        }
    }
    let (edited, etag) = comment::current(&Reader(Some(caller.subject)), &id)?;
    Ok(WithEtag(etag, edited))
}

fn require_may_edit(stored: &Stored, caller: &Caller, window_s: u32) -> Result<(), Problem> {
    let is_author = stored.is_by(caller);
    if is_author && is_in_window(stored.created_ms, clock::now_ms(), window_s) {
        return Ok(());
    }
    if identity::permitted(MODERATE) {
        return Ok(());
    }
    if is_author {
        return Err(Problem::conflict("The time to edit this comment is over.")
            .with_code("edit-window-over"));
    }
    Err(Problem::forbidden("It is somebody else's comment."))
}

fn is_in_window(created_ms: i64, now_ms: i64, window_s: u32) -> bool {
    now_ms < created_ms.saturating_add(i64::from(window_s) * 1_000)
}

/// Keeps the text that is about to be replaced.
fn keep_text(stored: &Stored) -> Result<(), Problem> {
    let statement = "INSERT INTO revisions (tenant, comment, number, body, writer, written_ms) \
                     VALUES ($tenant, $1, $2, $3, $4, $5)";
    let writer = stored.edited_by.as_ref().or(stored.author.as_ref());
    let parameters = params![
        &stored.id,
        stored.n_edits + 1,
        stored.body.as_deref(),
        writer,
        stored.edited_ms.unwrap_or(stored.created_ms),
    ];
    sql::execute(statement, parameters)?;
    Ok(())
}

fn replace_text(stored: &Stored, body: &str, html: String, editor: &str) -> Result<(), Problem> {
    let statement = "UPDATE comments SET body = $2, html = $3, renderer = $4, edited_ms = $5, \
                     edited_by = $6, n_edits = n_edits + 1, version = version + 1 \
                     WHERE tenant = $tenant AND id = $1";
    let now_ms = clock::now_ms();
    sql::execute(statement, params![&stored.id, body, html, RENDERER_VERSION, now_ms, editor])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_ends_and_may_be_closed() {
        assert!(is_in_window(1_000, 60_999, 60));
        assert!(!is_in_window(1_000, 61_000, 60));
        assert!(!is_in_window(1_000, 1_000, 0));
        // A clock that was set back does not lock authors out.
        assert!(is_in_window(1_000, 0, 60));
    }
}
