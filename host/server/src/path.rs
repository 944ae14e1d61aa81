//! The one place where a request's path is judged, before anything is routed by it. What passes
//! means the same to every part of the host; what could mean two things is refused, never repaired.

use std::borrow::Cow;

use crate::percent::{self, Malformed};

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("The path must begin with a slash.")]
    Relative,
    #[error("The path has an empty segment.")]
    EmptySegment,
    #[error("The path has a dot segment.")]
    DotSegment,
    #[error("The path has a control character.")]
    Control,
    #[error("The path has a backslash.")]
    Backslash,
    #[error("The path has a character that must be percent-encoded.")]
    NotAscii,
    #[error("The path is malformed: {0}.")]
    Malformed(#[from] Malformed),
}

/// Checks a path and returns it in the one form that routing uses: escapes of letters, digits and
/// `-._~` are decoded, all others stay, so that an encoded slash remains within its segment.
///
/// A single slash at the end is kept: it makes an empty last segment.
pub(crate) fn normalise(path: &str) -> Result<Cow<'_, str>, Refused> {
    if is_plain(path) {
        return Ok(Cow::Borrowed(path));
    }
    let segments = path.strip_prefix('/').ok_or(Refused::Relative)?;
    let mut rest = Some(segments);
    while let Some(text) = rest {
        let (segment, tail) = match text.split_once('/') {
            Some((segment, tail)) => (segment, Some(tail)),
            None => (text, None),
        };
        if segment.is_empty() && tail.is_some() {
            return Err(Refused::EmptySegment);
        }
        check_segment(segment)?;
        rest = tail;
    }
    if path.contains('%') {
        Ok(Cow::Owned(decode_unreserved(path)))
    } else {
        Ok(Cow::Borrowed(path))
    }
}

/// Whether there is nothing to judge, as in nearly every path: only letters, digits and `-_:`, and no
/// slash after a slash. What is not plain is looked at with care.
fn is_plain(path: &str) -> bool {
    let mut before = 0;
    let is_plain = path.bytes().all(|byte| {
        let is_slash = byte == b'/' && before != b'/';
        before = byte;
        is_slash || byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':')
    });
    is_plain && path.starts_with('/')
}

fn check_segment(segment: &str) -> Result<(), Refused> {
    if !segment.is_ascii() {
        return Err(Refused::NotAscii);
    }
    let decoded = percent::decode(segment)?;
    if decoded == "." || decoded == ".." {
        return Err(Refused::DotSegment);
    }
    for character in decoded.chars() {
        if character == '\\' {
            return Err(Refused::Backslash);
        }
        if character.is_control() {
            return Err(Refused::Control);
        }
    }
    Ok(())
}

/// Decodes what RFC 3986, section 2.3, says never needs an escape. Expects well-formed escapes.
fn decode_unreserved(path: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    let mut parts = path.split('%');
    normal.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (digits, rest) = part.split_at(2);
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
            }
            _ => {
                normal.push('%');
                normal.push_str(&digits.to_ascii_uppercase());
            }
        }
        normal.push_str(rest);
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_ordinary_paths_pass_unchanged() {
        for path in [
            "/",
            "/api/comments",
            "/api/comments/",
            "/api/comments/post:1/@me/a.b/..c/...",
            "/a/%2F/b",
            "/a/%C3%B6",
            "/a/%25",
        ] {
            assert_eq!(normalise(path).unwrap(), path);
        }
    }

    #[test]
    fn plain_paths_are_those_that_care_would_let_pass_unchanged() {
        for path in ["/", "/api/comments", "/api/a-b_c/post:1/"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["", "a", "//", "/a//b", "/.", "/a/..", "/a/%2e", "/a\\b", "/ö", "/a\u{1}"] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn decodes_what_needs_no_escape() {
        assert_eq!(normalise("/api/%63omments/%7eme").unwrap(), "/api/comments/~me");
        assert_eq!(normalise("/a/%2f%c3%b6").unwrap(), "/a/%2F%C3%B6");
        assert_eq!(normalise("/a/%252e%252e").unwrap(), "/a/%252e%252e");
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        use Refused::{Backslash, Control, DotSegment, EmptySegment, NotAscii, Relative};
        let table = [
            ("", Relative),
            ("*", Relative),
            ("api", Relative),
            ("//", EmptySegment),
            ("//api", EmptySegment),
            ("/api//comments", EmptySegment),
            ("/api/x//", EmptySegment),
            ("/.", DotSegment),
            ("/a/..", DotSegment),
            ("/a/../b", DotSegment),
            ("/a/%2e%2E/b", DotSegment),
            ("/a/.%2e/b", DotSegment),
            ("/a/%2e", DotSegment),
            ("/a/%00", Control),
            ("/a/%0d%0a", Control),
            ("/a/%7f", Control),
            ("/a/%C2%85", Control),
            ("/a/\u{1}", Control),
            ("/a\\b", Backslash),
            ("/a%5Cb", Backslash),
            ("/größe", NotAscii),
            ("/a/%", Refused::Malformed(Malformed::Percent)),
            ("/a/%g0", Refused::Malformed(Malformed::Percent)),
            ("/a/%2", Refused::Malformed(Malformed::Percent)),
            ("/a/%ff", Refused::Malformed(Malformed::Utf8)),
            ("/a/%c0%ae%c0%ae/b", Refused::Malformed(Malformed::Utf8)),
        ];
        for (path, reason) in table {
            assert_eq!(normalise(path), Err(reason), "{path:?}");
        }
    }

    #[test]
    fn is_idempotent_on_all_single_escapes() {
        for byte in 0..=u8::MAX {
            let path = format!("/a/%{byte:02x}/b");
            if let Ok(normal) = normalise(&path) {
                assert_eq!(normalise(&normal).unwrap(), normal, "{path}");
            }
        }
    }
}
