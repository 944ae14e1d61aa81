//! docs/limits.md against the program: it has every limit, with its number, and what is counted is
//! counted under that word.

use std::collections::{BTreeMap, BTreeSet};

use crate::configuration::defaults;
use crate::names::words_in;
use crate::page::{Page, quoted};

/// The units in which numbers are written for people, and what they are in the units of the keys:
/// bytes, milliseconds, pieces.
const UNITS: [(&str, u64); 6] =
    [("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("ms", 1), ("s", 1_000)];

#[test]
fn every_limit_is_there_with_its_number() {
    let page = Page::read("docs/limits.md");
    let rows = page.all_rows().into_iter().filter(|row| row[0].starts_with('`'));
    let numbers: BTreeMap<String, u64> =
        rows.map(|row| (quoted(&row[0])[0].to_owned(), quantity(&row[1]))).collect();
    assert_eq!(numbers, defaults());
}

#[test]
fn what_is_counted_is_counted_under_that_word() {
    let folders = [
        "host/runtime/src",
        "host/server/src",
        "host/store/src",
        "host/store/src/gate",
        "host/store/src/sqlite",
    ];
    let counted: BTreeSet<String> = folders.into_iter().flat_map(words_in).collect();
    for row in Page::read("docs/limits.md").all_rows() {
        let word = row.get(3).map(|cell| quoted(cell)).unwrap_or_default();
        assert!(word.iter().all(|word| counted.contains(*word)), "{row:?}");
    }
}

/// A number with its unit: `64 MiB`, `10 s`, `5 000`.
fn quantity(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].trim();
    let number: u64 = digits.replace(' ', "").parse().unwrap_or_else(|_| panic!("{text}"));
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).expect("a unit that is known");
    number * factor
}

#[test]
fn reads_numbers_for_people() {
    assert_eq!(quantity("64 MiB"), 64 << 20);
    assert_eq!(quantity("10 s"), 10_000);
    assert_eq!(quantity("5 000"), 5_000);
}
