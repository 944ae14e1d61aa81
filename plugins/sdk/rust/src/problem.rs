//! Problems: the answers for what went wrong, as RFC 9457 documents.
//!
//! A problem is for the caller: it never holds a statement, a path, an error text of the store or
//! anything else from inside. What is wrong inside is logged where it is noticed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::log;
use crate::openapi::Operation;
use crate::response::{IntoResponse, Response};
use crate::sql;

/// An answer that says what went wrong: a status, a stable code, and texts for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    document: ProblemDocument,
    headers: Vec<(&'static str, String)>,
}

/// The body of an answer of status 400 and above (RFC 9457), of type `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemDocument {
    /// Always `about:blank`: the `code` tells problems apart.
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    /// The status in words.
    title: Cow<'static, str>,
    /// The HTTP status.
    status: u16,
    /// What went wrong, for programs: stable, in kebab case.
    code: Cow<'static, str>,
    /// What went wrong, for people.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schemars(default)]
    detail: Cow<'static, str>,
    /// Where the request does not fit its schema or rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    errors: Vec<FieldError>,
    #[serde(flatten)]
    #[schemars(skip)]
    members: BTreeMap<Cow<'static, str>, serde_json::Value>,
}

/// One place where a request does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) into the body; empty for all of it.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

impl FieldError {
    /// An error at a JSON pointer such as `/parent`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident $status:ident $code:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(detail: impl Into<Cow<'static, str>>) -> Self {
            Self::new(StatusCode::$status, $code, detail)
        }
    )*};
}

impl Problem {
    /// A problem of any kind. `code` is stable and in kebab case; `detail` is a sentence for the
    /// caller.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let document = ProblemDocument {
            kind: Cow::Borrowed("about:blank"),
            title: Cow::Borrowed(status.canonical_reason().unwrap_or("Unknown")),
            status: status.as_u16(),
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            members: BTreeMap::new(),
        };
        Self(Box::new(Parts { document, headers: Vec::new() }))
    }

    constructors! {
        /// 400: the request cannot be read.
        bad_request BAD_REQUEST "bad-request";
        /// 403: the caller is known and may not do this.
        forbidden FORBIDDEN "forbidden";
        /// 404: there is no such thing, or it is not visible to the caller or of another tenant.
        not_found NOT_FOUND "not-found";
        /// 409: the state of things does not allow it.
        conflict CONFLICT "conflict";
        /// 412: the tag in `If-Match` is not the current one.
        precondition_failed PRECONDITION_FAILED "precondition-failed";
        /// 413: the request is larger than it may be.
        too_large PAYLOAD_TOO_LARGE "too-large";
        /// 415: the body's media type is not one this route reads.
        unsupported_media_type UNSUPPORTED_MEDIA_TYPE "unsupported-media-type";
        /// 428: this must not be changed without `If-Match`.
        precondition_required PRECONDITION_REQUIRED "precondition-required";
    }

    /// 401: there is no token. One that is not valid never reaches a plugin.
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "token-missing", detail)
            .with_header("www-authenticate", "Bearer")
    }

    /// 422: the body does not fit its schema or rules, at these places.
    pub fn unprocessable(errors: Vec<FieldError>) -> Self {
        let detail = "The body does not fit; see `errors`.";
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", detail);
        problem.0.document.errors = errors;
        problem
    }

    /// 422 at one place of the body: a JSON pointer such as `/parent`, and what is wrong there.
    pub fn unprocessable_at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::unprocessable(vec![FieldError::new(pointer, detail)])
    }

    /// 429: too many requests; `retry_after_s` is the number of seconds to wait.
    pub fn too_many_requests(detail: impl Into<Cow<'static, str>>, retry_after_s: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail)
            .with_header("retry-after", retry_after_s.to_string())
    }

    /// 503: not now; `retry_after_s` is the number of seconds to wait.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after_s: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .with_header("retry-after", retry_after_s.to_string())
    }

    /// 500: a bug. Says nothing to the caller; log the reason before.
    pub fn internal() -> Self {
        let detail = "The plugin failed. The reason is in the host's log.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Tells this problem apart from others of its status, for programs.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.document.code = code.into();
        self
    }

    /// Adds a member to the document, such as what would have been allowed.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.0.document.members.insert(Cow::Borrowed(name), value.into());
        self
    }

    /// Adds a header; `name` in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.0.document.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.document.code
    }

    /// The text for people.
    pub fn detail(&self) -> &str {
        &self.0.document.detail
    }

    /// Where the request does not fit.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.document.errors
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { document, headers } = *self.0;
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(document.status, "application/problem+json", body);
        for (name, value) in headers {
            response.set_header(name, value);
        }
        response
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.any_problem();
    }
}

