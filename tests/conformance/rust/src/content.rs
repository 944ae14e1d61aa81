//! Bytes: sent back, kept and served as they came.

use caplet_sdk::prelude::*;
use caplet_sdk::{Body, Headers};

pub fn echo(headers: Headers, Body(body): Body) -> Response {
    Response::new(200, headers.get("content-type").unwrap_or_default(), body)
}

pub fn keep(Path(id): Path<i64>, Body(body): Body) -> Result<NoContent, Problem> {
    let statement = "INSERT INTO things (id, name, content) VALUES ($1, $2, $3)";
    sql::execute(statement, params![id, id.to_string(), body])?;
    Ok(NoContent)
}

pub fn content(Path(id): Path<i64>) -> Result<Response, Problem> {
    let statement = "SELECT content FROM things WHERE id = $1";
    match sql::query_optional(statement, params![id])? {
        Some(content) => Ok(Response::new(200, "application/octet-stream", content)),
        None => Err(Problem::not_found("There is no such content.")),
    }
}
