//! What requests bring: bodies that have to fit, queries, and parts of the path.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What is checked.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Post {
    #[garde(length(chars, min = 1, max = 5))]
    title: String,
    #[garde(dive)]
    tags: Vec<Tag>,
}

/// A part of what is checked.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    #[garde(range(max = 9))]
    weight: i64,
}

/// Numbers of the query.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Number {
    count: i64,
    #[serde(default)]
    exact: bool,
}

pub fn checked(post: Json<Post>) -> Json<Post> {
    post
}

pub fn number(Query(number): Query<Number>) -> Json<Number> {
    Json(number)
}

pub fn words(request: Request) -> Response {
    let seen = json!({
        "method": request.method,
        "path": request.path,
        "parameters": request.parameters,
        "query": request.query,
        "headers": request.headers,
    });
    let mut response = Response::new(200, "application/json", seen.to_string().into_bytes());
    for value in ["one", "two"] {
        response.set_header("x-many", value);
    }
    response
}
