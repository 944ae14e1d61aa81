//! Where two answers differ, without what is in them: of a value its kind is told, and four digits of a
//! salted hash, by which equal values can be known as equal.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION, VARY};
use http::{HeaderName, StatusCode};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::invocation::Answer;

/// Headers that are compared; others are of the moment, or of no meaning to most callers.
const HEADERS: [HeaderName; 5] = [CONTENT_TYPE, LOCATION, ETAG, CACHE_CONTROL, VARY];

/// Larger bodies are only compared as a whole, in bytes.
const PARSED_BYTES_MAX: usize = 256 << 10;

/// Differences that are told of one pair of answers.
const TOLD_MAX: usize = 20;

/// The longest pointer that is told, in characters.
const POINTER_CHARACTERS_MAX: usize = 200;

/// What is told where there is no value.
const ABSENT: &str = "absent";

/// One place at which two answers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) at: String,
    pub(super) stable: String,
    pub(super) candidate: String,
}

/// Where two answers differ.
pub(super) fn answers(real: &Answer, copy: &Answer, salt: &[u8]) -> Vec<Difference> {
    let mut told = statuses(real.status, copy.status);
    for name in HEADERS {
        let (stable, candidate) = (header(real, &name), header(copy, &name));
        if stable != candidate {
            let tell = |value: Option<&[u8]>| {
                value.map_or_else(|| ABSENT.to_owned(), |value| hashed("text", value, salt))
            };
            let (stable, candidate) = (tell(stable), tell(candidate));
            told.push(Difference { at: name.to_string(), stable, candidate });
        }
    }
    bodies(real, copy, salt, &mut told);
    told.truncate(TOLD_MAX);
    told
}

/// Where two statuses differ.
pub(super) fn statuses(real: StatusCode, copy: StatusCode) -> Vec<Difference> {
    let differ = (real != copy).then(|| Difference {
        at: "status".to_owned(),
        stable: real.as_str().to_owned(),
        candidate: copy.as_str().to_owned(),
    });
    differ.into_iter().collect()
}

/// One of the answers is none.
pub(super) fn no_answer(real: StatusCode, code: &str) -> Difference {
    let at = "answer".to_owned();
    Difference { at, stable: real.as_str().to_owned(), candidate: code.to_owned() }
}

fn header<'a>(answer: &'a Answer, name: &HeaderName) -> Option<&'a [u8]> {
    let found = answer.headers.iter().find(|(it, _)| it == name);
    found.map(|(_, value)| value.as_bytes())
}

fn bodies(real: &Answer, copy: &Answer, salt: &[u8], told: &mut Vec<Difference>) {
    if real.body == copy.body {
        return;
    }
    let parsed = |answer: &Answer| {
        let fits = answer.body.len() <= PARSED_BYTES_MAX;
        fits.then(|| serde_json::from_slice::<Value>(&answer.body).ok()).flatten()
    };
    match (parsed(real), parsed(copy)) {
        (Some(real), Some(copy)) => Comparison { salt, told }.values("", Some(&real), Some(&copy)),
        _ => told.push(Difference {
            at: "body".to_owned(),
            stable: hashed("bytes", &real.body, salt),
            candidate: hashed("bytes", &copy.body, salt),
        }),
    }
}

struct Comparison<'a> {
    salt: &'a [u8],
    told: &'a mut Vec<Difference>,
}

