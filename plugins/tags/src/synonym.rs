//! `/{slug}/synonyms`: other names of a tag. Who tags with a synonym tags with the tag.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Reader;
use crate::create::{find, name_taken};
use crate::edit::{forget_name, keep_name};
use crate::name::Name;
use crate::slug;
use crate::tag::{Stored, touch};

const ORDER: &str = "synonyms";
/// The most names of a tag: what one result can hold.
const SYNONYMS_MAX: i64 = 200;

/// Another name of a tag.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct Synonym {
    /// As it was typed.
    name: String,
}

/// `GET /{slug}/synonyms`
pub fn list_synonyms(
    Path(slug): Path<String>,
    page: Page,
    _reader: Reader,
) -> Result<Listing<Synonym>, Problem> {
    let tag = Stored::load(&slug)?;
    let after: Option<(Key,)> = page.after(ORDER)?;
    let names = sql::bounded_page(page.limit, |limit| statement(tag.id, after.as_ref(), limit))?;
    Ok(Listing::from_json(ORDER, names))
}

/// The text in a cursor: one that the store takes.
#[derive(Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Key(pub String);

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.contains('\0') { Err("is no name") } else { Ok(Self(text)) }
    }
}

fn statement(tag: i64, after: Option<&(Key,)>, limit: u32) -> Statement {
    let mut statement = Statement::new(
        r#"SELECT name, folded AS "folded:key" FROM names
           WHERE tenant = $tenant AND synonym = 1 AND tag = "#,
    );
    statement.bind(tag);
    if let Some((Key(folded),)) = after {
        statement.push(" AND folded > ").bind(folded);
    }
    statement.push(" ORDER BY folded LIMIT ").bind(limit + 1);
    statement
}

/// `PUT /{slug}/synonyms/{name}`
pub fn add_synonym(Path((slug, name)): Path<(String, String)>) -> Result<NoContent, Problem> {
    let name = Name::read(&name).map_err(bad_name)?;
    let tag = Stored::load_by_current_slug(&slug)?;
    match find(std::slice::from_ref(&name))?.get(&name.folded) {
        Some(&other) if other != tag.id => return Err(name_taken(other)?),
        Some(_) => return Ok(NoContent),
        None => {}
    }
    let statement = "SELECT count(*) FROM names WHERE tenant = $tenant AND tag = $1";
    let n_names: i64 = sql::query_one(statement, params![tag.id])?;
    if n_names > SYNONYMS_MAX {
        let detail = format!("A tag has {SYNONYMS_MAX} synonyms at most.");
        return Err(Problem::conflict(detail).with_code("too-many-synonyms"));
    }
    keep_name(tag.id, &name, true)?;
    slug::assign(&[(tag.id, &name.folded)])?;
    touch(tag.id)?;
    Ok(NoContent)
}

/// `DELETE /{slug}/synonyms/{name}`
pub fn remove_synonym(Path((slug, name)): Path<(String, String)>) -> Result<NoContent, Problem> {
    let name = Name::read(&name).map_err(bad_name)?;
    let tag = Stored::load_by_current_slug(&slug)?;
    if name.folded == tag.folded {
        let problem = Problem::conflict("It is the tag's own name.");
        return Err(problem.with_code("own-name"));
    }
    if find(std::slice::from_ref(&name))?.get(&name.folded) == Some(&tag.id) {
        forget_name(tag.id, &name.folded)?;
        touch(tag.id)?;
    }
    Ok(NoContent)
}

fn bad_name(detail: &'static str) -> Problem {
    Problem::bad_request(format!("The path's parameter `name` {detail}.")).with_code("bad-path")
}
