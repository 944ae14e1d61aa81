//! Entity tags and the conditions on them (RFC 9110, sections 8.8.3 and 13.1).

use std::fmt::{self, Display, Formatter};

use crate::problem::Problem;

/// Between the version and the variant in a tag.
const VARIANT: char = ';';

/// A strong entity tag: it changes whenever the answer's bytes may change.
///
/// It is a version, and a variant where one version looks different to different callers. A caller
/// may change what it has seen in whatever variant, so that `If-Match` looks at the version only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag {
    version: String,
    variant: Option<String>,
}

impl ETag {
    /// A tag from a value, such as a row's version. What cannot stand in a tag (controls, spaces,
    /// double quotes and semicolons) is replaced by `_`.
    pub fn strong(value: impl Display) -> Self {
        Self { version: cleaned(value), variant: None }
    }

    /// The tag of one of several looks of the same version, such as what a caller sees that others
    /// do not. Cleaned like the version.
    #[must_use]
    pub fn variant(mut self, variant: impl Display) -> Self {
        self.variant = Some(cleaned(variant));
        self
    }

    /// Whether an opaque tag stands for this very look.
    fn is(&self, tag: &str) -> bool {
        match tag.split_once(VARIANT) {
            None => self.variant.is_none() && tag == self.version,
            Some((version, variant)) => {
                version == self.version && Some(variant) == self.variant.as_deref()
            }
        }
    }

    /// Whether an opaque tag stands for this version, in whatever variant.
    fn is_of_version(&self, tag: &str) -> bool {
        tag.split(VARIANT).next() == Some(self.version.as_str())
    }
}

/// A value as part of an opaque tag.
fn cleaned(value: impl Display) -> String {
    let value = value.to_string();
    if value.bytes().all(is_part_byte) {
        return value;
    }
    value.chars().map(|c| if u8::try_from(c).is_ok_and(is_part_byte) { c } else { '_' }).collect()
}

impl Display for ETag {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.variant {
            None => write!(formatter, "\"{}\"", self.version),
            Some(variant) => write!(formatter, "\"{}{VARIANT}{variant}\"", self.version),
        }
    }
}

/// The characters of an opaque tag, without the obsolete bytes above 0x7f and without the separator.
fn is_part_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && char::from(byte) != VARIANT
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `*`: whatever exists.
    Any,
    /// One of these tags; `true` marks a weak one.
    Tags(Vec<(bool, String)>),
}

impl Condition {
    /// Reads the lines of a header; none when it is absent.
    pub(crate) fn from_headers<'a>(
        lines: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Self>, Problem> {
        let lines: Vec<&str> = lines.collect();
        match lines.as_slice() {
            [] => Ok(None),
            [line] if line.trim() == "*" => Ok(Some(Self::Any)),
            lines => {
                let mut tags = Vec::new();
                for line in lines {
                    parse_tags(line, &mut tags).ok_or_else(malformed)?;
                }
                Ok(Some(Self::Tags(tags)))
            }
        }
    }

    /// The comparison of `If-Match`: a weak tag matches nothing.
    pub(crate) fn matches_strongly(&self, current: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|(weak, tag)| !weak && current.is_of_version(tag)),
        }
    }

    /// The comparison of `If-None-Match`: weak or not does not matter.
    pub(crate) fn matches_weakly(&self, current: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|(_, tag)| current.is(tag)),
        }
    }
}

fn malformed() -> Problem {
    Problem::bad_request("A list of entity tags is malformed: tags are written `\"…\"`.")
}

/// Reads `"a", W/"b"`, with the empty list elements that RFC 9110 tolerates.
fn parse_tags(line: &str, tags: &mut Vec<(bool, String)>) -> Option<()> {
    let mut rest = line.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let weak = rest.starts_with("W/");
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, after) = quoted.split_once('"')?;
        tags.push((weak, tag.to_owned()));
        let after = after.trim_start_matches([' ', '\t']);
        rest = after.trim_start_matches([' ', '\t', ',']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(lines: &[&str]) -> Option<Condition> {
        Condition::from_headers(lines.iter().copied()).ok().flatten()
    }

    #[test]
    fn reads_lists_over_several_lines() {
        let expected = vec![(false, "a".into()), (true, "b,c".into()), (false, "d".into())];
        assert_eq!(tags(&["\"a\" ,, W/\"b,c\"", "\"d\""]), Some(Condition::Tags(expected)));
        assert_eq!(tags(&[" * "]), Some(Condition::Any));
        assert_eq!(tags(&[]), None);
    }

    #[test]
    fn refuses_malformed_lists() {
        for line in ["a", "\"a", "\"a\" \"b\"", "w/\"a\"", "*, \"a\""] {
            let problem = Condition::from_headers([line].into_iter()).unwrap_err();
            assert_eq!(problem.status(), 400, "{line}");
        }
    }

    #[test]
    fn tags_never_break_out_of_their_quotes() {
        assert_eq!(ETag::strong("a\"\r\nb").to_string(), "\"a___b\"");
        assert_eq!(ETag::strong("3;é").variant("\";").to_string(), "\"3__;__\"");
    }

    #[test]
    fn a_variant_is_read_anew_and_changed_by_its_version() {
        let current = ETag::strong(3).variant("up");
        assert_eq!(current.to_string(), "\"3;up\"");
        for (line, is_read, may_change) in [
            ("\"3;up\"", true, true),
            ("\"3\"", false, true),
            ("\"3;down\"", false, true),
            ("\"2;up\"", false, false),
            ("\"3;up;\"", false, true),
            ("\"\"", false, false),
        ] {
            let condition = tags(&[line]).unwrap();
            assert_eq!(condition.matches_weakly(&current), is_read, "{line}");
            assert_eq!(condition.matches_strongly(&current), may_change, "{line}");
        }
        assert!(!tags(&["\"3;up\""]).unwrap().matches_weakly(&ETag::strong(3)));
    }
}
