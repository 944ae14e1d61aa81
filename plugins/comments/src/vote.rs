//! `PUT` and `DELETE /{id}/vote`: one vote of each caller, up or down, never for one's own comment.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::comment::Stored;
use crate::pace::{self, Deed};
use crate::settings::CommentsSettings;
use crate::standing;

/// A vote.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// 1 up, -1 down.
    #[garde(custom(is_a_vote))]
    #[schemars(schema_with = "vote_schema")]
    value: i8,
}

fn vote_schema(_generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": [1, -1] })
}

fn is_a_vote(value: &i8, _context: &()) -> garde::Result {
    match value {
        1 | -1 => Ok(()),
        _ => Err(garde::Error::new("must be 1 or -1")),
    }
}

/// The votes for a comment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Votes {
    /// Up votes minus down votes.
    score: i64,
    /// Votes up.
    n_up: i64,
    /// Votes down.
    n_down: i64,
    /// The caller's vote: 1, -1 or 0.
    my_vote: i8,
}

/// `PUT /{id}/vote`
pub fn cast_vote(
    Path(id): Path<String>,
    caller: Caller,
    settings: Settings<CommentsSettings>,
    Json(vote): Json<Vote>,
) -> Result<Json<Votes>, Problem> {
    let stored = Stored::load_live(&id)?;
    if stored.is_by(&caller) {
        return Err(
            Problem::forbidden("Nobody votes for their own comment.").with_code("own-comment")
        );
    }
    let before = vote_of(&stored, &caller)?;
    count_change(before, vote.value, &caller, &settings)?;
    let statement = "INSERT INTO votes (tenant, comment, voter, value, voted_ms) \
                     VALUES ($tenant, $1, $2, $3, $4) ON CONFLICT (tenant, comment, voter) \
                     DO UPDATE SET value = excluded.value, voted_ms = excluded.voted_ms";
    sql::execute(statement, params![&id, &caller.subject, vote.value, clock::now_ms()])?;
    replace(&stored, before, vote.value)
}

/// `DELETE /{id}/vote`
pub fn withdraw_vote(
    Path(id): Path<String>,
    caller: Caller,
    settings: Settings<CommentsSettings>,
) -> Result<Json<Votes>, Problem> {
    let stored = Stored::load_live(&id)?;
    let before = vote_of(&stored, &caller)?;
    count_change(before, 0, &caller, &settings)?;
    let statement = "DELETE FROM votes WHERE tenant = $tenant AND comment = $1 AND voter = $2";
    sql::execute(statement, params![&id, &caller.subject])?;
    replace(&stored, before, 0)
}

/// The caller's vote: 1, -1 or 0.
fn vote_of(stored: &Stored, caller: &Caller) -> Result<i8, Problem> {
    let statement = "SELECT value FROM votes \
                     WHERE tenant = $tenant AND comment = $1 AND voter = $2";
    Ok(sql::query_optional(statement, params![&stored.id, &caller.subject])?.unwrap_or(0))
}

/// What changes nothing does not count.
fn count_change(
    before: i8,
    after: i8,
    caller: &Caller,
    settings: &CommentsSettings,
) -> Result<(), Problem> {
    if before == after {
        return Ok(());
    }
    pace::count(Deed::Reaction, &caller.subject, settings.reactions_per_minute)
}

/// Counts a vote that was `before` and is `after`, and answers what there is now.
fn replace(stored: &Stored, before: i8, after: i8) -> Result<Json<Votes>, Problem> {
    let n_up = stored.n_up + i64::from(after == 1) - i64::from(before == 1);
    let n_down = stored.n_down + i64::from(after == -1) - i64::from(before == -1);
    if before != after {
        let statement = "UPDATE comments SET n_up = $2, n_down = $3, standing = $4, \
                         version = version + 1 WHERE tenant = $tenant AND id = $1";
        let standing = standing::of_votes(n_up, n_down);
        sql::execute(statement, params![&stored.id, n_up, n_down, standing])?;
    }
    Ok(Json(Votes { score: n_up - n_down, n_up, n_down, my_vote: after }))
}
