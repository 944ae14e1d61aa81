//! A comment as callers see it, the query that finds those of a target, and how a page of them is
//! written: what the rivals for lists share.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;

/// How many comments a page has.
const PAGE: usize = 25;

/// How many rows are read for a page: one more tells whether the list goes on.
pub const ROWS: i64 = PAGE as i64 + 1;

/// The tenant of callers without a token.
pub const TENANT: &str = "default";

/// The comments of a tenant's target, the newest first. `deleted` is an expression, because sqlx
/// reads a column declared as BIGINT as a number only.
pub const LIST: &str = "SELECT html, deleted <> 0 AS deleted, id, target, parent, reply_to, depth, \
     author, author_name, body, state, created_ms, edited_ms, n_replies, n_up - n_down AS score, \
     reactions FROM comments WHERE tenant = ?1 AND target = ?2 AND shown = 1 \
     ORDER BY id DESC LIMIT ?3";

/// What a list is asked for.
#[derive(Debug, Deserialize)]
pub struct Filter {
    /// `type:id`.
    pub target: String,
}

/// A comment, with its members in the order of the columns.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct Comment {
    pub html: Option<String>,
    pub deleted: bool,
    pub id: String,
    pub target: String,
    pub parent: Option<String>,
    pub reply_to: Option<String>,
    pub depth: i64,
    pub author: Option<String>,
    pub author_name: Option<String>,
    pub body: Option<String>,
    pub state: String,
    #[sqlx(rename = "created_ms")]
    #[serde(rename = "created_at", serialize_with = "time")]
    pub created_ms: i64,
    #[sqlx(rename = "edited_ms")]
    #[serde(rename = "edited_at", serialize_with = "optional_time")]
    pub edited_ms: Option<i64>,
    pub n_replies: i64,
    pub score: i64,
    #[sqlx(try_from = "String")]
    pub reactions: Reactions,
    /// The caller's; in a list the caller has no token.
    #[sqlx(skip)]
    pub my_vote: i64,
    #[sqlx(skip)]
    pub my_reactions: Vec<String>,
}

/// A JSON object as the database has it, passed on without being taken apart.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Reactions(Box<RawValue>);

impl Reactions {
    /// Those of a comment that nobody reacted to.
    pub fn none() -> Self {
        Self(RawValue::from_string("{}".to_owned()).expect("it is JSON"))
    }
}

impl TryFrom<String> for Reactions {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct Page {
    pub items: Vec<Comment>,
    pub next_cursor: Option<String>,
}

impl Page {
    /// A page of up to [`ROWS`] comments.
    pub fn new(mut comments: Vec<Comment>) -> Self {
        let more = comments.len() > PAGE;
        comments.truncate(PAGE);
        let last = comments.last().filter(|_| more);
        Self { next_cursor: last.map(|comment| comment.id.clone()), items: comments }
    }
}

fn time<S: Serializer>(time_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = Timestamp::from_millisecond(*time_ms).map_err(S::Error::custom)?;
    serializer.collect_str(&format_args!("{time:.3}"))
}

fn optional_time<S: Serializer>(time_ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match time_ms {
        Some(time_ms) => time(time_ms, serializer),
        None => serializer.serialize_none(),
    }
}
