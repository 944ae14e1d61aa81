//! Answers: the raw [`Response`], and the trait by which a handler's result becomes one.
//!
//! A status below 400 commits what the invocation wrote, one from 400 on rolls it back. The host
//! frames the answer: no `content-length`, `date` or connection headers here.

mod conditional;
mod listing;
mod simple;

pub use conditional::{Conditional, WithEtag};
pub use listing::{JsonBytes, Listing};
pub use simple::{Created, NoContent};

use crate::bindings::exports::caplet::plugin::http_handler;
use crate::openapi::Operation;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// At most 96 headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes, at most 4 MiB.
    pub body: Vec<u8>,
}

/// What a handler's result must be able to do.
pub trait IntoResponse {
    /// Makes the answer.
    fn into_response(self) -> Response;

    /// Adds to the operation's OpenAPI description which answers there may be.
    fn describe(operation: &mut Operation<'_>);
}

impl Response {
    /// An answer with a body of a media type.
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header; `name` in lower case.
    pub fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl From<Response> for http_handler::Response {
    fn from(response: Response) -> Self {
        Self { status: response.status, headers: response.headers, body: response.body }
    }
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.response(200, "Done.");
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(answer) => answer.into_response(),
            Err(problem) => problem.into_response(),
        }
    }

    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
        E::describe(operation);
    }
}
