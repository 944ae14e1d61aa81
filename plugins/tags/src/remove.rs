//! `DELETE /{slug}` and `POST /{slug}/merge`: tags that go. What is below them moves up, or along.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::gram;
use crate::hierarchy;
use crate::select;
use crate::tag::{Stored, Tag, touch};
use crate::tagging;

/// Where a tag goes.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The slug of the tag that is to be instead of it.
    #[garde(skip)]
    into: String,
}

/// `DELETE /{slug}`
pub fn delete_tag(Path(slug): Path<String>, if_match: IfMatch) -> Result<NoContent, Problem> {
    let tag = Stored::load_by_current_slug(&slug)?;
    if_match.check(&select::one(tag.id)?.1)?;
    let above = tag.parent.map(|parent| (parent, tag.depth - 1));
    hierarchy::move_children(&tag, above)?;
    tagging::remove_all(tag.id)?;
    let names: Vec<String> = names_of(tag.id)?;
    for folded in &names {
        gram::remove(tag.id, folded, [])?;
    }
    for statement in [
        "DELETE FROM names WHERE tenant = $tenant AND tag = $1",
        "DELETE FROM slugs WHERE tenant = $tenant AND tag = $1",
        "DELETE FROM group_members WHERE tenant = $tenant AND tag = $1",
    ] {
        sql::execute(statement, params![tag.id])?;
    }
    forget(tag.id)?;
    Ok(NoContent)
}

/// `POST /{slug}/merge`
pub fn merge_tag(
    Path(slug): Path<String>,
    if_match: IfMatch,
    Json(Merge { into }): Json<Merge>,
) -> Result<WithEtag<JsonBytes<Tag>>, Problem> {
    let from = Stored::load_by_current_slug(&slug)?;
    if_match.check(&select::one(from.id)?.1)?;
    let to =
        Stored::find(&into)?.ok_or_else(|| Problem::unprocessable_at("/into", "is not a tag"))?;
    if from.id == to.id {
        return Err(Problem::unprocessable_at("/into", "is the tag itself"));
    }
    if hierarchy::is_in(to.id, from.id)? {
        let detail = "A tag cannot be merged into one below it: move that one first.";
        return Err(Problem::conflict(detail).with_code("tag-cycle"));
    }
    hierarchy::move_children(&from, Some((to.id, to.depth)))?;
    tagging::move_all(from.id, to.id)?;
    move_names(&from, &to)?;
    forget(from.id)?;
    touch(to.id)?;
    let (merged, etag) = select::one(to.id)?;
    Ok(WithEtag(etag, merged))
}

/// Lets all names and slugs of one tag lead to another, and puts that one into its groups.
fn move_names(from: &Stored, to: &Stored) -> Result<(), Problem> {
    let names: Vec<String> = names_of(from.id)?;
    for folded in &names {
        gram::remove(from.id, folded, [])?;
    }
    gram::add(names.iter().map(|folded| (to.id, folded.as_str())))?;
    for statement in [
        "UPDATE names SET tag = $2, synonym = 1 WHERE tenant = $tenant AND tag = $1",
        "UPDATE slugs SET tag = $2 WHERE tenant = $tenant AND tag = $1",
        "INSERT INTO group_members (tenant, group_id, tag) SELECT m.tenant, m.group_id, $2 \
         FROM group_members m WHERE m.tenant = $tenant AND m.tag = $1 AND NOT EXISTS \
         (SELECT 1 FROM group_members o WHERE o.tenant = $tenant AND o.group_id = m.group_id \
         AND o.tag = $2)",
    ] {
        sql::execute(statement, params![from.id, to.id])?;
    }
    let statement = "DELETE FROM group_members WHERE tenant = $tenant AND tag = $1";
    sql::execute(statement, params![from.id])?;
    Ok(())
}

fn names_of(tag: i64) -> Result<Vec<String>, Problem> {
    let statement = "SELECT folded FROM names WHERE tenant = $tenant AND tag = $1";
    Ok(sql::query(statement, params![tag])?)
}

/// Removes a tag's row. Those that looked like it look like nothing any more.
fn forget(tag: i64) -> Result<(), Problem> {
    let statement = "UPDATE tags SET looks_like = NULL WHERE tenant = $tenant AND looks_like = $1";
    sql::execute(statement, params![tag])?;
    sql::execute("DELETE FROM tags WHERE tenant = $tenant AND id = $1", params![tag])?;
    Ok(())
}
