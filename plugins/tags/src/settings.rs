//! What an operator can set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most tags of an item, whatever the settings say.
pub const TAGS_PER_ITEM_MAX: usize = 50;

/// Who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Everyone who is signed in.
    Everyone,
    /// Those who hold the permission for it, and curators.
    Permitted,
}

/// What is done with a new name that looks like that of another tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lookalikes {
    /// The tag is made and names the other in `looks_like`, for curators to see.
    Flag,
    /// The name is refused.
    Refuse,
}

/// The settings of tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TagsSettings {
    /// Who may tag items: everyone, or those who hold `tags.assign`.
    pub tagging: Who,
    /// Who may make new tags, also by using their names: everyone who may tag, or those who hold
    /// `tags.create`.
    pub creating: Who,
    /// What is done with a new name that looks like that of another tag.
    pub lookalikes: Lookalikes,
    /// The most tags of an item.
    #[schemars(range(min = 1, max = 50))]
    pub tags_per_item_max: usize,
    /// Whether tags may be read without a token.
    pub public_read: bool,
}

impl Default for TagsSettings {
    fn default() -> Self {
        Self {
            tagging: Who::Everyone,
            creating: Who::Everyone,
            lookalikes: Lookalikes::Flag,
            tags_per_item_max: TAGS_PER_ITEM_MAX,
            public_read: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_has_a_default() {
        let settings: TagsSettings = serde_json::from_str(r#"{"creating":"permitted"}"#).unwrap();
        assert_eq!(settings, TagsSettings { creating: Who::Permitted, ..Default::default() });
    }

    #[test]
    fn the_schema_bounds_what_can_be_set() {
        let schema = schemars::schema_for!(TagsSettings).to_value();
        assert_eq!(schema["properties"]["tags_per_item_max"]["maximum"], TAGS_PER_ITEM_MAX);
        assert_eq!(schema["properties"]["public_read"]["default"], true);
    }
}
