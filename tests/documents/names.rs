//! Names that documents repeat: functions of SQL, metrics, the finished first plugin.

use std::collections::BTreeSet;

use caplet_store::gate::FUNCTIONS;

use crate::page::{Page, names, quoted, read, root};

#[test]
fn the_functions_of_sql_are_those_of_the_gate() {
    let page = Page::read("docs/sql.md");
    let row =
        page.all_rows().into_iter().find(|row| row[0] == "functions").expect("a row of functions");
    assert_eq!(quoted(&row[1]), FUNCTIONS);
}

#[test]
fn the_metrics_are_those_that_are_counted() {
    let mut counted = BTreeSet::new();
    for file in [
        "host/runtime/src/metrics.rs",
        "host/server/src/metrics.rs",
        "host/server/src/identity/metrics.rs",
        "host/server/src/gateway/counters.rs",
        "host/cli/src/telemetry.rs",
    ] {
        let source = without_tests(&read(file)).to_owned();
        let names = literals(&source).into_iter().filter(|name| name.starts_with("caplet_"));
        counted.extend(names.map(str::to_owned));
    }
    let rows = Page::read("docs/http.md").rows("### Metrics");
    let documented: BTreeSet<String> =
        rows.iter().filter_map(|row| Some(quoted(&row[0]).first()?.to_string())).collect();
    assert_eq!(documented, counted);
}

#[test]
fn every_command_is_on_its_page() {
    let output = std::process::Command::new(caplet_tests::binary()).arg("--help").output();
    let help = String::from_utf8(output.expect("the program runs").stdout).expect("text");
    let list = help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next());
    let lines = list.expect("a list of commands").lines();
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    let commands: BTreeSet<String> =
        names.filter(|name| *name != "help").map(|name| format!("caplet {name}")).collect();
    let rows = Page::read("docs/cli.md").all_rows();
    let documented: BTreeSet<String> = rows
        .iter()
        .filter_map(|row| quoted(&row[0]).first().map(ToString::to_string))
        .filter(|name| name.starts_with("caplet "))
        .collect();
    assert_eq!(documented, commands);
}

#[test]
fn the_first_plugin_is_the_example() {
    let page = Page::read("docs/first-plugin.md");
    let mut files = BTreeSet::new();
    for folder in ["src", "tests", "migrations"] {
        files.extend(names(&format!("examples/notes/{folder}")));
    }
    // What runs its scenarios among the project's own tests is nothing that an author writes.
    files.remove("examples/notes/tests/scenarios.rs");
    for file in &files {
        let name = file.trim_start_matches("examples/notes/");
        let block = page.blocks.iter().rfind(|block| block.file() == Some(name));
        let block = block.unwrap_or_else(|| panic!("{name} is not on the page"));
        assert_eq!(block.text, read(file), "{file} and {}", block.place);
    }
    let named = page.blocks.iter().filter(|block| block.language != "toml");
    for file in named.filter_map(|block| block.file()) {
        assert!(root().join("examples/notes").join(file).is_file(), "{file} is not in the example");
    }
}

/// The words in kebab case that stand in quotes in the sources in a folder.
pub fn words_in(folder: &str) -> BTreeSet<String> {
    let sources =
        names(folder).into_iter().filter(|path| path.ends_with(".rs")).map(|path| read(&path));
    let mut words = BTreeSet::new();
    for source in sources {
        words.extend(literals(without_tests(&source)).into_iter().map(str::to_owned));
    }
    words.retain(|word| is_word(word));
    words
}

/// Whether it looks like a code: `a-z` and `-`.
pub fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// The part of a source before its tests.
pub fn without_tests(source: &str) -> &str {
    source.split("#[cfg(test)]").next().unwrap_or(source)
}

fn literals(source: &str) -> Vec<&str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}
