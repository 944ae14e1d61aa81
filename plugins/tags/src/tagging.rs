//! Taggings: an item has a tag, since when, and by whom. Every change of them goes through here, so
//! that what is counted is what there is.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;

use crate::trend::{self, Change, day_of};

/// How many taggings one statement changes when a tag goes from all its items.
const BATCH_ROWS: i64 = 20_000;
/// The most batches of one request: with three statements each, within those that it may run.
const BATCHES_MAX: usize = 50;

/// Adds tags to an item and takes tags from it: those it has not, and those it has.
///
/// # Errors
/// Those of the store.
pub fn change(item: i64, add: &[i64], remove: &[i64], subject: &str) -> Result<(), Problem> {
    let mut changes = take(item, remove)?;
    let n_removed = changes.len();
    let now_ms = clock::now_ms();
    put(item, add, subject, now_ms)?;
    changes.extend(add.iter().map(|&tag| Change { tag, day: day_of(now_ms), by: 1 }));
    count_items(add, 1)?;
    count_items(remove, -1)?;
    let n_tags = as_count(add.len()) - as_count(n_removed);
    let statement = "UPDATE items SET n_tags = n_tags + $2 WHERE tenant = $tenant AND id = $1";
    sql::execute(statement, params![item, n_tags])?;
    trend::record(&changes)
}

fn put(item: i64, tags: &[i64], subject: &str, now_ms: i64) -> Result<(), Problem> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut statement =
        Statement::new("INSERT INTO taggings (tenant, item, tag, tagged_by, tagged_ms) VALUES ");
    for (place, tag) in tags.iter().enumerate() {
        statement.push(if place == 0 { "($tenant, " } else { ", ($tenant, " });
        statement.bind(item).push(", ").bind(*tag).push(", ").bind(subject).push(", ");
        statement.bind(now_ms).push(")");
    }
    statement.execute()?;
    Ok(())
}

/// Takes tags from an item; says when they had come.
fn take(item: i64, tags: &[i64]) -> Result<Vec<Change>, Problem> {
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::new("DELETE FROM taggings WHERE tenant = $tenant AND item = ");
    statement.bind(item).push(" AND tag IN (").bind_all(tags.iter().copied());
    let gone: Vec<(i64, i64)> = statement.push(") RETURNING tag, tagged_ms").query()?;
    let change = |(tag, tagged_ms)| Change { tag, day: day_of(tagged_ms), by: -1 };
    Ok(gone.into_iter().map(change).collect())
}

fn count_items(tags: &[i64], by: i64) -> Result<(), Problem> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::new("UPDATE tags SET n_items = n_items + ");
    statement.bind(by).push(" WHERE tenant = $tenant AND id IN (").bind_all(tags.iter().copied());
    statement.push(")").execute()?;
    Ok(())
}

fn as_count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Gives all items of a tag another one instead. An item that has both keeps the other one as it is.
///
/// # Errors
/// 409 when there are more items than one request can change.
pub fn move_all(from: i64, to: i64) -> Result<(), Problem> {
    in_batches(from, |first, last| {
        sql::execute(
            "INSERT INTO taggings (tenant, item, tag, tagged_by, tagged_ms) \
             SELECT r.tenant, r.item, $2, r.tagged_by, r.tagged_ms FROM taggings r \
             WHERE r.tenant = $tenant AND r.tag = $1 AND r.item BETWEEN $3 AND $4 \
             AND NOT EXISTS (SELECT 1 FROM taggings o WHERE o.tenant = $tenant \
             AND o.item = r.item AND o.tag = $2)",
            params![from, to, first, last],
        )
    })?;
    count_anew(to)?;
    trend::forget(from)?;
    trend::recount(to)
}

/// Takes a tag from all its items.
///
/// # Errors
/// 409 when there are more items than one request can change.
pub fn remove_all(tag: i64) -> Result<(), Problem> {
    in_batches(tag, |_, _| Ok(0))?;
    trend::forget(tag)
}

/// Removes all taggings of a tag in batches; `before` gets the first and last item of each, and says
/// how many other taggings it made for them.
fn in_batches(tag: i64, before: impl Fn(i64, i64) -> sql::Result<u64>) -> Result<(), Problem> {
    for _ in 0..BATCHES_MAX {
        let batch: (i64, Option<i64>, Option<i64>) = sql::query_one(
            "SELECT count(*), min(item), max(item) FROM (SELECT r.item FROM taggings r \
             WHERE r.tenant = $tenant AND r.tag = $1 ORDER BY r.item LIMIT $2) AS b",
            params![tag, BATCH_ROWS],
        )?;
        let (_, Some(first), Some(last)) = batch else { return Ok(()) };
        before(first, last)?;
        sql::execute(
            "UPDATE items SET n_tags = (SELECT count(*) FROM taggings o WHERE o.tenant = $tenant \
             AND o.item = items.id AND o.tag <> $1) WHERE tenant = $tenant AND id IN \
             (SELECT r.item FROM taggings r WHERE r.tenant = $tenant AND r.tag = $1 \
             AND r.item BETWEEN $2 AND $3)",
            params![tag, first, last],
        )?;
        sql::execute(
            "DELETE FROM taggings WHERE tenant = $tenant AND tag = $1 AND item BETWEEN $2 AND $3",
            params![tag, first, last],
        )?;
        if batch.0 < BATCH_ROWS {
            return Ok(());
        }
    }
    let most = BATCH_ROWS * BATCHES_MAX as i64;
    let detail = format!("The tag has more than {most} items: take it from some of them first.");
    Err(Problem::conflict(detail).with_code("too-many-items"))
}

fn count_anew(tag: i64) -> Result<(), Problem> {
    let statement = "UPDATE tags SET n_items = (SELECT count(*) FROM taggings r \
                     WHERE r.tenant = $tenant AND r.tag = $1) WHERE tenant = $tenant AND id = $1";
    sql::execute(statement, params![tag])?;
    Ok(())
}
