//! What a value has to be: variables and patterns in the texts of a scenario, and comparing JSON.
//!
//! `${name}` stands for a variable. A text that begins with `$` and a word is a pattern: `$any`,
//! `$text`, `$integer`, `$number`, `$boolean`, `$uuid`, `$time`, `$matches REGEX`, and `$as NAME` or
//! `$as NAME $uuid`, which keeps the value as a variable. `$$` is a dollar sign.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

/// The variables of a scenario.
pub type Variables = BTreeMap<String, Value>;

/// A difference: where (a JSON pointer, or the name of a part), and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Such as `status`, `header location`, `body /items/0/id`.
    pub place: String,
    /// Such as `expected 1, got 2`.
    pub text: String,
}

/// How objects are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All members, and no others.
    Whole,
    /// The members that are named; there may be others.
    Part,
}

/// Compares values, and adds how `actual` is not what was expected.
pub struct Comparison<'a> {
    /// The variables; patterns add to them.
    pub variables: &'a mut Variables,
    /// How objects are compared.
    pub extent: Extent,
    /// What was found.
    pub differences: &'a mut Vec<Difference>,
}

impl Comparison<'_> {
    /// Compares `actual` at `place`.
    pub fn compare(&mut self, place: &str, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::String(text), _) => self.compare_text(place, text, actual),
            (Value::Object(expected), Value::Object(actual)) => {
                for (name, expected) in expected {
                    let place = format!("{place}/{}", escaped(name));
                    match actual.get(name) {
                        Some(actual) => self.compare(&place, expected, actual),
                        None => {
                            self.add(&place, format!("expected {}, there is none", shown(expected)))
                        }
                    }
                }
                let others = actual.keys().filter(|name| !expected.contains_key(*name));
                for name in others.filter(|_| self.extent == Extent::Whole).collect::<Vec<_>>() {
                    let text = format!("not expected, got {}", shown(&actual[name]));
                    self.add(&format!("{place}/{}", escaped(name)), text);
                }
            }
            (Value::Array(expected), Value::Array(actual)) => {
                for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                    self.compare(&format!("{place}/{index}"), expected, actual);
                }
                if expected.len() != actual.len() {
                    let text = format!("expected {} items, got {}", expected.len(), actual.len());
                    self.add(place, text);
                }
            }
            _ if is_same(expected, actual) => {}
            _ => self.add(place, format!("expected {}, got {}", shown(expected), shown(actual))),
        }
    }

    fn compare_text(&mut self, place: &str, expected: &str, actual: &Value) {
        match self.fits(expected, actual) {
            Ok(None) => {}
            Ok(Some(wanted)) => {
                self.add(place, format!("expected {wanted}, got {}", shown(actual)))
            }
            Err(reason) => self.add(place, reason),
        }
    }

    /// What was expected, when `actual` is not it.
    fn fits(&mut self, expected: &str, actual: &Value) -> Result<Option<String>, String> {
        let Some((word, rest)) = pattern(expected) else {
            let expected = fill(expected, self.variables)?;
            return Ok((!is_same(&expected, actual)).then(|| shown(&expected)));
        };
        let is_text = |test: &dyn Fn(&str) -> bool| actual.as_str().is_some_and(test);
        let fits = match word {
            "any" => true,
            "text" => actual.is_string(),
            "integer" => actual.is_i64() || actual.is_u64(),
            "number" => actual.is_number(),
            "boolean" => actual.is_boolean(),
            "uuid" => is_text(&|text| uuid::Uuid::parse_str(text).is_ok()),
            "time" => is_text(&|text| text.parse::<jiff::Timestamp>().is_ok()),
            "matches" => {
                let regex = Regex::new(rest).map_err(|reason| format!("`{rest}`: {reason}"))?;
                is_text(&|text| regex.is_match(text))
            }
            "as" => {
                let (name, inner) = rest.split_once(' ').unwrap_or((rest, "$any"));
                let misfit = self.fits(inner, actual)?;
                self.variables.insert(name.to_owned(), actual.clone());
                return Ok(misfit);
            }
            _ => return Err(format!("`${word}` is no pattern; known are {PATTERNS}")),
        };
        Ok((!fits).then(|| expected.to_owned()))
    }

    fn add(&mut self, place: &str, text: String) {
        self.differences.push(Difference { place: place.to_owned(), text });
    }
}

const PATTERNS: &str =
    "$any, $text, $integer, $number, $boolean, $uuid, $time, $matches REGEX, $as NAME";

/// The word and the rest of a pattern; none when the text is no pattern.
fn pattern(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('$').filter(|rest| !rest.starts_with(['$', '{']))?;
    Some(inner.split_once(' ').unwrap_or((inner, "")))
}

