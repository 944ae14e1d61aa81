//! `Preconditions`: all conditions of a request together, in the order in which RFC 9110 (section
//! 13.2.2) weighs them. What needs only one of them takes [`IfMatch`](super::IfMatch) or
//! [`IfNoneMatch`](super::IfNoneMatch).

use crate::etag::Condition;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};
use crate::response::Conditional;
use crate::validators::{Validators, parse_date};

/// The headers `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since`.
///
/// Weigh them last, when nothing but them stands between the request and its success: a request that
/// would fail anyway is answered as if it had no conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<Condition>,
    if_unmodified_since_s: Option<u64>,
    if_none_match: Option<Condition>,
    if_modified_since_s: Option<u64>,
}

impl Preconditions {
    /// For what is read: answers 304 when the caller has the current version, and otherwise what
    /// `answer` makes; both with their validators.
    ///
    /// # Errors
    /// 412 when the caller asks for another version than the current one.
    pub fn unless<T>(
        &self,
        current: impl Into<Validators>,
        answer: impl FnOnce() -> T,
    ) -> Result<Conditional<T>, Problem> {
        let current = current.into();
        self.check_match(&current)?;
        let answer = (!self.has(&current)).then(answer);
        Ok(Conditional::new(current, answer))
    }

    /// For what is changed: passes when it is what the caller believes it to be.
    ///
    /// # Errors
    /// 412 when it was changed since it was read, or when it is what it must not be.
    pub fn check(&self, current: impl Into<Validators>) -> Result<(), Problem> {
        let current = current.into();
        self.check_match(&current)?;
        match &self.if_none_match {
            Some(condition) if condition.matches_weakly(current.etag()) => {
                Err(Problem::precondition_failed("This exists in the version it must not have."))
            }
            _ => Ok(()),
        }
    }

    fn check_match(&self, current: &Validators) -> Result<(), Problem> {
        let is_same = match (&self.if_match, self.if_unmodified_since_s, current.modified_s()) {
            (Some(condition), _, _) => condition.matches_strongly(current.etag()),
            (None, Some(since_s), Some(modified_s)) => modified_s <= since_s,
            (None, _, _) => true,
        };
        if is_same {
            return Ok(());
        }
        Err(Problem::precondition_failed("This was changed since it was read."))
    }

    /// Whether the caller has the current version.
    fn has(&self, current: &Validators) -> bool {
        match (&self.if_none_match, self.if_modified_since_s, current.modified_s()) {
            (Some(condition), _, _) => condition.matches_weakly(current.etag()),
            (None, Some(since_s), Some(modified_s)) => modified_s <= since_s,
            (None, _, _) => false,
        }
    }
}

impl FromRequest for Preconditions {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        let date = |name| request.header(name).and_then(parse_date);
        Ok(Self {
            if_match: Condition::from_headers(request.header_values("if-match"))?,
            if_unmodified_since_s: date("if-unmodified-since"),
            if_none_match: Condition::from_headers(request.header_values("if-none-match"))?,
            if_modified_since_s: date("if-modified-since"),
        })
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.described_header("if-match", "Go on only with the version of this `ETag`.");
        operation.described_header("if-none-match", "Go on only with a version other than this.");
        operation.described_header("if-unmodified-since", "Go on only if it is as old as this.");
        operation.described_header("if-modified-since", "Read only what is newer than this.");
        operation.problem(412, "It was changed since it was read.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etag::ETag;
    use crate::response::IntoResponse;
    use crate::testing::Host;

    const BEFORE: &str = "Tue, 14 Nov 2023 22:13:09 GMT";
    const CHANGED: &str = "Tue, 14 Nov 2023 22:13:10 GMT";
    const CHANGED_MS: i64 = 1_699_999_990_000;

    fn preconditions(headers: &[(&str, &str)]) -> Preconditions {
        let headers = headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Preconditions::from_request(&mut Request { headers, ..Request::default() }).unwrap()
    }

    fn current() -> Validators {
        Host { now_ms: 1_700_000_000_000, ..Host::default() }.enter();
        Validators::modified(ETag::strong(3), CHANGED_MS)
    }

    fn read(headers: &[(&str, &str)]) -> u16 {
        let answer = preconditions(headers).unless(current(), || "new".to_owned());
        answer.map(IntoResponse::into_response).map_or_else(|p| p.status(), |r| r.status)
    }

    fn change(headers: &[(&str, &str)]) -> u16 {
        preconditions(headers).check(current()).map_or_else(|problem| problem.status(), |()| 200)
    }

    #[test]
    fn reads_are_weighed_in_the_order_of_the_standard() {
        for (headers, status) in [
            (&[][..], 200),
            (&[("if-none-match", "\"1\", W/\"3\"")], 304),
            (&[("if-none-match", "*")], 304),
            (&[("if-none-match", "\"1\"")], 200),
            (&[("if-modified-since", CHANGED)], 304),
            (&[("if-modified-since", BEFORE)], 200),
            (&[("if-modified-since", "never")], 200),
            // A tag is more exact than a date.
            (&[("if-none-match", "\"1\""), ("if-modified-since", CHANGED)], 200),
            (&[("if-match", "\"3\"")], 200),
            (&[("if-match", "\"3\""), ("if-none-match", "\"3\"")], 304),
            (&[("if-match", "W/\"3\"")], 412),
            (&[("if-match", "*")], 200),
            (&[("if-unmodified-since", BEFORE)], 412),
            (&[("if-match", "\"3\""), ("if-unmodified-since", BEFORE)], 200),
            (&[("if-match", "\"2\""), ("if-none-match", "\"3\"")], 412),
        ] {
            assert_eq!(read(headers), status, "{headers:?}");
        }
    }

    #[test]
    fn changes_are_refused_by_each_condition() {
        for (headers, status) in [
            (&[][..], 200),
            (&[("if-match", "\"3\"")], 200),
            (&[("if-match", "\"2\"")], 412),
            (&[("if-none-match", "*")], 412),
            (&[("if-none-match", "\"3\"")], 412),
            (&[("if-none-match", "\"2\"")], 200),
            (&[("if-unmodified-since", CHANGED)], 200),
            (&[("if-unmodified-since", BEFORE)], 412),
            // Says nothing about changes.
            (&[("if-modified-since", CHANGED)], 200),
        ] {
            assert_eq!(change(headers), status, "{headers:?}");
        }
    }

    #[test]
    fn both_answers_carry_the_validators() {
        for headers in [&[][..], &[("if-none-match", "*")]] {
            let answer = preconditions(headers).unless(current(), || "new".to_owned()).unwrap();
            let response = answer.into_response();
            assert_eq!(response.header("etag"), Some("\"3\""));
            assert_eq!(response.header("last-modified"), Some(CHANGED));
        }
        let undated = preconditions(&[("if-modified-since", CHANGED)]);
        let answer = undated.unless(ETag::strong(3), || "new".to_owned()).unwrap().into_response();
        assert_eq!((answer.status, answer.header("last-modified")), (200, None));
    }
}
