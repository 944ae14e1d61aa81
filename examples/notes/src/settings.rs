//! What an operator can set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings of notes.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NotesSettings {
    /// The most characters of a note.
    #[schemars(range(min = 1, max = 500))]
    pub body_characters_max: usize,
}

impl Default for NotesSettings {
    fn default() -> Self {
        Self { body_characters_max: 500 }
    }
}
