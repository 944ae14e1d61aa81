//! What is said of a component that says nothing of itself.

use caplet_abi::{Access, Description, Migration, Phase, Route, Transaction};

use crate::digest::Digest;
use crate::inspect::Inspection;

/// Any text, number or truth value under any name: what the component reads is not known beforehand.
const SETTINGS_SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": {"type": ["string", "number", "boolean"]}
}"#;

/// Where the keys and values of a component are kept.
const KEYVALUE: &str = "CREATE TABLE keyvalue (
  tenant TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (tenant, bucket, key)
);";

/// The same for PostgreSQL.
const KEYVALUE_POSTGRES: &str = "CREATE TABLE keyvalue (
  tenant TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  value BYTEA NOT NULL,
  PRIMARY KEY (tenant, bucket, key)
);";

/// The description of a component: it gets every request below its name.
pub(crate) fn description(name: &str, digest: &Digest, inspection: &Inspection) -> Description {
    let digest = digest.to_string();
    Description {
        name: name.to_owned(),
        version: format!("0.0.0+{}", &digest[..12]),
        title: name.to_owned(),
        summary: "A component of `wasi:http`, which gets every request below its name.".to_owned(),
        routes: vec![route("handle-root", "/"), route("handle", "/{*path}")],
        openapi: String::new(),
        migrations: match inspection.asks_for("sql") {
            true => vec![keyvalue()],
            false => Vec::new(),
        },
        permissions: Vec::new(),
        settings_schema: match inspection.asks_for("settings") {
            true => SETTINGS_SCHEMA.to_owned(),
            false => String::new(),
        },
        assets: Vec::new(),
    }
}

fn route(operation: &str, pattern: &str) -> Route {
    Route {
        operation: operation.to_owned(),
        method: "*".to_owned(),
        pattern: pattern.to_owned(),
        access: Access::Public,
        transaction: Transaction::None,
        headers: Vec::new(),
        body_max_bytes: None,
    }
}

fn keyvalue() -> Migration {
    Migration {
        number: 1,
        name: "keys and values".to_owned(),
        phase: Phase::Expand,
        sql: KEYVALUE.to_owned(),
        postgres: Some(KEYVALUE_POSTGRES.to_owned()),
    }
}

/// The name of a component of `wasi:http` in a file: the file's name without its extension, in the
/// characters that names of plugins have. Empty when it has none of them.
#[must_use]
pub fn name_of_file(file: &str) -> String {
    let stem = file.strip_suffix(".wasm").unwrap_or(file);
    let plain = |character: char| match character {
        'a'..='z' | '0'..='9' => character,
        'A'..='Z' => character.to_ascii_lowercase(),
        _ => '-',
    };
    let words: String = stem.chars().map(plain).collect();
    words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::check;
    use crate::limits::Limits;

    #[test]
    fn a_file_gives_its_name() {
        for (file, name) in [
            ("hello.wasm", "hello"),
            ("Hello_World.wasm", "hello-world"),
            ("http.trigger-v2.wasm", "http-trigger-v2"),
            ("--a--b--", "a-b"),
            ("ü.wasm", ""),
        ] {
            assert_eq!(name_of_file(file), name);
        }
    }

    #[test]
    fn what_is_said_of_a_component_is_a_sound_description() {
        let mut inspection = Inspection::default();
        for import in ["wasi:keyvalue/store@0.2.0-draft", "wasi:config/store@0.2.0-rc.1"] {
            inspection.rights.extend(caplet_abi::interfaces::standard_right(import));
        }
        let description = description("hello", &Digest::of(b""), &inspection);
        assert_eq!(description.migrations.len(), 1);
        assert!(!description.settings_schema.is_empty());
        check(description, &Limits::default()).unwrap();
    }
}
