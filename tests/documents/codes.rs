//! The codes of problem documents in docs/http.md against the sources: each that the host or the SDK
//! sends is in the table of its sender, and no other.

use std::collections::BTreeSet;

use crate::names::{is_word, without_tests};
use crate::page::{Page, names, quoted, read};

#[test]
fn every_code_of_the_host_is_documented() {
    let mut sent = codes("host/server/src");
    sent.extend(codes("host/server/src/gateway"));
    sent.extend(codes("host/server/src/identity"));
    sent.extend(codes("host/server/src/pages"));
    sent.extend(codes_of_faults());
    assert_eq!(documented("### Sent by the host"), sent);
}

#[test]
fn every_code_of_the_sdk_is_documented() {
    let mut sent = codes("plugins/sdk/rust/src");
    sent.extend(codes("plugins/sdk/rust/src/extract"));
    assert_eq!(documented("### Sent by plugins made with the SDK"), sent);
}

fn documented(heading: &str) -> BTreeSet<String> {
    let rows = Page::read("docs/http.md").rows(heading);
    let cells = rows.iter().filter_map(|row| row.get(1));
    let codes = cells.flat_map(|cell| quoted(cell)).filter(|code| *code != "code");
    codes.map(str::to_owned).collect()
}

fn codes(folder: &str) -> BTreeSet<String> {
    let files = names(folder).into_iter().filter(|path| path.ends_with(".rs"));
    files.flat_map(|path| codes_of(&read(&path))).collect()
}

/// The texts that stand where a code stands: after a status, or as the argument of what takes a code.
fn codes_of(source: &str) -> BTreeSet<String> {
    let source = without_tests(source).split_whitespace().collect::<Vec<_>>().join(" ");
    let parts: Vec<&str> = source.split('"').collect();
    let pairs = parts.windows(2).step_by(2);
    let found = pairs.filter(|pair| is_word(pair[1]) && announces_code(pair[0].trim_end()));
    found.map(|pair| pair[1].to_owned()).collect()
}

fn announces_code(before: &str) -> bool {
    let argument = before.rsplit('(').next().unwrap_or_default();
    let status = before.rsplit(' ').next().unwrap_or_default();
    let is_constant =
        status.len() > 3 && status.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    before.ends_with("malformed(")
        || before.ends_with("with_code(")
        || before.ends_with(" bad(")
        || before.ends_with(" later(")
        || argument.trim_start().starts_with("StatusCode::")
        || argument.trim_start() == "status,"
        || is_constant
}

/// What `Fault::code` gives.
fn codes_of_faults() -> BTreeSet<String> {
    let source = read("host/runtime/src/fault.rs");
    let below = source.split("fn code(").nth(1).expect("faults have codes");
    let function = below.split("fn ").next().unwrap_or_default();
    function.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn finds_codes_where_they_stand() {
    let source = r#"Problem::new(StatusCode::GONE, "a-b", "Text."); malformed( "c-d", "e-f");
        not_found NOT_FOUND "g-h"; let status = 1; Problem::new(status, "i-j", "k-l")"#;
    let found: Vec<String> = codes_of(source).into_iter().collect();
    assert_eq!(found, ["a-b", "c-d", "g-h", "i-j"]);
}
