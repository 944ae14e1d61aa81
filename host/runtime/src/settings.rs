//! A plugin's settings: what the operator wrote, checked against the plugin's schema, with the
//! schema's defaults filled in.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Checked settings. Immutable: a change makes a new generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Differs whenever `json` differs.
    pub version: u64,
    /// A JSON object.
    pub json: String,
}

impl Settings {
    /// No settings.
    #[must_use]
    pub fn none() -> Self {
        Self::of(&Map::new())
    }

    /// Checks `given` (an object, or null for none) against `schema`, the plugin's schema as JSON text;
    /// an empty schema allows only no settings.
    ///
    /// # Errors
    /// Each violation, with the place in the settings, or why the schema itself cannot be used.
    pub fn check(schema: &str, given: &Value) -> Result<Self, Vec<String>> {
        let mut settings = object(given)?;
        if schema.is_empty() {
            return match settings.keys().next() {
                Some(key) => Err(vec![format!("`{key}` is set, but the plugin has no settings")]),
                None => Ok(Self::of(&settings)),
            };
        }
        let schema: Value = serde_json::from_str(schema)
            .map_err(|error| vec![format!("the settings schema is not JSON: {error}")])?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(vec!["the settings schema's root must have `\"type\": \"object\"`".into()]);
        }
        fill_defaults(&schema, &schema, &mut settings);
        validate(&schema, &settings)?;
        Ok(Self::of(&settings))
    }

    fn of(settings: &Map<String, Value>) -> Self {
        let json = serde_json::to_string(settings).expect("a JSON object can be written");
        let digest = Sha256::digest(json.as_bytes());
        let version = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes of 32"));
        Self { version, json }
    }
}

fn object(given: &Value) -> Result<Map<String, Value>, Vec<String>> {
    match given {
        Value::Null => Ok(Map::new()),
        Value::Object(settings) => Ok(settings.clone()),
        _ => Err(vec!["settings must be a table of keys and values".to_owned()]),
    }
}

fn validate(schema: &Value, settings: &Map<String, Value>) -> Result<(), Vec<String>> {
    let validator = jsonschema::draft202012::new(schema)
        .map_err(|error| vec![format!("the settings schema is not a JSON Schema: {error}")])?;
    let instance = Value::Object(settings.clone());
    let violations: Vec<String> = validator
        .iter_errors(&instance)
        .map(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "/".to_owned() } else { place };
            format!("{place}: {error}")
        })
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Fills in `default`s of absent properties, in nested objects too. JSON Schema leaves this to the
/// reader of a schema (draft 2020-12, section 9.2).
fn fill_defaults(root: &Value, schema: &Value, settings: &mut Map<String, Value>) {
    let Some(properties) = resolve(root, schema).get("properties").and_then(Value::as_object)
    else {
        return;
    };
    for (name, property) in properties {
        if !settings.contains_key(name)
            && let Some(default) =
                property.get("default").or(resolve(root, property).get("default"))
        {
            settings.insert(name.clone(), default.clone());
        }
        if let Some(Value::Object(nested)) = settings.get_mut(name) {
            fill_defaults(root, property, nested);
        }
    }
}

/// Follows one local `$ref`.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix('#'))
        .and_then(|pointer| root.pointer(pointer))
        .unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = r##"{
        "type": "object",
        "properties": {
            "window_s": {"type": "integer", "minimum": 0, "default": 300},
            "votes": {"$ref": "#/$defs/Votes"}
        },
        "additionalProperties": false,
        "$defs": {"Votes": {"type": "object", "default": {}, "properties": {"on": {"type": "boolean", "default": true}}}}
    }"##;

    #[test]
    fn fills_in_defaults_and_keeps_what_is_set() {
        let settings = Settings::check(SCHEMA, &Value::Null).unwrap();
        assert_eq!(settings.json, r#"{"votes":{"on":true},"window_s":300}"#);
        let changed = Settings::check(SCHEMA, &json!({"window_s": 5})).unwrap();
        assert_eq!(changed.json, r#"{"votes":{"on":true},"window_s":5}"#);
        assert_ne!(settings.version, changed.version);
    }

    #[test]
    fn names_the_place_of_each_violation() {
        let given = json!({"window_s": -1, "votes": {"on": "yes"}, "other": 1});
        let reasons = Settings::check(SCHEMA, &given).unwrap_err();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert!(reasons.iter().any(|reason| reason.starts_with("/window_s: ")));
        assert!(reasons.iter().any(|reason| reason.starts_with("/votes/on: ")));
    }

    #[test]
    fn refuses_settings_for_a_plugin_that_has_none() {
        assert!(Settings::check("", &Value::Null).is_ok());
        assert!(Settings::check("", &json!({"a": 1})).unwrap_err()[0].contains("`a`"));
    }

    #[test]
    fn refuses_a_schema_that_is_none() {
        assert!(Settings::check("{", &Value::Null).is_err());
        assert!(Settings::check(r#"{"type": "string"}"#, &Value::Null).is_err());
        assert!(Settings::check(r#"{"type": "object", "required": 3}"#, &Value::Null).is_err());
    }
}
