//! How answers leave the host: what it adds to a plugin's answer, and how its own are made. Which
//! headers a plugin may set at all is the runtime's.

use bytes::Bytes;
use caplet_runtime::Answer;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper::body::Body;

use crate::content::Content;
use crate::problem::{Answered, allow};

/// Tells that the answer is that of an earlier request with the same idempotency key.
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The media type of nearly all answers.
const JSON: &str = "application/json";

/// What a plugin's page may do in a browser: show itself, without scripts, on an origin of its own.
const STRICT_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Sends a plugin's answer. Answers to callers with a token are kept by no cache unless the plugin
/// says otherwise.
pub(crate) fn of_plugin(answer: Answer, authenticated: bool) -> Answered {
    let empty = matches!(answer.status.as_u16(), 204 | 205 | 304);
    let body = if empty { Bytes::new() } else { answer.body };
    let mut response = Response::new(Content::full(body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.reserve(answer.headers.len() + 4);
    for (name, value) in answer.headers {
        headers.append(name, value);
    }
    guard(headers, authenticated);
    if answer.replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Sends the answer of a component of `wasi:http`, under the same rules.
pub(crate) fn of_component(mut response: Answered, authenticated: bool) -> Answered {
    guard(response.headers_mut(), authenticated);
    response
}

/// What holds for every answer that is not the host's own.
fn guard(headers: &mut HeaderMap, authenticated: bool) {
    if headers.get(CONTENT_TYPE).is_some_and(may_hold_scripts) {
        headers.insert(CONTENT_SECURITY_POLICY, STRICT_POLICY);
    }
    if authenticated && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// Whether a browser would run scripts in content of this type: HTML, and all kinds of XML.
fn may_hold_scripts(media_type: &HeaderValue) -> bool {
    if media_type == JSON {
        return false;
    }
    let holds = |word: &[u8]| {
        media_type.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
    };
    holds(b"html") || holds(b"xml")
}

/// 200 with a content of the host's own.
pub(crate) fn content(media_type: &'static str, body: impl Into<Bytes>) -> Answered {
    let mut response = Response::new(Content::full(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// 200 with JSON, or another status set by the caller.
pub(crate) fn json(value: &serde_json::Value) -> Answered {
    content(JSON, value.to_string())
}

/// Content that a cache may keep and ask about: 304 when the caller has it already.
pub(crate) fn cacheable(
    request: &HeaderMap,
    etag: HeaderValue,
    media_type: HeaderValue,
    body: Bytes,
) -> Answered {
    let fresh = has_tag(request, &etag);
    let mut response = Response::new(if fresh { Content::empty() } else { Content::full(body) });
    let headers = response.headers_mut();
    headers.insert(ETAG, etag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if may_hold_scripts(&media_type) {
        headers.insert(CONTENT_SECURITY_POLICY, STRICT_POLICY);
    }
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(CONTENT_TYPE, media_type);
    }
    response
}

/// `If-None-Match` by weak comparison (RFC 9110, section 13.1.2). The tags of the host have no commas.
fn has_tag(request: &HeaderMap, etag: &HeaderValue) -> bool {
    request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
        })
    })
}

/// 204 with the methods that a path has: the answer to `OPTIONS`.
pub(crate) fn options(allowed: &[Method]) -> Answered {
    let mut response = Response::new(Content::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow(allowed));
    response
}

/// What every answer has, whoever made it.
pub(crate) fn finish(response: &mut Answered, method: &Method) {
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    if method == Method::HEAD {
        leave_out_body(response);
    }
}

/// The answer to `HEAD` says how long the body is that `GET` would send. A stream's headers have said
/// it already, as far as it is known.
fn leave_out_body(response: &mut Answered) {
    if response.body().is_stream() {
        return;
    }
    let length = response.body().size_hint().exact().unwrap_or_default();
    if !matches!(response.status().as_u16(), 204 | 304) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Content::empty();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(HeaderName, &str)]) -> Answer {
        Answer {
            status: StatusCode::OK,
            headers: headers
                .iter()
                .map(|(name, value)| (name.clone(), value.parse().unwrap()))
                .collect(),
            body: Bytes::from_static(b"hello"),
            replayed: false,
        }
    }

    #[test]
    fn pages_of_plugins_run_no_scripts() {
        for media_type in ["text/html; charset=utf-8", "IMAGE/SVG+XML", "application/xhtml+xml"] {
            let response = of_plugin(answer(&[(CONTENT_TYPE, media_type)]), false);
            assert_eq!(response.headers()[CONTENT_SECURITY_POLICY], "default-src 'none'; sandbox");
        }
        let response = of_plugin(answer(&[(CONTENT_TYPE, "application/json")]), false);
        assert!(!response.headers().contains_key(CONTENT_SECURITY_POLICY));
    }

    #[test]
    fn personal_answers_are_not_cached_unless_the_plugin_says_so() {
        assert_eq!(of_plugin(answer(&[]), true).headers()[CACHE_CONTROL], "no-store");
        assert!(!of_plugin(answer(&[]), false).headers().contains_key(CACHE_CONTROL));
        let own = of_plugin(answer(&[(CACHE_CONTROL, "max-age=60")]), true);
        assert_eq!(own.headers()[CACHE_CONTROL], "max-age=60");
    }

    #[test]
    fn keeps_repeated_headers_and_marks_replays() {
        let mut twice = answer(&[(http::header::LINK, "</a>"), (http::header::LINK, "</b>")]);
        twice.replayed = true;
        let response = of_plugin(twice, false);
        assert_eq!(response.headers().get_all(http::header::LINK).iter().count(), 2);
        assert_eq!(response.headers()[IDEMPOTENCY_REPLAYED], "true");
    }

    #[test]
    fn head_has_the_length_but_not_the_body() {
        let mut response = of_plugin(answer(&[]), false);
        finish(&mut response, &Method::HEAD);
        assert_eq!(response.headers()[CONTENT_LENGTH], "5");
        assert_eq!(response.body().size_hint().exact(), Some(0));
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }

    #[test]
    fn an_answer_without_content_has_no_body() {
        let mut no_content = answer(&[]);
        no_content.status = StatusCode::NO_CONTENT;
        assert_eq!(of_plugin(no_content, false).body().size_hint().exact(), Some(0));
    }

    #[test]
    fn answers_304_to_who_has_it_already() {
        let ask = |tags: &str| {
            let request = HeaderMap::from_iter([(IF_NONE_MATCH, tags.parse().unwrap())]);
            let etag = HeaderValue::from_static("\"abc\"");
            let media_type = HeaderValue::from_static("text/css");
            cacheable(&request, etag, media_type, Bytes::from_static(b"a{}")).status().as_u16()
        };
        assert_eq!(ask("\"abc\""), 304);
        assert_eq!(ask("\"x\", W/\"abc\""), 304);
        assert_eq!(ask("*"), 304);
        assert_eq!(ask("\"x\""), 200);
        assert_eq!(ask("abc"), 200);
    }
}
