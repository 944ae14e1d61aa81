//! Errors as callers see them: RFC 9457 problem documents with a stable `code`. The texts say what
//! the caller can do and nothing of the inside of the host.

use std::borrow::Cow;

use caplet_runtime::Fault;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

use crate::content::Content;

/// An answer of the host.
pub type Answered = Response<Content>;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    /// Put aside: most problems have none, and every result of the server carries a problem.
    header: Option<Box<(HeaderName, HeaderValue)>>,
    limit: Option<&'static str>,
}

/// The document's members, in the order they are written.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    request_id: &'a str,
}

impl Problem {
    /// A problem with a stable `code` and a `detail` for people.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, detail: detail.into(), header: None, limit: None }
    }

    /// 400 with a code that says which part of the request is malformed.
    pub fn malformed(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401 for a request that needs a token and has none.
    #[must_use]
    pub fn token_missing() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "token-missing", "This needs a bearer token.")
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 401 for a token that did not verify: the same for every reason, so that nothing can be probed.
    #[must_use]
    pub fn token_invalid() -> Self {
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        Self::new(StatusCode::UNAUTHORIZED, "token-invalid", "The token is not valid.")
            .with_header(WWW_AUTHENTICATE, challenge)
    }

    /// 503 for a token that cannot be checked now, because its issuer's keys cannot be had.
    #[must_use]
    pub fn issuer_unavailable() -> Self {
        let detail = "The keys of the token's issuer cannot be had now. Try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "issuer-unavailable", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("10"))
    }

    /// 503 for a database that cannot serve now.
    #[must_use]
    pub fn storage_unavailable() -> Self {
        let detail = "The data cannot be reached now. Try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage-unavailable", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 403 for a caller who lacks `permission`.
    #[must_use]
    pub fn permission_missing(permission: &str) -> Self {
        let detail = format!("This needs the permission {permission}.");
        Self::new(StatusCode::FORBIDDEN, "permission-missing", detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Nothing is served at this path.")
    }

    /// 405 with what is allowed instead.
    #[must_use]
    pub fn method_not_allowed(allowed: &[Method]) -> Self {
        let detail = "The path is served, but not with this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
            .with_header(ALLOW, allow(allowed))
    }

    /// 413 for a body over `bytes_max`.
    #[must_use]
    pub fn body_too_large(bytes_max: usize) -> Self {
        let detail = format!("The body is larger than {bytes_max} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail).at_limit("body-bytes")
    }

    /// 500 for a defect of the host.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "The host failed. Its log has the reason under the request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 503 for a plugin that does not serve yet.
    #[must_use]
    pub fn plugin_loading() -> Self {
        let detail = "The plugin is being compiled or started, and does not serve yet. Try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "plugin-loading", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("2"))
    }

    /// 503 for a host that is ending.
    #[must_use]
    pub fn stopping() -> Self {
        Self::from(&Fault::Stopping)
    }

    /// The same problem with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The same problem, counted as a request that reached the named limit.
    #[must_use]
    pub(crate) fn at_limit(mut self, limit: &'static str) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The limit that the request reached, when that is the problem.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        self.limit
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The answer to the request `request_id`.
    #[must_use]
    pub fn into_response(self, request_id: &str) -> Answered {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            request_id,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Content::full(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.header.map(|header| *header));
        response
    }
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        let status =
            StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Self::new(status, fault.code(), fault.outside());
        match fault.retry_after_s() {
            Some(seconds) => problem.with_header(RETRY_AFTER, HeaderValue::from(seconds)),
            None => problem,
        }
    }
}

/// The value of an `Allow` header.
pub(crate) fn allow(methods: &[Method]) -> HeaderValue {
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn writes_a_problem_document() {
        let problem = Problem::method_not_allowed(&[Method::GET, Method::HEAD]);
        let response = problem.into_response("r-1");
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD");
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "type": "about:blank",
                "title": "Method Not Allowed",
                "status": 405,
                "code": "method-not-allowed",
                "detail": "The path is served, but not with this method.",
                "request_id": "r-1",
            })
        );
    }

    #[test]
    fn tells_busy_callers_when_to_come_back() {
        let response = Problem::from(&Fault::Stopping).into_response("r-1");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn keeps_the_inside_of_a_fault_inside() {
        let fault = Fault::Trap("wasm backtrace: secret_function".into());
        let problem = Problem::from(&fault);
        assert_eq!((problem.status().as_u16(), problem.code()), (502, "plugin-failed"));
        assert!(!problem.detail.contains("secret_function"));
    }
}
