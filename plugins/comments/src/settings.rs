//! What an operator can set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::BannedWords;

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
    /// Where the page of a target is, for the links of feeds, with `{type}` and `{id}` in it. Feeds
    /// have no such links without it. A comment is expected at `#comment-<its id>` there.
    #[schemars(length(max = 500), regex(pattern = r"^(https?://[!-~]+)?$"))]
    pub page_url: String,
    /// Whose comments a moderator must approve before others see them.
    pub hold: Hold,
    /// With how many approved comments an author is no newcomer any more.
    #[schemars(range(min = 1, max = 100))]
    pub newcomer_comments: u8,
    /// Words and phrases, whatever the capitals; `word*` stands for all that begin so. Moderators
    /// may use them.
    pub banned_words: BannedWords,
    /// What becomes of a comment with one of them.
    pub banned_words_action: BannedWordsAction,
    /// With more links than this a comment is held. 0: with none.
    pub links_max: u16,
    /// With so many open reports a comment is held. 0: with none.
    pub hold_after_reports: u16,
    /// How many comments one caller may write in a minute. 0: any number.
    pub comments_per_minute: u32,
    /// How many reactions and votes one caller may give and take back in a minute. 0: any number.
    pub reactions_per_minute: u32,
}

/// Whose comments are held until a moderator approves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// Nobody's.
    Nobody,
    /// Those of authors with fewer approved comments than `newcomer_comments`.
    Newcomers,
    /// Everybody's but those of moderators.
    Everybody,
}

/// What becomes of a comment with a banned word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BannedWordsAction {
    /// It is held.
    Hold,
    /// It is not taken.
    Refuse,
    /// It is spam.
    Spam,
}

impl Default for CommentsSettings {
    fn default() -> Self {
        let reactions = ["like", "heart", "laugh", "hooray", "confused", "sad"];
        Self {
            edit_window_s: 900,
            reactions: reactions.map(str::to_owned).to_vec(),
            depth_max: DEPTH_MAX,
            public_read: true,
            page_url: String::new(),
            hold: Hold::Nobody,
            newcomer_comments: 1,
            banned_words: BannedWords::default(),
            banned_words_action: BannedWordsAction::Hold,
            links_max: 0,
            hold_after_reports: 0,
            comments_per_minute: 0,
            reactions_per_minute: 60,
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
