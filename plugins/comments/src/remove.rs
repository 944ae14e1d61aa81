//! `DELETE /{id}`: empties a comment and leaves its place, so that the replies below it stay.

use caplet_sdk::prelude::*;

use crate::comment::Stored;
use crate::thread;

/// `DELETE /{id}`
pub fn delete_comment(
    Path(id): Path<String>,
    preconditions: Preconditions,
    caller: Caller,
) -> Result<NoContent, Problem> {
    let stored = Stored::load(&id)?;
    // Said twice is done once: nobody may learn whose it was.
    if stored.deleted {
        return Ok(NoContent);
    }
    stored.require_author_or_moderator(&caller)?;
    preconditions.check(stored.etag())?;
    erase(&stored)?;
    Ok(NoContent)
}

/// Empties a comment that is not deleted yet, and takes it out of what its thread counts.
///
/// # Errors
/// Those of the store.
pub fn erase(stored: &Stored) -> Result<(), Problem> {
    empty(stored)?;
    if stored.state.is_approved() { thread::leave(stored) } else { Ok(()) }
}

/// Removes the author, the text, its history, and what others added to it.
fn empty(stored: &Stored) -> Result<(), Problem> {
    let statement = "UPDATE comments SET deleted = 1, deleted_ms = $2, author = NULL, author_name = NULL, \
                     body = NULL, html = NULL, state = 'approved', edited_ms = NULL, edited_by = NULL, n_up = 0, n_down = 0, \
                     standing = 0, reactions = '{}', version = version + 1 \
                     WHERE tenant = $tenant AND id = $1";
    sql::execute(statement, params![&stored.id, clock::now_ms()])?;
    for statement in [
        "DELETE FROM revisions WHERE tenant = $tenant AND comment = $1",
        "DELETE FROM reactions WHERE tenant = $tenant AND comment = $1",
        "DELETE FROM reports WHERE tenant = $tenant AND comment = $1",
        "DELETE FROM votes WHERE tenant = $tenant AND comment = $1",
    ] {
        sql::execute(statement, params![&stored.id])?;
    }
    Ok(())
}
