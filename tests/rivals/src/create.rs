//! `POST /api/comments` with rusqlite: one connection behind a mutex, and a commit for each request at
//! `synchronous=FULL`, as it is written everywhere.

use crate::{
    comment::{Comment, Reactions, TENANT},
    markdown::render,
};
use axum::{
    Json, Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, ETAG, HeaderName, LOCATION},
    },
    routing::post,
};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use rusqlite::{Connection, TransactionBehavior, params};
use serde::Deserialize;
use std::{
    error::Error,
    path::Path,
    sync::{Arc, Mutex},
};
use uuid::Uuid;

/// The longest text, in characters.
const BODY_MAX_CHARS: usize = 10_000;

/// Counts the comment in its thread, which exists from its first comment on.
const ENTER: &str = "INSERT INTO threads (tenant, target, n_comments) VALUES (?1, ?2, 1) \
     ON CONFLICT (tenant, target) DO UPDATE SET n_comments = threads.n_comments + 1 \
     RETURNING locked <> 0 OR posting <> 'everyone'";

const INSERT: &str = "INSERT INTO comments (tenant, id, target, root, ordinal, depth, author, body, \
     html, renderer, created_ms) VALUES (?1, ?2, ?3, ?2, 0, 1, ?4, ?5, ?6, 2, ?7)";

struct Shared {
    connection: Mutex<Connection>,
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    tenant: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewComment {
    target: String,
    body: String,
}

type Created = (StatusCode, [(HeaderName, String); 2], Json<Comment>);

/// The rival's routes. Fails when the database cannot be opened.
pub fn router(database: &Path, secret: &str) -> rusqlite::Result<Router> {
    let connection = Connection::open(database)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let key = DecodingKey::from_secret(secret.as_bytes());
    let validation = Validation::new(Algorithm::HS256);
    let shared = Shared { connection: Mutex::new(connection), key, validation };
    Ok(Router::new().route("/api/comments", post(create)).with_state(Arc::new(shared)))
}

async fn create(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(new): Json<NewComment>,
) -> Result<Created, StatusCode> {
    let claims = caller(&shared, &headers).ok_or(StatusCode::UNAUTHORIZED)?;
    check(&new)?;
    let written = tokio::task::spawn_blocking(move || write(&shared, claims, new)).await;
    let comment = written.map_err(|error| internal(&error))?.map_err(|error| internal(&error))?;
    let comment = comment.ok_or(StatusCode::CONFLICT)?;
    let location = format!("/api/comments/{}", comment.id);
    let headers = [(LOCATION, location), (ETAG, "\"1\"".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(comment)))
}

fn caller(shared: &Shared, headers: &HeaderMap) -> Option<Claims> {
    let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    Some(decode::<Claims>(token, &shared.key, &shared.validation).ok()?.claims)
}

fn check(new: &NewComment) -> Result<(), StatusCode> {
    let n_characters = new.body.chars().count();
    let is_empty = new.body.trim().is_empty();
    let has_target = new
        .target
        .split_once(':')
        .is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty() && new.target.len() <= 241);
    let fits = has_target && !is_empty && n_characters <= BODY_MAX_CHARS;
    if fits { Ok(()) } else { Err(StatusCode::UNPROCESSABLE_ENTITY) }
}

fn internal(error: &dyn Error) -> StatusCode {
    eprintln!("the comment cannot be written: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// Writes the comment; none when nothing may be posted on its target.
fn write(shared: &Shared, claims: Claims, new: NewComment) -> rusqlite::Result<Option<Comment>> {
    let tenant = claims.tenant.unwrap_or_else(|| TENANT.to_owned());
    let comment = comment(claims.sub, new);
    let mut connection = shared.connection.lock().expect("no holder panics");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_closed: bool = transaction
        .prepare_cached(ENTER)?
        .query_row(params![tenant, comment.target], |row| row.get(0))?;
    if is_closed {
        return Ok(None);
    }
    transaction.prepare_cached(INSERT)?.execute(params![
        tenant,
        comment.id,
        comment.target,
        comment.author,
        comment.body,
        comment.html,
        comment.created_ms,
    ])?;
    transaction.commit()?;
    Ok(Some(comment))
}

fn comment(author: String, new: NewComment) -> Comment {
    Comment {
        html: Some(render(&new.body)),
        deleted: false,
        id: Uuid::now_v7().to_string(),
        target: new.target,
        parent: None,
        reply_to: None,
        depth: 1,
        author: Some(author),
        author_name: None,
        body: Some(new.body),
        state: "approved".to_owned(),
        created_ms: Timestamp::now().as_millisecond(),
        edited_ms: None,
        n_replies: 0,
        score: 0,
        reactions: Reactions::none(),
        my_vote: 0,
        my_reactions: Vec::new(),
    }
}
