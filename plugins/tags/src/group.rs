//! `/groups`: tags that belong together, and what they ask of items: one of them at most, or one at
//! least. The rules are kept by [`rule`](crate::rule).

use caplet_sdk::TargetType;
use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::NO_GROUP;
use crate::access::Reader;
use crate::select::etag_of;
use crate::tag::ids_of;

const ORDER: &str = "groups";
/// The most groups of a tenant: all are looked at when tags of an item change.
const GROUPS_MAX: i64 = 100;
/// The most tags of a group.
const MEMBERS_MAX: usize = 200;

/// A group of tags.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct Group {
    /// Its name in URLs.
    id: String,
    /// Its name for people.
    title: String,
    /// Whether an item may have one of its tags at most.
    exclusive: bool,
    /// The types of items that must have one of its tags at least.
    required_for: Vec<String>,
    /// The slugs of its tags.
    tags: Vec<String>,
    /// When it was changed last, RFC 3339.
    updated_at: String,
}

/// A group's new content. What is left out gets its default.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Its name for people.
    #[garde(length(chars, min = 1, max = 80), custom(check_title))]
    title: String,
    /// Whether an item may have one of its tags at most.
    #[garde(skip)]
    #[serde(default)]
    exclusive: bool,
    /// The types of items that must have one of its tags at least.
    #[garde(length(max = 20))]
    #[serde(default)]
    required_for: Vec<TargetType>,
    /// The slugs of its tags.
    #[garde(length(max = MEMBERS_MAX))]
    #[serde(default)]
    tags: Vec<String>,
}

/// The id of a group: 1 to 40 of `a-z 0-9 -`, beginning with a letter or digit.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[a-z0-9][a-z0-9-]{0,39}$"))]
pub struct GroupId(String);

impl TryFrom<String> for GroupId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=40).contains(&text.len()) && text.bytes().all(is_part);
        if fits && !text.starts_with('-') {
            return Ok(Self(text));
        }
        Err("must be 1 to 40 of a-z 0-9 - that begin with a letter or digit")
    }
}

fn columns() -> Statement {
    Statement::new(
        r#"SELECT g.id, g.title, g.exclusive AS "exclusive:bool",
           g.required_for AS "required_for:json",
           COALESCE((SELECT '["' || string_agg(t.slug, '","' ORDER BY t.slug) || '"]'
           FROM group_members m JOIN tags t ON t.tenant = $tenant AND t.id = m.tag
           WHERE m.tenant = $tenant AND m.group_id = g.id), '[]') AS "tags:json",
           g.updated_ms AS "updated_at:time", g.id AS "id:key" FROM tag_groups g
           WHERE g.tenant = $tenant"#,
    )
}

/// `GET /groups`
pub fn list_groups(page: Page, _reader: Reader) -> Result<Listing<Group>, Problem> {
    let after: Option<(GroupId,)> = page.after(ORDER)?;
    let groups = sql::bounded_page(page.limit, |limit| {
        let mut statement = columns();
        if let Some((GroupId(id),)) = &after {
            statement.push(" AND g.id > ").bind(id);
        }
        statement.push(" ORDER BY g.id LIMIT ").bind(limit + 1);
        statement
    })?;
    Ok(Listing::from_json(ORDER, groups))
}

/// `GET /groups/{group}`
pub fn read_group(
    Path(GroupId(id)): Path<GroupId>,
    _reader: Reader,
    if_none_match: IfNoneMatch,
) -> Result<Conditional<JsonBytes<Group>>, Problem> {
    let group = find(&id)?.ok_or_else(|| Problem::not_found(NO_GROUP))?;
    Ok(if_none_match.unless(etag_of(&group), || JsonBytes::new(group)))
}

