//! A tag: its shape for callers, its row for those who change it, and the ways to find it.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::NO_TAG;
use crate::access::Reader;
use crate::select;
use crate::slug::is_slug;

/// The most characters of a description.
pub const DESCRIPTION_MAX_CHARS: usize = 1_000;

/// A tag, as callers see it. Describes the JSON that the columns of `select` make.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct Tag {
    /// Its name in URLs. Changes with the name; the old one leads to the tag, too.
    slug: String,
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// The slug of the tag above it; null at the top.
    parent: Option<String>,
    /// Its level, 1 at the top.
    depth: u8,
    /// How many items have it.
    n_items: u64,
    /// The slug of an older tag whose name looks the same; null when there is none.
    looks_like: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// When it was changed last, RFC 3339. Being used is no change.
    updated_at: String,
}

/// A tag's row, as far as changes of it need it.
#[derive(Debug, Clone, Deserialize)]
pub struct Stored {
    pub id: i64,
    pub slug: String,
    pub folded: String,
    pub parent: Option<i64>,
    pub depth: i64,
}

impl Stored {
    /// The tag that a slug leads to, also one it had before.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn load(slug: &str) -> Result<Self, Problem> {
        Self::find(slug)?.ok_or_else(|| Problem::not_found(NO_TAG))
    }

    /// Like [`Stored::load`], or none when there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub fn find(slug: &str) -> Result<Option<Self>, Problem> {
        if !is_slug(slug) {
            return Ok(None);
        }
        let statement = "SELECT t.id, t.slug, t.folded, t.parent, t.depth \
                         FROM slugs s JOIN tags t ON t.tenant = $tenant AND t.id = s.tag \
                         WHERE s.tenant = $tenant AND s.slug = $1";
        Ok(sql::query_optional(statement, params![slug])?)
    }

    /// A tag that is going to be changed: only by the slug that it has now, so that nobody changes
    /// what they have not seen.
    ///
    /// # Errors
    /// 404 when there is none; 409 when it has another slug by now, with the member `slug`.
    pub fn load_by_current_slug(slug: &str) -> Result<Self, Problem> {
        let stored = Self::load(slug)?;
        if stored.slug == slug {
            return Ok(stored);
        }
        let detail = "The tag has another slug by now.";
        Err(Problem::conflict(detail).with_code("tag-moved").with_member("slug", stored.slug))
    }
}

/// The numbers of the tags that slugs lead to, in their order; none for one that leads to no tag.
///
/// # Errors
/// Those of the store.
pub fn ids_of(slugs: &[&str]) -> Result<Vec<Option<i64>>, Problem> {
    let known: Vec<&str> = slugs.iter().copied().filter(|slug| is_slug(slug)).collect();
    if known.is_empty() {
        return Ok(vec![None; slugs.len()]);
    }
    let mut statement =
        Statement::new("SELECT slug, tag FROM slugs WHERE tenant = $tenant AND slug IN (");
    statement.bind_all(known).push(")");
    let found: Vec<(String, i64)> = statement.query()?;
    let id_of = |slug: &&str| found.iter().find(|(known, _)| known == slug).map(|(_, id)| *id);
    Ok(slugs.iter().map(id_of).collect())
}

/// The next free number of a kind, and `count - 1` behind it. Whoever has taken numbers holds the
/// sequence: nobody else takes any before the transaction ends.
///
/// # Errors
/// Those of the store.
pub fn next_numbers(kind: &str, count: usize) -> Result<i64, Problem> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let statement = "INSERT INTO sequences (tenant, kind, last) VALUES ($tenant, $1, $2) \
                     ON CONFLICT (tenant, kind) DO UPDATE SET last = sequences.last + $2 \
                     RETURNING last";
    let last: i64 = sql::query_one(statement, params![kind, count])?;
    Ok(last - count + 1)
}

/// Says that tags were changed, and those that show their slug.
///
/// # Errors
/// Those of the store.
pub fn touch(id: i64) -> Result<(), Problem> {
    let statement = "UPDATE tags SET updated_ms = $2 WHERE tenant = $tenant AND id = $1";
    sql::execute(statement, params![id, clock::now_ms()])?;
    Ok(())
}

/// What a slug leads to: the tag, or the place where it is by now.
pub enum Found {
    /// The tag, or 304.
    Here(Conditional<JsonBytes<Tag>>),
    /// The path of the tag.
    Moved(String),
}

impl IntoResponse for Found {
    fn into_response(self) -> Response {
        match self {
            Self::Here(tag) => tag.into_response(),
            Self::Moved(path) => {
                let mut response = Response::empty(301);
                response.set_header("location", path);
                response
            }
        }
    }

    fn describe(operation: &mut caplet_sdk::Operation<'_>) {
        Conditional::<JsonBytes<Tag>>::describe(operation);
        operation.response(301, "The tag has another slug by now.");
        operation.response_header(301, "location", "The path of the tag.");
    }
}

/// `GET /{slug}`
pub fn read_tag(
    Path(slug): Path<String>,
    _reader: Reader,
    if_none_match: IfNoneMatch,
) -> Result<Found, Problem> {
    let stored = Stored::load(&slug)?;
    if stored.slug != slug {
        return Ok(Found::Moved(path_of(&stored.slug)));
    }
    let (tag, etag) = select::one(stored.id)?;
    Ok(Found::Here(if_none_match.unless(etag, || tag)))
}

/// The path of a tag.
pub fn path_of(slug: &str) -> String {
    format!("/api/tags/{}", select::in_url(slug))
}

/// A rule for descriptions: nothing that cannot be stored.
pub fn check_description(text: &str, _context: &()) -> garde::Result {
    if text.contains('\0') {
        return Err(garde::Error::new("contains a NUL character"));
    }
    Ok(())
}
