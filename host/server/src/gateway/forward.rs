//! The way of a request to an outside service and of its answer back: access, a turn, the headers,
//! attempts, and the answer as it comes. What an upgraded connection does is in `upgrade`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use caplet_runtime::Identity;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::attempt;
use super::download::{Bounds, Download};
use super::failure::{Failure, Late};
use super::options::{HostHeader, Passing, ServiceAccess};
use super::service::{Service, Turn};
use super::upload::{Progress, Upload};
use super::{forwarded, headers, retry, upgrade};
use crate::content::{Content, RequestBody};
use crate::problem::{Answered, Problem};
use crate::request::Exchange;
use crate::{api, body, trace};

/// What services are asked with. `CONNECT` and `TRACE` are about connections, not services.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// A request that may be sent, but for its body.
pub(crate) struct Planned {
    service: Arc<Service>,
    uri: Uri,
    identity: Option<Arc<Identity>>,
}

/// Looks at all of a request but its body. `below` is the normalised path below the service's name.
pub(crate) fn plan(
    exchange: &Exchange<'_>,
    service: Arc<Service>,
    below: &str,
) -> Result<Planned, Problem> {
    let parts = exchange.parts;
    if !METHODS.contains(&parts.method) {
        return Err(Problem::method_not_allowed(&METHODS));
    }
    trace::routed(exchange.span, parts.method.as_str(), || format!("{}/*", service.prefix));
    let identity = identify(exchange, &service)?;
    let whole;
    let path = if service.options.strip_prefix {
        below
    } else {
        whole = format!("{}{below}", service.prefix);
        &whole
    };
    let uri = service
        .target
        .uri(path, parts.uri.query())
        .map_err(|refused| Problem::malformed("path-malformed", refused.to_string()))?;
    let bytes_max = service.options.limits.request_bytes_max;
    if announced_bytes(&parts.headers).is_some_and(|bytes| bytes > bytes_max) {
        return Err(Problem::body_too_large(usize::try_from(bytes_max).unwrap_or(usize::MAX)));
    }
    Ok(Planned { service, uri, identity })
}

/// The caller, who may call. Where everybody may and the service reads `Authorization` itself, it is
/// not this host's to judge.
fn identify(exchange: &Exchange<'_>, service: &Service) -> Result<Option<Arc<Identity>>, Problem> {
    let access = &service.options.access;
    if *access == ServiceAccess::Public && service.options.authorization == Passing::Pass {
        return Ok(None);
    }
    let identity = api::authenticate(exchange)?;
    match (access, &identity) {
        (ServiceAccess::Public, _) | (ServiceAccess::SignedIn, Some(_)) => Ok(identity),
        (_, None) => Err(Problem::token_missing()),
        (ServiceAccess::Permission(permission), Some(who)) => {
            if exchange.host.authorizer.permitted(who, permission) {
                Ok(identity)
            } else {
                Err(Problem::permission_missing(permission))
            }
        }
    }
}

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Sends the request and answers it.
pub(crate) async fn forward<B: RequestBody>(
    exchange: &Exchange<'_>,
    planned: Planned,
    body: B,
) -> Result<Answered, Problem> {
    let service = planned.service.clone();
    serve(exchange, planned, body).await.map_err(|failure| {
        service.counters.failed(failure.reason());
        if failure.is_services() {
            tracing::warn!(
                request_id = %exchange.ids.request_id,
                service = service.name,
                code = failure.reason(),
                "{}", failure.inside()
            );
        }
        failure.problem(&service.name)
    })
}

async fn serve<B: RequestBody>(
    exchange: &Exchange<'_>,
    planned: Planned,
    body: B,
) -> Result<Answered, Failure> {
    let Planned { service, uri, identity } = planned;
    service.check_health()?;
    let deadline = Instant::now() + service.options.timeouts.total();
    let head = head(exchange, &service, uri, identity.as_deref());
    if let Some(caller) = upgrade::wanted(exchange.parts) {
        let turn = service.turn_to_upgrade()?;
        return upgrade::open(service, head, caller, turn, deadline).await;
    }
    let turn = service.turn_to_ask()?;
    let mut sending = Sending::new(exchange, &service, body).await?;
    let attempts = attempts(&service, &head, &mut sending);
    let answer =
        timeout_at(deadline, attempts).await.unwrap_or(Err(Failure::TimedOut(Late::Total)))?;
    answered(service, answer, turn, deadline)
}

/// The head of the request that the service gets.
fn head(
    exchange: &Exchange<'_>,
    service: &Service,
    uri: Uri,
    identity: Option<&Identity>,
) -> http::request::Parts {
    let Exchange { host, parts, ids, .. } = *exchange;
    let options = &service.options;
    let mut headers = headers::of_request(
        &parts.headers,
        &service.request_rules,
        options.authorization,
        options.cookies,
    );
    let peer = forwarded::peer(exchange.peer, parts);
    let prefix = options.strip_prefix.then_some(service.prefix.as_str());
    forwarded::write(&mut headers, parts, peer, &host.http.trusted_proxies, prefix);
    ids.pass_on(&mut headers);
    if options.host == HostHeader::Client
        && let Some(host) = forwarded::host(parts).and_then(|host| host.parse().ok())
    {
        headers.insert(HOST, host);
    }
    if let (Some(introduction), Some(who)) = (&service.introduction, identity) {
        introduction.write(&mut headers, who, &ids.request_id);
    }
    service.sign(&mut headers);
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = parts.method.clone();
    head.uri = uri;
    head.version = Version::HTTP_11;
    head.headers = headers;
    head
}

