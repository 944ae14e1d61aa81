//! `Json<T>` as a parameter: media type, syntax, shape and rules of a JSON body. As an answer it is
//! in [`response`](crate::response).

use std::mem::take;

use garde::Validate;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::openapi::Operation;
use crate::problem::{FieldError, Problem};
use crate::request::{FromRequest, Request};

/// A JSON body.
///
/// As a parameter: 415 when the media type is neither `application/json` nor `…+json`, 400 when the
/// body is not JSON, 422 with a JSON pointer when it does not fit `T`, and 422 with all violations
/// when it breaks `T`'s `#[garde(…)]` rules. Pointers use the fields' Rust names, so fields must not
/// be renamed for JSON.
///
/// As an answer: 200 with `T` as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T> FromRequest for Json<T>
where
    T: DeserializeOwned + JsonSchema + Validate<Context = ()>,
{
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        check_media_type(request.header("content-type"))?;
        let body = take(&mut request.body);
        let value: T =
            serde_json::from_slice(&body).map_err(|error| unreadable::<T>(&body, &error))?;
        value.validate().map_err(|report| violations(&report))?;
        Ok(Self(value))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.header("content-type");
        operation.json_body::<T>();
        operation.problem(400, "The body is not JSON, or a parameter is unknown.");
        operation.problem(415, "The body's media type is not JSON.");
        operation.problem(422, "The body does not fit its schema; `errors` says where.");
    }
}

fn check_media_type(content_type: Option<&str>) -> Result<(), Problem> {
    let essence = content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || essence.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"));
    if is_json {
        return Ok(());
    }
    Err(Problem::unsupported_media_type("The body must be sent as `application/json`."))
}

/// The problem of a body that did not parse. Reads it again, slowly, to find out where: the fast
/// path does not keep track of its place.
fn unreadable<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> Problem {
    // What does not fit is noticed before the rest of the body has been read.
    let malformation = match error.classify() {
        Category::Data => malformation(body),
        _ => Some(error.to_string()),
    };
    if let Some(reason) = malformation {
        return Problem::bad_request(format!("The body is not JSON: {reason}."))
            .with_code("malformed-json");
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(located) => misfit(&located),
        // Data after the first value that is JSON by itself, such as `{} {}`.
        Ok(_) => Problem::bad_request(format!("The body is not one JSON value: {error}.")),
    }
}

/// Why a body is not JSON; none when it is.
fn malformation(body: &[u8]) -> Option<String> {
    // Serde does not look at the characters of texts that it skips.
    match std::str::from_utf8(body) {
        Err(error) => Some(error.to_string()),
        Ok(text) => serde_json::from_str::<IgnoredAny>(text).err().map(|error| error.to_string()),
    }
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let full = error.inner().to_string();
    let detail = full.split(" at line ").next().unwrap_or(&full);
    let mut pointer: String = error.path().iter().map(segment).collect();
    // Serde reports a missing member at its parent.
    if let Some(name) = detail.strip_prefix("missing field `").and_then(|d| d.strip_suffix('`')) {
        pointer.push_str(&token(name));
    }
    Problem::unprocessable(vec![FieldError::new(pointer, detail)])
}

fn segment(segment: &Segment) -> String {
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => token(key),
        // The variant of an externally tagged enum is a member's name; an unknown place has none.
        Segment::Enum { variant } => token(variant),
        Segment::Unknown => String::new(),
    }
}

/// A reference token of a JSON pointer (RFC 6901, section 3), with its slash.
fn token(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn violations(report: &garde::Report) -> Problem {
    let errors = report
        .iter()
        .map(|(path, error)| FieldError::new(rule_pointer(&path.to_string()), error.message()));
    let mut errors: Vec<FieldError> = errors.collect();
    // Garde does not promise an order.
    errors.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    Problem::unprocessable(errors)
}

/// A JSON pointer from garde's path notation, such as `items[2].name`.
fn rule_pointer(path: &str) -> String {
    let parts = path.split(['.', '[']).map(|part| part.trim_end_matches(']'));
    parts.filter(|part| !part.is_empty()).map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize, JsonSchema, Validate)]
    #[serde(deny_unknown_fields)]
    struct Post {
        #[garde(length(chars, min = 1, max = 5))]
        title: String,
        #[garde(dive)]
        tags: Vec<Tag>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema, Validate)]
    struct Tag {
        #[garde(range(max = 9))]
        weight: u8,
    }

    fn read(content_type: &str, body: &str) -> Result<Json<Post>, Problem> {
        Json::from_request(&mut Request {
            headers: vec![("content-type".into(), content_type.into())],
            body: body.as_bytes().to_vec(),
            ..Request::default()
        })
    }

    fn pointers(body: &str) -> Vec<String> {
        let problem = read("application/json", body).unwrap_err();
        assert_eq!(problem.status(), 422, "{}", problem.detail());
        problem.errors().iter().map(|error| error.pointer.clone()).collect()
    }

    #[test]
    fn takes_json_by_any_of_its_media_types() {
        let body = r#"{"title":"Hi","tags":[{"weight":3}]}"#;
        for content_type in ["application/json", "Application/JSON; charset=utf-8", "a/b+json"] {
            assert_eq!(read(content_type, body).unwrap().0.tags[0].weight, 3);
        }
        for content_type in ["", "text/plain", "application/jsonp", "json"] {
            assert_eq!(read(content_type, body).unwrap_err().status(), 415);
        }
    }

    #[test]
    fn says_where_malformed_json_ends() {
        let problem = read("application/json", "{\"title\":\n oops}").unwrap_err();
        assert_eq!((problem.status(), problem.code()), (400, "malformed-json"));
        assert!(problem.detail().contains("line 2 column"));
        assert_eq!(read("application/json", "").unwrap_err().status(), 400);
        assert_eq!(read("application/json", "[]").unwrap_err().status(), 422);
    }

    #[test]
    fn malformed_json_is_400_also_behind_what_does_not_fit() {
        for body in ["[[[[", r#"{"title":1,"#, r#"{"extra":tru}"#, r#"{"extra":1} x"#] {
            let problem = read("application/json", body).unwrap_err();
            assert_eq!((problem.status(), problem.code()), (400, "malformed-json"), "{body}");
        }
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(read("application/json", &deep).unwrap_err().status(), 422);
    }

    #[test]
    fn points_at_wrong_types_missing_and_unknown_members() {
        assert_eq!(pointers(r#"{"title":1,"tags":[]}"#), ["/title"]);
        assert_eq!(
            pointers(r#"{"title":"a","tags":[{"weight":1},{"weight":"x"}]}"#),
            ["/tags/1/weight"]
        );
        assert_eq!(pointers(r#"{"title":"a"}"#), ["/tags"]);
        assert_eq!(pointers(r#"{"title":"a","tags":[{}]}"#), ["/tags/0/weight"]);
        assert_eq!(pointers(r#"{"title":"a","tags":[],"extra":1}"#), ["/extra"]);
    }

    #[test]
    fn lists_every_broken_rule() {
        assert_eq!(
            pointers(r#"{"title":"","tags":[{"weight":1},{"weight":10}]}"#),
            ["/tags/1/weight", "/title"]
        );
    }

    #[test]
    fn refuses_a_second_value() {
        let body = r#"{"title":"Hi","tags":[]} {}"#;
        assert_eq!(read("application/json", body).unwrap_err().status(), 400);
    }

    #[test]
    fn escapes_pointers() {
        assert_eq!(token("a/b~c"), "/a~1b~0c");
    }
}
