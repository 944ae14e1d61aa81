//! `/items/{type}/{id}`: the tags of one item. It exists without being created.

use caplet_sdk::prelude::*;
use caplet_sdk::{Target, TargetId, TargetType};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::NO_TAG;
use crate::access::{Reader, Tagger};
use crate::create::{find_or_create, read_name};
use crate::name::Name;
use crate::parse::{TEXT_MAX_CHARS, parse};
use crate::rule;
use crate::select::etag_of;
use crate::settings::{TAGS_PER_ITEM_MAX, TagsSettings};
use crate::tag::{Stored, next_numbers};
use crate::tagging;

/// An item and its tags.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct Item {
    /// `type:id`.
    target: String,
    /// In the order of their names.
    tags: Vec<ItemTag>,
}

/// A tag of an item.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct ItemTag {
    /// Its name in URLs.
    slug: String,
    /// Its name.
    name: String,
    /// Since when the item has it, RFC 3339.
    tagged_at: String,
}

/// The tags that an item is to have: as a list of names, or as one text.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewTags {
    /// Names or synonyms. Those that are new become tags, if the caller may make some.
    #[garde(length(max = 200))]
    tags: Option<Vec<String>>,
    /// Instead of `tags`: names with spaces or commas between them, some of them in quotes.
    #[garde(length(chars, max = TEXT_MAX_CHARS))]
    text: Option<String>,
}

/// A tag that an item is to have besides those it has.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct OneMore {
    /// A name or synonym. One that is new becomes a tag, if the caller may make some.
    #[garde(skip)]
    tag: String,
}

/// `GET /items/{type}/{id}`
pub fn read_item(
    Path((kind, id)): Path<(TargetType, TargetId)>,
    _reader: Reader,
    if_none_match: IfNoneMatch,
) -> Result<Conditional<JsonBytes<Item>>, Problem> {
    let item = current(&Target::of(&kind, &id))?;
    Ok(if_none_match.unless(etag_of(&item), || JsonBytes::new(item)))
}

/// `PUT /items/{type}/{id}`
pub fn set_tags(
    Path((kind, id)): Path<(TargetType, TargetId)>,
    if_match: IfMatch,
    Tagger(caller): Tagger,
    settings: Settings<TagsSettings>,
    Json(tags): Json<NewTags>,
) -> Result<WithEtag<JsonBytes<Item>>, Problem> {
    let names = read_names(&tags)?;
    let target = Target::of(&kind, &id);
    if_match.check(&etag_of(&current(&target)?))?;
    let place = |name: &Name| match &tags.tags {
        Some(all) => {
            let found = all.iter().position(|text| Name::read(text).is_ok_and(|it| it == *name));
            format!("/tags/{}", found.unwrap_or_default())
        }
        None => "/text".to_owned(),
    };
    let wanted = find_or_create(&names, &caller.subject, &settings, place)?;
    let field = if tags.tags.is_some() { "/tags" } else { "/text" };
    rule::check(&target, &wanted, &settings).map_err(|broken| broken.at(field))?;
    let item = take(&target)?;
    let had = tags_of(item)?;
    let (add, remove) = (without(&wanted, &had), without(&had, &wanted));
    tagging::change(item, &add, &remove, &caller.subject)?;
    answer(&target)
}

/// `POST /items/{type}/{id}`
pub fn add_tag(
    Path((kind, id)): Path<(TargetType, TargetId)>,
    if_match: IfMatch,
    Tagger(caller): Tagger,
    settings: Settings<TagsSettings>,
    Json(OneMore { tag }): Json<OneMore>,
) -> Result<WithEtag<JsonBytes<Item>>, Problem> {
    let name = read_name(&tag, "/tag")?;
    let target = Target::of(&kind, &id);
    if_match.check(&etag_of(&current(&target)?))?;
    let add = find_or_create(&[name], &caller.subject, &settings, |_| "/tag".to_owned())?;
    let item = take(&target)?;
    let had = tags_of(item)?;
    let new = without(&add, &had);
    if !new.is_empty() {
        let wanted: Vec<i64> = had.iter().chain(&new).copied().collect();
        rule::check(&target, &wanted, &settings).map_err(rule::Refusal::conflict)?;
        tagging::change(item, &new, &[], &caller.subject)?;
    }
    answer(&target)
}

