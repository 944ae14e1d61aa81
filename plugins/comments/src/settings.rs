//! What an operator can set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The deepest level that is stored, whatever the settings say.
pub const DEPTH_MAX: u8 = 8;

/// The settings of comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CommentsSettings {
    /// How long an author may edit a comment, in seconds from its creation. 0: only moderators may.
    pub edit_window_s: u32,
    /// The reactions there are. One that is taken away is kept where it was given, and can be taken
    /// back, but not be given any more.
    #[schemars(length(max = 32), inner(regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,31}$")))]
    pub reactions: Vec<String>,
    /// How many levels a tree of comments has; deeper replies join the last one.
    #[schemars(range(min = 1, max = 8))]
    pub depth_max: u8,
    /// Whether comments may be read without a token.
    pub public_read: bool,
}

impl Default for CommentsSettings {
    fn default() -> Self {
        let reactions = ["like", "heart", "laugh", "hooray", "confused", "sad"];
        Self {
            edit_window_s: 900,
            reactions: reactions.map(str::to_owned).to_vec(),
            depth_max: DEPTH_MAX,
            public_read: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_has_a_default() {
        let settings: CommentsSettings = serde_json::from_str(r#"{"edit_window_s":60}"#).unwrap();
        assert_eq!(settings, CommentsSettings { edit_window_s: 60, ..Default::default() });
    }

    #[test]
    fn the_schema_bounds_what_can_be_set() {
        let schema = schemars::schema_for!(CommentsSettings).to_value();
        assert_eq!(schema["properties"]["depth_max"]["maximum"], 8);
        assert_eq!(schema["properties"]["public_read"]["default"], true);
        assert!(schema["properties"]["reactions"]["items"]["pattern"].is_string());
    }
}
