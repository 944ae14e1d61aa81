//! What came back, and what it should have been.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// The answer to a request.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header, when it is there and a text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as a text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|reason| panic!("{reason}: {self}"))
    }

    /// The stable code of a problem document; empty when this is none.
    #[must_use]
    pub fn problem_code(&self) -> String {
        if self.header("content-type") != Some("application/problem+json") {
            return String::new();
        }
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        document["code"].as_str().unwrap_or_default().to_owned()
    }

    /// This answer, when it has that status.
    ///
    /// # Panics
    /// When it has another one.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "{self}");
        self
    }

    /// Nothing, when this is a problem document of that status and code.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) {
        assert_eq!((self.status(), self.problem_code().as_str()), (status, code), "{self}");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}
