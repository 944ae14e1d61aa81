//! Which crate may use which. Imports point down the layers only, never sideways between plugins, and
//! each large library is known to the layers that own what it does.
//!
//! Crates are named by their folders: a crate that moves has to be thought about again.

use crate::{finding::Finding, workspace::Workspace};
use anyhow::{Context, Result};
use cargo_metadata::{Dependency, DependencyKind, Package, camino::Utf8Path};
use std::fs;

/// What the crates in a folder may use of the workspace.
struct Layer {
    /// A folder, or `plugins/*` for each folder in it.
    folder: &'static str,
    uses: &'static [&'static str],
    /// What its tests may use besides.
    tests_use: &'static [&'static str],
}

const fn layer(
    folder: &'static str,
    uses: &'static [&'static str],
    tests_use: &'static [&'static str],
) -> Layer {
    Layer { folder, uses, tests_use }
}

/// `*` stands for everything.
const ANYTHING: &[&str] = &["*"];
const TESTING: &[&str] = &["host/testing"];

/// The first row that fits holds.
const LAYERS: &[Layer] = &[
    layer("host/store", &[], &[]),
    layer("host/abi", &["host/store"], &[]),
    layer("host/runtime", &["host/abi", "host/store"], &[]),
    layer("host/server", &["host/runtime", "host/store"], TESTING),
    layer("host/cli", &["host/testing", "host/server", "host/runtime", "host/store"], &[]),
    layer("host/testing", &["host/server", "host/runtime", "host/store"], &[]),
    layer("plugins/sdk/rust", &[], &[]),
    layer("plugins/*", &["plugins/sdk/rust"], TESTING),
    // An application around a host; what it needs comes through the server.
    layer("examples/embed", &["host/server"], TESTING),
    layer("examples/*", &["plugins/sdk/rust"], TESTING),
    layer("tests/fixtures", &[], &[]),
    layer("tests/fixtures/*", &["plugins/sdk/rust", "tests/fixtures/revision"], &[]),
    layer("tests", ANYTHING, &[]),
    layer(".xtask", &[], &[]),
];

/// Who may use a library and those whose names begin with its name and `-`. The tests may use all.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("axum", &["host/server", "host/testing", "examples/embed"]),
    ("hyper", &["host/server", "host/testing", ".xtask"]),
    ("tower", &["host/server", "host/testing"]),
    ("ring", &["host/runtime", "host/server"]),
    ("jsonwebtoken", &["host/server", "host/testing"]),
    ("rusqlite", &["host/store"]),
    ("sqlx", &["host/store"]),
    ("sqlparser", &["host/store"]),
    ("wasmtime", &["host/abi", "host/runtime"]),
    ("clap", &["host/cli", ".xtask"]),
    ("opentelemetry", &["host/server", "host/cli"]),
    ("ratatui", &["host/cli"]),
    ("indicatif", &["host/cli"]),
];

const TABLE: &str = ".xtask/src/tidy/layers.rs";

/// Checks every crate of the workspace.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in workspace.packages() {
        let folder = workspace.folder(package);
        let Some(layer) = layer_of(folder) else {
            findings.push(finding(folder, 1, without_layer(folder)));
            continue;
        };
        let manifest = fs::read_to_string(&package.manifest_path)
            .with_context(|| format!("cannot read {}", package.manifest_path))?;
        findings.extend(uses(package, workspace.root()).filter_map(|used| {
            let problem = violation(layer, folder, &used)?;
            Some(finding(folder, line_of(&manifest, &used.written), problem))
        }));
    }
    Ok(findings)
}

/// One dependency.
struct Use {
    /// The name under which the manifest has it.
    written: String,
    /// The name of the package.
    name: String,
    /// Its folder, when it is in the workspace.
    folder: Option<String>,
    only_in_tests: bool,
}

fn uses(package: &Package, root: &Utf8Path) -> impl Iterator<Item = Use> {
    package.dependencies.iter().map(move |dependency: &Dependency| Use {
        written: dependency.rename.clone().unwrap_or_else(|| dependency.name.clone()),
        name: dependency.name.clone(),
        folder: dependency
            .path
            .as_ref()
            .map(|path| path.strip_prefix(root).unwrap_or(path.as_path()).to_string()),
        only_in_tests: dependency.kind == DependencyKind::Development,
    })
}

fn layer_of(folder: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| matches(layer.folder, folder))
}

fn without_layer(folder: &str) -> (String, String) {
    (format!("{folder} has no place in the layers"), format!("give it a row in {TABLE}"))
}

/// What is wrong with a use, and what to do; none when it is allowed.
fn violation(layer: &Layer, folder: &str, used: &Use) -> Option<(String, String)> {
    let Some(used_folder) = &used.folder else { return library_violation(folder, &used.name) };
    let tests_use = if used.only_in_tests { layer.tests_use } else { &[] };
    let allowed = layer.uses.iter().chain(tests_use).copied().collect::<Vec<_>>();
    if allowed.iter().any(|pattern| matches(pattern, used_folder)) {
        return None;
    }
    let rule = format!("{folder} may not use {used_folder}");
    Some((rule, format!("it may use {}: move the code to where it belongs", list(&allowed))))
}

