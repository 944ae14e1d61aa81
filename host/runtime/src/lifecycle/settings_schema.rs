//! What differs between the settings that two versions know, by their schemas: what was a secret and can be
//! read now, and what has to be set now, wait for approval. What the operator has set is in
//! [`super::configured`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::difference::{Difference, Effect, Side};
use crate::secrets::escaped;

/// How deep schemas are followed.
const DEPTH_MAX: u32 = 32;

/// How many schemas are looked at: one that multiplies itself comes to an end.
const VISITS_MAX: u32 = 10_000;

/// Keywords whose value is a list of schemas that hold for the same place.
const HERE_ANY: &[&str] = &["anyOf", "oneOf"];

/// Keywords whose value is a schema that may hold for the same place.
const HERE: &[&str] = &["if", "then", "else"];

/// Keywords whose value is a schema for every member or element.
const BELOW: &[&str] = &["additionalProperties", "items"];

/// What a schema says of one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    is_secret: bool,
    /// It must be set, because nothing stands in for it.
    is_required: bool,
}

/// What a schema says, by JSON pointer; `*` stands for every member or element.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places(BTreeMap<String, Known>);

/// What changes when `new` takes the place of `old`.
pub(super) fn between(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let (was, is) = (&old.description.settings_schema, &new.description.settings_schema);
    if was == is {
        return Vec::new();
    }
    let mut found = of_places(&Places::of(was), &Places::of(is));
    // What is set is looked at itself: the new schema may say nothing of the place of a secret.
    let values: Value = serde_json::from_str(&new.settings.json).unwrap_or_default();
    for place in old.settings.secrets.places() {
        let is_bare = values.pointer(place).is_some() && !new.settings.secrets.touch(place);
        let difference = bared(place);
        if is_bare && !found.contains(&difference) {
            found.push(difference);
        }
    }
    found
}

fn of_places(old: &Places, new: &Places) -> Vec<Difference> {
    let mut found = Vec::new();
    for (place, is) in &new.0 {
        let was = old.0.get(place);
        if was.is_some_and(|was| was.is_secret) && !new.hides(place) {
            found.push(bared(place));
        }
        if is.is_required && !was.is_some_and(|was| was.is_required) {
            let text = format!("the setting `{place}` has to be set now");
            found.push(Difference { effect: Effect::Breaks, text });
        } else if was.is_none() {
            let text = format!("the setting `{place}` is new");
            found.push(Difference { effect: Effect::Adds, text });
        }
    }
    for place in old.0.keys().filter(|place| !new.0.contains_key(*place)) {
        let text = format!("the setting `{place}` is not known any more");
        found.push(Difference { effect: Effect::Adds, text });
    }
    found
}

fn bared(place: &str) -> Difference {
    let text = format!("the setting `{place}` was a secret, and can be read now");
    Difference { effect: Effect::Grows, text }
}

impl Places {
    /// Both schemas were checked when their versions were described; one that is empty knows no settings.
    fn of(schema: &str) -> Self {
        let root: Value = serde_json::from_str(schema).unwrap_or_default();
        let mut walk = Walk { root: &root, places: Self::default(), n_visits: 0 };
        walk.at(&root, "", DEPTH_MAX, true);
        walk.places
    }

    /// Whether a place is a secret, or within one.
    fn hides(&self, place: &str) -> bool {
        let within = |at: &str| {
            place.strip_prefix(at).is_some_and(|it| it.is_empty() || it.starts_with('/'))
        };
        self.0.iter().any(|(at, known)| known.is_secret && within(at))
    }
}

struct Walk<'a> {
    root: &'a Value,
    places: Places,
    n_visits: u32,
}

impl<'a> Walk<'a> {
    /// Looks at what `schema` says of a place. `is_certain` is whether it holds whatever else is set.
    fn at(&mut self, schema: &'a Value, place: &str, depth: u32, is_certain: bool) {
        let Value::Object(keywords) = schema else { return };
        if self.n_visits >= VISITS_MAX || depth == 0 {
            return;
        }
        self.n_visits += 1;
        if keywords.get("writeOnly") == Some(&Value::Bool(true)) {
            self.places.0.entry(place.to_owned()).or_default().is_secret = true;
        }
        let referred = keywords.get("$ref").and_then(Value::as_str);
        let referred = referred.and_then(|place| self.root.pointer(place.strip_prefix('#')?));
        let all = keywords.get("allOf").and_then(Value::as_array).into_iter().flatten();
        for schema in referred.into_iter().chain(all) {
            self.at(schema, place, depth - 1, is_certain);
        }
        let any = HERE_ANY.iter().filter_map(|keyword| keywords.get(*keyword)?.as_array());
        let one = HERE.iter().filter_map(|keyword| keywords.get(*keyword));
        for schema in any.flatten().chain(one) {
            self.at(schema, place, depth - 1, false);
        }
        for schema in BELOW.iter().filter_map(|keyword| keywords.get(*keyword)) {
            let place = format!("{place}/*");
            if schema.is_object() {
                self.places.0.entry(place.clone()).or_default();
            }
            self.at(schema, &place, depth - 1, false);
        }
        self.members(keywords, place, depth, is_certain);
    }

