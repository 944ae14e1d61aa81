//! What the operator decides about: how long a note may be, and who may pin one.

use caplet_sdk::prelude::*;

use crate::note::{NewNote, Note, create_note};
use crate::settings::NotesSettings;

pub fn write_note(
    caller: Caller,
    settings: Settings<NotesSettings>,
    Json(note): Json<NewNote>,
) -> Result<Created<JsonBytes<Note>>, Problem> {
    let characters_max = settings.body_characters_max;
    if note.body.chars().count() > characters_max {
        let detail = format!("has more than {characters_max} characters");
        return Err(Problem::unprocessable_at("/body", detail));
    }
    create_note(caller, Json(note))
}

pub fn pin_note(Path(id): Path<String>) -> Result<NoContent, Problem> {
    let statement = "UPDATE notes SET pinned = 1 WHERE tenant = $tenant AND id = $1";
    match sql::execute(statement, params![id])? {
        0 => Err(Problem::not_found("There is no such note.")),
        _ => Ok(NoContent),
    }
}
