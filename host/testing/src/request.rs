//! Who asks, and for what.

use std::time::Duration;

use bytes::Bytes;
use caplet_runtime::Kind;
use caplet_server::{Claims, Host};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt, Full};
use serde::Serialize;

use crate::answer::Answer;

/// How long the tokens of a test are valid; a new one is made for each request.
const TOKEN_TIME: Duration = Duration::from_secs(60);

/// Somebody who makes requests: with a token, or without.
#[derive(Clone)]
pub struct Caller<'a> {
    host: &'a Host,
    claims: Option<Claims>,
}

impl<'a> Caller<'a> {
    pub(crate) fn known(host: &'a Host, subject: &str, kind: Kind) -> Self {
        Self { host, claims: Some(Claims { kind, ..Claims::user(subject) }) }
    }

    pub(crate) fn anonymous(host: &'a Host) -> Self {
        Self { host, claims: None }
    }

    /// The same caller in another tenant.
    #[must_use]
    pub fn tenant(self, tenant: &str) -> Self {
        self.with(|claims| tenant.clone_into(&mut claims.tenant))
    }

    /// The same caller with one more role.
    #[must_use]
    pub fn role(self, role: &str) -> Self {
        self.with(|claims| claims.roles.push(role.to_owned()))
    }

    /// The same caller with one more team.
    #[must_use]
    pub fn team(self, team: &str) -> Self {
        self.with(|claims| claims.teams.push(team.to_owned()))
    }

    /// The same caller with a permission, such as `comments.moderate`, by a scope of its token.
    #[must_use]
    pub fn permission(self, permission: &str) -> Self {
        self.with(|claims| claims.scopes.push(permission.to_owned()))
    }

    fn with(mut self, change: impl FnOnce(&mut Claims)) -> Self {
        change(self.claims.as_mut().expect("a caller without a token has no tenant or rights"));
        self
    }

    /// A request to a path with its query, as it stands on the wire.
    ///
    /// # Panics
    /// When it cannot stand there.
    pub fn request(&self, method: Method, target: &str) -> Request<'a> {
        let request = http::Request::builder()
            .method(method)
            .uri(target)
            .body(Bytes::new())
            .unwrap_or_else(|reason| panic!("{target}: {reason}"));
        Request { caller: self.clone(), request }
    }

    /// A `GET`.
    pub fn get(&self, target: &str) -> Request<'a> {
        self.request(Method::GET, target)
    }

    /// A `POST`.
    pub fn post(&self, target: &str) -> Request<'a> {
        self.request(Method::POST, target)
    }

    /// A `PUT`.
    pub fn put(&self, target: &str) -> Request<'a> {
        self.request(Method::PUT, target)
    }

    /// A `PATCH`.
    pub fn patch(&self, target: &str) -> Request<'a> {
        self.request(Method::PATCH, target)
    }

    /// A `DELETE`.
    pub fn delete(&self, target: &str) -> Request<'a> {
        self.request(Method::DELETE, target)
    }
}

/// A request in the making.
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    caller: Caller<'a>,
    request: http::Request<Bytes>,
}

impl Request<'_> {
    /// Adds a header; one that is there already stays.
    ///
    /// # Panics
    /// When it is no header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name: HeaderName = name.parse().unwrap_or_else(|reason| panic!("{name}: {reason}"));
        let value = HeaderValue::from_bytes(value.as_ref())
            .unwrap_or_else(|reason| panic!("{name}: {reason}"));
        self.request.headers_mut().append(name, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sets the body and its type to JSON.
    ///
    /// # Panics
    /// When `value` cannot be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_else(|reason| panic!("no JSON: {reason}"));
        self.header(CONTENT_TYPE.as_str(), "application/json").body(body)
    }

    /// Sends an `Idempotency-Key`.
    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Sends it and waits for the answer.
    ///
    /// # Panics
    /// When the caller is one that no token can be made for.
    pub async fn send(self) -> Answer {
        let Self { caller, request } = self;
        let (mut parts, body) = request.into_parts();
        if let Some(claims) = &caller.claims {
            let token = caller.host.issue_token(claims, TOKEN_TIME);
            let token = token.unwrap_or_else(|refused| panic!("no such caller: {refused}"));
            let value =
                HeaderValue::try_from(format!("Bearer {token}")).expect("a token is a value");
            parts.headers.append(AUTHORIZATION, value);
        }
        let request = http::Request::from_parts(parts, Full::new(body));
        let (head, body) = caller.host.handle(request).await.into_parts();
        let body = body.collect().await;
        let body = body.unwrap_or_else(|reason| panic!("the answer broke off: {reason}"));
        Answer::new(head.status, head.headers, body.to_bytes())
    }
}
