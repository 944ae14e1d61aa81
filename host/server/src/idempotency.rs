//! The `Idempotency-Key` header: which values are keys. What a key does is the runtime's.

use http::{HeaderMap, HeaderName};

/// The header's name.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in characters.
const KEY_CHARACTERS_MAX: usize = 255;

/// The header is there but is not one key of 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// The key of a request: a structured-field string (`"abc"`) or the same without quotes.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refused);
    }
    parse(value.as_bytes()).map(Some).ok_or(Refused)
}

fn parse(value: &[u8]) -> Option<String> {
    let key = match value.strip_prefix(b"\"") {
        Some(quoted) => unquote(quoted.strip_suffix(b"\"")?)?,
        None if value.contains(&b'"') => return None,
        None => value.to_vec(),
    };
    let fits = (1..=KEY_CHARACTERS_MAX).contains(&key.len());
    let visible = key.iter().all(u8::is_ascii_graphic);
    if fits && visible { String::from_utf8(key).ok() } else { None }
}

/// The content of a structured-field string, in which only `"` and `\` are escaped, and always are.
fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        content.push(match byte {
            b'\\' => *bytes.next().filter(|next| matches!(next, b'"' | b'\\'))?,
            b'"' => return None,
            other => *other,
        });
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_strings_and_bare_tokens_alike() {
        assert_eq!(parse(b"\"8e03978e\"").as_deref(), Some("8e03978e"));
        assert_eq!(parse(b"8e03978e").as_deref(), Some("8e03978e"));
        assert_eq!(parse(br#""a\"b\\c""#).as_deref(), Some(r#"a"b\c"#));
        assert_eq!(parse(&[b'k'; 255]).map(|key| key.len()), Some(255));
    }

    #[test]
    fn refuses_what_is_no_key() {
        let long = [b'k'; 256];
        let table: [&[u8]; 10] = [
            b"",
            b"\"\"",
            b"\"a",
            b"a\"",
            b"\"a\"b\"",
            b"\"a\";x=1",
            b"a b",
            b"\"a\\n\"",
            b"k\xc3\xb6",
            &long,
        ];
        for value in table {
            assert_eq!(parse(value), None, "{value:?}");
        }
    }

    #[test]
    fn refuses_two_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(key(&headers), Ok(None));
        headers.append(HEADER, "a".parse().unwrap());
        assert_eq!(key(&headers), Ok(Some("a".into())));
        headers.append(HEADER, "a".parse().unwrap());
        assert_eq!(key(&headers), Err(Refused));
    }
}
