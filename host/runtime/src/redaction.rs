//! Takes the values of a plugin's secrets out of the texts of its guests, wherever such a text is kept or
//! shown: log lines, faults, answers that are errors, statements. Values are found as they are and in the
//! forms that programs write them in by habit.
//!
//! A guest that wants to give its secret away can: it can turn it around, or send it in its answers. This
//! is against accidents.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use arc_swap::ArcSwapOption;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::load::LoadError;
use crate::runtime::Inner;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "***";

/// The shortest value that is looked for, in bytes: shorter ones are parts of everything.
pub(crate) const VALUE_BYTES_MIN: usize = 4;

/// Values of one plugin that are looked for: those of the settings that serve, and those before.
const VALUES_MAX: usize = 256;

/// The shortest piece of base64 that is looked for.
const BASE64_BYTES_MIN: usize = 8;

/// What a URL leaves as it is (RFC 3986, section 2.3).
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The secrets of one plugin, shared by all its generations: what an old one has told may come out of a
/// new one.
#[derive(Default)]
pub(crate) struct Redaction {
    values: Mutex<VecDeque<String>>,
    matcher: ArcSwapOption<Matcher>,
}

struct Matcher {
    automaton: AhoCorasick,
    longest_bytes: usize,
}

impl Redaction {
    /// Looks for these values too, from now on.
    pub(crate) fn add(&self, secrets: &[String]) {
        let mut values = self.values.lock();
        let n_before = values.len();
        for secret in secrets.iter().filter(|it| it.len() >= VALUE_BYTES_MIN) {
            // What is given now is in force: it is forgotten after what is not.
            let known = values.iter().position(|value| value == secret);
            let value = known.and_then(|place| values.remove(place));
            values.push_back(value.unwrap_or_else(|| secret.clone()));
        }
        if values.len() == n_before {
            return;
        }
        while values.len() > VALUES_MAX {
            values.pop_front();
        }
        self.matcher.store(Matcher::of(values.iter()).map(Arc::new));
    }

    /// The text without secrets. One look at a shared pointer for a plugin that has none.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let matcher = self.matcher.load();
        match &*matcher {
            Some(matcher) if matcher.automaton.is_match(text) => {
                let mut clean = String::with_capacity(text.len());
                matcher.automaton.replace_all_with(text, &mut clean, |_, _, clean| {
                    clean.push_str(REDACTED);
                    true
                });
                Cow::Owned(clean)
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// The bytes without secrets; none when there are none in them.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let matcher = self.matcher.load_full().filter(|it| it.automaton.is_match(bytes))?;
        let mut clean = Vec::with_capacity(bytes.len());
        matcher.automaton.replace_all_with_bytes(bytes, &mut clean, |_, _, clean| {
            clean.extend_from_slice(REDACTED.as_bytes());
            true
        });
        Some(clean)
    }

    /// How much of a text that goes on must be kept back, so that no secret is cut in two.
    pub(crate) fn kept_back_bytes(&self) -> usize {
        self.matcher.load().as_ref().map_or(0, |matcher| matcher.longest_bytes - 1)
    }
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redaction").field("n_values", &self.values.lock().len()).finish()
    }
}

impl Inner {
    /// The secrets of a plugin, whether it is loaded or not.
    pub(crate) fn redaction(&self, plugin: &str) -> Arc<Redaction> {
        self.redactions.lock().entry(plugin.to_owned()).or_default().clone()
    }

    /// A refusal, the reasons of which may have come from a guest.
    pub(crate) fn redacted(&self, mut error: LoadError) -> LoadError {
        if let Some(plugin) = &error.plugin {
            let redaction = self.redaction(plugin);
            for reason in &mut error.reasons {
                *reason = redaction.text(reason).into_owned();
            }
        }
        error
    }
}

impl Matcher {
    fn of<'a>(values: impl Iterator<Item = &'a String>) -> Option<Self> {
        let forms: BTreeSet<String> = values.flat_map(|value| forms(value)).collect();
        let longest_bytes = forms.iter().map(String::len).max()?;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&forms)
            .inspect_err(|error| tracing::error!(%error, "secrets cannot be looked for"))
            .ok()?;
        Some(Self { automaton, longest_bytes })
    }
}

