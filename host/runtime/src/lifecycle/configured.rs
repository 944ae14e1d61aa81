//! What differs between what the operator had set for one generation and has set for the next, in
//! sentences. The values of secrets are in none.

use std::collections::BTreeMap;

use serde_json::Value;

use super::configure::leaves;
use super::difference::{Difference, Effect, Side};

/// Characters of a value that are told.
const VALUE_CHARACTERS_MAX: usize = 100;

/// What changes when `new` takes the place of `old`.
pub(super) fn between(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let mut texts = Vec::new();
    of_settings(old, new, &mut texts);
    of_limits(old, new, &mut texts);
    let adds = texts.into_iter().map(|text| Difference { effect: Effect::Adds, text });
    let mut differences: Vec<Difference> = adds.collect();
    of_grants(old.options.grants.as_deref(), new.options.grants.as_deref(), &mut differences);
    let origins = (&old.options.redirect_origins[..], &new.options.redirect_origins[..]);
    let words = ["its answers may redirect to", "its answers may no longer redirect to"];
    differences.extend(of_origins(origins, words));
    let origins = (&old.options.outbound_origins[..], &new.options.outbound_origins[..]);
    let words = ["it may send requests to", "it may no longer send requests to"];
    differences.extend(of_origins(origins, words));
    differences
}

fn of_settings(old: Side<'_>, new: Side<'_>, texts: &mut Vec<String>) {
    let (before, after) = (old.settings, new.settings);
    let (was, is) = (flat(&before.document()), flat(&after.document()));
    let is_secret = |pointer: &str| before.secrets.touch(pointer) || after.secrets.touch(pointer);
    for (pointer, value) in &is {
        match was.get(pointer) {
            Some(was) if was == value => {}
            Some(_) if is_secret(pointer) => {
                texts.push(format!("the secret `{pointer}` is changed"))
            }
            None if is_secret(pointer) => texts.push(format!("the secret `{pointer}` is set")),
            Some(was) => {
                let (value, was) = (shown(value), shown(was));
                texts.push(format!("the setting `{pointer}` is {value}, it was {was}"));
            }
            None => texts.push(format!("the setting `{pointer}` is {}", shown(value))),
        }
    }
    for (pointer, was) in was.iter().filter(|(pointer, _)| !is.contains_key(*pointer)) {
        texts.push(if is_secret(pointer) {
            format!("the secret `{pointer}` is not set any more")
        } else {
            format!("the setting `{pointer}` is not set any more, it was {}", shown(was))
        });
    }
}

fn of_limits(old: Side<'_>, new: Side<'_>, texts: &mut Vec<String>) {
    let flat_limits = |limits| flat(&serde_json::to_value(limits).unwrap_or_default());
    let (was, is) = (flat_limits(old.limits), flat_limits(new.limits));
    for (pointer, value) in is.iter().filter(|(pointer, value)| was.get(*pointer) != Some(*value)) {
        let before = was.get(pointer).map(shown).unwrap_or_default();
        let name = pointer.trim_start_matches('/');
        texts.push(format!("the limit `{name}` is {}, it was {before}", shown(value)));
    }
}

/// Without a list, a plugin has every right of the contract.
fn of_grants(old: Option<&[String]>, new: Option<&[String]>, found: &mut Vec<Difference>) {
    let mut add = |effect, text| found.push(Difference { effect, text });
    match (old, new) {
        (None, None) => {}
        (None, Some(new)) => {
            add(Effect::Adds, format!("its grants are no more than: {}", new.join(", ")));
        }
        (Some(_), None) => {
            add(Effect::Grows, "it is granted every right of the contract".to_owned());
        }
        (Some(old), Some(new)) => {
            for grant in new.iter().filter(|grant| !old.contains(grant)) {
                add(Effect::Grows, format!("it is granted `{grant}`"));
            }
            for grant in old.iter().filter(|grant| !new.contains(grant)) {
                add(Effect::Adds, format!("it is no longer granted `{grant}`"));
            }
        }
    }
}

/// What comes and what goes, in sentences that begin with these words.
fn of_origins<'a>(
    (old, new): (&'a [String], &'a [String]),
    [comes, goes]: [&'a str; 2],
) -> impl Iterator<Item = Difference> + 'a {
    let of = |effect, words: &'a str| {
        move |origin: &String| Difference { effect, text: format!("{words} {origin}") }
    };
    let added = new.iter().filter(|origin| !old.contains(origin)).map(of(Effect::Grows, comes));
    let gone = old.iter().filter(|origin| !new.contains(origin)).map(of(Effect::Adds, goes));
    added.chain(gone)
}

fn flat(document: &Value) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    leaves(document, &mut String::new(), &mut |pointer, value| {
        // A table without anything in it is as if it were not there.
        if value != &Value::Object(serde_json::Map::new()) {
            flat.insert(pointer.to_owned(), value.clone());
        }
    });
    flat
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_besides_needs_approval_and_what_is_taken_does_not() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (few, many) = (texts(&["sql"]), texts(&["sql", "log"]));
        for (old, new, effect) in [
            (Some(&few), Some(&many), Effect::Grows),
            (Some(&many), Some(&few), Effect::Adds),
            (Some(&many), None, Effect::Grows),
            (None, Some(&few), Effect::Adds),
        ] {
            let mut found = Vec::new();
            of_grants(old.map(Vec::as_slice), new.map(Vec::as_slice), &mut found);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].effect, effect, "{found:?}");
        }
        let (old, new) = (texts(&["https://a.example"]), texts(&["https://b.example"]));
        let found: Vec<_> = of_origins((&old, &new), ["it reaches", "it leaves"]).collect();
        assert_eq!(
            (found[0].effect, &*found[0].text),
            (Effect::Grows, "it reaches https://b.example")
        );
        assert_eq!(
            (found[1].effect, &*found[1].text),
            (Effect::Adds, "it leaves https://a.example")
        );
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(shown(&Value::from(5)), "5");
        assert_eq!(shown(&Value::from("ä".repeat(500))).chars().count(), VALUE_CHARACTERS_MAX + 1);
    }
}
