//! Whether an answer is what a page shows: each member that is shown is there, with a value of the
//! same type. Values differ from run to run; those of a problem document do not.

use serde_json::Value;

/// What is different, by its JSON pointer; none when the answer is as shown.
pub fn difference(shown: &Value, answered: &Value) -> Option<String> {
    at("", shown, answered)
}

/// Whether the page shows a problem document.
pub fn is_problem(shown: &Value) -> bool {
    shown["code"].is_string() && shown["status"].as_u64().is_some_and(|status| status >= 400)
}

fn at(pointer: &str, shown: &Value, answered: &Value) -> Option<String> {
    match (shown, answered) {
        (Value::Object(members), Value::Object(_)) => members.iter().find_map(|(name, value)| {
            let pointer = format!("{pointer}/{name}");
            match answered.get(name) {
                None => Some(format!("{pointer} is not there")),
                Some(other) if is_fixed(shown, name) && other != value => {
                    Some(format!("{pointer} is {other}, not {value}"))
                }
                Some(other) => at(&pointer, value, other),
            }
        }),
        (Value::Array(items), Value::Array(others)) => {
            if items.len() > others.len() {
                return Some(format!("{pointer} has {} items", others.len()));
            }
            let pairs = items.iter().zip(others).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (item, other))| at(&format!("{pointer}/{index}"), item, other))
        }
        _ if kind(shown) == kind(answered) => None,
        _ => Some(format!("{pointer} is {}, not {}", kind(answered), kind(shown))),
    }
}

fn is_fixed(document: &Value, member: &str) -> bool {
    is_problem(document) && (member == "code" || member == "status")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[test]
fn finds_what_is_missing_or_of_another_type() {
    let found = |shown, answered| difference(&shown, &answered).unwrap_or_default();
    use serde_json::json;
    assert_eq!(found(json!({"a": 1}), json!({"a": 2, "b": 3})), "");
    assert_eq!(found(json!({"a": [{"b": 1}]}), json!({"a": [{}]})), "/a/0/b is not there");
    assert_eq!(found(json!([1, 2]), json!([1])), " has 1 items");
    assert_eq!(found(json!({"a": null}), json!({"a": "x"})), "/a is a text, not null");
    let problem = json!({"status": 404, "code": "not-found"});
    let other = json!({"status": 404, "code": "other"});
    assert_eq!(found(problem, other), "/code is \"other\", not \"not-found\"");
}