impl Comparison<'_> {
    fn values(&mut self, at: &str, real: Option<&Value>, copy: Option<&Value>) {
        if real == copy || self.told.len() >= TOLD_MAX {
            return;
        }
        match (real, copy) {
            (Some(Value::Object(real)), Some(Value::Object(copy))) => self.objects(at, real, copy),
            (Some(Value::Array(real)), Some(Value::Array(copy))) => self.lists(at, real, copy),
            _ => {
                let (stable, candidate) = (self.tell(real), self.tell(copy));
                self.differ(at, stable, candidate);
            }
        }
    }

    fn objects(&mut self, at: &str, real: &Map<String, Value>, copy: &Map<String, Value>) {
        for (key, value) in real {
            self.values(&below(at, key), Some(value), copy.get(key));
        }
        for (key, value) in copy.iter().filter(|(key, _)| !real.contains_key(*key)) {
            self.values(&below(at, key), None, Some(value));
        }
    }

    fn lists(&mut self, at: &str, real: &[Value], copy: &[Value]) {
        if real.len() != copy.len() {
            let tell = |list: &[Value]| format!("list of {}", list.len());
            self.differ(at, tell(real), tell(copy));
        }
        let entry = format!("{at}/*");
        for (real, copy) in real.iter().zip(copy) {
            self.values(&entry, Some(real), Some(copy));
        }
    }

    /// A list differs once at each of its places, however many entries differ there.
    fn differ(&mut self, at: &str, stable: String, candidate: String) {
        let at: String = at.chars().take(POINTER_CHARACTERS_MAX).collect();
        if !self.told.iter().any(|known| known.at == at) {
            self.told.push(Difference { at, stable, candidate });
        }
    }

    fn tell(&self, value: Option<&Value>) -> String {
        let Some(value) = value else { return ABSENT.to_owned() };
        let kind = match value {
            Value::Null => return "null".to_owned(),
            Value::Object(_) => "object",
            Value::Array(list) => return format!("list of {}", list.len()),
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "text",
        };
        hashed(kind, value.to_string().as_bytes(), self.salt)
    }
}

/// The pointer (RFC 6901) of a member.
fn below(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn hashed(kind: &str, value: &[u8], salt: &[u8]) -> String {
    let hash = Sha256::new().chain_update(salt).chain_update(value).finalize();
    format!("{kind} {:02x}{:02x}", hash[0], hash[1])
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: Vec::new(), body: body.into(), replayed: false }
    }

    fn places(real: &Value, copy: &Value) -> Vec<String> {
        let (real, copy) = (answer(200, real.to_string()), answer(200, copy.to_string()));
        answers(&real, &copy, b"salt").into_iter().map(|it| it.at).collect()
    }

    #[test]
    fn names_the_places_at_which_json_differs() {
        for (real, copy, expected) in [
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), vec![]),
            (json!({"a": 1}), json!({"a": 2}), vec!["/a"]),
            (json!({"a": {"b/c~d": 1}}), json!({"a": {"b/c~d": "1"}}), vec!["/a/b~1c~0d"]),
            (json!({"a": 1}), json!({"b": 1}), vec!["/a", "/b"]),
            (json!([{"a": 1}, {"a": 2}]), json!([{"a": 3}, {"a": 4}]), vec!["/*/a"]),
            (json!({"l": [1, 2]}), json!({"l": [1]}), vec!["/l"]),
            (json!([]), json!({}), vec![""]),
        ] {
            assert_eq!(places(&real, &copy), expected, "{real} {copy}");
        }
        let many = |n: i64| (0..100).map(|key| (key.to_string(), json!(n))).collect::<Value>();
        assert_eq!(places(&many(1), &many(2)).len(), TOLD_MAX);
    }

    #[test]
    fn tells_nothing_of_what_is_in_an_answer() {
        let real = answer(200, json!({"name": "Ada", "age": 36}).to_string());
        let copy =
            answer(200, json!({"name": "Eve", "age": 36, "mail": "e@x.example"}).to_string());
        let told = answers(&real, &copy, b"salt");
        assert_eq!(told.len(), 2);
        for difference in &told {
            let text = format!("{difference:?}");
            assert!(!text.contains("Ada") && !text.contains("Eve") && !text.contains("example"));
        }
        assert!(told[0].stable.starts_with("text ") && told[0].stable != told[0].candidate);
        assert_eq!(told[1].stable, ABSENT);
        assert_ne!(answers(&real, &copy, b"other"), told, "the hash is salted");
    }

    #[test]
    fn compares_status_headers_and_other_bodies() {
        let mut real = answer(200, "one");
        let copy = answer(404, "two");
        real.headers.push((ETAG, "\"1\"".parse().unwrap()));
        real.headers.push(("x-time".parse().unwrap(), "now".parse().unwrap()));
        let told: Vec<_> = answers(&real, &copy, b"salt").into_iter().map(|it| it.at).collect();
        assert_eq!(told, ["status", "etag", "body"]);
        let large = |byte: u8| answer(200, vec![byte; PARSED_BYTES_MAX + 1]);
        assert_eq!(answers(&large(b'1'), &large(b'2'), b"salt")[0].at, "body");
        assert_eq!(answers(&large(b'1'), &large(b'1'), b"salt"), []);
    }
}
