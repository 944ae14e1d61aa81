//! The kept answer of a request with an idempotency key (draft-ietf-httpapi-idempotency-key-header):
//! written in the transaction of the effects it answers for, so that either both are there or none.
//!
//! A kept answer is one line of JSON (fingerprint, status, headers) and then the body as it is.

use bytes::Bytes;
use caplet_abi::Request;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::invocation::Answer;

#[derive(Serialize, Deserialize)]
struct Head {
    fingerprint: String,
    status: u16,
    headers: Vec<(String, String)>,
}

/// What makes two requests the same: method, path, query and body.
pub(crate) fn fingerprint(request: &Request) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(request.method.as_bytes());
    add(request.path.as_bytes());
    for (name, value) in &request.query {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    add(&[]);
    add(&request.body);
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// The record of an answer.
pub(crate) fn record(fingerprint: String, answer: &Answer) -> Vec<u8> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers =
        answer.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let head = Head { fingerprint, status: answer.status.as_u16(), headers };
    let mut record = serde_json::to_vec(&head).expect("strings and a number can be written");
    record.push(b'\n');
    record.extend_from_slice(&answer.body);
    record
}

/// The answer that was kept.
///
/// # Errors
/// [`Fault::KeyReused`] when it answered another request.
pub(crate) fn replay(record: &[u8], fingerprint: &str) -> Result<Answer, Fault> {
    let damaged = || Fault::Answer("the kept answer is damaged".to_owned());
    let end = record.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let head: Head = serde_json::from_slice(&record[..end]).map_err(|_| damaged())?;
    if head.fingerprint != fingerprint {
        return Err(Fault::KeyReused);
    }
    let headers = head
        .headers
        .into_iter()
        .map(|(name, value)| {
            let name = HeaderName::try_from(name).map_err(|_| damaged())?;
            Ok((name, HeaderValue::try_from(value).map_err(|_| damaged())?))
        })
        .collect::<Result<_, Fault>>()?;
    let status = StatusCode::from_u16(head.status).map_err(|_| damaged())?;
    let body = Bytes::copy_from_slice(&record[end + 1..]);
    Ok(Answer { status, headers, body, replayed: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replays_what_was_kept_for_the_same_request_only() {
        let answer = Answer {
            status: StatusCode::CREATED,
            headers: vec![(http::header::ETAG, HeaderValue::from_static("\"1\""))],
            body: Bytes::from_static(b"{\"a\":\n1}"),
            replayed: false,
        };
        let record = record("f1".to_owned(), &answer);
        let replayed = replay(&record, "f1").unwrap();
        assert_eq!(replayed, Answer { replayed: true, ..answer });
        assert_eq!(replay(&record, "f2").unwrap_err(), Fault::KeyReused);
        assert!(matches!(replay(b"no line", "f1"), Err(Fault::Answer(_))));
    }
}
