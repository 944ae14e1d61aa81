//! Rules for the text of files. Rust files: how they open, how long they are, and the rules of
//! `tokens`. All files: no addresses of registries and no folders of one machine.

use super::tokens::{FUNCTION_LINES_MAX, Found, scan};
use crate::finding::Finding;

/// A file longer than this holds more than one thing. The usual one has 100 to 200 lines.
const FILE_LINES_MAX: usize = 500;

/// Made by cargo, and full of addresses.
const LOCK_FILE: &str = "Cargo.lock";

/// Pieces of words that no file may contain, so that this one does not contain them either: hosts of
/// package registries, and folders that only one machine has.
const FORBIDDEN: &[[&str; 2]] = &[
    ["crates", ".io"],
    ["npmjs", ".org"],
    ["npmjs", ".com"],
    ["pypi", ".org"],
    ["pythonhosted", ".org"],
    ["deb.debian", ".org"],
    ["/wo", "rk/"],
    ["/ro", "ot/"],
];

/// Checks one file.
pub fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !file.ends_with(LOCK_FILE) {
        findings.extend(forbidden_words(file, text));
    }
    if file.ends_with(".rs") {
        findings.extend(opening(file, text));
        findings.extend(length(file, text));
        findings.extend(code(file, text));
    }
    findings
}

fn forbidden_words(file: &str, text: &str) -> Vec<Finding> {
    let words: Vec<String> = FORBIDDEN.iter().map(|pieces| pieces.concat()).collect();
    let lines = text.lines().enumerate();
    let found = lines.flat_map(|(index, line)| {
        let inside = words.iter().filter(move |word| line.contains(word.as_str()));
        inside.map(move |word| (index + 1, word))
    });
    let remedy = "say it without a registry's address or one machine's folder";
    found.map(|(line, word)| finding(file, line, format!("contains `{word}`"), remedy)).collect()
}

fn opening(file: &str, text: &str) -> Option<Finding> {
    let rule = "does not open with `//!`".to_owned();
    let remedy = "say in a few lines what the file owns and what it leaves out";
    (!text.starts_with("//! ")).then(|| finding(file, 1, rule, remedy))
}

fn length(file: &str, text: &str) -> Option<Finding> {
    let n_lines = text.lines().count();
    let rule = format!("has {n_lines} lines, more than {FILE_LINES_MAX}");
    (n_lines > FILE_LINES_MAX)
        .then(|| finding(file, FILE_LINES_MAX + 1, rule, "split it by what its parts own"))
}

fn code(file: &str, text: &str) -> Vec<Finding> {
    match scan(text) {
        Ok(found) => found.into_iter().map(|found| code_finding(file, found)).collect(),
        Err(error) => vec![finding(file, 1, error.to_string(), "make it compile")],
    }
}

fn code_finding(file: &str, found: Found) -> Finding {
    match found {
        Found::Macro { line, name } => {
            finding(file, line, format!("calls `{name}!`"), "finish the code, or take it out")
        }
        Found::Ignored { line } => {
            finding(file, line, "ignores a test".to_owned(), "make it pass, or take it out")
        }
        Found::Long { line, name, n_lines } => finding(
            file,
            line,
            format!("`{name}` has {n_lines} lines, more than {FUNCTION_LINES_MAX}"),
            "split it by what its parts do",
        ),
    }
}

fn finding(file: &str, line: usize, rule: String, remedy: &str) -> Finding {
    Finding { file: file.to_owned(), line, rule, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{FILE_LINES_MAX, FORBIDDEN, check};

    fn rules(file: &str, text: &str) -> Vec<String> {
        check(file, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_file_has_no_findings() {
        assert!(rules("host/a.rs", "//! Owns a.\n\nfn a() {}\n").is_empty());
    }

    #[test]
    fn a_file_says_what_it_owns() {
        let found = rules("host/a.rs", "fn a() {}\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("host/a.rs:1: does not open with `//!`; "), "{}", found[0]);
    }

    #[test]
    fn the_longest_file_is_just_allowed() {
        let longest = format!("//! Owns a.\n{}", "\n".repeat(FILE_LINES_MAX - 1));
        assert!(rules("host/a.rs", &longest).is_empty());
        let found = rules("host/a.rs", &format!("{longest}\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("host/a.rs:501: has 501 lines"), "{}", found[0]);
    }

    #[test]
    fn a_forbidden_word_is_found_with_its_line_in_any_file_but_the_lock_file() {
        for pieces in FORBIDDEN {
            let text = format!("fine\nsee {}x", pieces.concat());
            let found = rules("docs/a.md", &text);
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].starts_with("docs/a.md:2: contains"), "{}", found[0]);
            assert!(rules("Cargo.lock", &text).is_empty());
            assert!(rules("tests/rivals/Cargo.lock", &text).is_empty());
        }
    }

    #[test]
    fn code_that_must_not_be_committed_is_named() {
        let found = rules("host/a.rs", "//! Owns a.\nfn a() {\n    dbg!(1);\n}\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("host/a.rs:3: calls `dbg!`; "), "{}", found[0]);
        let found = rules("host/a.rs", "//! Owns a.\n#[test]\n#[ignore]\nfn a() {}\n");
        assert!(found[0].starts_with("host/a.rs:3: ignores a test; "), "{}", found[0]);
        let found = rules("host/a.rs", "//! Owns a.\nfn a() {\n");
        assert!(found[0].contains("not Rust"), "{}", found[0]);
    }
}
