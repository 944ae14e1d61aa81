//! A plugin's settings: what the operator wrote, checked against the plugin's schema, with the
//! schema's defaults filled in. Which of them are secrets is told by [`crate::secrets`].

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::limits::Limits;
use crate::secrets::{self, Secrets, Unfollowed};

/// Properties that are looked at for their defaults. A schema that multiplies itself comes to an end.
const DEFAULTS_MAX: u32 = 10_000;

/// How deep defaults are filled in.
const DEFAULTS_DEPTH_MAX: u32 = 32;

/// How large a schema may be, in bytes.
const SCHEMA_BYTES_MAX: usize = 64 << 10;

/// The stack on which schemas are compiled, in bytes: what follows the longest chain of references that such a
/// schema has room for.
const SCHEMA_STACK_BYTES: usize = 256 << 20;

/// How large the automaton of a pattern may become, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Checked settings. Immutable: a change makes a new generation.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Differs whenever `json` differs.
    pub(crate) version: u64,
    /// A JSON object.
    pub(crate) json: String,
    /// Which of them are secrets.
    pub(crate) secrets: Secrets,
    /// The texts of the secrets.
    pub(crate) secret_values: Vec<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("secrets", &self.secrets).finish_non_exhaustive()
    }
}

impl Settings {
    /// No settings.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self::of(Map::new(), Secrets::default())
    }

    /// Checks `given` (an object, or null for none) against `schema`, the plugin's schema as JSON text;
    /// an empty schema allows only no settings.
    ///
    /// # Errors
    /// Each violation, with the place in the settings and without the values of secrets, or why the
    /// schema itself cannot be used.
    pub(crate) fn check(schema: &str, given: &Value, limits: &Limits) -> Result<Self, Vec<String>> {
        let mut settings = object(given)?;
        if schema.is_empty() {
            return match settings.keys().next() {
                Some(key) => {
                    let key = secrets::escaped(key);
                    Err(vec![format!("/{key}: the plugin has no settings; take it away")])
                }
                None => Ok(Self::none()),
            };
        }
        if schema.len() > SCHEMA_BYTES_MAX {
            let bytes = schema.len();
            let reason =
                format!("the settings schema has {bytes} bytes; {SCHEMA_BYTES_MAX} may be");
            return Err(vec![reason]);
        }
        let schema: Value = serde_json::from_str(schema)
            .map_err(|error| vec![format!("the settings schema is not JSON: {error}")])?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(vec!["the settings schema's root must have `\"type\": \"object\"`".into()]);
        }
        let unfollowed = |reason: Unfollowed| vec![format!("the settings schema: {reason}")];
        Defaults { root: &schema, n_left: DEFAULTS_MAX }
            .fill(&schema, &mut settings, DEFAULTS_DEPTH_MAX)
            .map_err(unfollowed)?;
        let settings = Value::Object(settings);
        let secrets = Secrets::find(&schema, &settings).map_err(unfollowed)?;
        check_sizes(&settings, &secrets, limits)?;
        on_a_large_stack(|| validate(&schema, &settings, &secrets))?;
        let Value::Object(settings) = settings else { return Ok(Self::none()) };
        Ok(Self::of(settings, secrets))
    }

    fn of(settings: Map<String, Value>, secrets: Secrets) -> Self {
        let settings = Value::Object(settings);
        let json = settings.to_string();
        let digest = Sha256::digest(json.as_bytes());
        let version = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes of 32"));
        let secret_values = secrets.values(&settings);
        Self { version, json, secrets, secret_values }
    }

    /// The settings as a document.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

fn object(given: &Value) -> Result<Map<String, Value>, Vec<String>> {
    match given {
        Value::Null => Ok(Map::new()),
        Value::Object(settings) => Ok(settings.clone()),
        _ => Err(vec!["settings must be a table of keys and values".to_owned()]),
    }
}

