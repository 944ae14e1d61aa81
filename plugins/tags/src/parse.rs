//! Tag strings: `apple, "ball cat" dog` as people type it into one field, and `POST /parse`.
//!
//! The rules are those that users of django-taggit know. Quotes come first and may hold anything;
//! where there is a comma outside of quotes, commas separate, else spaces do. The names come without
//! duplicates, in the order of their code points, and are not normalised here.

use std::collections::BTreeSet;

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::is_space;

/// The most characters of a tag string: 50 names of 64, with quotes and commas.
pub const TEXT_MAX_CHARS: usize = 4_000;

/// A tag string to be parsed.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct TagString {
    /// Names with spaces or commas between them, some of them in quotes.
    #[garde(length(chars, max = TEXT_MAX_CHARS))]
    text: String,
}

/// The names in a tag string.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ParsedNames {
    /// As they were typed, each once, in the order of their code points.
    names: Vec<String>,
}

/// `POST /parse`
pub fn parse_tag_string(Json(string): Json<TagString>) -> Json<ParsedNames> {
    Json(ParsedNames { names: parse(&string.text) })
}

/// The names in a tag string.
pub fn parse(text: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut chunks: Vec<&str> = Vec::new();
    let mut saw_comma = false;
    let mut rest = text;
    while let Some((before, quoted)) = rest.split_once('"') {
        saw_comma |= before.contains(',');
        chunks.push(before);
        let Some((inside, after)) = quoted.split_once('"') else {
            // A quote that is never closed is none.
            saw_comma |= quoted.contains(',');
            chunks.push(quoted);
            rest = "";
            break;
        };
        insert(&mut names, inside);
        rest = after;
    }
    saw_comma |= rest.contains(',');
    chunks.push(rest);
    let separator = if saw_comma { ',' } else { ' ' };
    chunks.into_iter().flat_map(|chunk| chunk.split(separator)).for_each(|word| {
        insert(&mut names, word);
    });
    names.into_iter().collect()
}

fn insert(names: &mut BTreeSet<String>, word: &str) {
    let word = word.trim_matches(is_space);
    if !word.is_empty() {
        names.insert(word.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spaces_separate_unless_there_is_a_comma() {
        assert_eq!(parse("one two  three two"), ["one", "three", "two"]);
        assert_eq!(parse("one two, three"), ["one two", "three"]);
        assert_eq!(parse(",one, two ,,"), ["one", "two"]);
        assert_eq!(parse(" "), Vec::<String>::new());
        assert_eq!(parse("a\tb c\n"), ["a\tb", "c"]);
    }

    #[test]
    fn quotes_come_first() {
        assert_eq!(parse(r#""one two" three"#), ["one two", "three"]);
        assert_eq!(parse(r#""one, two" three four"#), ["four", "one, two", "three"]);
        assert_eq!(parse(r#"one, "two, three" four five"#), ["four five", "one", "two, three"]);
        assert_eq!(parse(r#"a"b"c"#), ["a", "b", "c"]);
        assert_eq!(parse(r#""" " ""#), Vec::<String>::new());
    }

    #[test]
    fn a_quote_that_is_never_closed_is_none() {
        assert_eq!(parse(r#""one two"#), ["one", "two"]);
        assert_eq!(parse(r#"one "two, three"#), ["one", "three", "two"]);
    }

    /// A name as it is typed so that it comes back whole.
    fn quoted(name: &str) -> String {
        format!("\"{name}\"")
    }

    proptest! {
        #[test]
        fn names_in_quotes_come_back(words in prop::collection::btree_set("[^\"]{1,20}", 0..6)) {
            let typed: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            let trimmed: BTreeSet<String> = words
                .iter()
                .map(|word| word.trim_matches(is_space).to_owned())
                .filter(|word| !word.is_empty())
                .collect();
            for between in [" ", ", ", ","] {
                let names = parse(&typed.join(between));
                prop_assert_eq!(names, trimmed.iter().cloned().collect::<Vec<_>>());
            }
        }

        #[test]
        fn what_is_parsed_is_trimmed_sorted_and_once(text in "(?s).{0,60}") {
            let names = parse(&text);
            let mut sorted = names.clone();
            sorted.sort();
            sorted.dedup();
            prop_assert_eq!(&sorted, &names);
            for name in names {
                prop_assert!(!name.is_empty() && name.trim_matches(is_space) == name);
                prop_assert!(text.contains(&name));
            }
        }
    }
}
