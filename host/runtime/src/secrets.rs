//! Which of a plugin's settings are secrets: those that its schema says are only written (`writeOnly`, JSON
//! Schema 2020-12, validation, section 9.4). Where it cannot be told, a setting is one.
//!
//! A schema comes from a guest. The search visits whatever a validator would, and as often, so that a schema
//! that it has followed to its end can be validated without harm; another one is refused.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// How deep schemas are followed.
const DEPTH_MAX: u32 = 32;

/// How many schemas are looked at: one that multiplies itself comes to an end.
const VISITS_MAX: u32 = 10_000;

/// Keywords for which a validator looks again at what holds for the same place.
const AGAIN: &[&str] = &["unevaluatedProperties", "unevaluatedItems"];

/// Keywords whose value is a schema that holds for the same place.
const HERE: &[&str] = &["if", "then", "else", "not"];

/// Keywords whose value is a list of schemas that hold for the same place.
const HERE_ANY: &[&str] = &["allOf", "anyOf", "oneOf"];

/// Keywords whose value is a map to schemas that hold for the same place.
const HERE_NAMED: &[&str] = &["dependentSchemas"];

/// Keywords whose value is a schema that holds for every member or element.
const BELOW: &[&str] =
    &["additionalProperties", "unevaluatedProperties", "items", "unevaluatedItems", "contains"];

/// Why a schema cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfollowed {
    /// It multiplies itself.
    #[error("it leads to more than {VISITS_MAX} places; make it simpler")]
    TooLarge,
    /// It goes round, or the settings are nested so deep.
    #[error("it leads deeper than {DEPTH_MAX} schemas; let it not refer to itself at one place")]
    TooDeep,
    /// It refers to what is not there, or is found by other means than a pointer.
    #[error("`{0}` leads nowhere; refer to a schema within it, as in `#/$defs/Name`")]
    Reference(String),
    /// A part of it has a name of its own, which changes where references lead.
    #[error("a part of it has an `$id`; leave it away")]
    Id,
}

/// The places of secrets, as JSON pointers into the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Those of `settings` that `schema` says are secrets.
    ///
    /// # Errors
    /// Why the schema cannot be followed.
    pub(crate) fn find(schema: &Value, settings: &Value) -> Result<Self, Unfollowed> {
        let mut walk = Walk { root: schema, found: BTreeSet::new(), n_visits: 0 };
        walk.at(schema, settings, &mut String::new(), DEPTH_MAX)?;
        Ok(Self(walk.found))
    }

    /// Whether the value at `pointer` is a secret, is within one, or has one within.
    pub(crate) fn touch(&self, pointer: &str) -> bool {
        self.0.iter().any(|secret| is_within(pointer, secret) || is_within(secret, pointer))
    }

    /// The places.
    pub(crate) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The texts in the secrets of `settings`.
    pub(crate) fn values(&self, settings: &Value) -> Vec<String> {
        let mut texts = Vec::new();
        for secret in self.0.iter().filter_map(|pointer| settings.pointer(pointer)) {
            collect_texts(secret, &mut texts);
        }
        texts
    }

    /// The secrets alone, of those that are members of tables: lists are changed as a whole.
    pub(crate) fn only(&self, settings: &Value) -> Value {
        let mut secrets = Value::Object(Map::new());
        for place in &self.0 {
            if let Some(secret) = settings.pointer(place) {
                insert(&mut secrets, place, secret.clone());
            }
        }
        secrets
    }

    /// The settings without their secrets.
    pub(crate) fn take_out(&self, settings: &Value) -> Value {
        if self.0.contains("") {
            return Value::Object(Map::new());
        }
        let mut shown = settings.clone();
        self.0.iter().for_each(|pointer| drop(remove(&mut shown, pointer)));
        shown
    }
}

/// Puts a value where a pointer leads, through tables.
fn insert(document: &mut Value, pointer: &str, value: Value) {
    let mut here = document;
    for name in pointer.split('/').skip(1) {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        let Value::Object(members) = here else { return };
        here = members.entry(unescaped(name)).or_insert(Value::Null);
    }
    *here = value;
}