fn check_sizes(settings: &Value, secrets: &Secrets, limits: &Limits) -> Result<(), Vec<String>> {
    let too_large = |place: &str, bytes: usize, limit: &str, bytes_max: usize| {
        format!(
            "{place}: it has {bytes} bytes, but `{limit}` allows {bytes_max}; raise it or shorten this"
        )
    };
    let mut reasons = Vec::new();
    let bytes = settings.to_string().len();
    if bytes > limits.settings_bytes_max {
        reasons.push(too_large("/", bytes, "settings_bytes_max", limits.settings_bytes_max));
    }
    for place in secrets.places() {
        let bytes = match settings.pointer(place) {
            Some(Value::String(text)) => text.len(),
            Some(value) => value.to_string().len(),
            None => 0,
        };
        if bytes > limits.secret_bytes_max {
            reasons.push(too_large(place, bytes, "secret_bytes_max", limits.secret_bytes_max));
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

fn on_a_large_stack(
    check: impl FnOnce() -> Result<(), Vec<String>> + Send,
) -> Result<(), Vec<String>> {
    let failed = |reason: String| vec![format!("the settings cannot be checked: {reason}")];
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("caplet-settings".into());
        let checking = thread.stack_size(SCHEMA_STACK_BYTES).spawn_scoped(scope, check);
        let checking = checking.map_err(|error| failed(error.to_string()))?;
        checking.join().unwrap_or_else(|_| Err(failed("the host failed".to_owned())))
    })
}

fn validate(schema: &Value, settings: &Value, secrets: &Secrets) -> Result<(), Vec<String>> {
    // The patterns are a guest's: they have to be matched in linear time.
    let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX);
    let validator = jsonschema::draft202012::options()
        .with_pattern_options(patterns)
        .build(schema)
        .map_err(|error| vec![format!("the settings schema is not a JSON Schema: {error}")])?;
    let violations: Vec<String> = validator
        .iter_errors(settings)
        .flat_map(|error| violation(schema, &error, secrets))
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// What is wrong, by place. The value is told where no secret is in it.
fn violation(schema: &Value, error: &ValidationError<'_>, secrets: &Secrets) -> Vec<String> {
    let place = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = known_names(schema, &place);
            let one = |name: &String| {
                let name = secrets::escaped(name);
                format!("{place}/{name}: there is no such setting{known}")
            };
            unexpected.iter().map(one).collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().map(secrets::escaped).unwrap_or_default();
            vec![format!("{place}/{name}: it is required; set it")]
        }
        _ => {
            let shown = if place.is_empty() { "/" } else { &place };
            let text = match secrets.touch(&place) {
                true => error.masked().to_string(),
                false => error.to_string(),
            };
            vec![format!("{shown}: {text}")]
        }
    }
}

/// The settings that there are, where unknown ones were named.
fn known_names(schema: &Value, place: &str) -> String {
    let properties = place.is_empty().then(|| schema.get("properties")).flatten();
    let names = properties
        .and_then(Value::as_object)
        .map(|properties| properties.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    names.map(|names| format!("; there are {names}")).unwrap_or_default()
}

/// Fills in `default`s of absent properties, in nested objects too. JSON Schema leaves this to the
/// reader of a schema (draft 2020-12, section 9.2).
struct Defaults<'a> {
    root: &'a Value,
    n_left: u32,
}

