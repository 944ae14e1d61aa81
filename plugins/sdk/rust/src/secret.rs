//! A setting that is a secret, such as the key to somebody else's API.
//!
//! Its schema says that it is only written, by which the host knows it: the host keeps it encrypted, shows
//! it to nobody, and takes its value out of what the plugin logs and of answers that are errors. What the
//! plugin puts into its database or into other answers is the plugin's to keep.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// A text in the settings that is a secret. One that need not be set is an `Option<Secret>`.
///
/// ```
/// use caplet_sdk::Secret;
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct MailSettings {
///     /// The key to the mail service.
///     api_key: Option<Secret>,
/// }
///
/// let settings: MailSettings = serde_json::from_str(r#"{"api_key": "hunter2"}"#).unwrap();
/// assert_eq!(format!("{settings:?}"), "MailSettings { api_key: Some(Secret(…)) }");
/// assert_eq!(settings.api_key.unwrap().expose(), "hunter2");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text, for tests.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for where it is needed.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Written as an empty text: settings are written to tell their defaults.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("")
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Settings {
        /// The key.
        key: Secret,
        spare: Option<Secret>,
    }

    #[test]
    fn its_schema_says_that_it_is_only_written() {
        let schema = serde_json::to_value(schemars::schema_for!(Settings)).unwrap();
        let properties = &schema["properties"];
        assert_eq!(
            properties["key"],
            json!({ "description": "The key.", "type": "string", "writeOnly": true })
        );
        assert_eq!(properties["spare"]["writeOnly"], true, "{schema}");
        assert_eq!(json!(Secret::new("hunter2")), json!(""));
    }
}
