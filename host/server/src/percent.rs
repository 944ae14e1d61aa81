//! Percent-decoding that refuses what is malformed, for paths and queries alike. Which characters a
//! path may have is decided in [`crate::path`].

use std::borrow::Cow;

/// Why a text cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a percent sign is not followed by two hexadecimal digits")]
    Percent,
    #[error("it is not UTF-8 once decoded")]
    Utf8,
}

/// Decodes a segment of a path.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    decode_bytes(text.as_bytes(), b'+').map(Cow::Owned)
}

/// Decodes a name or value of `application/x-www-form-urlencoded`, where a plus sign is a space.
pub(crate) fn decode_form(text: &str) -> Result<String, Malformed> {
    decode_bytes(text.as_bytes(), b' ')
}

fn decode_bytes(text: &[u8], plus: u8) -> Result<String, Malformed> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        decoded.push(match first {
            b'%' => {
                let (byte, after) = escaped(tail).ok_or(Malformed::Percent)?;
                rest = after;
                byte
            }
            b'+' => plus,
            other => *other,
        });
    }
    String::from_utf8(decoded).map_err(|_| Malformed::Utf8)
}

fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    let high = char::from(digits[0]).to_digit(16)?;
    let low = char::from(digits[1]).to_digit(16)?;
    Some((u8::try_from(high * 16 + low).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_escapes_of_either_case() {
        assert_eq!(decode("gr%C3%b6%c3%9Fe").unwrap(), "größe");
        assert_eq!(decode("a+b").unwrap(), "a+b");
        assert_eq!(decode("a%2Bb+c").unwrap(), "a+b+c");
        assert_eq!(decode_form("a+b%2B").unwrap(), "a b+");
    }

    #[test]
    fn refuses_broken_escapes_and_foreign_encodings() {
        for text in ["%", "%1", "%zz", "%+1", "abc%2", "%%20"] {
            assert_eq!(decode(text), Err(Malformed::Percent), "{text}");
        }
        for text in ["%ff", "%C3", "%c0%af", "%ed%a0%80"] {
            assert_eq!(decode(text), Err(Malformed::Utf8), "{text}");
        }
    }
}
