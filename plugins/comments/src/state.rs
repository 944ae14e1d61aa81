//! The state of a comment, what hides it and shows it again, and `PUT /{id}/state`.
//!
//! A hidden comment is in no list and does not count. One that is hidden after it was answered keeps
//! its place, without author and text, for the replies to it.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comment::{self, Comment, Stored};
use crate::place;
use crate::select::Reader;
use crate::thread;

/// What moderation has decided about a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Everybody who reads sees it.
    #[default]
    Approved,
    /// Its author and moderators see it, until a moderator decides.
    Held,
    /// Its author and moderators see it; it is unwanted.
    Spam,
}

impl State {
    /// Its name in the database and for callers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Held => "held",
            Self::Spam => "spam",
        }
    }

    /// Whether everybody sees what is in it.
    pub fn is_approved(self) -> bool {
        self == Self::Approved
    }
}

/// A decision of a moderator.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Decision {
    /// The new state.
    state: State,
}

/// `PUT /{id}/state`
pub fn decide_state(
    Path(id): Path<String>,
    preconditions: Preconditions,
    caller: Caller,
    Json(decision): Json<Decision>,
) -> Result<WithEtag<JsonBytes<Comment>>, Problem> {
    let stored = Stored::load_undeleted(&id)?;
    preconditions.check(stored.etag())?;
    change(&stored, decision.state)?;
    let (comment, etag) = comment::current(&Reader(Some(caller.subject)), &id)?;
    Ok(WithEtag(etag, comment))
}

/// Puts a comment that is not deleted into another state; does nothing when it is in it.
///
/// # Errors
/// Those of the store.
pub fn change(stored: &Stored, state: State) -> Result<(), Problem> {
    if stored.state == state {
        return Ok(());
    }
    let is_shown = state.is_approved() || stored.n_replies > 0;
    if stored.state.is_approved() {
        thread::leave(stored)?;
    } else if state.is_approved() {
        thread::count_approved(&stored.target)?;
    }
    match (stored.shown, is_shown) {
        (true, false) => place::leave(stored)?,
        (false, true) => place::join(stored)?,
        _ => {}
    }
    let statement = "UPDATE comments SET state = $2, shown = $3, version = version + 1 \
                     WHERE tenant = $tenant AND id = $1";
    sql::execute(statement, params![&stored.id, state.name(), is_shown])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_stored_by_the_names_callers_use() {
        for state in [State::Approved, State::Held, State::Spam] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