impl Defaults<'_> {
    fn fill(
        &mut self,
        schema: &Value,
        settings: &mut Map<String, Value>,
        depth: u32,
    ) -> Result<(), Unfollowed> {
        let properties = resolve(self.root, schema).get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            self.n_left = self.n_left.checked_sub(1).ok_or(Unfollowed::TooLarge)?;
            let default = property.get("default");
            let default = default.or_else(|| resolve(self.root, property).get("default"));
            if let Some(default) = default.filter(|_| !settings.contains_key(name)) {
                settings.insert(name.clone(), default.clone());
            }
            if let Some(Value::Object(nested)) = settings.get_mut(name) {
                let depth = depth.checked_sub(1).ok_or(Unfollowed::TooDeep)?;
                self.fill(property, nested, depth)?;
            }
        }
        Ok(())
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

    fn check(schema: &str, given: &Value) -> Result<Settings, Vec<String>> {
        Settings::check(schema, given, &Limits::default())
    }

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
        let settings = check(SCHEMA, &Value::Null).unwrap();
        assert_eq!(settings.json, r#"{"votes":{"on":true},"window_s":300}"#);
        let changed = check(SCHEMA, &json!({"window_s": 5})).unwrap();
        assert_eq!(changed.json, r#"{"votes":{"on":true},"window_s":5}"#);
        assert_ne!(settings.version, changed.version);
    }

    #[test]
    fn names_the_place_of_each_violation() {
        let given = json!({"window_s": -1, "votes": {"on": "yes"}, "other": 1});
        let reasons = check(SCHEMA, &given).unwrap_err();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert!(reasons.iter().any(|reason| reason.starts_with("/window_s: ")));
        assert!(
            reasons.contains(&"/other: there is no such setting; there are votes, window_s".into())
        );
        assert!(reasons.iter().any(|reason| reason.starts_with("/votes/on: ")));
    }

    #[test]
    fn refuses_settings_for_a_plugin_that_has_none() {
        assert!(check("", &Value::Null).is_ok());
        assert!(check("", &json!({"a": 1})).unwrap_err()[0].starts_with("/a: "));
    }

    #[test]
    fn refuses_a_schema_that_is_none() {
        assert!(check("{", &Value::Null).is_err());
        assert!(check(r#"{"type": "string"}"#, &Value::Null).is_err());
        assert!(check(r#"{"type": "object", "required": 3}"#, &Value::Null).is_err());
    }

    #[test]
    fn says_nothing_of_a_secret_but_its_place() {
        let schema = r#"{
            "type": "object",
            "properties": {
                "token": { "type": "string", "writeOnly": true, "minLength": 20, "pattern": "^a" },
                "nested": { "properties": { "key": { "type": "integer", "writeOnly": true } } }
            },
            "minProperties": 5
        }"#;
        let given = json!({ "token": "hunter2", "nested": { "key": "hunter2" } });
        let reasons = check(schema, &given).unwrap_err();
        assert_eq!(reasons.len(), 4, "{reasons:?}");
        assert!(!reasons.join("").contains("hunter2"), "{reasons:?}");
        let places: Vec<&str> = reasons.iter().filter_map(|it| it.split(": ").next()).collect();
        assert_eq!(places, ["/", "/nested/key", "/token", "/token"], "{reasons:?}");
        assert!(!format!("{:?}", check("", &Value::Null)).contains("json"));
    }

    #[test]
    fn refuses_what_is_too_large_and_names_the_limit() {
        let limits = Limits { settings_bytes_max: 60, secret_bytes_max: 8, ..Limits::default() };
        let schema = r#"{"type": "object", "properties": {"token": {"writeOnly": true}}}"#;
        let check = |token: String| Settings::check(schema, &json!({ "token": token }), &limits);
        assert!(check("12345678".into()).is_ok());
        assert!(check("123456789".into()).unwrap_err()[0].starts_with("/token: it has 9 bytes"));
        let reasons = check("1".repeat(100)).unwrap_err();
        assert!(
            reasons[0].contains("settings_bytes_max") && reasons[1].contains("secret_bytes_max")
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_harms_nobody() {
        for schema in [
            r##"{"type": "object", "$ref": "#"}"##,
            r##"{"type": "object", "allOf": [{"$ref": "#"}, {"$ref": "#"}]}"##,
            r##"{"type": "object", "properties": {"a": {"$ref": "#", "default": {}}}}"##,
            r##"{"type": "object", "properties": {
                "a": {"$ref": "#", "default": {}}, "b": {"$ref": "#", "default": {}}
            }}"##,
        ] {
            let reasons = check(schema, &Value::Null).unwrap_err();
            assert!(reasons[0].starts_with("the settings schema: it leads "), "{reasons:?}");
        }
        let tree =
            r##"{"type": "object", "properties": {"a": {"$ref": "#"}, "n": {"default": 1}}}"##;
        let settings = check(tree, &json!({ "a": { "a": {} } })).unwrap();
        assert_eq!(settings.json, r#"{"a":{"a":{"n":1},"n":1},"n":1}"#);
    }

    #[test]
    fn a_schema_that_multiplies_itself_is_compiled_and_refused_in_time() {
        let next = |n: u32| json!({ "$ref": format!("#/$defs/{n}") });
        let defs: Map<String, Value> = (0..14)
            .map(|n| (n.to_string(), json!({ "allOf": [next(n + 1), next(n + 1)] })))
            .chain([("14".to_owned(), json!({ "type": "integer" }))])
            .collect();
        let schema = json!({ "type": "object", "properties": { "a": next(0) }, "$defs": defs });
        assert!(check(&schema.to_string(), &Value::Null).is_ok());
        let reasons = check(&schema.to_string(), &json!({ "a": 1 })).unwrap_err();
        assert!(reasons[0].contains("more than 10000 places"), "{reasons:?}");
    }

    #[test]
    fn a_long_chain_of_references_ends_no_host() {
        let n_max = 2_000;
        let defs: Map<String, Value> = (0..n_max)
            .map(|n| (n.to_string(), json!({ "$ref": format!("#/$defs/{}", n + 1) })))
            .chain([(n_max.to_string(), json!({}))])
            .collect();
        let property = json!({ "$ref": "#/$defs/0" });
        let schema = json!({ "type": "object", "properties": { "a": property }, "$defs": defs });
        let schema = schema.to_string();
        assert!(check(&schema, &Value::Null).is_ok());
        let reasons = check(&schema, &json!({ "a": 1 })).unwrap_err();
        assert!(reasons[0].contains("deeper than 32"), "{reasons:?}");
        let reasons = check(&" ".repeat(SCHEMA_BYTES_MAX + 1), &Value::Null).unwrap_err();
        assert_eq!(reasons, ["the settings schema has 65537 bytes; 65536 may be"]);
    }

    #[test]
    fn patterns_are_matched_in_linear_time() {
        let of = |pattern: &str| {
            let text = json!({ "type": "string", "pattern": pattern });
            json!({ "type": "object", "properties": { "a": text } }).to_string()
        };
        let slow = json!({ "a": "a".repeat(40) + "!" });
        assert!(check(&of("^(a+)+$"), &slow).unwrap_err()[0].starts_with("/a: "));
        let reasons = check(&of("^(?=a)a$"), &slow).unwrap_err();
        assert!(
            reasons[0].starts_with("the settings schema is not a JSON Schema: "),
            "{reasons:?}"
        );
    }
}
