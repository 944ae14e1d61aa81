//! From what a guest answered to what may be sent. A guest is not trusted: its status, its headers
//! and its size are checked before the transaction commits.

use bytes::Bytes;
use caplet_abi::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::fault::Fault;
use crate::invocation::Answer;
use crate::limits::Limits;
use crate::redaction::Redaction;
use crate::redirect::Redirects;

/// Headers that frame a message or belong to one connection (RFC 9110, section 7.6.1; RFC 9112,
/// section 6). A plugin that sets one tries to write the connection itself.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that are the host's to set. A plugin's are dropped without a fault: frameworks set some
/// of them by habit.
const HOSTS: &[&str] = &[
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "alt-svc",
    "content-security-policy",
    "date",
    "idempotency-replayed",
    "refresh",
    "server",
    "server-timing",
    "set-cookie",
    "strict-transport-security",
    "traceresponse",
    "x-content-type-options",
    "x-request-id",
];

/// Checks a guest's answer.
///
/// # Errors
/// [`Fault::Answer`] with what is wrong.
pub(crate) fn check(
    response: Response,
    limits: &Limits,
    redirects: &Redirects,
) -> Result<Answer, Fault> {
    let Response { status, headers, body } = response;
    if !(200..=599).contains(&status) {
        return Err(Fault::Answer(format!("status {status} is not between 200 and 599")));
    }
    if body.len() > limits.response_bytes_max {
        let (has, max) = (body.len(), limits.response_bytes_max);
        return Err(Fault::Answer(format!("the body has {has} bytes, the limit is {max}")));
    }
    let status = StatusCode::from_u16(status).map_err(|_| Fault::Answer("bad status".into()))?;
    if !body.is_empty() && matches!(status.as_u16(), 204 | 205 | 304) {
        return Err(Fault::Answer(format!("status {status} has no body")));
    }
    let headers = checked_headers(headers, limits)?;
    check_redirect(status, headers.iter().map(|(name, value)| (name, value)), redirects)?;
    Ok(Answer { status, headers, body: Bytes::from(body), replayed: false })
}

/// The headers of an answer that streams, without what is the host's to set.
///
/// # Errors
/// [`Fault::Answer`] with what is wrong.
pub(crate) fn checked_head(
    (status, headers): (StatusCode, HeaderMap),
    limits: &Limits,
    redirects: &Redirects,
) -> Result<HeaderMap, Fault> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > limits.response_headers_max || bytes > limits.response_header_bytes_max {
        let n = headers.len();
        return Err(Fault::Answer(format!("{n} headers with {bytes} bytes are too many")));
    }
    check_redirect(status, headers.iter(), redirects)?;
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in &headers {
        let is_framing = FRAMING.contains(&name.as_str()) && name != http::header::CONTENT_LENGTH;
        if !is_framing && !HOSTS.contains(&name.as_str()) {
            kept.append(name.clone(), value.clone());
        }
    }
    Ok(kept)
}

/// An answer that is an error is written for people and logs, and often from what went wrong.
pub(crate) fn without_secrets(mut answer: Answer, redaction: &Redaction) -> Answer {
    if answer.status.as_u16() < 400 {
        return answer;
    }
    if let Some(body) = redaction.bytes(&answer.body) {
        answer.body = Bytes::from(body);
    }
    for (_, value) in &mut answer.headers {
        let clean = redaction.bytes(value.as_bytes());
        if let Some(clean) = clean.and_then(|clean| HeaderValue::from_bytes(&clean).ok()) {
            *value = clean;
        }
    }
    answer
}

/// Only what a browser follows by itself: another answer may name whatever it made.
fn check_redirect<'a>(
    status: StatusCode,
    headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    redirects: &Redirects,
) -> Result<(), Fault> {
    if !status.is_redirection() {
        return Ok(());
    }
    let locations = headers.filter(|(name, _)| *name == http::header::LOCATION);
    for (_, value) in locations {
        let location = String::from_utf8_lossy(value.as_bytes());
        if !redirects.allow(&location) {
            return Err(Fault::Answer(format!(
                "it redirects to `{}`; name the origin in `redirect_origins` of the plugin to allow it",
                location.escape_debug()
            )));
        }
    }
    Ok(())
}

