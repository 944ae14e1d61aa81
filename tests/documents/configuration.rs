//! docs/configuration.md against the program: it names every key there is, and no other, with its
//! variable and its default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::process::Command;

use caplet_runtime::{EngineOptions, Limits};
use caplet_server::config::Http;
use caplet_server::gateway::ServiceOptions;

use crate::page::{Page, quoted};

/// The tables whose keys are known, and what stands before their names.
const TABLES: [(&str, &str); 21] = [
    ("auth", "auth"),
    ("[auth.issuers]", "auth.issuers[]"),
    ("cors", "cors"),
    ("http", "http"),
    ("public", "public"),
    ("engine", "engine"),
    ("limits", "limits"),
    ("upgrade", "upgrade"),
    ("plugin.x", "plugin.<name>"),
    ("log", "log"),
    ("telemetry", "telemetry"),
    ("services.x", "services.<name>"),
    ("services.x.limits", "services.<name>.limits"),
    ("services.x.timeouts", "services.<name>.timeouts"),
    ("services.x.retry", "services.<name>.retry"),
    ("services.x.health", "services.<name>.health"),
    ("services.x.breaker", "services.<name>.breaker"),
    ("services.x.request_headers", "services.<name>.request_headers"),
    ("services.x.response_headers", "services.<name>.response_headers"),
    ("services.x.credentials", "services.<name>.credentials"),
    ("services.x.identity", "services.<name>.identity"),
];

#[test]
fn every_key_is_documented_and_no_other() {
    let mut keys: BTreeSet<String> = known_keys("").into_iter().collect();
    for (table, prefix) in TABLES {
        keys.remove(table.split('.').next().unwrap_or(table));
        keys.remove(prefix);
        let below = known_keys(&format!("[{table}]\n"));
        keys.extend(below.iter().map(|key| format!("{prefix}.{key}")));
    }
    assert!(keys.len() > 40, "{keys:?}");
    let documented: BTreeSet<String> = documented().into_keys().collect();
    assert_eq!(documented, keys);
}

#[test]
fn variables_are_those_of_the_keys() {
    for (key, (variable, _)) in documented() {
        // A list is one value: what is in it has no variable of its own.
        let key = key.split("[]").next().unwrap_or(&key);
        let expected = format!("CAPLET_{}", key.replace('.', "__").to_ascii_uppercase());
        assert!(variable.starts_with(&expected), "{key}: {variable}");
    }
}

#[test]
fn defaults_are_those_of_the_program() {
    let documented = documented();
    for (key, default) in defaults() {
        let written = documented[&key].1.replace('_', "");
        assert_eq!(written, default.to_string(), "{key}");
    }
}

/// The keys of everything that has a number, and their defaults.
pub fn defaults() -> BTreeMap<String, u64> {
    let mut defaults = numbers("limits", &Limits::default());
    defaults.extend(numbers("http", &Http::default()));
    defaults.extend(numbers("engine", &EngineOptions::default()));
    let service = ServiceOptions::default();
    let below = |part: &str, value: &dyn Debug| numbers(&format!("services.<name>.{part}"), value);
    defaults.extend(below("limits", &service.limits));
    defaults.extend(below("timeouts", &service.timeouts));
    defaults.extend(below("retry", &service.retry));
    defaults.extend(below("health", &service.health));
    defaults.extend(below("breaker", &service.breaker));
    defaults.extend(below("identity", &service.identity));
    defaults
}

/// The fields of a struct that are numbers, as it shows itself.
fn numbers(prefix: &str, value: &dyn Debug) -> BTreeMap<String, u64> {
    let shown = format!("{value:#?}");
    let field = |line: &str| {
        let (name, number) = line.trim().trim_end_matches(',').split_once(": ")?;
        Some((format!("{prefix}.{name}"), number.parse().ok()?))
    };
    shown.lines().filter_map(field).collect()
}

/// The keys that the program says there are, when it meets one that there is not.
fn known_keys(table: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("caplet.toml");
    std::fs::write(&file, format!("{table}colour = 1\n")).expect("it is written");
    let output = Command::new(caplet_tests::binary())
        .args(["token", "--config"])
        .arg(&file)
        .current_dir(folder.path())
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let list = said.split("there are ").nth(1).and_then(|list| list.split(" (in").next());
    let list =
        list.unwrap_or_else(|| panic!("the program does not say which keys there are: {said}"));
    list.split(", ").map(|key| key.trim().to_owned()).collect()
}

/// From key to variable and default.
fn documented() -> BTreeMap<String, (String, String)> {
    let page = Page::read("docs/configuration.md");
    let rows = page.all_rows().into_iter().filter(|row| row.len() == 4 && row[0].starts_with('`'));
    let unquoted = |cell: &str| quoted(cell).first().copied().unwrap_or_default().to_owned();
    rows.map(|row| (unquoted(&row[0]), (unquoted(&row[1]), unquoted(&row[2])))).collect()
}