/// A value as it is and as programs write it, and its lines, because logs are written by lines.
fn forms(value: &str) -> Vec<String> {
    let lines = value.lines().map(str::trim).filter(|line| *line != value);
    let mut forms: Vec<String> = lines.map(str::to_owned).collect();
    let json = serde_json::Value::from(value).to_string();
    forms.extend([
        value.to_owned(),
        json[1..json.len() - 1].to_owned(),
        value.escape_debug().to_string(),
        value.escape_default().to_string(),
        HEXLOWER.encode(value.as_bytes()),
        HEXUPPER.encode(value.as_bytes()),
        utf8_percent_encode(value, URL).to_string(),
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(value, URL).to_string().replace("%20", "+"),
        value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;"),
    ]);
    forms.extend((0..3).flat_map(|n_before| base64(value, n_before)));
    forms.retain(|form| form.len() >= VALUE_BYTES_MIN);
    forms
}

/// The characters that `value` alone decides when it is encoded behind `n_before` bytes of something else.
fn base64(value: &str, n_before: usize) -> Vec<String> {
    let bytes = [&[0; 2][..n_before], value.as_bytes()].concat();
    let n_undecided_before = (n_before * 8).div_ceil(6);
    let n_decided = bytes.len() * 8 / 6;
    [BASE64_NOPAD.encode(&bytes), BASE64URL_NOPAD.encode(&bytes)]
        .into_iter()
        .map(|text| text[n_undecided_before..n_decided].to_owned())
        .filter(|text| text.len() >= BASE64_BYTES_MIN)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2 \"& so/on?";

    fn redaction(values: &[&str]) -> Redaction {
        let redaction = Redaction::default();
        redaction.add(&values.iter().map(ToString::to_string).collect::<Vec<_>>());
        redaction
    }

    #[test]
    fn what_is_in_force_is_forgotten_last() {
        let redaction = redaction(&["fixed-key"]);
        for n in 0..VALUES_MAX * 2 {
            redaction.add(&["fixed-key".to_owned(), format!("rotated-key-{n}-")]);
        }
        assert_eq!(redaction.text("fixed-key"), REDACTED);
        assert_eq!(redaction.text("rotated-key-0-"), "rotated-key-0-", "so many are not kept");
    }

    #[test]
    fn takes_out_the_value_and_the_forms_programs_write() {
        let redaction = redaction(&[SECRET]);
        let encode = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
        for (text, clean) in [
            (format!("a {SECRET} b {SECRET}"), "a *** b ***".to_owned()),
            (format!("{}", serde_json::json!({ "k": SECRET })), r#"{"k":"***"}"#.to_owned()),
            (format!("{SECRET:?}"), "\"***\"".to_owned()),
            (format!("?t={}", utf8_percent_encode(SECRET, URL)), "?t=***".to_owned()),
            (HEXUPPER.encode(SECRET.as_bytes()), "***".to_owned()),
        ] {
            assert_eq!(redaction.text(&text), clean);
            assert_eq!(redaction.bytes(text.as_bytes()).unwrap(), clean.as_bytes());
        }
        for user in ["", "a", "ab", "abc", "user:"] {
            let text = encode(&format!("{user}{SECRET}:more"));
            assert!(redaction.text(&text).contains(REDACTED), "{user}: {text}");
        }
    }

    #[test]
    fn leaves_other_texts_as_they_are() {
        for redaction in [redaction(&[]), redaction(&["abc", ""]), redaction(&[SECRET])] {
            assert!(matches!(redaction.text("abc and hunter"), Cow::Borrowed("abc and hunter")));
            assert_eq!(redaction.bytes(b"abc and hunter"), None);
        }
    }

    #[test]
    fn finds_the_lines_of_a_value_and_the_longer_of_two() {
        let redaction = redaction(&["first line\nsecond line", "pass", "password"]);
        assert_eq!(redaction.text("it: second line"), "it: ***");
        assert_eq!(redaction.text("password, pass"), "***, ***");
    }

    #[test]
    fn forgets_the_oldest_of_very_many() {
        let redaction = Redaction::default();
        for n in 0..=VALUES_MAX {
            redaction.add(&[format!("secret-{n:04}")]);
        }
        assert_eq!(redaction.text("secret-0000"), "secret-0000");
        assert_eq!(redaction.text("secret-0001"), REDACTED);
    }
}
