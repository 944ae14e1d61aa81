//! Notes: short texts, newest first.

mod board;
mod note;
mod settings;

use caplet_sdk::prelude::*;

plugin!(
    Plugin::new("notes")
        .title("Notes")
        .summary("Short texts, newest first.")
        .settings::<settings::NotesSettings>()
        .permission("notes.pin", "Pin notes of anybody.")
        .migration(1, "create notes", include_str!("../migrations/0001_create_notes.sql"))
        .route(post("/", board::write_note).summary("Write a note"))
        .route(get("/", note::list_notes).public().summary("List the notes"))
        .route(get("/{id}", note::read_note).public().summary("Read a note"))
        .route(put("/{id}/pin", board::pin_note).permission("notes.pin").summary("Pin a note"))
);
