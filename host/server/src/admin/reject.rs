//! How handlers of the admin API fail: every error is a problem document like all others of the host,
//! also those that the router and its extractors make.

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A JSON body, of a request or of an answer. That of a request is an object: serde would take a list for a
/// struct as well, by the order of its members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(body, state).await.map_err(|rejection| {
            Problem::new(rejection.status(), "body-malformed", rejection.body_text())
        })?;
        if body.trim_ascii_start().first() == Some(&b'[') {
            let detail = "The body has to be a JSON object.";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body-invalid", detail));
        }
        let request = Request::from_parts(parts, body.into());
        let axum::Json(value) =
            <axum::Json<T> as FromRequest<S>>::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// A request may have no body at all.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        if !request.headers().contains_key(CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

/// The name in a path. What cannot be one names nothing.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct Named<T>(pub(crate) T);

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::not_found()
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "media-type-unsupported",
            StatusCode::UNPROCESSABLE_ENTITY => "body-invalid",
            _ => "body-malformed",
        };
        Self::new(rejection.status(), code, rejection.body_text())
    }
}

/// Carries the problem out of the router, to where the request's id is known.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The answer to a method that a path does not have. Which ones it has is in `Allow`, which the
/// router adds.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed(&[])
}

/// The problem that an answer of the router stands for.
pub(super) fn problem(response: &mut Response) -> Option<Problem> {
    let problem = response.extensions_mut().remove::<Problem>()?;
    let allowed = response.headers_mut().remove(ALLOW);
    Some(match allowed {
        Some(allowed) => problem.with_header(ALLOW, allowed),
        None => problem,
    })
}
