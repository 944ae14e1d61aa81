//! Names of tags: what is kept of a name as it was typed, and by what two names are compared.
//!
//! Pure functions; who owns a name is in `names`, see [`create`](crate::create).

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// The most characters of a name, after its normalisation.
pub const NAME_MAX_CHARS: usize = 64;

/// A name, fit to be shown and to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// In NFKC, trimmed, with single spaces and without invisible characters; capitals stay.
    pub shown: String,
    /// `shown` with its case folded: names with the same one are the same name.
    pub folded: String,
}

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow the name of its place.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        // Normalisation may lengthen a text eighteen times: what is this long is too long anyhow.
        if text.chars().count() > NAME_MAX_CHARS * 4 {
            return Err("is longer than 64 characters");
        }
        if text.nfkc().any(|c| c.is_control() && !is_space(c)) {
            return Err("contains a control character");
        }
        let shown = tidied(text);
        let folded = fold(&shown);
        if folded.is_empty() {
            return Err("has no characters that can be seen");
        }
        if shown.chars().count() > NAME_MAX_CHARS {
            return Err("is longer than 64 characters");
        }
        Ok(Self { shown, folded })
    }

    /// What the name looks like: names with the same skeleton may be taken for each other.
    pub fn skeleton(&self) -> String {
        // Folded again, because the skeleton of a small letter may be a capital, as of 0 it is O.
        fold(&skeleton(&self.folded).collect::<String>())
    }
}

/// What names are compared by: NFKC and full case folding, until nothing changes any more (a step of
/// one may make work for the other), without characters that are not seen.
pub fn fold(text: &str) -> String {
    let mut folded = tidied(text);
    loop {
        let visible = folded.chars().filter(|&c| !is_joiner(c));
        let again = tidied(&visible.default_case_fold().nfkc().collect::<String>());
        if again == folded {
            return folded;
        }
        folded = again;
    }
}

/// NFKC, trimmed, each run of white space one space, without invisible characters.
fn tidied(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for c in text.nfkc().filter(|&c| !is_invisible(c)) {
        if !is_space(c) {
            tidy.push(c);
        } else if !tidy.is_empty() && !tidy.ends_with(' ') {
            tidy.push(' ');
        }
    }
    tidy.truncate(tidy.trim_end().len());
    tidy
}

/// White space as Python's `str.isspace` knows it, which is what tag strings are split by elsewhere:
/// Unicode's and the four information separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Characters without a width that only hide in a name: soft hyphens, zero-width spaces, marks and
/// overrides of direction, tags, fillers.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Joiners and variation selectors: they change how letters and emoji look and stay in what is shown,
/// but make no other name.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(text: &str) -> String {
        Name::read(text).unwrap().folded
    }

    #[test]
    fn names_that_are_the_same_fold_alike() {
        for (one, other) in [
            ("Rust", "rUST"),
            ("  machine   learning\u{a0}", "Machine Learning"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ﬁnance", "Finance"),
            ("Ｃａｆｅ\u{301}", "café"),
            ("ⅨI", "ixi"),
            ("zero\u{200b}width", "zerowidth"),
            ("\u{202e}evil\u{202c}", "evil"),
            ("❤\u{fe0f}", "❤"),
        ] {
            assert_eq!(folded(one), folded(other), "{one:?} and {other:?}");
        }
        assert_ne!(folded("c++"), folded("c#"));
    }

    #[test]
    fn capitals_are_shown_as_they_were_typed() {
        assert_eq!(Name::read("  Open \t Source ").unwrap().shown, "Open Source");
    }

    #[test]
    fn names_are_bounded_and_can_be_seen() {
        assert!(Name::read(&"é".repeat(64)).is_ok());
        let long = "a".repeat(65);
        let huge = "a".repeat(100_000);
        // One character that is eighteen after normalisation.
        let growing = "\u{fdfa}".repeat(4);
        for text in ["", " ", "\u{200b}", "\u{200d}", "a\0", "a\u{7}b", &long, &huge, &growing] {
            assert!(Name::read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        let skeleton = |text: &str| Name::read(text).unwrap().skeleton();
        // The second of each has a letter of another script, or a digit.
        for (one, other) in [("paypal", "pаypаl"), ("scope", "ѕсоре"), ("book", "b00k")] {
            assert_ne!(folded(one), folded(other));
            assert_eq!(skeleton(one), skeleton(other), "{one} and {other}");
        }
        assert_ne!(skeleton("rust"), skeleton("ruby"));
    }

    /// Turkish dotless i has a capital of its own in no language but its own. The others are pairs that
    /// Rust's tables know and those of the folding, which are a few versions of Unicode older, do not.
    fn is_folded_otherwise(letter: char) -> bool {
        matches!(letter, 'ı' | '\u{1c89}'..='\u{1c8a}' | '\u{a7cb}'..='\u{a7dc}'
            | '\u{10d50}'..='\u{10d8f}' | '\u{16ea0}'..='\u{16ed3}')
    }

    proptest! {
        #[test]
        fn folding_again_changes_nothing(text in ".{0,80}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn case_and_space_make_no_other_name(text in "[\\PC]{1,40}") {
            if let Ok(name) = Name::read(&text) {
                let upper = fold(&name.shown.to_uppercase());
                if !name.shown.contains(is_folded_otherwise) {
                    prop_assert_eq!(upper, name.folded.clone());
                }
                prop_assert_eq!(Name::read(&format!(" \u{a0}{text}\n")).unwrap(), name);
            }
        }

        #[test]
        fn a_name_reads_back_as_itself(text in any::<String>()) {
            if let Ok(name) = Name::read(&text) {
                prop_assert_eq!(Name::read(&name.shown).unwrap(), name.clone());
                prop_assert!(name.shown.chars().count() <= NAME_MAX_CHARS);
                prop_assert!(!name.shown.contains('\0') && !name.folded.contains('\0'));
            }
        }
    }
}
