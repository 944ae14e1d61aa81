//! `GET /api/comments?target=…` with sqlx: a pool of connections that only read.

use crate::comment::{Comment, Filter, LIST, Page, ROWS, TENANT};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use std::path::Path;

/// On two cores 2, 4 and 8 differ less than two runs do; 1 and 16 are slower.
const CONNECTIONS: u32 = 4;

/// The rival's routes.
pub async fn router(database: &Path) -> Result<Router, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).min_connections(CONNECTIONS);
    let pool = pool.test_before_acquire(false).connect_with(options).await?;
    Ok(Router::new().route("/api/comments", get(list)).with_state(pool))
}

async fn list(
    State(pool): State<SqlitePool>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page>, StatusCode> {
    let query = sqlx::query_as::<_, Comment>(LIST).bind(TENANT).bind(filter.target);
    let comments = query.bind(ROWS).fetch_all(&pool).await;
    let comments = comments.map_err(|error| {
        eprintln!("the list cannot be read: {error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(Json(Page::new(comments)))
}
