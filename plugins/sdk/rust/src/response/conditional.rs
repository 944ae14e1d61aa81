//! Answers with an `ETag` and a `Last-Modified`, and 304 for those who have them already.

use super::{IntoResponse, Response};
use crate::etag::ETag;
use crate::openapi::Operation;
use crate::validators::Validators;

/// An answer with its entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithEtag<T>(pub ETag, pub T);

impl<T: IntoResponse> IntoResponse for WithEtag<T> {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        if response.status < 400 {
            response.set_header("etag", self.0.to_string());
        }
        response
    }

    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
        operation.header_of_successes("etag", "The version; send it back as `If-Match`.");
    }
}

/// An answer with its validators, or 304 when the caller has it; made by
/// [`IfNoneMatch::unless`](crate::IfNoneMatch::unless) and
/// [`Preconditions::unless`](crate::Preconditions::unless).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditional<T> {
    validators: Validators,
    answer: Option<T>,
}

impl<T> Conditional<T> {
    pub(crate) fn new(validators: Validators, answer: Option<T>) -> Self {
        Self { validators, answer }
    }
}

impl<T: IntoResponse> IntoResponse for Conditional<T> {
    fn into_response(self) -> Response {
        let mut response = match self.answer {
            Some(answer) => answer.into_response(),
            None => Response::empty(304),
        };
        if response.status < 400 {
            response.set_header("etag", self.validators.etag().to_string());
            if let Some(date) = self.validators.last_modified() {
                response.set_header("last-modified", date);
            }
        }
        response
    }

    fn describe(operation: &mut Operation<'_>) {
        WithEtag::<T>::describe(operation);
        operation.response(304, "The caller has it already.");
    }
}
