//! What an operator can set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings, each with a default.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The most characters of a note.
    #[schemars(range(min = 1, max = 500))]
    pub body_characters_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { body_characters_max: 500 }
    }
}
