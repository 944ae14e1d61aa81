//! A thread: what holds for all comments on a target. It exists without being created.

use caplet_sdk::Target;
use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MODERATE;
use crate::comment::Stored;
use crate::select::Reader;
use crate::state::State;

/// Who may post in a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Posting {
    /// Everyone who is signed in.
    #[default]
    Everyone,
    /// Those who hold `comments.moderate`.
    Moderators,
    /// Nobody.
    Nobody,
}

impl Posting {
    fn name(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Moderators => "moderators",
            Self::Nobody => "nobody",
        }
    }
}

/// A thread's settings.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Thread {
    /// What its comments are about, `type:id`.
    target: String,
    /// Whether nothing can be posted for now.
    locked: bool,
    /// Who may post.
    posting: Posting,
    /// The comment to show first, if one is pinned.
    pinned: Option<String>,
    /// When the settings were changed last, RFC 3339; null when they never were.
    updated_at: Option<String>,
}

/// A thread's new settings. What is left out gets its default.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct NewThread {
    /// Whether nothing can be posted for now.
    #[serde(default)]
    locked: bool,
    /// Who may post.
    #[serde(default)]
    posting: Posting,
    /// The comment to show first: one of this thread that is approved and not deleted.
    pinned: Option<String>,
}

/// `GET /threads/{target}`
pub fn read_thread(
    _reader: Reader,
    Path(target): Path<Target>,
    preconditions: Preconditions,
) -> Result<Conditional<JsonBytes<Thread>>, Problem> {
    let (thread, version) = current(&target)?;
    preconditions.unless(ETag::strong(version), || thread)
}

/// `PUT /threads/{target}`
pub fn write_thread(
    Path(target): Path<Target>,
    preconditions: Preconditions,
    Json(thread): Json<NewThread>,
) -> Result<WithEtag<JsonBytes<Thread>>, Problem> {
    let (_, version) = current(&target)?;
    if let Some(pinned) = &thread.pinned {
        require_can_be_pinned(pinned, &target)?;
    }
    preconditions.check(ETag::strong(version))?;
    let statement = "INSERT INTO threads \
                     (tenant, target, locked, posting, pinned, version, updated_ms) \
                     VALUES ($tenant, $1, $2, $3, $4, 1, $5) ON CONFLICT (tenant, target) \
                     DO UPDATE SET locked = excluded.locked, posting = excluded.posting, \
                     pinned = excluded.pinned, version = threads.version + 1, \
                     updated_ms = excluded.updated_ms";
    let posting = thread.posting.name();
    let now_ms = clock::now_ms();
    let parameters = params![target.as_str(), thread.locked, posting, thread.pinned, now_ms];
    sql::execute(statement, parameters)?;
    let (thread, version) = current(&target)?;
    Ok(WithEtag(ETag::strong(version), thread))
}

/// A thread's settings as JSON, and their version: 0 for those that were never changed.
fn current(target: &Target) -> Result<(JsonBytes<Thread>, i64), Problem> {
    let statement = r#"SELECT target, locked AS "locked:bool", posting, pinned,
                       updated_ms AS "updated_at:time", version AS "version:key"
                       FROM threads WHERE tenant = $tenant AND target = $1"#;
    match sql::query_json_optional(statement, params![target.as_str()])? {
        Some((thread, keys)) => match keys.first() {
            Some(sql::Value::Integer(version)) => Ok((JsonBytes::new(thread), *version)),
            _ => Err(Problem::internal()),
        },
        None => Ok((JsonBytes::new(unchanged(target)), 0)),
    }
}

/// The settings of a thread that has no row yet.
fn unchanged(target: &Target) -> Vec<u8> {
    let thread = Thread {
        target: target.as_str().to_owned(),
        locked: false,
        posting: Posting::default(),
        pinned: None,
        updated_at: None,
    };
    // Texts and booleans can always be written.
    serde_json::to_vec(&thread).unwrap_or_default()
}

fn require_can_be_pinned(id: &str, target: &Target) -> Result<(), Problem> {
    match Stored::find(id)? {
        Some(comment)
            if comment.target == target.as_str()
                && !comment.deleted
                && comment.state.is_approved() =>
        {
            Ok(())
        }
        _ => Err(Problem::unprocessable_at("/pinned", "is not a comment of this thread")),
    }
}

/// Counts a comment that is about to be posted, if the caller may post it.
///
/// # Errors
/// 409 when the thread is locked, 403 when the caller may not post. What was counted is rolled back
/// with the answer.
pub fn enter(target: &Target, state: State) -> Result<(), Problem> {
    // What is hidden does not count, and no feed shows it.
    let (n_comments, activity_ms) = if state.is_approved() { (1, clock::now_ms()) } else { (0, 0) };
    let statement = "INSERT INTO threads (tenant, target, n_comments, activity_ms) \
                     VALUES ($tenant, $1, $2, $3) ON CONFLICT (tenant, target) DO UPDATE \
                     SET n_comments = threads.n_comments + excluded.n_comments, activity_ms = \
                     CASE WHEN excluded.activity_ms > threads.activity_ms \
                     THEN excluded.activity_ms ELSE threads.activity_ms END \
                     RETURNING locked, posting";
    let parameters = params![target.as_str(), n_comments, activity_ms];
    let (locked, posting): (bool, Posting) = sql::query_one(statement, parameters)?;
    if locked {
        return Err(Problem::conflict("The thread is locked.").with_code("thread-locked"));
    }
    match posting {
        Posting::Everyone => Ok(()),
        Posting::Moderators => identity::require(MODERATE),
        Posting::Nobody => Err(Problem::forbidden("Nobody may post in this thread.")),
    }
}

/// Counts a comment that was hidden and is approved.
///
/// # Errors
/// Those of the store.
pub fn count_approved(target: &str) -> Result<(), Problem> {
    let statement = "UPDATE threads SET n_comments = n_comments + 1, activity_ms = $2 \
                     WHERE tenant = $tenant AND target = $1";
    sql::execute(statement, params![target, clock::now_ms()])?;
    Ok(())
}

/// Notes that what a feed shows has changed.
///
/// # Errors
/// Those of the store.
pub fn touch(target: &str) -> Result<(), Problem> {
    let statement = "UPDATE threads SET activity_ms = $2 WHERE tenant = $tenant AND target = $1";
    sql::execute(statement, params![target, clock::now_ms()])?;
    Ok(())
}

/// Counts a comment that was deleted or hidden, and unpins it.
///
/// # Errors
/// Those of the store.
pub fn leave(comment: &Stored) -> Result<(), Problem> {
    let statement = "UPDATE threads SET n_comments = n_comments - 1, activity_ms = $3, \
                     version = version + CASE WHEN pinned = $2 THEN 1 ELSE 0 END, \
                     pinned = CASE WHEN pinned = $2 THEN NULL ELSE pinned END \
                     WHERE tenant = $tenant AND target = $1";
    sql::execute(statement, params![&comment.target, &comment.id, clock::now_ms()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_exists_before_anybody_changes_it() {
        let target = Target::parse("post:1").unwrap();
        let thread: serde_json::Value = serde_json::from_slice(&unchanged(&target)).unwrap();
        let expected = serde_json::json!({
            "target": "post:1", "locked": false, "posting": "everyone", "pinned": null,
            "updated_at": null
        });
        assert_eq!(thread, expected);
    }

    #[test]
    fn postings_are_stored_by_the_names_callers_use() {
        for posting in [Posting::Everyone, Posting::Moderators, Posting::Nobody] {
            assert_eq!(serde_json::to_value(posting).unwrap(), posting.name());
        }
    }
}
