//! A comment in a file, whatever the kind of the file: what it says, and what of that can be taken.

use caplet_sdk::Target;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::comment::{BODY_MAX_CHARS, check_body};
use crate::state::State;

/// The most characters of a name.
const NAME_MAX_CHARS: usize = 200;
/// The most characters of a subject, which is what the host takes from tokens.
const SUBJECT_MAX_CHARS: usize = 255;

/// A comment that could be read.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it begins in the file, from 1.
    pub line: usize,
    /// What the file calls it.
    pub key: String,
    /// What the file calls the comment it answers.
    pub parent: Option<String>,
    /// The id it has here.
    pub id: String,
    pub target: Target,
    pub author: Option<String>,
    pub author_name: Option<String>,
    pub body: Body,
    pub state: State,
    pub deleted: bool,
    pub created_ms: i64,
    pub edited_ms: Option<i64>,
}

/// The text of a comment in a file.
#[derive(Debug, Clone)]
pub enum Body {
    Markdown(String),
    Html(String),
}

impl Row {
    /// Whether everybody may see its place.
    pub fn is_shown(&self) -> bool {
        self.deleted || self.state.is_approved()
    }
}

/// A part of a file that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Refusal {
    /// Where it begins in the file, from 1.
    line: usize,
    /// What the file calls it; null where that could not be read.
    row: Option<String>,
    /// What is wrong with it.
    reason: String,
}

impl Refusal {
    pub fn new(line: usize, row: Option<&str>, reason: impl Into<String>) -> Self {
        let row = row.map(|row| row.chars().take(NAME_MAX_CHARS).collect());
        Self { line, row, reason: reason.into() }
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Contents {
    pub rows: Vec<Row>,
    pub refused: Vec<Refusal>,
}

/// Whether a text is an id that this plugin may have made by now.
pub fn is_own_id(text: &str, now_ms: i64) -> bool {
    let made = Uuid::parse_str(text).ok().filter(|id| id.to_string() == text);
    let made = made.filter(|id| id.get_version_num() == 7).and_then(|id| id.get_timestamp());
    made.is_some_and(|made| {
        let (seconds, nanoseconds) = made.to_unix();
        let made_ms = seconds.saturating_mul(1_000) + u64::from(nanoseconds / 1_000_000);
        i64::try_from(made_ms).is_ok_and(|made_ms| made_ms <= now_ms)
    })
}

/// Reads an RFC 3339 time that is not in the future.
///
/// # Errors
/// What is wrong with it.
pub fn time(text: &str, now_ms: i64) -> Result<i64, String> {
    let time: jiff::Timestamp =
        text.parse().map_err(|_| format!("`{}` is no RFC 3339 time", short(text)))?;
    match time.as_millisecond() {
        time_ms if time_ms < 0 => Err("its time is before 1970".to_owned()),
        time_ms if time_ms > now_ms => Err("its time is in the future".to_owned()),
        time_ms => Ok(time_ms),
    }
}

/// Checks a text by the rules for new comments.
///
/// # Errors
/// What is wrong with it.
pub fn checked_body(body: String) -> Result<String, String> {
    if body.chars().count() > BODY_MAX_CHARS {
        return Err(format!("its text has more than {BODY_MAX_CHARS} characters"));
    }
    check_body(&body, &()).map_err(|error| format!("its text {error}"))?;
    Ok(body)
}

/// Checks a subject, which stands for the same caller here and must not be changed.
///
/// # Errors
/// What is wrong with it.
pub fn subject(text: String) -> Result<String, String> {
    let is_one = (1..=SUBJECT_MAX_CHARS).contains(&text.chars().count())
        && !text.chars().any(char::is_control);
    if is_one { Ok(text) } else { Err("its author is no subject of a token".to_owned()) }
}

/// A name without what cannot be stored, or none when nothing is left; cut where it is too long.
pub fn name(text: &str) -> Option<String> {
    let name: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    let name: String = name.chars().take(NAME_MAX_CHARS).collect();
    (!name.is_empty()).then_some(name)
}

/// A target of this type from what elsewhere identifies a page: characters that an id cannot have
/// are written as `=` and their bytes in hexadecimal.
///
/// # Errors
/// What is wrong with it.
pub fn target(kind: &str, page: &str) -> Result<Target, String> {
    let mut target = format!("{kind}:");
    for byte in page.bytes() {
        if byte.is_ascii_alphanumeric() || b"._~:@/+-".contains(&byte) {
            target.push(char::from(byte));
        } else {
            target.push_str(&format!("={byte:02X}"));
        }
    }
    Target::parse(target).map_err(|reason| format!("its page `{}` {reason}", short(page)))
}

/// The beginning of a text, for messages.
pub fn short(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derived::derived_id;

    const NOW_MS: i64 = 1_700_000_000_000;

    #[test]
    fn ids_of_the_future_and_of_others_are_not_taken_over() {
        let late = derived_id("disqus", "1", NOW_MS + 1);
        for id in [late.as_str(), "", "1", "ffffffff-ffff-7fff-bfff-ffffffffffff"] {
            assert!(!is_own_id(id, NOW_MS), "{id}");
        }
        assert!(!is_own_id("9f0b2b6e-7c2e-4c8e-9a53-0a6b0e8a4f10", NOW_MS));
        assert!(!is_own_id(&derived_id("a", "1", 1).to_uppercase(), NOW_MS));
    }

    #[test]
    fn times_are_bounded() {
        assert_eq!(time("2012-03-04T05:06:07Z", NOW_MS), Ok(1_330_837_567_000));
        assert_eq!(time("2012-03-04T06:06:07.5+01:00", NOW_MS), Ok(1_330_837_567_500));
        for text in ["", "yesterday", "1960-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
            assert!(time(text, NOW_MS).is_err(), "{text}");
        }
    }

    #[test]
    fn pages_become_targets() {
        assert_eq!(
            target("page", "/2012/a post?b=c").unwrap().as_str(),
            "page:/2012/a=20post=3Fb=3Dc"
        );
        assert!(target("page", "").is_err());
        assert!(target("page", &"/".repeat(201)).is_err());
    }

    #[test]
    fn names_lose_what_cannot_be_stored() {
        assert_eq!(name(" Ada\0\n "), Some("Ada".to_owned()));
        assert_eq!(name(" \0"), None);
        assert_eq!(name(&"x".repeat(500)).unwrap().len(), 200);
    }
}
