//! `IfMatch` and `IfNoneMatch`: conditional requests (RFC 9110, section 13).

use crate::etag::{Condition, ETag};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};
use crate::response::Conditional;

/// The `If-Match` header: change this only if nobody else did since it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatch(Option<Condition>);

impl IfMatch {
    /// Passes when the request has no `If-Match`, or one that names the current tag.
    ///
    /// # Errors
    /// 412 when it names other tags only.
    pub fn check(&self, current: &ETag) -> Result<(), Problem> {
        match &self.0 {
            Some(condition) if !condition.matches_strongly(current) => {
                Err(Problem::precondition_failed("This was changed since it was read."))
            }
            _ => Ok(()),
        }
    }

    /// Like [`IfMatch::check`], for what must not be changed blindly.
    ///
    /// # Errors
    /// 428 when the request has no `If-Match`; 412 when it names other tags only.
    pub fn require(&self, current: &ETag) -> Result<(), Problem> {
        if self.0.is_none() {
            return Err(Problem::precondition_required("Send `If-Match` with the current `ETag`."));
        }
        self.check(current)
    }
}

impl FromRequest for IfMatch {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        Condition::from_headers(request.header_values("if-match")).map(Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.described_header("if-match", "Change only the version that has this `ETag`.");
        operation.problem(412, "It was changed since it was read.");
    }
}

/// The `If-None-Match` header: answer only what the caller does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfNoneMatch(Option<Condition>);

impl IfNoneMatch {
    /// Whether the caller already has what `current` tags.
    pub fn matches(&self, current: &ETag) -> bool {
        self.0.as_ref().is_some_and(|condition| condition.matches_weakly(current))
    }

    /// Answers 304 when the caller has it already, and otherwise what `answer` makes; both with
    /// the `ETag`.
    pub fn unless<T>(&self, current: ETag, answer: impl FnOnce() -> T) -> Conditional<T> {
        let answer = (!self.matches(&current)).then(answer);
        Conditional::new(current.into(), answer)
    }
}

impl FromRequest for IfNoneMatch {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        Condition::from_headers(request.header_values("if-none-match")).map(Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.described_header("if-none-match", "Answer 304 if this is the current `ETag`.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::IntoResponse;

    fn request(name: &str, value: &str) -> Request {
        Request { headers: vec![(name.into(), value.into())], ..Request::default() }
    }

    #[test]
    fn if_match_is_optional_unless_required() {
        let current = ETag::strong("3");
        let absent = IfMatch::from_request(&mut Request::default()).unwrap();
        assert!(absent.check(&current).is_ok());
        assert_eq!(absent.require(&current).unwrap_err().status(), 428);
    }

    #[test]
    fn if_match_compares_strongly() {
        let check = |header: &str| {
            let if_match = IfMatch::from_request(&mut request("if-match", header)).unwrap();
            if_match.check(&ETag::strong("3")).map_err(|problem| problem.status())
        };
        assert_eq!(check("\"1\", \"3\""), Ok(()));
        assert_eq!(check("*"), Ok(()));
        assert_eq!(check("\"2\""), Err(412));
        assert_eq!(check("W/\"3\""), Err(412));
    }

    #[test]
    fn if_none_match_answers_304_without_making_the_answer() {
        let header = &mut request("if-none-match", "W/\"3\"");
        let if_none_match = IfNoneMatch::from_request(header).unwrap();
        let response = if_none_match.unless(ETag::strong("3"), || -> String { unreachable!() });
        let response = response.into_response();
        assert_eq!((response.status, response.header("etag")), (304, Some("\"3\"")));
        let response = if_none_match.unless(ETag::strong("4"), || "new".to_owned()).into_response();
        assert_eq!((response.status, response.body.as_slice()), (200, b"new".as_slice()));
    }
}