/// What a failed statement means for the caller. The store's texts go to the log, never out.
impl From<sql::Error> for Problem {
    fn from(error: sql::Error) -> Self {
        use sql::Error;
        match &error {
            Error::Unique(_) => Self::conflict("There is such a thing already."),
            Error::ForeignKey(_) => Self::conflict("It refers to something that does not exist."),
            Error::Timeout | Error::Unavailable(_) => {
                log::warn!("the store did not answer", error = error);
                Self::unavailable("The store is busy. Try again.", 1)
            }
            Error::DiskFull => {
                log::error!("the store is full");
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", "There is no room left.")
            }
            // What was validated before cannot violate these, and what is granted is not denied.
            Error::Denied(_)
            | Error::Invalid(_)
            | Error::Check(_)
            | Error::NotNull(_)
            | Error::ReadOnly
            | Error::TooLarge(_) => {
                log::error!("a statement failed", error = error);
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Host, logged};
    use serde_json::{Value, json};

    fn body(response: &Response) -> Value {
        serde_json::from_slice(&response.body).unwrap()
    }

    #[test]
    fn is_an_rfc_9457_document() {
        let problem = Problem::conflict("The thread is locked.").with_code("thread-locked");
        let response = problem.with_member("locked_by", "mod").into_response();
        assert_eq!(response.status, 409);
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert_eq!(
            body(&response),
            json!({
                "type": "about:blank", "title": "Conflict", "status": 409,
                "code": "thread-locked", "detail": "The thread is locked.", "locked_by": "mod"
            })
        );
    }

    #[test]
    fn says_where_a_body_does_not_fit() {
        let response =
            Problem::unprocessable_at("/parent", "is not of this target").into_response();
        assert_eq!(body(&response)["errors"][0]["pointer"], "/parent");
    }

    #[test]
    fn carries_the_headers_its_status_asks_for() {
        let header = |problem: Problem, name: &str| {
            problem.into_response().header(name).map(ToOwned::to_owned)
        };
        assert_eq!(header(Problem::unauthorized(""), "www-authenticate").unwrap(), "Bearer");
        assert_eq!(header(Problem::too_many_requests("", 30), "retry-after").unwrap(), "30");
    }

    #[test]
    fn texts_of_the_store_go_to_the_log_only() {
        Host::default().enter();
        let secret = "no such table: secret_names";
        let problem = Problem::from(sql::Error::Invalid(secret.to_owned()));
        assert_eq!(problem.status(), 500);
        assert!(!body(&problem.into_response()).to_string().contains("secret"));
        assert!(logged()[0].2[0].1.contains("secret_names"));
    }

    #[test]
    fn constraints_are_conflicts_and_waits_are_503() {
        Host::default().enter();
        let status = |error| Problem::from(error).status();
        assert_eq!(status(sql::Error::Unique("a.b".into())), 409);
        assert_eq!(status(sql::Error::ForeignKey(String::new())), 409);
        assert_eq!(status(sql::Error::Timeout), 503);
        assert_eq!(status(sql::Error::DiskFull), 507);
        assert_eq!(status(sql::Error::NotNull(String::new())), 500);
    }
}
