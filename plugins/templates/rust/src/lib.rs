//! {{title}}: short texts, newest first.

mod note;
mod settings;
mod subject;

use caplet_sdk::prelude::*;

plugin!(
    Plugin::new("{{name}}")
        .title("{{title}}")
        .summary("Short texts, newest first.")
        .settings::<settings::Settings>()
        .permission("{{name}}.pin", "Pin notes of anybody.")
        .migration(1, "create notes", include_str!("../migrations/0001_create_notes.sql"))
        .route(post("/", note::write).summary("Write a note"))
        .route(get("/", note::list).public().summary("List the notes"))
        .route(get("/{id}", note::read).public().summary("Read a note"))
        .route(put("/{id}/pin", note::pin).permission("{{name}}.pin").summary("Pin a note"))
);