/// A text with its variables filled in; a text that is one variable and nothing else becomes its value.
///
/// # Errors
/// The variable that is not there.
pub fn fill(text: &str, variables: &Variables) -> Result<Value, String> {
    let named = |name: &str| {
        let known = variables.keys().cloned().collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        variables.get(name).ok_or_else(|| format!("there is no variable `{name}`; known: {known}"))
    };
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
        && !name.contains('}')
    {
        return named(name).cloned();
    }
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            filled.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('{').and_then(|it| it.split_once('}'))
        {
            match named(name)? {
                Value::String(text) => filled.push_str(text),
                other => filled.push_str(&other.to_string()),
            }
            rest = after;
        } else {
            filled.push('$');
        }
    }
    filled.push_str(rest);
    Ok(Value::String(filled))
}

/// A text with its variables filled in.
///
/// # Errors
/// The variable that is not there.
pub fn fill_text(text: &str, variables: &Variables) -> Result<String, String> {
    Ok(match fill(text, variables)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// A value with the variables of its texts filled in.
///
/// # Errors
/// The variable that is not there.
pub fn fill_value(value: &Value, variables: &Variables) -> Result<Value, String> {
    match value {
        Value::String(text) => fill(text, variables),
        Value::Array(items) => items.iter().map(|item| fill_value(item, variables)).collect(),
        Value::Object(members) => {
            let filled = members.iter().map(|(name, value)| {
                Ok::<_, String>((name.clone(), fill_value(value, variables)?))
            });
            Ok(Value::Object(filled.collect::<Result<_, _>>()?))
        }
        other => Ok(other.clone()),
    }
}

/// Whether two values are the same; numbers are the same when they have the same value.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => one == other,
    }
}

/// A value in a message, cut when it is long.
pub fn shown(value: &Value) -> String {
    const CHARS_MAX: usize = 200;
    let text = value.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A member's name in a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(extent: Extent, expected: Value, actual: Value) -> Vec<String> {
        let (mut variables, mut differences) = (Variables::new(), Vec::new());
        variables.insert("id".into(), json!("n1"));
        let mut comparison =
            Comparison { variables: &mut variables, extent, differences: &mut differences };
        comparison.compare("", &expected, &actual);
        differences.into_iter().map(|it| format!("{}: {}", it.place, it.text)).collect()
    }

    #[test]
    fn differences_have_pointers() {
        let expected = json!({ "items": [{ "id": "${id}", "n": 1 }], "a/b": true });
        let actual = json!({ "items": [{ "id": "n2", "n": 1.0 }], "more": null });
        assert_eq!(
            differences(Extent::Whole, expected, actual),
            [
                "/a~1b: expected true, there is none",
                "/items/0/id: expected \"n1\", got \"n2\"",
                "/more: not expected, got null",
            ]
        );
    }

    #[test]
    fn a_part_allows_other_members_and_no_other_items() {
        let actual = json!({ "a": 1, "b": [1, 2] });
        assert!(differences(Extent::Part, json!({ "a": 1 }), actual.clone()).is_empty());
        let shorter = differences(Extent::Part, json!({ "b": [1] }), actual);
        assert_eq!(shorter, ["/b: expected 1 items, got 2"]);
    }

    #[test]
    fn patterns_say_what_a_value_is_like() {
        let fits = |pattern: &str, value: Value| {
            differences(Extent::Whole, json!(pattern), value).is_empty()
        };
        assert!(fits("$uuid", json!("018bcfe5-6800-7a3c-9d56-1f0a2b3c4d5e")));
        assert!(!fits("$uuid", json!("n1")));
        assert!(fits("$time", json!("2026-01-01T00:00:00.000Z")));
        assert!(!fits("$time", json!(7)));
        assert!(fits("$integer", json!(7)) && !fits("$integer", json!(7.5)));
        assert!(fits("$matches ^n[0-9]$", json!("n1")) && !fits("$matches ^n[0-9]$", json!("x")));
        assert!(fits("$$5 for ${id}", json!("$5 for n1")));
        assert!(!fits("$uiud", json!("x")));
        assert!(!fits("${nobody}", json!("x")));
    }

    #[test]
    fn values_are_kept_with_their_type() {
        let mut variables = Variables::new();
        let mut differences = Vec::new();
        let mut comparison = Comparison {
            variables: &mut variables,
            extent: Extent::Whole,
            differences: &mut differences,
        };
        comparison.compare("", &json!("$as count $integer"), &json!(3));
        assert_eq!(fill("${count}", &variables), Ok(json!(3)));
        assert_eq!(fill_text("/x?n=${count}", &variables), Ok("/x?n=3".to_owned()));
        assert!(differences.is_empty());
    }
}
