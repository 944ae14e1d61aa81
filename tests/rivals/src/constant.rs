//! `GET /api/constant-json`: an answer that costs nothing to make.

use axum::{
    Router,
    http::header::{CONTENT_TYPE, HeaderName},
    routing::get,
};

/// The bytes that the fixture `constant-json` answers.
const ANSWER: &str = r#"{"message":"Hello, world","numbers":[1,2,3]}"#;

/// The rival's routes.
pub fn router() -> Router {
    Router::new().route("/api/constant-json", get(constant))
}

async fn constant() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}
