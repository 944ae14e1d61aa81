//! The requests that a component sends: to the origins that the operator named for it, and to no other.
//! Redirects are not followed, so that an origin cannot send it elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_abi::interfaces::OUTBOUND_HTTP;
use http::Uri;
use http_body_util::BodyExt;
use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttpHooks, default_send_request,
};

use crate::guest::Context;
use crate::invocation::Invocation;
use crate::redirect::{checked_origins, origin_of};

/// How long the library waits where the component does not say it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The origins to which a component may send requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outbound {
    origins: Vec<String>,
}

impl Outbound {
    /// # Errors
    /// The origin that is none.
    pub(crate) fn new(origins: &[String]) -> std::result::Result<Self, String> {
        Ok(Self { origins: checked_origins(origins)? })
    }

    fn allows(&self, uri: &Uri) -> bool {
        origin_of(uri).is_some_and(|origin| self.origins.contains(&origin))
    }
}

/// Sends the requests of one instance.
pub(super) struct Sender {
    context: Arc<Context>,
    request_id: Arc<str>,
    deadline: Instant,
    is_copy: bool,
}

impl Sender {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, request_id: "".into(), deadline: Instant::now(), is_copy: false }
    }

    /// Sends what is sent from now on for `invocation`.
    pub(super) fn begin(&mut self, invocation: &Invocation) {
        self.request_id = invocation.request_id.clone();
        self.deadline = invocation.deadline;
        self.is_copy = invocation.is_copy;
    }

    /// Whether a request may be sent. One that may not is counted, and written down with the reason.
    fn may_send(&self, uri: &Uri) -> bool {
        let context = &self.context;
        if context.revoked.has(OUTBOUND_HTTP) {
            context.revoked.denied(OUTBOUND_HTTP, &self.request_id, context.clock.now_ms());
            return false;
        }
        let is_allowed = context.outbound.allows(uri);
        if !is_allowed {
            context.metrics.limit_hit("outbound-origin");
            let origin = origin_of(uri).unwrap_or_default();
            // What it asked for may have a secret in it.
            let origin = context.redaction.text(&origin);
            context.revoked.denied_origin(&origin, &self.request_id, context.clock.now_ms());
        }
        is_allowed && !self.is_copy
    }

    /// The component's times, none of which reaches over the end of its call.
    fn bounded(&self, options: Option<RequestOptions>) -> RequestOptions {
        let left = self.deadline.saturating_duration_since(Instant::now()).min(TIMEOUT);
        let asked = options.unwrap_or_default();
        let bounded = |time: Option<Duration>| Some(time.map_or(left, |time| time.min(left)));
        RequestOptions {
            connect_timeout: bounded(asked.connect_timeout),
            first_byte_timeout: bounded(asked.first_byte_timeout),
            between_bytes_timeout: bounded(asked.between_bytes_timeout),
        }
    }
}

/// A request that was sent: the answer, and what is left to be done for it.
type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl WasiHttpHooks for Sender {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent>> + Send> {
        if !self.may_send(request.uri()) {
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        }
        let options = self.bounded(options);
        Box::new(async move {
            let (response, io) = default_send_request(request, Some(options)).await?;
            let io: Box<dyn Future<Output = Result<()>> + Send> = Box::new(io);
            Ok((response.map(BodyExt::boxed_unsync), io))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_origins_are_reached() {
        let outbound = Outbound::new(&["https://api.example".into()]).unwrap();
        for (uri, is_allowed) in [
            ("https://api.example/a?b", true),
            ("https://API.example/", true),
            ("http://api.example/", false),
            ("https://api.example:8443/", false),
            ("https://api.example.evil/", false),
            ("https://user@api.example/", false),
            ("https://127.0.0.1/", false),
        ] {
            assert_eq!(outbound.allows(&uri.parse().unwrap()), is_allowed, "{uri}");
        }
        assert!(!Outbound::default().allows(&"https://api.example/".parse().unwrap()));
        assert!(Outbound::new(&["https://api.example/path".into()]).is_err());
    }
}
