//! One attempt: a request is sent, and the head of its answer comes, is malformed, or does not come
//! in time.

use std::pin::pin;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::breaker::Outcome;
use super::client;
use super::failure::{Failure, Late};
use super::service::Service;
use super::upload::Progress;
use crate::content::Content;

/// Sends `request` and waits for the head of the answer.
///
/// # Errors
/// Why there is none that could be passed on.
pub(crate) async fn make(
    service: &Service,
    request: Request<Content>,
    progress: &Progress,
    upgrades: bool,
) -> Result<Response<Incoming>, Failure> {
    let attempt = service.admit()?;
    let answered = match send(service, request, progress).await {
        Ok(answer) => check(service, &answer, upgrades).map(|()| answer),
        Err(failure) => Err(failure),
    };
    attempt.ended(match &answered {
        Ok(answer) if is_failing(service, answer.status()) => Outcome::Failed,
        Ok(_) => Outcome::Succeeded,
        Err(failure) if failure.is_services() => Outcome::Failed,
        Err(_) => Outcome::Abandoned,
    });
    answered
}

/// Whether by this status the service says that it is failing.
pub(crate) fn is_failing(service: &Service, status: StatusCode) -> bool {
    service.options.failure_statuses.contains(&status.as_u16())
}

async fn send(
    service: &Service,
    request: Request<Content>,
    progress: &Progress,
) -> Result<Response<Incoming>, Failure> {
    let time_max = service.options.timeouts.first_byte();
    let mut answer = pin!(service.client.request(request));
    loop {
        let until = progress.service_waited_for_since() + time_max;
        tokio::select! {
            biased;
            answer = answer.as_mut() => {
                return answer.map_err(|error| {
                    progress.fault().map_or_else(|| Failure::of(&error), Failure::Caller)
                });
            }
            () = tokio::time::sleep_until(until) => {}
        }
        if progress.service_waited_for_since() + time_max <= Instant::now() {
            return Err(Failure::TimedOut(Late::FirstByte));
        }
    }
}

/// What the client lets pass and the gateway does not: it could be read in two ways.
fn check(service: &Service, answer: &Response<Incoming>, upgrades: bool) -> Result<(), Failure> {
    let headers = answer.headers();
    let malformed = |reason: &str| Err(Failure::Malformed(reason.to_owned()));
    // The client reads up to twice as much before it looks.
    if head_bytes(headers) > service.options.limits.head_bytes_max.max(client::HEAD_BYTES_MIN) {
        return malformed("the head of the answer is too large");
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        if headers.contains_key(CONTENT_LENGTH) {
            return malformed("the answer has both a Content-Length and a Transfer-Encoding");
        }
        let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
        let chunked =
            encodings.next().is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !chunked || encodings.next().is_some() {
            return malformed("the answer has another Transfer-Encoding than `chunked`");
        }
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let one_number = |length: &HeaderValue| length.as_bytes().iter().all(u8::is_ascii_digit);
    if !lengths.next().is_none_or(one_number) || lengths.next().is_some() {
        return malformed("the answer has another Content-Length than one number");
    }
    if answer.status().is_informational()
        && !(upgrades && answer.status() == StatusCode::SWITCHING_PROTOCOLS)
    {
        return malformed("the answer changes the protocol without having been asked to");
    }
    Ok(())
}

/// What the header fields take as they are sent, each with a colon, a space and a line break.
fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
