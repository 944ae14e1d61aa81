//! `BannedWords`: words that are found whatever capitals, widths and invisible characters they are
//! written with.

use std::borrow::Cow;
use std::collections::HashSet;

use icu_normalizer::ComposingNormalizerBorrowed;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// The most entries.
const ENTRIES_MAX: usize = 1_000;
/// The most characters of an entry.
const ENTRY_MAX_CHARS: usize = 100;

/// Words and phrases, made ready to be looked for. They match whole words only; one that ends in `*`
/// matches all words that begin with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct BannedWords {
    written: Vec<String>,
    #[serde(skip)]
    phrases: HashSet<String>,
    #[serde(skip)]
    beginnings: Vec<String>,
}

impl BannedWords {
    fn new(written: Vec<String>) -> Self {
        let (beginnings, phrases): (Vec<_>, Vec<_>) =
            written.iter().partition(|entry| entry.ends_with('*'));
        Self {
            phrases: phrases.into_iter().map(|entry| ready(entry)).collect(),
            beginnings: beginnings.into_iter().map(|entry| ready(entry)).collect(),
            written,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Whether one of them is in a text.
    pub fn are_in(&self, text: &str) -> bool {
        let text = ready(text);
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let longest = self.phrases.iter().map(|phrase| phrase.split(' ').count()).max();
        let has_phrase = (0..words.len()).any(|first| {
            let most = longest.unwrap_or(0).min(words.len() - first);
            (1..=most)
                .any(|n_words| self.phrases.contains(&words[first..first + n_words].join(" ")))
        });
        let begins = |word: &&str| self.beginnings.iter().any(|begin| word.starts_with(begin));
        has_phrase || words.iter().any(begins)
    }
}

/// A text as words with single spaces between them: compatibility forms and capitals made one, and
/// what is neither letter, digit nor mark taken for a space, but what is invisible for nothing.
fn ready(text: &str) -> String {
    let visible: String = text.chars().filter(|&c| !is_invisible(c)).collect();
    let normalized: Cow<'_, str> = ComposingNormalizerBorrowed::new_nfkc().normalize(&visible);
    let is_part = |c: &char| c.is_alphanumeric() || is_mark(*c);
    let spaced: String =
        normalized.to_lowercase().chars().map(|c| if is_part(&c) { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters without a look of their own: joiners, direction marks, the soft hyphen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// The combining marks that have no composed form.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}')
}

impl<'de> Deserialize<'de> for BannedWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::new)
    }
}

impl JsonSchema for BannedWords {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("BannedWords")
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        // An entry needs a character to look for before its `*`.
        json_schema!({
            "type": "array",
            "maxItems": ENTRIES_MAX,
            "items": {
                "type": "string", "minLength": 1, "maxLength": ENTRY_MAX_CHARS,
                "pattern": "[^\\s*]",
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(entry: &str, text: &str) -> bool {
        BannedWords::new(vec![entry.to_owned()]).are_in(text)
    }

    #[test]
    fn whole_words_are_found_in_any_spelling() {
        for text in ["casino", "The CASINO.", "ｃａｓｉｎｏ", "ca\u{200b}si\u{ad}no", "\"casino\"?"]
        {
            assert!(finds("casino", text), "{text}");
        }
        for text in ["casinos", "occasino", "cas ino", "", "кasino"] {
            assert!(!finds("casino", text), "{text}");
        }
        assert!(finds("ÉCOLE", "e\u{301}cole"));
    }

    #[test]
    fn beginnings_and_phrases_are_found() {
        assert!(finds("casino*", "many casinos") && finds("casino*", "casino"));
        assert!(!finds("casino*", "acasino"));
        assert!(finds("free money", "FREE,\n money!") && !finds("free money", "free the money"));
    }

    #[test]
    fn no_entries_find_nothing() {
        assert!(BannedWords::default().is_empty());
        assert!(!BannedWords::default().are_in("anything"));
    }
}
