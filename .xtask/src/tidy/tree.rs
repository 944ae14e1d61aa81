//! What may stand at the top of the repository, so that a newcomer sees its parts and nothing else.

use crate::finding::Finding;
use std::collections::BTreeSet;

/// Besides these, hidden files and folders.
const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "docs",
    "examples",
    "host",
    "plugins",
    "registry",
    "rust-toolchain.toml",
    "tests",
    "wit",
];

/// Checks the paths of all files.
pub fn check(files: &[&str]) -> Vec<Finding> {
    let top: BTreeSet<&str> = files.iter().filter_map(|file| file.split('/').next()).collect();
    let foreign = top.iter().filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(name));
    foreign.map(|name| finding(name)).collect()
}

fn finding(name: &str) -> Finding {
    Finding {
        file: name.to_owned(),
        line: 1,
        rule: "does not belong at the top of the repository".to_owned(),
        remedy: format!("move it into one of the folders, or name it .{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn known_and_hidden_names_may_stay() {
        assert_eq!(check(&["README.md", ".ci/run", "host/store/Cargo.toml", "wit/sql.wit"]), []);
    }

    #[test]
    fn another_name_is_found_once() {
        let findings = check(&["notes/a.md", "notes/b.md", "host/cli/notes/a.md"]);
        let files: Vec<&str> = findings.iter().map(|finding| finding.file.as_str()).collect();
        assert_eq!(files, ["notes"]);
    }
}
