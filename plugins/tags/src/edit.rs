//! `PATCH /{slug}`: renames a tag, moves it, describes it.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::create::{find, looks_like, name_taken, read_name, with_skeletons};
use crate::gram;
use crate::hierarchy;
use crate::name::Name;
use crate::select;
use crate::settings::{Lookalikes, TagsSettings};
use crate::slug;
use crate::tag::{DESCRIPTION_MAX_CHARS, Stored, Tag, check_description, touch};

/// Changes of a tag. What is left out stays.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Its new name. The slug changes with it; the old slug still leads to the tag.
    #[garde(skip)]
    name: Option<String>,
    /// What it is for.
    #[garde(inner(length(chars, max = DESCRIPTION_MAX_CHARS), custom(check_description)))]
    description: Option<String>,
    /// The slug of the tag above it; null moves it to the top. What is below it moves along.
    #[garde(skip)]
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    parent: Option<Option<String>>,
    /// `false` says that somebody saw that it only looks like another tag.
    #[garde(custom(only_false))]
    flagged: Option<bool>,
}

/// Tells null from what is left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn only_false(flagged: &Option<bool>, _context: &()) -> garde::Result {
    match flagged {
        Some(true) => Err(garde::Error::new("can only be false")),
        _ => Ok(()),
    }
}

/// `PATCH /{slug}`
pub fn edit_tag(
    Path(slug): Path<String>,
    if_match: IfMatch,
    settings: Settings<TagsSettings>,
    Json(edit): Json<Edit>,
) -> Result<WithEtag<JsonBytes<Tag>>, Problem> {
    let stored = Stored::load_by_current_slug(&slug)?;
    let (_, etag) = select::one(stored.id)?;
    if_match.check(&etag)?;
    if let Some(name) = &edit.name {
        rename(&stored, &read_name(name, "/name")?, &settings)?;
    }
    if let Some(parent) = &edit.parent {
        hierarchy::move_to(&stored, parent.as_deref())?;
    }
    if let Some(description) = &edit.description {
        let statement = "UPDATE tags SET description = $2 WHERE tenant = $tenant AND id = $1";
        sql::execute(statement, params![stored.id, description])?;
        touch(stored.id)?;
    }
    if edit.flagged == Some(false) {
        let statement = "UPDATE tags SET looks_like = NULL WHERE tenant = $tenant AND id = $1";
        sql::execute(statement, params![stored.id])?;
        touch(stored.id)?;
    }
    let (edited, etag) = select::one(stored.id)?;
    Ok(WithEtag(etag, edited))
}

fn rename(stored: &Stored, name: &Name, settings: &TagsSettings) -> Result<(), Problem> {
    let statement = "UPDATE tags SET name = $2, updated_ms = $3 WHERE tenant = $tenant AND id = $1";
    sql::execute(statement, params![stored.id, &name.shown, clock::now_ms()])?;
    if name.folded == stored.folded {
        let statement = "UPDATE names SET name = $2 WHERE tenant = $tenant AND folded = $1";
        sql::execute(statement, params![&name.folded, &name.shown])?;
        return Ok(());
    }
    match find(std::slice::from_ref(name))?.get(&name.folded) {
        Some(&tag) if tag != stored.id => return Err(name_taken(tag)?),
        // One of its synonyms, which becomes its name.
        Some(_) => forget_name(stored.id, &name.folded)?,
        None => {}
    }
    forget_name(stored.id, &stored.folded)?;
    keep_name(stored.id, name, false)?;
    let skeleton = name.skeleton();
    let alike = with_skeletons(std::slice::from_ref(&skeleton))?.get(&skeleton).copied();
    let alike = alike.filter(|&tag| tag != stored.id);
    if alike.is_some() && settings.lookalikes == Lookalikes::Refuse {
        return Err(looks_like("/name".to_owned()));
    }
    let slug = slug_for(stored, name)?;
    let statement = "UPDATE tags SET folded = $2, skeleton = $3, looks_like = $4, slug = $5 \
                     WHERE tenant = $tenant AND id = $1";
    sql::execute(statement, params![stored.id, &name.folded, skeleton, alike, slug])?;
    Ok(())
}

/// A slug that fits the name: one that the tag has or had, or a new one.
fn slug_for(stored: &Stored, name: &Name) -> Result<String, Problem> {
    let base = slug::base_of(&name.folded);
    let statement = "SELECT slug FROM slugs WHERE tenant = $tenant AND slug = $1 AND tag = $2";
    if let Some(own) = sql::query_optional(statement, params![&base, stored.id])? {
        return Ok(own);
    }
    let slugs = slug::assign(&[(stored.id, &name.folded)])?;
    slugs.into_iter().next().ok_or_else(Problem::internal)
}

/// Lets a name lead to a tag.
///
/// # Errors
/// Those of the store.
pub fn keep_name(tag: i64, name: &Name, is_synonym: bool) -> Result<(), Problem> {
    let statement = "INSERT INTO names (tenant, folded, tag, name, synonym) \
                     VALUES ($tenant, $1, $2, $3, $4)";
    sql::execute(statement, params![&name.folded, tag, &name.shown, is_synonym])?;
    gram::add([(tag, name.folded.as_str())])
}

/// Lets a name lead nowhere.
///
/// # Errors
/// Those of the store.
pub fn forget_name(tag: i64, folded: &str) -> Result<(), Problem> {
    let statement = "DELETE FROM names WHERE tenant = $tenant AND folded = $1";
    sql::execute(statement, params![folded])?;
    let statement = "SELECT folded FROM names WHERE tenant = $tenant AND tag = $1";
    let kept: Vec<String> = sql::query(statement, params![tag])?;
    gram::remove(tag, folded, &kept)
}