    fn members(
        &mut self,
        keywords: &'a Map<String, Value>,
        place: &str,
        depth: u32,
        is_certain: bool,
    ) {
        let required = keywords.get("required").and_then(Value::as_array);
        let is_required =
            |name: &str| required.is_some_and(|names| names.iter().any(|it| it == name));
        for (name, schema) in
            keywords.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let place = format!("{place}/{}", escaped(name));
            let is_required = is_certain && is_required(name) && schema.get("default").is_none();
            let known = self.places.0.entry(place.clone()).or_default();
            known.is_required |= is_required;
            // A table that may be left out requires nothing.
            self.at(schema, &place, depth - 1, is_required);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(properties: &Value, required: &[&str]) -> String {
        json!({ "type": "object", "properties": properties, "required": required }).to_string()
    }

    fn told(old: &str, new: &str) -> Vec<(Effect, String)> {
        let found = of_places(&Places::of(old), &Places::of(new));
        found.into_iter().map(|it| (it.effect, it.text)).collect()
    }

    #[test]
    fn a_secret_that_can_be_read_grows_wherever_the_schema_says_it() {
        let token = json!({ "type": "string", "writeOnly": true });
        let bare = json!({ "type": "string" });
        let text = |place| format!("the setting `{place}` was a secret, and can be read now");
        for (old, new, place) in [
            (json!({ "token": token }), json!({ "token": bare }), "/token"),
            (
                json!({ "token": { "anyOf": [token, { "type": "null" }] } }),
                json!({ "token": bare }),
                "/token",
            ),
            (
                json!({ "mail": { "properties": { "password": token } } }),
                json!({ "mail": { "properties": { "password": bare } } }),
                "/mail/password",
            ),
            (
                json!({ "keys": { "items": token } }),
                json!({ "keys": { "items": bare } }),
                "/keys/*",
            ),
        ] {
            let found = told(&schema(&old, &[]), &schema(&new, &[]));
            assert_eq!(found, [(Effect::Grows, text(place))], "{old}");
            assert!(told(&schema(&new, &[]), &schema(&old, &[])).is_empty(), "{old}");
        }
    }

    #[test]
    fn references_within_the_schema_are_followed() {
        let with = |definition: Value| {
            let token = json!({ "token": { "$ref": "#/$defs/Token" } });
            json!({ "type": "object", "properties": token, "$defs": { "Token": definition } })
                .to_string()
        };
        let (old, new) = (with(json!({ "writeOnly": true })), with(json!({})));
        assert_eq!(told(&old, &new).len(), 1);
        let endless = json!({ "type": "object", "$ref": "#" }).to_string();
        assert!(told(&endless, &endless).is_empty());
    }

    #[test]
    fn what_has_to_be_set_breaks_unless_something_stands_in_for_it() {
        let region = json!({ "region": { "type": "string" } });
        let with_default = json!({ "region": { "type": "string", "default": "eu" } });
        let breaks = (Effect::Breaks, "the setting `/region` has to be set now".to_owned());
        let new = (Effect::Adds, "the setting `/region` is new".to_owned());
        let none = schema(&json!({}), &[]);
        assert_eq!(told(&none, &schema(&region, &["region"])), std::slice::from_ref(&breaks));
        assert_eq!(told(&schema(&region, &[]), &schema(&region, &["region"])), [breaks]);
        assert_eq!(told(&none, &schema(&with_default, &["region"])), std::slice::from_ref(&new));
        assert_eq!(told(&none, &schema(&region, &[])), [new]);
        let gone = (Effect::Adds, "the setting `/region` is not known any more".to_owned());
        assert_eq!(told(&schema(&region, &["region"]), &none), [gone]);
        // What is required of a table that may be left out is no matter.
        let table = |required: &[&str]| {
            let inner = json!({ "properties": { "host": {} }, "required": required });
            schema(&json!({ "mail": inner }), &[])
        };
        assert!(told(&table(&[]), &table(&["host"])).is_empty());
    }
}
