//! Answers for the usual cases: text, JSON, created, nothing, and a status of one's own.

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::{IntoResponse, Response};
use crate::extract::Json;
use crate::log;
use crate::openapi::Operation;
use crate::problem::Problem;

const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::new(200, TEXT, self.into_bytes())
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.content(200, "Text.", TEXT, serde_json::json!({ "type": "string" }));
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        self.to_owned().into_response()
    }

    fn describe(operation: &mut Operation<'_>) {
        String::describe(operation);
    }
}

impl<T: Serialize + JsonSchema> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => Response::new(200, JSON, body),
            Err(error) => {
                log::error!("an answer cannot be written as JSON", error = error);
                Problem::internal().into_response()
            }
        }
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.json_response::<T>(200, "Done.");
    }
}

/// 201: something was made, and this is where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created<T> {
    location: String,
    body: T,
}

impl<T> Created<T> {
    /// `location` is the path of what was made, such as `/api/comments/42`; `body` describes it.
    pub fn new(location: impl Into<String>, body: T) -> Self {
        Self { location: location.into(), body }
    }
}

impl<T: IntoResponse> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        // A body that could not be written stays the problem it became.
        if response.status < 400 {
            response.status = 201;
            response.set_header("location", self.location);
        }
        response
    }

    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
        operation.rename_response(200, 201, "Created.");
        operation.response_header(201, "location", "The path of what was created.");
    }
}

/// 204: done, and nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        Response::empty(204)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.response(204, "Done.");
    }
}

/// An answer with a status of one's own, which OpenAPI does not learn about: name it with
/// [`Route::answers`](crate::Route::answers).
impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        response.status = self.0.as_u16();
        response
    }

    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn created_says_where() {
        let response = Created::new("/api/notes/1", Json(5)).into_response();
        assert_eq!((response.status, response.header("location")), (201, Some("/api/notes/1")));
        assert_eq!(response.body, b"5");
    }

    #[test]
    fn what_cannot_be_written_is_500() {
        crate::testing::Host::default().enter();
        let unwritable = BTreeMap::from([((1, 2), 3)]);
        let response = Created::new("/", Json(unwritable)).into_response();
        assert_eq!((response.status, response.header("location")), (500, None));
    }

    #[test]
    fn a_status_of_ones_own_wins() {
        let response = (StatusCode::ACCEPTED, "queued").into_response();
        assert_eq!((response.status, response.body.as_slice()), (202, b"queued".as_slice()));
    }
}