/// `PUT /groups/{group}`
pub fn write_group(
    Path(GroupId(id)): Path<GroupId>,
    if_match: IfMatch,
    Json(group): Json<NewGroup>,
) -> Result<WithEtag<JsonBytes<Group>>, Problem> {
    let before = find(&id)?;
    if_match.check(&etag_of(before.as_deref().unwrap_or_default()))?;
    if before.is_none() {
        require_room()?;
    }
    let members = members(&group)?;
    let mut types: Vec<&str> = group.required_for.iter().map(TargetType::as_str).collect();
    types.sort_unstable();
    types.dedup();
    // A list of texts can always be written.
    let required_for = serde_json::to_string(&types).unwrap_or_else(|_| "[]".to_owned());
    let statement = "INSERT INTO tag_groups (tenant, id, title, exclusive, required_for, updated_ms) \
                     VALUES ($tenant, $1, $2, $3, $4, $5) ON CONFLICT (tenant, id) DO UPDATE SET \
                     title = excluded.title, exclusive = excluded.exclusive, \
                     required_for = excluded.required_for, updated_ms = excluded.updated_ms";
    let now_ms = clock::now_ms();
    sql::execute(statement, params![&id, &group.title, group.exclusive, required_for, now_ms])?;
    replace_members(&id, &members)?;
    let written = find(&id)?.ok_or_else(Problem::internal)?;
    Ok(WithEtag(etag_of(&written), JsonBytes::new(written)))
}

/// `DELETE /groups/{group}`: its tags stay.
pub fn delete_group(
    Path(GroupId(id)): Path<GroupId>,
    if_match: IfMatch,
) -> Result<NoContent, Problem> {
    let group = find(&id)?.ok_or_else(|| Problem::not_found(NO_GROUP))?;
    if_match.check(&etag_of(&group))?;
    replace_members(&id, &[])?;
    sql::execute("DELETE FROM tag_groups WHERE tenant = $tenant AND id = $1", params![&id])?;
    Ok(NoContent)
}

fn find(id: &str) -> Result<Option<Vec<u8>>, Problem> {
    let mut statement = columns();
    statement.push(" AND g.id = ").bind(id);
    let page = statement.query_json(1)?;
    let group = page.items.strip_prefix(b"[").and_then(|items| items.strip_suffix(b"]"));
    Ok(group.filter(|group| !group.is_empty()).map(<[u8]>::to_vec))
}

fn require_room() -> Result<(), Problem> {
    let statement = "SELECT count(*) FROM tag_groups WHERE tenant = $tenant";
    let n_groups: i64 = sql::query_one(statement, params![])?;
    if n_groups < GROUPS_MAX {
        return Ok(());
    }
    let detail = format!("There are {GROUPS_MAX} groups already.");
    Err(Problem::conflict(detail).with_code("too-many-groups"))
}

/// The tags of a new group, each once.
fn members(group: &NewGroup) -> Result<Vec<i64>, Problem> {
    let slugs: Vec<&str> = group.tags.iter().map(String::as_str).collect();
    let found = ids_of(&slugs)?.into_iter().enumerate().map(|(place, id)| {
        id.ok_or_else(|| Problem::unprocessable_at(format!("/tags/{place}"), "is not a tag"))
    });
    let mut ids = found.collect::<Result<Vec<i64>, Problem>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn replace_members(id: &str, tags: &[i64]) -> Result<(), Problem> {
    sql::execute(
        "DELETE FROM group_members WHERE tenant = $tenant AND group_id = $1",
        params![id],
    )?;
    if tags.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::new("INSERT INTO group_members (tenant, group_id, tag) VALUES ");
    for (place, tag) in tags.iter().enumerate() {
        statement.push(if place == 0 { "($tenant, " } else { ", ($tenant, " });
        statement.bind(id).push(", ").bind(*tag).push(")");
    }
    statement.execute()?;
    Ok(())
}

/// A rule for titles: something to read, and nothing that cannot be stored.
fn check_title(title: &str, _context: &()) -> garde::Result {
    if title.trim().is_empty() || title.contains('\0') {
        return Err(garde::Error::new("has no text, or a NUL character"));
    }
    Ok(())
}
