//! From arguments and a file to a JSON Merge Patch. A value that is a secret need not be an argument, which
//! others on the machine can see: it is read from a file or from the standard input.

use std::io::Read;
use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde_json::Value;

use super::{Action, Members};
use crate::failure::Failure;

/// What is to be set; null for what is to be taken back.
///
/// # Errors
/// What is no key, no value, or cannot be read.
pub(super) fn read(
    action: Action,
    keys: &[String],
    file: Option<&Path>,
) -> Result<Members, Failure> {
    let mut members = file.map(of_file).transpose()?.unwrap_or_default();
    for key in keys {
        let (key, value) = match action {
            Action::Unset => (key.as_str(), Value::Null),
            Action::Set | Action::Replace => pair(key)?,
        };
        put(&mut members, key, value)?;
    }
    if members.is_empty() && action != Action::Replace {
        return Err(Failure::usage("name at least one key, or a file with --file"));
    }
    Ok(members)
}

/// A JSON pointer as keys are written: with dots, where they say as much.
pub(super) fn key(pointer: &str) -> String {
    let names = pointer.strip_prefix('/').unwrap_or(pointer);
    if names.contains(['.', '~']) || names.is_empty() {
        pointer.to_owned()
    } else {
        names.replace('/', ".")
    }
}

fn pair(text: &str) -> Result<(&str, Value), Failure> {
    let Some((key, value)) = text.split_once('=') else {
        let key = text.chars().take(40).collect::<String>();
        return Err(Failure::usage(format!(
            "`{key}`: expected KEY=VALUE, such as edit_window_s=60"
        )));
    };
    let value = match value.strip_prefix('@') {
        _ if value == "-" => Value::String(without_line_break(of_input()?)),
        Some(path) => Value::String(without_line_break(of_path(Path::new(path))?)),
        None => serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    };
    Ok((key, value))
}

/// Puts a value where a key leads: names with dots between them, or a JSON pointer.
fn put(members: &mut Members, key: &str, value: Value) -> Result<(), Failure> {
    let names: Vec<String> = match key.strip_prefix('/') {
        Some(names) => {
            names.split('/').map(|it| it.replace("~1", "/").replace("~0", "~")).collect()
        }
        None => key.split('.').map(str::to_owned).collect(),
    };
    if names.iter().any(String::is_empty) {
        return Err(Failure::usage(format!(
            "`{key}` is no key, such as edit_window_s or mail.from"
        )));
    }
    let mut here = members;
    let (last, tables) = names.split_last().expect("a text has at least one part");
    for name in tables {
        let next = here.entry(name.clone()).or_insert_with(|| Value::Object(Members::new()));
        here = next.as_object_mut().ok_or_else(|| {
            Failure::usage(format!("`{key}`: `{name}` is given as a value and as a table"))
        })?;
    }
    here.insert(last.clone(), value);
    Ok(())
}

fn of_file(path: &Path) -> Result<Members, Failure> {
    let text = if path == Path::new("-") { of_input()? } else { of_path(path)? };
    if let Ok(members) = serde_json::from_str(&text) {
        return Ok(members);
    }
    // What it says of a wrong place may show a value.
    Figment::from(Toml::string(&text)).extract().map_err(|_| {
        Failure::usage(format!("{} is neither a JSON object nor TOML", path.display()))
    })
}

fn of_path(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|reason| Failure::usage(format!("{} cannot be read: {reason}", path.display())))
}

fn of_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|reason| Failure::usage(format!("the standard input cannot be read: {reason}")))?;
    Ok(text)
}

fn without_line_break(mut text: String) -> String {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    fn edit(action: Action, keys: &[&str]) -> Result<Value, Failure> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        read(action, &keys, None).map(Value::Object)
    }

    #[test]
    fn reads_keys_and_values() {
        let keys = ["a=1", "b.c=text", "b.d=[\"x\"]", "/e~1f/g=\"5\"", "h=a=b", "i="];
        let expected = json!({
            "a": 1, "b": { "c": "text", "d": ["x"] }, "e/f": { "g": "5" }, "h": "a=b", "i": "",
        });
        assert_eq!(edit(Action::Set, &keys).unwrap(), expected);
        assert_eq!(
            edit(Action::Unset, &["a", "b.c"]).unwrap(),
            json!({"a": null, "b": {"c": null}})
        );
        assert_eq!(edit(Action::Replace, &[]).unwrap(), json!({}));
    }

    #[test]
    fn refuses_what_is_no_key() {
        for keys in [&[][..], &["a"], &["=1"], &["a..b=1"], &["a=1", "a.b=2"], &["a=@/nowhere"]] {
            assert!(edit(Action::Set, keys).is_err(), "{keys:?}");
        }
    }

    #[test]
    fn reads_values_and_tables_from_files() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "[mail]\nfrom = \"ada\"").unwrap();
        let key = format!("text=@{}", file.path().display());
        assert_eq!(
            edit(Action::Set, &[&key]).unwrap(),
            json!({ "text": "[mail]\nfrom = \"ada\"" })
        );
        let members = read(Action::Set, &["mail.to=b".to_owned()], Some(file.path())).unwrap();
        assert_eq!(Value::Object(members), json!({ "mail": { "from": "ada", "to": "b" } }));
    }

    #[test]
    fn shows_pointers_as_keys_where_they_say_as_much() {
        for (pointer, shown) in
            [("/a", "a"), ("/a/b", "a.b"), ("/a.b", "/a.b"), ("/a~1b", "/a~1b"), ("", "")]
        {
            assert_eq!(key(pointer), shown);
        }
    }
}
