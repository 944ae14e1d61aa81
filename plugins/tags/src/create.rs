//! Making tags: one by `POST /`, or those that are new among names that an item gets.

use std::collections::BTreeMap;

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access;
use crate::gram;
use crate::hierarchy;
use crate::name::Name;
use crate::select;
use crate::settings::{Lookalikes, TagsSettings};
use crate::slug;
use crate::tag::{DESCRIPTION_MAX_CHARS, Tag, check_description, next_numbers, path_of};

/// A new tag.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewTag {
    /// Its name: 1 to 64 characters after normalisation.
    #[garde(skip)]
    name: String,
    /// What it is for.
    #[garde(length(chars, max = DESCRIPTION_MAX_CHARS), custom(check_description))]
    #[serde(default)]
    description: String,
    /// The slug of the tag above it.
    #[garde(skip)]
    parent: Option<String>,
}

/// `POST /`
pub fn create_tag(
    caller: Caller,
    settings: Settings<TagsSettings>,
    Json(tag): Json<NewTag>,
) -> Result<WithEtag<Created<JsonBytes<Tag>>>, Problem> {
    access::require_may_create(&settings)?;
    let name = read_name(&tag.name, "/name")?;
    if let Some((_, taken)) = find(std::slice::from_ref(&name))?.pop_first() {
        return Err(name_taken(taken)?);
    }
    let id = insert(&[&name], &caller.subject, &settings, |_| "/name".to_owned())?;
    if !tag.description.is_empty() {
        let statement = "UPDATE tags SET description = $2 WHERE tenant = $tenant AND id = $1";
        sql::execute(statement, params![id, &tag.description])?;
    }
    if let Some(parent) = &tag.parent {
        hierarchy::place_new(id, parent)?;
    }
    let (written, etag) = select::one(id)?;
    let slug: String =
        sql::query_one("SELECT slug FROM tags WHERE tenant = $tenant AND id = $1", params![id])?;
    Ok(WithEtag(etag, Created::new(path_of(&slug), written)))
}

/// Reads a name at a place of the body.
///
/// # Errors
/// 422 when it cannot be one.
pub fn read_name(text: &str, pointer: &str) -> Result<Name, Problem> {
    Name::read(text).map_err(|detail| Problem::unprocessable_at(pointer, detail))
}

/// The problem of a name that leads to a tag already.
///
/// # Errors
/// Those of the store.
pub fn name_taken(tag: i64) -> Result<Problem, Problem> {
    let statement = "SELECT slug FROM tags WHERE tenant = $tenant AND id = $1";
    let slug: String = sql::query_one(statement, params![tag])?;
    let problem = Problem::conflict("There is a tag of this name already.");
    Ok(problem.with_code("name-taken").with_member("slug", slug))
}

/// The tags that names lead to, by folded name; names that lead nowhere are left out.
///
/// # Errors
/// Those of the store.
pub fn find(names: &[Name]) -> Result<BTreeMap<String, i64>, Problem> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut statement =
        Statement::new("SELECT folded, tag FROM names WHERE tenant = $tenant AND folded IN (");
    statement.bind_all(names.iter().map(|name| &name.folded)).push(")");
    let found: Vec<(String, i64)> = statement.query()?;
    Ok(found.into_iter().collect())
}

/// The tags that names lead to. Makes those that are not there, if the caller may.
///
/// # Errors
/// 403 when the caller may not, with the member `names`; 422 when a new name looks like another and
/// the operator refuses that.
pub fn find_or_create(
    names: &[Name],
    creator: &str,
    settings: &TagsSettings,
    pointer_of: impl Fn(&Name) -> String,
) -> Result<Vec<i64>, Problem> {
    let mut known = find(names)?;
    let new: Vec<&Name> = names.iter().filter(|name| !known.contains_key(&name.folded)).collect();
    if !new.is_empty() {
        let shown: Vec<&str> = new.iter().map(|name| name.shown.as_str()).collect();
        access::require_may_create(settings)
            .map_err(|problem| problem.with_member("names", shown))?;
        let first = insert(&new, creator, settings, |place| pointer_of(new[place]))?;
        known.extend(new.iter().map(|name| name.folded.clone()).zip(first..));
    }
    let mut ids: Vec<i64> =
        names.iter().filter_map(|name| known.get(&name.folded)).copied().collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Makes tags of names that lead nowhere yet, all different. Returns the number of the first; the
/// others follow it.
fn insert(
    names: &[&Name],
    creator: &str,
    settings: &TagsSettings,
    pointer_of: impl Fn(usize) -> String,
) -> Result<i64, Problem> {
    let skeletons: Vec<String> = names.iter().map(|name| name.skeleton()).collect();
    let older = with_skeletons(&skeletons)?;
    if settings.lookalikes == Lookalikes::Refuse {
        let alike = skeletons.iter().position(|skeleton| older.contains_key(skeleton));
        if let Some(place) = alike {
            return Err(looks_like(pointer_of(place)));
        }
    }
    let first = next_numbers("tag", names.len())?;
    let ids = first..;
    let named: Vec<(i64, &str)> = ids.zip(names.iter().map(|name| name.folded.as_str())).collect();
    let slugs = slug::assign(&named)?;
    let now_ms = clock::now_ms();
    let mut statement = Statement::new(
        "INSERT INTO tags (tenant, id, slug, name, folded, skeleton, looks_like, created_by, \
         created_ms, updated_ms) VALUES ",
    );
    for (place, ((id, folded), name)) in named.iter().zip(names).enumerate() {
        statement.push(if place == 0 { "($tenant, " } else { ", ($tenant, " });
        statement.bind(*id).push(", ").bind(&slugs[place]).push(", ").bind(&name.shown);
        statement.push(", ").bind(*folded).push(", ").bind(&skeletons[place]).push(", ");
        statement.bind(older.get(&skeletons[place]).copied()).push(", ").bind(creator);
        statement.push(", ").bind(now_ms).push(", ").bind(now_ms).push(")");
    }
    statement.execute()?;
    keep_names(&named, names)?;
    gram::add(named)?;
    Ok(first)
}

fn keep_names(named: &[(i64, &str)], names: &[&Name]) -> Result<(), Problem> {
    let mut statement = Statement::new("INSERT INTO names (tenant, folded, tag, name) VALUES ");
    for (place, ((id, folded), name)) in named.iter().zip(names).enumerate() {
        statement.push(if place == 0 { "($tenant, " } else { ", ($tenant, " });
        statement.bind(*folded).push(", ").bind(*id).push(", ").bind(&name.shown).push(")");
    }
    statement.execute()?;
    Ok(())
}

/// The problem of a name that looks like that of another tag.
pub fn looks_like(pointer: String) -> Problem {
    Problem::unprocessable_at(pointer, "looks like the name of another tag")
}

/// The oldest tag with each of the skeletons.
///
/// # Errors
/// Those of the store.
pub fn with_skeletons(skeletons: &[String]) -> Result<BTreeMap<String, i64>, Problem> {
    let mut statement = Statement::new(
        "SELECT skeleton, min(id) FROM tags WHERE tenant = $tenant AND skeleton IN (",
    );
    statement.bind_all(skeletons).push(") GROUP BY skeleton");
    let found: Vec<(String, i64)> = statement.query()?;
    Ok(found.into_iter().collect())
}
