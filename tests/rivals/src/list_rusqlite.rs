//! `GET /api/comments?target=…` with rusqlite: a connection for each thread of the runtime, used where
//! the request is. Pooled connections on `spawn_blocking` are slower: a query this short costs less
//! than two changes of thread.

use crate::comment::{Comment, Filter, LIST, Page, ROWS, Reactions, TENANT};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use rusqlite::{Connection, OpenFlags, Row, params, types::Type};
use std::{cell::OnceCell, path::Path, sync::Arc};

thread_local! {
    static CONNECTION: OnceCell<Connection> = const { OnceCell::new() };
}

/// The rival's routes. Fails when the database cannot be opened.
pub fn router(database: &Path) -> rusqlite::Result<Router> {
    open(database)?;
    let state: Arc<Path> = database.into();
    Ok(Router::new().route("/api/comments", get(list)).with_state(state))
}

fn open(database: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(database, flags)
}

async fn list(
    State(database): State<Arc<Path>>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page>, StatusCode> {
    let comments = CONNECTION.with(|slot| {
        if let Some(connection) = slot.get() {
            return read(connection, &filter.target);
        }
        read(slot.get_or_init(|| open(&database).expect("it was opened before")), &filter.target)
    });
    let comments = comments.map_err(|error| {
        eprintln!("the list cannot be read: {error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(Json(Page::new(comments)))
}

fn read(connection: &Connection, target: &str) -> rusqlite::Result<Vec<Comment>> {
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map(params![TENANT, target, ROWS], comment)?;
    rows.collect()
}

fn comment(row: &Row<'_>) -> rusqlite::Result<Comment> {
    let reactions = row.get::<_, String>(15)?;
    let reactions = Reactions::try_from(reactions).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(15, Type::Text, Box::new(error))
    })?;
    Ok(Comment {
        html: row.get(0)?,
        deleted: row.get(1)?,
        id: row.get(2)?,
        target: row.get(3)?,
        parent: row.get(4)?,
        reply_to: row.get(5)?,
        depth: row.get(6)?,
        author: row.get(7)?,
        author_name: row.get(8)?,
        body: row.get(9)?,
        state: row.get(10)?,
        created_ms: row.get(11)?,
        edited_ms: row.get(12)?,
        n_replies: row.get(13)?,
        score: row.get(14)?,
        reactions,
        my_vote: 0,
        my_reactions: Vec::new(),
    })
}