/// Takes what is at a pointer out of an object, or puts null in its place in a list.
fn remove(settings: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, name) = pointer.rsplit_once('/')?;
    match settings.pointer_mut(parent)? {
        Value::Object(members) => members.remove(&unescaped(name)),
        Value::Array(elements) => {
            let element = elements.get_mut(name.parse::<usize>().ok()?)?;
            Some(std::mem::take(element))
        }
        _ => None,
    }
}

/// Texts, and numbers, which may be pass codes.
fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Array(elements) => elements.iter().for_each(|it| collect_texts(it, texts)),
        Value::Object(members) => members.values().for_each(|it| collect_texts(it, texts)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A name as a part of a JSON pointer (RFC 6901).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

struct Walk<'a> {
    root: &'a Value,
    found: BTreeSet<String>,
    n_visits: u32,
}

impl Walk<'_> {
    fn at(
        &mut self,
        schema: &Value,
        settings: &Value,
        pointer: &mut String,
        depth: u32,
    ) -> Result<(), Unfollowed> {
        let Value::Object(keywords) = schema else { return Ok(()) };
        self.n_visits += 1;
        if self.n_visits > VISITS_MAX {
            return Err(Unfollowed::TooLarge);
        }
        if depth == 0 {
            return Err(Unfollowed::TooDeep);
        }
        if keywords.contains_key("$id") && !std::ptr::eq(schema, self.root) {
            return Err(Unfollowed::Id);
        }
        if keywords.get("writeOnly") == Some(&Value::Bool(true)) && !settings.is_null() {
            self.found.insert(pointer.clone());
        }
        let looks_again = AGAIN.iter().any(|keyword| keywords.contains_key(*keyword));
        for _ in 0..=u8::from(looks_again) {
            self.here(keywords, settings, pointer, depth)?;
        }
        match settings {
            Value::Object(members) => members
                .iter()
                .try_for_each(|(name, value)| self.below(keywords, (name, value), pointer, depth)),
            Value::Array(elements) => elements.iter().enumerate().try_for_each(|(index, value)| {
                self.below(keywords, (&index.to_string(), value), pointer, depth)
            }),
            _ => Ok(()),
        }
    }

    /// What else holds for the same place.
    fn here(
        &mut self,
        keywords: &Map<String, Value>,
        settings: &Value,
        pointer: &mut String,
        depth: u32,
    ) -> Result<(), Unfollowed> {
        let references =
            ["$ref", "$dynamicRef"].iter().filter_map(|it| keywords.get(*it)?.as_str());
        let root = self.root;
        for reference in references {
            let place = reference.strip_prefix('#').and_then(|place| root.pointer(place));
            let schema = place.ok_or_else(|| Unfollowed::Reference(reference.to_owned()))?;
            self.at(schema, settings, pointer, depth - 1)?;
        }
        let one = HERE.iter().filter_map(|keyword| keywords.get(*keyword));
        let any = HERE_ANY.iter().filter_map(|keyword| keywords.get(*keyword)?.as_array());
        let named = HERE_NAMED.iter().filter_map(|keyword| keywords.get(*keyword)?.as_object());
        let mut all = one.chain(any.flatten()).chain(named.flat_map(Map::values));
        all.try_for_each(|schema| self.at(schema, settings, pointer, depth - 1))
    }

    /// A member of an object, or an element of a list.
    fn below(
        &mut self,
        keywords: &Map<String, Value>,
        (name, value): (&str, &Value),
        pointer: &mut String,
        depth: u32,
    ) -> Result<(), Unfollowed> {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&escaped(name));
        let of = |keyword: &str| keywords.get(keyword);
        let property = of("properties").and_then(|properties| properties.get(name));
        let element = of("prefixItems").and_then(|items| items.get(name.parse::<usize>().ok()?));
        let patterns = of("patternProperties").and_then(Value::as_object);
        let every = BELOW.iter().filter_map(|keyword| keywords.get(*keyword));
        let every = every.filter(|_| property.is_none());
        let all = property.into_iter().chain(element).chain(every);
        // Whether a pattern fits is not looked at: that it might is enough.
        for schema in all.chain(patterns.into_iter().flat_map(Map::values)) {
            self.at(schema, value, pointer, depth - 1)?;
        }
        if let Some(names) = of("propertyNames") {
            self.at(names, &Value::Null, pointer, depth - 1)?;
        }
        pointer.truncate(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_secrets_wherever_a_schema_says_so() {
        let schema = json!({
            "type": "object",
            "properties": {
                "plain": { "type": "string" },
                "token": { "type": "string", "writeOnly": true },
                "maybe": { "anyOf": [{ "$ref": "#/$defs/Key" }, { "type": "null" }] },
                "list": { "type": "array", "items": { "$ref": "#/$defs/Key" } },
                "a/b": { "properties": { "inner": { "writeOnly": true } } },
            },
            "$defs": { "Key": { "writeOnly": true, "type": "string" } },
        });
        let settings = json!({
            "plain": 1, "token": "t", "maybe": "m", "list": ["a", "b"], "a/b": { "inner": 7, "b": 1 },
        });
        let secrets = Secrets::find(&schema, &settings).unwrap();
        let places: Vec<&str> = secrets.places().collect();
        assert_eq!(places, ["/a~1b/inner", "/list/0", "/list/1", "/maybe", "/token"]);
        let patterns = json!({ "patternProperties": { "^x-": { "writeOnly": true } } });
        assert!(Secrets::find(&patterns, &json!({ "other": 1 })).unwrap().touch("/other"));
    }

    #[test]
    fn takes_them_out_and_knows_their_texts() {
        let schema = json!({ "properties": { "token": { "writeOnly": true }, "n": {} } });
        let settings = json!({ "token": { "a": "text", "b": [1234] }, "n": 1 });
        let secrets = Secrets::find(&schema, &settings).unwrap();
        assert_eq!(secrets.values(&settings), ["text", "1234"]);
        assert_eq!(secrets.take_out(&settings), json!({ "n": 1 }));
        assert_eq!(secrets.only(&settings), json!({ "token": { "a": "text", "b": [1234] } }));
        assert_eq!(secrets.only(&json!({ "n": 1 })), json!({}));
        assert!(secrets.touch("/token/a") && secrets.touch("/token") && !secrets.touch("/tokens"));
        assert!(secrets.touch("") && secrets.touch("/token/b/0") && !secrets.touch("/n"));
    }

    #[test]
    fn a_schema_that_cannot_be_followed_is_refused() {
        let settings = json!({ "a": 1 });
        let refused = |schema: Value| Secrets::find(&schema, &settings).unwrap_err();
        assert_eq!(refused(json!({ "$ref": "#" })), Unfollowed::TooDeep);
        let names = json!({ "propertyNames": { "$ref": "#/propertyNames" } });
        assert_eq!(refused(names), Unfollowed::TooDeep);
        let twice = json!({ "allOf": [{ "$ref": "#" }, { "$ref": "#" }] });
        assert_eq!(refused(twice), Unfollowed::TooDeep);
        // Each level is looked at twice, and the last of fourteen more than ten thousand times.
        let doubling: Map<String, Value> = (0..14)
            .map(|n| {
                let next = json!({ "$ref": format!("#/$defs/{}", n + 1) });
                (n.to_string(), json!({ "unevaluatedProperties": true, "allOf": [next] }))
            })
            .chain([("14".to_owned(), json!({}))])
            .collect();
        let doubling = json!({ "$ref": "#/$defs/0", "$defs": doubling });
        assert_eq!(refused(doubling), Unfollowed::TooLarge);
        for reference in ["#key", "#/$defs/None", "https://example.com/schema"] {
            assert_eq!(
                refused(json!({ "$ref": reference, "$defs": { "A": { "$anchor": "key" } } })),
                Unfollowed::Reference(reference.to_owned())
            );
        }
        assert_eq!(refused(json!({ "allOf": [{ "$id": "urn:a" }] })), Unfollowed::Id);
    }

    #[test]
    fn a_tree_may_refer_to_itself() {
        let schema =
            json!({ "properties": { "key": { "writeOnly": true }, "next": { "$ref": "#" } } });
        let settings = json!({ "next": { "next": { "key": "k" } } });
        assert!(Secrets::find(&schema, &settings).unwrap().touch("/next/next/key"));
        let none = json!({ "key": null });
        assert_eq!(Secrets::find(&schema, &none), Ok(Secrets::default()));
    }
}
