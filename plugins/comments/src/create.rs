//! `POST /`: writes a comment or a reply.

use caplet_sdk::Target;
use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::comment::{self, BODY_MAX_CHARS, Comment, check_body};
use crate::judgement::{self, Text};
use crate::markdown::{RENDERER_VERSION, render};
use crate::pace::{self, Deed};
use crate::place::Place;
use crate::select::Reader;
use crate::settings::CommentsSettings;
use crate::state::State;
use crate::thread;

/// A new comment.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    /// What it is about, `type:id`.
    #[garde(skip)]
    target: Target,
    /// The text, as Markdown.
    #[garde(length(chars, min = 1, max = BODY_MAX_CHARS), custom(check_body))]
    body: String,
    /// The comment it answers, which must be on the same target.
    #[garde(skip)]
    parent: Option<String>,
}

/// What is written when a comment is created: it, its version, and where it is.
pub type Written = WithEtag<Created<JsonBytes<Comment>>>;

/// `POST /`
pub fn create_comment(
    caller: Caller,
    settings: Settings<CommentsSettings>,
    Json(comment): Json<NewComment>,
) -> Result<Written, Problem> {
    // Before the first statement: from there on other writers wait.
    let html = render(&comment.body);
    let mut state = judgement::of_text(&Text { body: &comment.body, html: &html }, &settings)?;
    pace::count(Deed::Comment, &caller.subject, settings.comments_per_minute)?;
    if state.is_approved() {
        state = judgement::of_author(&caller.subject, &settings)?;
    }
    thread::enter(&comment.target, state)?;
    let id = next_id(&comment.target)?;
    let place = match &comment.parent {
        None => Place::top(&id),
        Some(parent) => Place::below(&id, &comment.target, parent, settings.depth_max)?,
    };
    let place = if state.is_approved() { place.take()? } else { place };
    insert(&id, &caller.subject, Content { comment: &comment, html, state }, place)?;
    let (written, etag) = comment::current(&Reader(Some(caller.subject)), &id)?;
    let location = format!("/api/comments/{id}");
    Ok(WithEtag(etag, Created::new(location, written)))
}

/// An id that sorts after all others that the thread shows, so that the order of ids is that of creation.
/// Whoever has [entered](thread::enter) holds the thread's row: nobody else adds to it meanwhile.
fn next_id(target: &Target) -> Result<String, Problem> {
    let statement = "SELECT id FROM comments WHERE tenant = $tenant AND target = $1 \
                     AND shown = 1 ORDER BY id DESC LIMIT 1";
    let newest: Option<String> = sql::query_optional(statement, params![target.as_str()])?;
    Ok(newest.map_or_else(random::id, |newest| random::id_after(&newest)))
}

/// What a new comment is made of.
struct Content<'a> {
    comment: &'a NewComment,
    html: String,
    state: State,
}

fn insert(id: &str, author: &str, content: Content<'_>, place: Place) -> Result<(), Problem> {
    let Content { comment, html, state } = content;
    let statement = "INSERT INTO comments (tenant, id, target, parent, reply_to, root, ordinal, \
                     depth, author, body, html, renderer, created_ms, state, shown) \
                     VALUES ($tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
                     $14)";
    let parameters = params![
        id,
        comment.target.as_str(),
        place.parent,
        place.reply_to,
        place.root,
        place.ordinal,
        place.depth,
        author,
        &comment.body,
        html,
        RENDERER_VERSION,
        clock::now_ms(),
        state.name(),
        state.is_approved(),
    ];
    sql::execute(statement, parameters)?;
    Ok(())
}