fn checked_headers(
    headers: Vec<(String, String)>,
    limits: &Limits,
) -> Result<Vec<(HeaderName, HeaderValue)>, Fault> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > limits.response_headers_max || bytes > limits.response_header_bytes_max {
        let n = headers.len();
        return Err(Fault::Answer(format!("{n} headers with {bytes} bytes are too many")));
    }
    let mut checked = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            Fault::Answer(format!("`{}` is not a header name", name.escape_debug()))
        })?;
        if FRAMING.contains(&header.as_str()) {
            return Err(Fault::Answer(format!(
                "header `{header}` frames the message; the host sets it"
            )));
        }
        if HOSTS.contains(&header.as_str()) {
            continue;
        }
        let value = HeaderValue::try_from(value).map_err(|_| {
            Fault::Answer(format!("header `{header}` has a value that HTTP forbids"))
        })?;
        checked.push((header, value));
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(status: u16, headers: &[(&str, &str)]) -> Result<Answer, Fault> {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let response = Response { status, headers, body: Vec::new() };
        check(response, &Limits::default(), &Redirects::default())
    }

    #[test]
    fn refuses_statuses_that_are_none_or_not_final() {
        for status in [0, 99, 100, 101, 199, 600, 700, u16::MAX] {
            assert!(checked(status, &[]).is_err(), "{status} was taken");
        }
        assert!(checked(200, &[]).is_ok() && checked(599, &[]).is_ok());
    }

    #[test]
    fn refuses_injection_and_framing() {
        for (name, value) in [
            ("x-a", "1\r\nset-cookie: b"),
            ("x-a", "1\nb"),
            ("x-a", "\0"),
            ("x a", "1"),
            ("x-a\r\nx-b", "1"),
            ("", "1"),
            ("transfer-encoding", "chunked"),
            ("Content-Length", "5"),
            ("connection", "close"),
        ] {
            assert!(checked(200, &[(name, value)]).is_err(), "{name:?}: {value:?} was taken");
        }
    }

    #[test]
    fn takes_secrets_out_of_errors_and_leaves_other_answers() {
        let redaction = Redaction::default();
        redaction.add(&["hunter2".to_owned()]);
        let answered = |status: u16| {
            let headers = vec![("x-reason".to_owned(), "for hunter2".to_owned())];
            let response = Response { status, headers, body: b"it was hunter2".to_vec() };
            let answer = check(response, &Limits::default(), &Redirects::default()).unwrap();
            without_secrets(answer, &redaction)
        };
        let error = answered(422);
        assert_eq!(
            (&error.body[..], &error.headers[0].1),
            (&b"it was ***"[..], &HeaderValue::from_static("for ***"))
        );
        assert_eq!(answered(200).body, "it was hunter2");
    }

    #[test]
    fn drops_what_is_the_hosts() {
        let answer = checked(200, &[("set-cookie", "a=b"), ("etag", "\"1\"")]).unwrap();
        assert_eq!(answer.headers.len(), 1);
        assert_eq!(answer.headers[0].0, "etag");
    }

    #[test]
    fn sends_nobody_to_a_foreign_origin() {
        let location = [("location", "https://evil.example/")];
        assert!(checked(302, &location).is_err());
        assert!(checked(302, &[("location", "/here")]).is_ok());
        assert!(checked(201, &location).is_ok(), "browsers do not follow it");
        assert!(checked(200, &[("refresh", "0; url=//evil.example")]).unwrap().headers.is_empty());
    }

    #[test]
    fn bounds_headers_and_bodies() {
        let many: Vec<(&str, &str)> = vec![("x-a", "1"); 97];
        assert!(checked(200, &many).is_err());
        let long = "a".repeat(65 << 10);
        assert!(checked(200, &[("x-a", &long)]).is_err());
        let limits = Limits { response_bytes_max: 3, ..Limits::default() };
        let check = |response| check(response, &limits, &Redirects::default());
        let response = |n| Response { status: 200, headers: Vec::new(), body: vec![0; n] };
        assert!(check(response(4)).is_err() && check(response(3)).is_ok());
        let empty = Response { status: 204, headers: Vec::new(), body: vec![0] };
        assert!(check(empty).is_err());
    }
}