/// The body of the request: kept, so that it can be sent again, or sent on as it comes.
struct Sending {
    progress: Arc<Progress>,
    content: Option<Content>,
    kept: Option<Bytes>,
}

impl Sending {
    async fn new<B: RequestBody>(
        exchange: &Exchange<'_>,
        service: &Service,
        body: B,
    ) -> Result<Self, Failure> {
        let progress = Progress::new();
        if body.is_end_stream() {
            return Ok(Self { progress, content: None, kept: Some(Bytes::new()) });
        }
        let retry = &service.options.retry;
        let may_repeat = retry.retries_max > 0 && retry::is_idempotent(&exchange.parts.method);
        let http = &exchange.host.http;
        let is_small = body.size_hint().exact().is_some_and(|bytes| bytes <= retry.body_bytes_max);
        if may_repeat && is_small {
            let bytes_max = usize::try_from(retry.body_bytes_max).unwrap_or(usize::MAX);
            let kept = body::read(body, bytes_max, http).await.map_err(Failure::Caller)?;
            return Ok(Self { progress: Progress::new(), content: None, kept: Some(kept) });
        }
        let bytes_max = service.options.limits.request_bytes_max;
        let upload = Upload::new(body, bytes_max, http, progress.clone());
        Ok(Self { progress, content: Some(Content::stream(upload)), kept: None })
    }

    /// The content for the next attempt; only what is kept can be had again.
    fn next(&mut self) -> Content {
        let again = || Content::full(self.kept.clone().unwrap_or_default());
        self.content.take().unwrap_or_else(again)
    }
}

/// Attempts until there is an answer, or no further one would help. The last outcome counts.
async fn attempts(
    service: &Service,
    head: &http::request::Parts,
    sending: &mut Sending,
) -> Result<Response<Incoming>, Failure> {
    let retry = &service.options.retry;
    service.budget.earn(retry);
    let mut number = 0;
    let mut last = None;
    loop {
        let request = Request::from_parts(head.clone(), sending.next());
        let outcome = attempt::make(service, request, &sending.progress, false).await;
        let outcome = match (outcome, last.take()) {
            // The circuit opened meanwhile: what the attempt before came to says more.
            (Err(Failure::CircuitOpen(_)), Some(before)) => return before,
            (outcome, _) => outcome,
        };
        let again = match &outcome {
            Ok(answer) => attempt::is_failing(service, answer.status()),
            Err(failure) => failure.is_worth_another_attempt(),
        };
        let may_repeat = sending.kept.is_some()
            && retry::is_idempotent(&head.method)
            && number < retry.retries_max;
        if !(again && may_repeat && service.budget.spend()) {
            return outcome;
        }
        service.counters.retries.inc();
        tokio::time::sleep(retry::pause(retry, number)).await;
        number += 1;
        sending.progress = Progress::new();
        last = Some(outcome);
    }
}

/// The answer for the caller, whose body comes while it is sent on.
pub(super) fn answered(
    service: Arc<Service>,
    answer: Response<Incoming>,
    turn: Turn,
    deadline: Instant,
) -> Result<Answered, Failure> {
    let (head, body) = answer.into_parts();
    let options = &service.options;
    let bounds = bounds(&service, &head.headers, deadline);
    let announced = hyper::body::Body::size_hint(&body).exact().unwrap_or_default();
    if let Some(bytes_max) = bounds.bytes_max.filter(|bytes_max| announced > *bytes_max) {
        return Err(Failure::TooLarge(bytes_max));
    }
    let mut headers = headers::of_answer(&head.headers, &service.response_rules, options.cookies);
    if options.rewrite_location && options.strip_prefix {
        headers::rewrite_location(&mut headers, &service.target, &service.prefix);
    }
    let mut response = Response::new(Content::empty());
    *response.status_mut() = head.status;
    *response.headers_mut() = headers;
    *response.body_mut() = Content::stream(Download::new(body, service, bounds, turn));
    Ok(response)
}

/// Event streams have no end, so that only their silence is bounded.
fn bounds(service: &Service, headers: &HeaderMap, deadline: Instant) -> Bounds {
    let is_events = headers.get(CONTENT_TYPE).is_some_and(|media_type| {
        let media_type = media_type.as_bytes();
        let name = b"text/event-stream";
        media_type.len() >= name.len() && media_type[..name.len()].eq_ignore_ascii_case(name)
    });
    let (limits, timeouts) = (&service.options.limits, &service.options.timeouts);
    if is_events {
        return Bounds { bytes_max: None, idle: timeouts.stream_idle(), deadline: None };
    }
    let idle: Duration = timeouts.idle();
    Bounds { bytes_max: Some(limits.answer_bytes_max), idle, deadline: Some(deadline) }
}
