//! What was set for a plugin while the host ran. It lies over what the host was started with, key by key,
//! and belongs to the generation that it made: so it is as durable as that, and goes with it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::options::PluginOptions;

/// What was set for one plugin while the host ran. Holds secrets: its `Debug` shows no values.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Layer {
    pub(crate) settings: Map<String, Value>,
    pub(crate) grants: Option<Vec<String>>,
    pub(crate) redirect_origins: Option<Vec<String>>,
    pub(crate) outbound_origins: Option<Vec<String>>,
    pub(crate) limits: BTreeMap<String, Value>,
}

/// A plugin's options, and the part of them that was set while the host ran.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Set {
    pub(crate) options: PluginOptions,
    pub(crate) layer: Layer,
}

/// What of a plugin's options is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its settings: what its schema has.
    Settings,
    /// What it may reach: `grants`, `redirect_origins` and `outbound_origins`, as in the configuration file.
    Grants,
    /// Its limits, by name.
    Limits,
}

/// How a part of a plugin's options is changed. Holds secrets: its `Debug` shows no values.
#[derive(Clone, PartialEq)]
pub enum Edit {
    /// Members are set, and those that are null go back to what the host was started with, as a JSON Merge
    /// Patch does it (RFC 7396).
    Merge(Map<String, Value>),
    /// All that was set is replaced. Secrets that are not named stay as they are: nobody can read them to
    /// send them back.
    Replace(Map<String, Value>),
}

impl Part {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Grants => "grants",
            Self::Limits => "limits",
        }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("keys", &self.settings.keys()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, members) = match self {
            Self::Merge(members) => ("Merge", members),
            Self::Replace(members) => ("Replace", members),
        };
        f.debug_list().entry(&name).entries(members.keys()).finish()
    }
}

impl Layer {
    /// What comes of `base` when this lies over it.
    pub(crate) fn over(&self, base: PluginOptions) -> PluginOptions {
        let mut options = base;
        if !self.settings.is_empty() {
            merge(&mut options.settings, &Value::Object(self.settings.clone()));
        }
        options.grants = self.grants.clone().or(options.grants);
        options.redirect_origins =
            self.redirect_origins.clone().unwrap_or(options.redirect_origins);
        options.outbound_origins =
            self.outbound_origins.clone().unwrap_or(options.outbound_origins);
        options.limits.extend(self.limits.clone());
        options
    }

    /// The layer after a change. `secrets` are those of the settings that were set before.
    ///
    /// # Errors
    /// What cannot be set, by its place.
    pub(crate) fn edited(
        &self,
        part: Part,
        edit: &Edit,
        secrets: &Value,
    ) -> Result<Self, Vec<String>> {
        let mut edited = self.clone();
        match part {
            Part::Settings => {
                edited.settings = object(apply(self.settings.clone(), edit, secrets));
            }
            Part::Limits => {
                let before = self.limits.clone().into_iter().collect();
                let after = object(apply(before, edit, &Value::Null));
                edited.limits = after.into_iter().collect();
            }
            Part::Grants => {
                let after = object(apply(self.grants_document(), edit, &Value::Null));
                edited.grants = texts(&after, "grants")?;
                edited.redirect_origins = texts(&after, "redirect_origins")?;
                edited.outbound_origins = texts(&after, "outbound_origins")?;
                let unknown = after.keys().find(|key| !GRANTS.contains(&key.as_str()));
                if let Some(key) = unknown {
                    let known = GRANTS.join(", ");
                    return Err(vec![format!("/{key}: there is no such key; there are {known}")]);
                }
            }
        }
        Ok(edited)
    }

    /// What was set of a part, as it was set.
    pub(crate) fn document(&self, part: Part) -> Map<String, Value> {
        match part {
            Part::Settings => self.settings.clone(),
            Part::Grants => self.grants_document(),
            Part::Limits => self.limits.clone().into_iter().collect(),
        }
    }

