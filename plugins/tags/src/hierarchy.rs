//! The tree of tags: what is above and below a tag, and moving it. At most eight levels, no cycles.
//!
//! Items belong to tags and not to places: moving a tag moves nothing else.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;

use crate::tag::Stored;

/// The deepest level.
pub const DEPTH_MAX: i64 = 8;

/// The most tags that a search with children covers: what one result and one statement can hold.
pub const BELOW_MAX: u32 = 800;

/// Puts a tag that was just made below another.
///
/// # Errors
/// 422 when there is no such parent, 409 when it is on the last level.
pub fn place_new(id: i64, parent: &str) -> Result<(), Problem> {
    let parent = load_parent(parent)?;
    require_room(parent.depth, 1)?;
    set(id, Some(parent.id), parent.depth + 1, 0)
}

/// Moves a tag with all that is below it: below another one, or to the top.
///
/// # Errors
/// 422 when there is no such parent; 409 when it is the tag itself or below it, or when a tag would
/// be on a ninth level.
pub fn move_to(tag: &Stored, parent: Option<&str>) -> Result<(), Problem> {
    let (parent, depth) = match parent {
        None => (None, 1),
        Some(slug) => {
            let parent = load_parent(slug)?;
            if above(parent.id)?.contains(&tag.id) {
                let detail = "A tag cannot be below itself.";
                return Err(Problem::conflict(detail).with_code("tag-cycle"));
            }
            require_room(parent.depth, height(tag)?)?;
            (Some(parent.id), parent.depth + 1)
        }
    };
    if parent == tag.parent {
        return Ok(());
    }
    set(tag.id, parent, depth, depth - tag.depth)
}

/// Moves what is directly below a tag below another one, or to the top.
///
/// # Errors
/// 409 when a tag would be on a ninth level.
pub fn move_children(from: &Stored, to: Option<(i64, i64)>) -> Result<(), Problem> {
    let (parent, depth) = to.map_or((None, 0), |(parent, depth)| (Some(parent), depth));
    require_room(depth, height(from)? - 1)?;
    shift_below(from.id, depth - from.depth)?;
    let statement = "UPDATE tags SET parent = $2, updated_ms = $3 \
                     WHERE tenant = $tenant AND parent = $1";
    sql::execute(statement, params![from.id, parent, clock::now_ms()])?;
    Ok(())
}

/// Whether `id` is `above` or below it.
///
/// # Errors
/// Those of the store.
pub fn is_in(id: i64, above_it: i64) -> Result<bool, Problem> {
    Ok(above(id)?.contains(&above_it))
}

/// Tags and all that is below them, as pairs of the first and one of the others; each is below itself.
///
/// # Errors
/// 400 when there are more than [`BELOW_MAX`].
pub fn below(ids: &[i64]) -> Result<Vec<(i64, i64, i64)>, Problem> {
    let mut statement = Statement::new(
        "WITH RECURSIVE below (root, id, n_items) AS (SELECT t.id, t.id, t.n_items FROM tags t \
         WHERE t.tenant = $tenant AND t.id IN (",
    );
    statement.bind_all(ids.iter().copied()).push(
        ") UNION ALL SELECT b.root, t.id, t.n_items FROM below b \
         JOIN tags t ON t.tenant = $tenant AND t.parent = b.id) \
         SELECT root, id, n_items FROM below LIMIT ",
    );
    let found: Vec<(i64, i64, i64)> = statement.bind(BELOW_MAX + 1).query()?;
    if found.len() > BELOW_MAX as usize {
        let detail = format!("More than {BELOW_MAX} tags are below these: search for fewer.");
        return Err(Problem::bad_request(detail).with_code("too-many-tags"));
    }
    Ok(found)
}

fn load_parent(slug: &str) -> Result<Stored, Problem> {
    Stored::find(slug)?.ok_or_else(|| Problem::unprocessable_at("/parent", "is not a tag"))
}

fn require_room(depth: i64, height: i64) -> Result<(), Problem> {
    if depth + height <= DEPTH_MAX {
        return Ok(());
    }
    let detail = format!("Tags have {DEPTH_MAX} levels at most.");
    Err(Problem::conflict(detail).with_code("too-deep"))
}

/// A tag and all that is above it.
fn above(id: i64) -> Result<Vec<i64>, Problem> {
    let statement = "WITH RECURSIVE above (id, parent) AS (SELECT t.id, t.parent FROM tags t \
                     WHERE t.tenant = $tenant AND t.id = $1 UNION ALL \
                     SELECT t.id, t.parent FROM above a \
                     JOIN tags t ON t.tenant = $tenant AND t.id = a.parent) SELECT id FROM above";
    Ok(sql::query(statement, params![id])?)
}

/// How many levels a tag and those below it have: 1 when nothing is below it.
fn height(tag: &Stored) -> Result<i64, Problem> {
    let statement = "WITH RECURSIVE below (id, depth) AS (SELECT t.id, t.depth FROM tags t \
                     WHERE t.tenant = $tenant AND t.id = $1 UNION ALL \
                     SELECT t.id, t.depth FROM below b \
                     JOIN tags t ON t.tenant = $tenant AND t.parent = b.id) \
                     SELECT max(depth) FROM below";
    let deepest: i64 = sql::query_one(statement, params![tag.id])?;
    Ok(deepest - tag.depth + 1)
}

fn set(id: i64, parent: Option<i64>, depth: i64, shift: i64) -> Result<(), Problem> {
    shift_below(id, shift)?;
    let statement = "UPDATE tags SET parent = $2, depth = $3, updated_ms = $4 \
                     WHERE tenant = $tenant AND id = $1";
    sql::execute(statement, params![id, parent, depth, clock::now_ms()])?;
    Ok(())
}

/// Changes the levels of all that is below a tag, not its own.
fn shift_below(id: i64, shift: i64) -> Result<(), Problem> {
    if shift != 0 {
        let statement = "UPDATE tags SET depth = depth + $2 WHERE tenant = $tenant AND id IN \
                         (WITH RECURSIVE below (id) AS (SELECT t.id FROM tags t \
                         WHERE t.tenant = $tenant AND t.parent = $1 UNION ALL \
                         SELECT t.id FROM below b \
                         JOIN tags t ON t.tenant = $tenant AND t.parent = b.id) \
                         SELECT id FROM below)";
        sql::execute(statement, params![id, shift])?;
    }
    Ok(())
}