fn library_violation(folder: &str, name: &str) -> Option<(String, String)> {
    let family = |library: &str| {
        name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let (_, owners) = LIBRARIES.iter().find(|(library, _)| family(library))?;
    if folder == "tests" || owners.contains(&folder) {
        return None;
    }
    let rule = format!("{folder} may not use the library {name}");
    Some((rule, format!("only {} may: ask it for what is needed", list(owners))))
}

fn matches(pattern: &str, folder: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => folder.starts_with(start),
        None => pattern == folder,
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "no other crate".to_owned() } else { names.join(", ") }
}

/// The line of a manifest that names a dependency; the first when it is written in another way.
fn line_of(manifest: &str, name: &str) -> usize {
    let names = |line: &str| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '.', '=']))
    };
    manifest.lines().position(names).map_or(1, |index| index + 1)
}

fn finding(folder: &str, line: usize, (rule, remedy): (String, String)) -> Finding {
    Finding { file: format!("{folder}/Cargo.toml"), line, rule, remedy }
}

#[cfg(test)]
mod tests {
    use super::{Use, layer_of, line_of, violation};

    fn is_allowed(folder: &str, used: &Use) -> bool {
        violation(layer_of(folder).expect("a layer"), folder, used).is_none()
    }

    fn crate_at(folder: &str, only_in_tests: bool) -> Use {
        let folder = Some(folder.to_owned());
        Use { written: String::new(), name: String::new(), folder, only_in_tests }
    }

    fn allowed(folder: &str, used: &str) -> bool {
        is_allowed(folder, &crate_at(used, false))
    }

    fn allowed_in_tests(folder: &str, used: &str) -> bool {
        is_allowed(folder, &crate_at(used, true))
    }

    fn allowed_library(folder: &str, name: &str) -> bool {
        let (written, name) = (name.to_owned(), name.to_owned());
        is_allowed(folder, &Use { written, name, folder: None, only_in_tests: false })
    }

    #[test]
    fn imports_point_down() {
        assert!(allowed("host/abi", "host/store"));
        assert!(allowed("host/runtime", "host/abi"));
        assert!(allowed("host/server", "host/runtime"));
        assert!(allowed("host/cli", "host/server"));
        assert!(!allowed("host/store", "host/abi"));
        assert!(!allowed("host/runtime", "host/server"));
        assert!(!allowed("host/server", "host/abi"));
        assert!(!allowed("host/server", "host/cli"));
    }

    #[test]
    fn a_plugin_uses_the_sdk_and_never_the_host_or_a_plugin() {
        assert!(allowed("plugins/comments", "plugins/sdk/rust"));
        assert!(!allowed("plugins/comments", "plugins/tags"));
        assert!(!allowed("plugins/comments", "host/abi"));
        assert!(!allowed("plugins/sdk/rust", "host/abi"));
        assert!(!allowed("plugins/sdk/rust", "plugins/comments"));
    }

    #[test]
    fn an_application_knows_the_server_and_no_engine() {
        assert!(allowed("examples/embed", "host/server"));
        assert!(!allowed("examples/embed", "host/runtime"));
        assert!(allowed_library("examples/embed", "axum"));
        assert!(!allowed_library("examples/embed", "wasmtime"));
        assert!(!allowed("examples/hello", "host/server"));
    }

    #[test]
    fn the_test_harness_is_for_tests() {
        assert!(allowed_in_tests("plugins/comments", "host/testing"));
        assert!(!allowed("plugins/comments", "host/testing"));
        assert!(!allowed_in_tests("plugins/comments", "host/server"));
        assert!(!allowed_in_tests("host/store", "host/testing"));
    }

    #[test]
    fn whole_system_tests_use_anything_and_fixtures_nothing() {
        assert!(allowed("tests", "host/store"));
        assert!(allowed("tests", "plugins/comments"));
        assert!(allowed_library("tests", "rusqlite"));
        assert!(!allowed("tests/fixtures", "plugins/sdk/rust"));
    }

    #[test]
    fn a_crate_in_a_new_place_has_no_layer() {
        assert!(layer_of("plugins/novelty").is_some());
        assert!(layer_of("host/novelty").is_none());
        assert!(layer_of("novelty").is_none());
    }

    #[test]
    fn a_library_is_known_to_its_owners_only() {
        assert!(allowed_library("host/server", "axum"));
        assert!(allowed_library("host/server", "tower-http"));
        assert!(allowed_library("host/runtime", "wasmtime-wasi"));
        assert!(allowed_library("host/store", "rusqlite"));
        assert!(allowed_library("host/runtime", "serde_json"));
        assert!(!allowed_library("host/runtime", "axum"));
        assert!(!allowed_library("host/cli", "hyper-util"));
        assert!(!allowed_library("host/server", "wasmtime"));
        assert!(!allowed_library("host/runtime", "sqlparser"));
        assert!(!allowed_library("host/server", "clap"));
        assert!(allowed_library("host/cli", "opentelemetry-otlp"));
        assert!(!allowed_library("host/runtime", "opentelemetry"));
        assert!(!allowed_library("plugins/comments", "rusqlite"));
    }

    #[test]
    fn a_longer_word_is_another_library() {
        assert!(allowed_library("host/runtime", "towering"));
        assert!(allowed_library("host/runtime", "hyperloglog"));
    }

    #[test]
    fn the_line_of_a_dependency_is_found() {
        let manifest = "[dependencies]\naxum-extra = \"1\"\naxum.workspace = true\n";
        assert_eq!(line_of(manifest, "axum"), 3);
        assert_eq!(line_of(manifest, "axum-extra"), 2);
        assert_eq!(line_of(manifest, "hyper"), 1);
    }
}