    fn grants_document(&self) -> Map<String, Value> {
        let member = |name: &str, texts: &Option<Vec<String>>| {
            texts.as_ref().map(|texts| (name.to_owned(), Value::from(texts.as_slice())))
        };
        let members = [
            member(GRANTS[0], &self.grants),
            member(GRANTS[1], &self.redirect_origins),
            member(GRANTS[2], &self.outbound_origins),
        ];
        members.into_iter().flatten().collect()
    }
}

/// What the part [`Part::Grants`] has.
const GRANTS: [&str; 3] = ["grants", "redirect_origins", "outbound_origins"];

fn apply(before: Map<String, Value>, edit: &Edit, secrets: &Value) -> Value {
    let (mut document, patch) = match edit {
        Edit::Merge(patch) => (Value::Object(before), patch),
        Edit::Replace(patch) => (secrets.clone(), patch),
    };
    merge(&mut document, &Value::Object(patch.clone()));
    document
}

fn texts(document: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Vec<String>> {
    let Some(value) = document.get(name) else { return Ok(None) };
    serde_json::from_value(value.clone())
        .map(Some)
        .map_err(|_| vec![format!("/{name}: expected a list of texts, such as [\"a\", \"b\"]")])
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// RFC 7396: members of objects are merged, null takes a member away, all else replaces.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in members {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        object(value)
    }

    /// The examples of RFC 7396, appendix A, whose patch is an object.
    #[test]
    fn merges_as_the_standard_says() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, &patch);
            assert_eq!(merged, result, "{target} and {patch}");
        }
    }

    #[test]
    fn lies_over_what_was_there_key_by_key() {
        let base = PluginOptions {
            settings: json!({"a": 1, "b": {"c": 2, "d": 3}}),
            grants: Some(vec!["sql".into()]),
            limits: BTreeMap::from([("cpu_ms_max".into(), json!(5))]),
            ..PluginOptions::default()
        };
        let layer = Layer {
            settings: map(json!({"b": {"c": 9}})),
            limits: BTreeMap::from([("queue_max".into(), json!(1))]),
            ..Layer::default()
        };
        let options = layer.over(base.clone());
        assert_eq!(options.settings, json!({"a": 1, "b": {"c": 9, "d": 3}}));
        assert_eq!(options.limits.len(), 2);
        assert_eq!(options.grants, base.grants);
        assert_eq!(Layer::default().over(base.clone()), base);
    }

    #[test]
    fn replacing_keeps_secrets_that_are_not_named() {
        let layer = Layer { settings: map(json!({"a": 1, "token": "t"})), ..Layer::default() };
        let secrets = json!({"token": "t"});
        let replaced = |patch: Value| {
            let edit = Edit::Replace(map(patch));
            Value::Object(layer.edited(Part::Settings, &edit, &secrets).unwrap().settings)
        };
        assert_eq!(replaced(json!({"b": 2})), json!({"b": 2, "token": "t"}));
        assert_eq!(replaced(json!({"token": null})), json!({}));
        assert_eq!(replaced(json!({"token": "u"})), json!({"token": "u"}));
    }

    #[test]
    fn refuses_grants_of_another_form_by_their_place() {
        let edit = |patch: Value| {
            Layer::default().edited(Part::Grants, &Edit::Merge(map(patch)), &Value::Null)
        };
        assert_eq!(edit(json!({"grants": ["sql"]})).unwrap().grants.unwrap(), ["sql"]);
        assert!(edit(json!({"grants": "sql"})).unwrap_err()[0].starts_with("/grants: "));
        assert!(edit(json!({"hosts": []})).unwrap_err()[0].starts_with("/hosts: "));
    }

    #[test]
    fn shows_no_values() {
        let members = map(json!({"token": "hunter2"}));
        let layer = Layer { settings: members.clone(), ..Layer::default() };
        let shown =
            format!("{layer:?} {:?} {:?}", Edit::Merge(members.clone()), Edit::Replace(members));
        assert!(shown.contains("token") && !shown.contains("hunter2"), "{shown}");
    }
}
