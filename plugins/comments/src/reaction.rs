//! `PUT` and `DELETE /{id}/reactions/{kind}`: one reaction of each kind and caller.
//!
//! The counts are kept in the comment's row, so that lists need not count.

use std::collections::BTreeMap;

use caplet_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::comment::Stored;
use crate::pace::{self, Deed};
use crate::settings::CommentsSettings;

/// How many reactions of each kind.
pub type Counts = BTreeMap<String, u32>;

/// A comment's reactions.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reactions {
    /// How many there are of each kind.
    reactions: Counts,
    /// The caller's.
    my_reactions: Vec<String>,
}

/// `PUT /{id}/reactions/{kind}`
pub fn add_reaction(
    Path((id, kind)): Path<(String, String)>,
    caller: Caller,
    settings: Settings<CommentsSettings>,
) -> Result<Json<Reactions>, Problem> {
    if !settings.reactions.contains(&kind) {
        return Err(unknown().with_member("reactions", settings.reactions.as_slice()));
    }
    let stored = Stored::load_live(&id)?;
    let statement = "INSERT INTO reactions (tenant, comment, reactor, kind, created_ms) \
                     VALUES ($tenant, $1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let now_ms = clock::now_ms();
    let is_new = sql::execute(statement, params![&id, &caller.subject, &kind, now_ms])? == 1;
    if is_new {
        pace::count(Deed::Reaction, &caller.subject, settings.reactions_per_minute)?;
    }
    answer(&stored, &caller, &kind, i64::from(is_new))
}

/// `DELETE /{id}/reactions/{kind}`
pub fn remove_reaction(
    Path((id, kind)): Path<(String, String)>,
    caller: Caller,
    settings: Settings<CommentsSettings>,
) -> Result<Json<Reactions>, Problem> {
    if kind.contains('\0') {
        return Err(unknown());
    }
    let stored = Stored::load_live(&id)?;
    let statement = "DELETE FROM reactions \
                     WHERE tenant = $tenant AND comment = $1 AND reactor = $2 AND kind = $3";
    let was_there = sql::execute(statement, params![&id, &caller.subject, &kind])? == 1;
    if was_there {
        pace::count(Deed::Reaction, &caller.subject, settings.reactions_per_minute)?;
    }
    answer(&stored, &caller, &kind, -i64::from(was_there))
}

fn unknown() -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "unknown-reaction", "There is no such reaction.")
}

/// Counts a change of the reactions of a kind, and answers what there is now.
fn answer(
    stored: &Stored,
    caller: &Caller,
    kind: &str,
    change: i64,
) -> Result<Json<Reactions>, Problem> {
    let mut reactions = parse(&stored.reactions)?;
    if change != 0 {
        count(&mut reactions, kind, change);
        let statement = "UPDATE comments SET reactions = $2, version = version + 1 \
                         WHERE tenant = $tenant AND id = $1";
        sql::execute(statement, params![&stored.id, write(&reactions)])?;
    }
    let statement = "SELECT kind FROM reactions \
                     WHERE tenant = $tenant AND comment = $1 AND reactor = $2 ORDER BY kind";
    let my_reactions = sql::query(statement, params![&stored.id, &caller.subject])?;
    Ok(Json(Reactions { reactions, my_reactions }))
}

/// Adds `change` to the count of a kind; a kind without reactions is left out.
fn count(reactions: &mut Counts, kind: &str, change: i64) {
    let before = reactions.get(kind).copied().unwrap_or(0);
    match before.saturating_add_signed(i32::try_from(change).unwrap_or(0)) {
        0 => reactions.remove(kind),
        after => reactions.insert(kind.to_owned(), after),
    };
}

/// The counts without one reaction of a kind.
pub fn without(mut reactions: Counts, kind: &str) -> Counts {
    count(&mut reactions, kind, -1);
    reactions
}

/// Reads the counts that a comment keeps.
///
/// # Errors
/// 500 when they are no counts.
pub fn parse(reactions: &str) -> Result<Counts, Problem> {
    serde_json::from_str(reactions).map_err(|error| {
        log::error!("the counts of reactions are not JSON", error = error);
        Problem::internal()
    })
}

/// The counts as a comment keeps them.
pub fn write(reactions: &Counts) -> String {
    // A map of texts to numbers can always be written.
    serde_json::to_string(reactions).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_up_and_down_and_vanish_at_zero() {
        let mut reactions = parse(r#"{"like":1}"#).unwrap();
        count(&mut reactions, "like", 1);
        count(&mut reactions, "heart", 1);
        assert_eq!(write(&reactions), r#"{"heart":1,"like":2}"#);
        count(&mut reactions, "heart", -1);
        count(&mut reactions, "sad", -1);
        assert_eq!(write(&reactions), r#"{"like":2}"#);
    }
}
