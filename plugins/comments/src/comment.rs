//! A comment: its shape for callers, its row for those who change it, and who may change it.

use std::collections::BTreeMap;

use caplet_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::select::{self, Reader};
use crate::state::State;
use crate::{MODERATE, NO_COMMENT};

/// The most characters of a body.
pub const BODY_MAX_CHARS: usize = 10_000;

/// A comment, as callers see it. Describes the JSON that the columns of `select` make.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct Comment {
    /// A UUID of version 7.
    id: String,
    /// What it is about, `type:id`.
    target: String,
    /// The comment it stands below; null at the top.
    parent: Option<String>,
    /// The comment it answers: its parent, or one that was too deep to be a parent.
    reply_to: Option<String>,
    /// Its level in the tree, 1 at the top.
    depth: u8,
    /// The subject of its author; null when it is deleted or hidden.
    author: Option<String>,
    /// The name that the author had where the comment was imported from; null for others.
    author_name: Option<String>,
    /// The text as it was written; null when it is deleted or hidden.
    body: Option<String>,
    /// The text as safe HTML; null when it is deleted or hidden.
    html: Option<String>,
    /// What moderation has decided. A comment that is not approved is hidden from all but its author
    /// and moderators, who read it by its id.
    state: State,
    /// Whether it was deleted. It stays in its place for the replies to it.
    deleted: bool,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; null when it was never edited.
    edited_at: Option<String>,
    /// How many direct replies are shown, deleted ones included.
    n_replies: u32,
    /// Up votes minus down votes.
    score: i64,
    /// How many reactions of each kind.
    reactions: BTreeMap<String, u32>,
    /// The caller's vote: 1, -1 or 0.
    my_vote: i8,
    /// The caller's reactions.
    my_reactions: Vec<String>,
    /// The first replies to it, in the order they were written. Only in trees.
    #[serde(default)]
    replies: Vec<Comment>,
}

/// A comment's row, as far as changes of it need it.
#[derive(Debug, Clone, Deserialize)]
pub struct Stored {
    pub id: String,
    pub target: String,
    pub parent: Option<String>,
    pub root: String,
    pub depth: i64,
    pub author: Option<String>,
    pub body: Option<String>,
    pub deleted: bool,
    pub state: State,
    pub shown: bool,
    pub ordinal: i64,
    pub n_replies: i64,
    pub created_ms: i64,
    pub edited_ms: Option<i64>,
    pub edited_by: Option<String>,
    pub n_edits: i64,
    pub n_up: i64,
    pub n_down: i64,
    pub reactions: String,
    pub version: i64,
}

impl Stored {
    /// Reads a comment of this tenant.
    ///
    /// # Errors
    /// 404 when there is none, or none that the caller may know of.
    pub fn load(id: &str) -> Result<Self, Problem> {
        let found = Self::find(id)?.filter(|stored| stored.shown || stored.is_open_to_caller());
        found.ok_or_else(|| Problem::not_found(NO_COMMENT))
    }

    /// Reads a comment of this tenant, or none when there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub fn find(id: &str) -> Result<Option<Self>, Problem> {
        if !is_id(id) {
            return Ok(None);
        }
        let statement = "SELECT id, target, parent, root, depth, author, body, deleted, \
                         state, shown, ordinal, n_replies, created_ms, edited_ms, edited_by, n_edits, n_up, n_down, reactions, \
                         version FROM comments WHERE tenant = $tenant AND id = $1";
        Ok(sql::query_optional(statement, params![id])?)
    }

    /// Reads a comment that is going to be changed.
    ///
    /// # Errors
    /// 404 when there is none, 409 when it is deleted.
    pub fn load_undeleted(id: &str) -> Result<Self, Problem> {
        let stored = Self::load(id)?;
        if stored.deleted { Err(deleted()) } else { Ok(stored) }
    }

    /// Reads a comment that somebody wants to add to.
    ///
    /// # Errors
    /// 404 when there is none, 409 when it is deleted or hidden.
    pub fn load_live(id: &str) -> Result<Self, Problem> {
        let stored = Self::load_undeleted(id)?;
        if stored.state.is_approved() { Ok(stored) } else { Err(hidden()) }
    }

    /// Whether the caller sees its author and text.
    pub fn is_open_to_caller(&self) -> bool {
        self.state.is_approved()
            || identity::caller().is_some_and(|caller| self.is_by(&caller))
            || identity::permitted(MODERATE)
    }

    /// Whether `caller` wrote it.
    pub fn is_by(&self, caller: &Caller) -> bool {
        self.author.as_deref() == Some(caller.subject.as_str())
    }

    /// Passes for its author and for moderators.
    ///
    /// # Errors
    /// 403 for others.
    pub fn require_author_or_moderator(&self, caller: &Caller) -> Result<(), Problem> {
        if self.is_by(caller) || identity::permitted(MODERATE) {
            return Ok(());
        }
        Err(Problem::forbidden("It is somebody else's comment."))
    }

    /// Its current entity tag.
    pub fn etag(&self) -> ETag {
        ETag::strong(self.version)
    }
}

/// The problem of changing what is deleted.
pub fn deleted() -> Problem {
    Problem::conflict("The comment is deleted.").with_code("comment-deleted")
}

/// The problem of adding to what is hidden.
pub fn hidden() -> Problem {
    Problem::conflict("The comment awaits a moderator, or is spam.").with_code("comment-hidden")
}

/// Whether a text has the shape of a comment's id. What has not is no comment, and is never asked
/// for: the store refuses some texts, such as those with NUL.
pub fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The id of a comment in a cursor. A cursor that has something else there was not made here.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Key(pub String);

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if is_id(&text) { Ok(Self(text)) } else { Err("is not the id of a comment") }
    }
}

/// `GET /{id}`
pub fn read_comment(
    Path(id): Path<String>,
    reader: Reader,
    preconditions: Preconditions,
) -> Result<Conditional<JsonBytes<Comment>>, Problem> {
    let (comment, etag) = current(&reader, &id)?;
    preconditions.unless(etag, || comment)
}

/// A comment as JSON, with the entity tag of how it looks to the reader.
///
/// # Errors
/// 404 when there is none that the reader may see.
pub fn current(reader: &Reader, id: &str) -> Result<(JsonBytes<Comment>, ETag), Problem> {
    let found = if is_id(id) { select::one(reader, id)? } else { None };
    found.ok_or_else(|| Problem::not_found(NO_COMMENT))
}

/// A rule for bodies: something to read, and nothing that cannot be stored.
pub fn check_body(body: &str, _context: &()) -> garde::Result {
    if body.trim().is_empty() {
        return Err(garde::Error::new("has no text"));
    }
    if body.contains('\0') {
        return Err(garde::Error::new("contains a NUL character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        assert!(is_id(&random::id()));
        for text in ["", "1", "counts", "018bcfe5-6800-7000-8000-00000000000\0", &"-".repeat(37)] {
            assert!(!is_id(text));
        }
    }

    #[test]
    fn bodies_have_text() {
        assert!(check_body("a", &()).is_ok());
        assert!(check_body(" \n\t", &()).is_err());
        assert!(check_body("a\0", &()).is_err());
    }
}