/// `DELETE /items/{type}/{id}/{slug}`
pub fn remove_tag(
    Path((kind, id, slug)): Path<(TargetType, TargetId, String)>,
    if_match: IfMatch,
    Tagger(caller): Tagger,
    settings: Settings<TagsSettings>,
) -> Result<WithEtag<JsonBytes<Item>>, Problem> {
    let target = Target::of(&kind, &id);
    if_match.check(&etag_of(&current(&target)?))?;
    let tag = Stored::find(&slug)?.ok_or_else(|| Problem::not_found(NO_TAG))?;
    if let Some(item) = find(&target)? {
        let had = tags_of(item)?;
        if had.contains(&tag.id) {
            let left = without(&had, &[tag.id]);
            rule::check(&target, &left, &settings).map_err(rule::Refusal::conflict)?;
            tagging::change(item, &[], &[tag.id], &caller.subject)?;
        }
    }
    answer(&target)
}

fn answer(target: &Target) -> Result<WithEtag<JsonBytes<Item>>, Problem> {
    let item = current(target)?;
    Ok(WithEtag(etag_of(&item), JsonBytes::new(item)))
}

/// Reads names, each once.
fn read_names(tags: &NewTags) -> Result<Vec<Name>, Problem> {
    let names: Result<Vec<Name>, Problem> = match (&tags.tags, &tags.text) {
        (Some(names), None) => {
            let read = |(place, name): (usize, &String)| read_name(name, &format!("/tags/{place}"));
            names.iter().enumerate().map(read).collect()
        }
        (None, Some(text)) => parse(text).iter().map(|name| read_name(name, "/text")).collect(),
        _ => Err(Problem::unprocessable_at("", "needs one of `tags` and `text`")),
    };
    let mut names = names?;
    names.sort_by(|a, b| a.folded.cmp(&b.folded));
    names.dedup_by(|a, b| a.folded == b.folded);
    if names.len() > TAGS_PER_ITEM_MAX {
        let pointer = if tags.tags.is_some() { "/tags" } else { "/text" };
        let detail = format!("are more than {TAGS_PER_ITEM_MAX}");
        return Err(Problem::unprocessable_at(pointer, detail));
    }
    Ok(names)
}

/// The item as JSON.
fn current(target: &Target) -> Result<Vec<u8>, Problem> {
    // CROSS JOIN, because SQLite keeps its order: it would rather walk through all tags by name.
    let statement = r#"SELECT t.slug, t.name, r.tagged_ms AS "tagged_at:time" FROM items i
                       CROSS JOIN taggings r CROSS JOIN tags t
                       WHERE i.tenant = $tenant AND i.target = $1
                       AND r.tenant = $tenant AND r.item = i.id
                       AND t.tenant = $tenant AND t.id = r.tag ORDER BY t.folded LIMIT 1000"#;
    let tags = sql::query_json(statement, params![target.as_str()], sql::ROWS_MAX)?.items;
    // A target has no character that JSON escapes.
    let mut item = format!("{{\"target\":\"{}\",\"tags\":", target.as_str()).into_bytes();
    item.extend_from_slice(&tags);
    item.push(b'}');
    Ok(item)
}

fn find(target: &Target) -> Result<Option<i64>, Problem> {
    let statement = "SELECT id FROM items WHERE tenant = $tenant AND target = $1";
    Ok(sql::query_optional(statement, params![target.as_str()])?)
}

/// The number of an item, which it gets now if it has none.
fn take(target: &Target) -> Result<i64, Problem> {
    if let Some(id) = find(target)? {
        return Ok(id);
    }
    let id = next_numbers("item", 1)?;
    let statement = "INSERT INTO items (tenant, id, target, kind) VALUES ($tenant, $1, $2, $3)";
    sql::execute(statement, params![id, target.as_str(), target.kind()])?;
    Ok(id)
}

fn tags_of(item: i64) -> Result<Vec<i64>, Problem> {
    let statement = "SELECT tag FROM taggings WHERE tenant = $tenant AND item = $1 ORDER BY tag";
    Ok(sql::query(statement, params![item])?)
}

fn without(all: &[i64], some: &[i64]) -> Vec<i64> {
    all.iter().copied().filter(|tag| !some.contains(tag)).collect()
}
