//! Entity tags and the conditions on them (RFC 9110, sections 8.8.3 and 13.1).

use std::fmt::{self, Display, Formatter};

use crate::problem::Problem;

/// A strong entity tag: it changes whenever the answer's bytes may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// A tag from a value, such as a row's version. What cannot stand in a tag (controls, spaces
    /// and double quotes) is replaced by `_`.
    pub fn strong(value: impl Display) -> Self {
        let mut value = value.to_string();
        if !value.bytes().all(is_tag_byte) {
            value = value
                .chars()
                .map(|c| if c.is_ascii_graphic() && c != '"' { c } else { '_' })
                .collect();
        }
        Self(value)
    }
}

impl Display for ETag {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0)
    }
}

/// The characters of an opaque tag, without the obsolete bytes above 0x7f.
fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"'
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
            Self::Tags(tags) => tags.iter().any(|(weak, tag)| !weak && *tag == current.0),
        }
    }

    /// The comparison of `If-None-Match`: weak or not does not matter.
    pub(crate) fn matches_weakly(&self, current: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|(_, tag)| *tag == current.0),
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
    }
}
