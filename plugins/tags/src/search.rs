//! `GET /items` and `GET /{slug}/items`: the items that have tags, the newest first: in the order in
//! which they were first tagged.
//!
//! A page goes along the items of the rarest tag that they must have and looks up the others, so that
//! it costs as much as that tag has items at most, and with one tag alone as much as it shows.

use caplet_sdk::TargetType;
use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Reader;
use crate::hierarchy;
use crate::tag::{Stored, ids_of};

const ORDER: &str = "items";
/// The most tags in each of `all`, `any` and `none`.
const TERMS_MAX: usize = 10;
/// A statement reads the items of so many tags one by one and merges them; those of more tags it
/// collects and sorts.
const MERGED_MAX: usize = 20;

/// An item that was found.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code)]
pub struct FoundItem {
    /// `type:id`.
    target: String,
    /// The slugs of its tags.
    tags: Vec<String>,
}

/// Which items to list. One of `all` and `any` is needed.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct ItemsQuery {
    /// Slugs with commas between them, at most 10: items that have all of these.
    all: Option<String>,
    /// Slugs with commas between them, at most 10: items that have one of these at least.
    any: Option<String>,
    /// Slugs with commas between them, at most 10: items that have none of these.
    none: Option<String>,
    /// Whether a tag stands for those below it, too.
    include_children: Option<bool>,
    /// Only items of this type.
    #[serde(rename = "type")]
    kind: Option<TargetType>,
}

/// Which items of a tag to list.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct ItemsOfTagQuery {
    /// Whether items of tags below it are listed, too.
    include_children: Option<bool>,
    /// Only items of this type.
    #[serde(rename = "type")]
    kind: Option<TargetType>,
}

/// `GET /items`
pub fn search_items(
    Query(query): Query<ItemsQuery>,
    page: Page,
    _reader: Reader,
) -> Result<Listing<FoundItem>, Problem> {
    let [all, any, none] = [("all", &query.all), ("any", &query.any), ("none", &query.none)]
        .map(|(name, slugs)| read_slugs(name, slugs.as_deref()));
    let (all, any, none) = (all?, any?, none?);
    if all.is_empty() && any.is_empty() {
        return Err(bad_query("One of the query parameters `all` and `any` is needed."));
    }
    let slugs: Vec<&str> = all.iter().chain(&any).chain(&none).copied().collect();
    let ids = ids_of(&slugs)?;
    let with_children = query.include_children == Some(true);
    let terms = Terms::of(&ids, all.len(), any.len(), with_children)?;
    list(terms, query.kind.as_ref(), &page)
}

/// `GET /{slug}/items`
pub fn list_items_of_tag(
    Path(slug): Path<String>,
    Query(query): Query<ItemsOfTagQuery>,
    page: Page,
    _reader: Reader,
) -> Result<Listing<FoundItem>, Problem> {
    let tag = Stored::load(&slug)?;
    let with_children = query.include_children == Some(true);
    list(Terms::of(&[Some(tag.id)], 1, 0, with_children)?, query.kind.as_ref(), &page)
}

fn bad_query(detail: &'static str) -> Problem {
    Problem::bad_request(detail).with_code("bad-query")
}

fn read_slugs<'a>(name: &str, slugs: Option<&'a str>) -> Result<Vec<&'a str>, Problem> {
    let slugs: Vec<&str> = slugs.map(|slugs| slugs.split(',').collect()).unwrap_or_default();
    if slugs.len() <= TERMS_MAX && !slugs.contains(&"") {
        return Ok(slugs);
    }
    let detail = format!("The query parameter `{name}` must have 1 to {TERMS_MAX} slugs.");
    Err(Problem::bad_request(detail).with_code("bad-query"))
}

/// Tags of which one is wanted, and how many items they have together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Term {
    tags: Vec<i64>,
    n_items: i64,
}

/// What items must have and must not have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Terms {
    /// Those of which items must have one each, the rarest first.
    wanted: Vec<Term>,
    unwanted: Vec<i64>,
}

impl Terms {
    /// The terms of tags: the first `n_all` are wanted each, of the next `n_any` one is, the others
    /// are not. A tag that there is not is none that an item could have.
    fn of(
        ids: &[Option<i64>],
        n_all: usize,
        n_any: usize,
        with_children: bool,
    ) -> Result<Self, Problem> {
        let known: Vec<i64> = ids.iter().flatten().copied().collect();
        let below = if known.is_empty() { Vec::new() } else { below(&known, with_children)? };
        let term = |ids: &[Option<i64>]| {
            let mut term = Term::default();
            for (_, tag, n_items) in below.iter().filter(|(root, ..)| ids.contains(&Some(*root))) {
                if !term.tags.contains(tag) {
                    term.tags.push(*tag);
                    term.n_items += n_items;
                }
            }
            term
        };
        let mut wanted: Vec<Term> = ids[..n_all].chunks(1).map(term).collect();
        if n_any > 0 {
            wanted.push(term(&ids[n_all..n_all + n_any]));
        }
        wanted.sort_by_key(|term| term.n_items);
        Ok(Self { wanted, unwanted: term(&ids[n_all + n_any..]).tags })
    }

    /// Whether no item can have what is wanted.
    fn is_impossible(&self) -> bool {
        self.wanted.iter().any(|term| term.tags.is_empty())
    }
}

/// Tags with those below them, as [`hierarchy::below`], or each alone.
fn below(ids: &[i64], with_children: bool) -> Result<Vec<(i64, i64, i64)>, Problem> {
    if with_children {
        return hierarchy::below(ids);
    }
    let mut statement = Statement::new(
        "SELECT id, id AS tag, n_items FROM tags WHERE tenant = $tenant AND id IN (",
    );
    Ok(statement.bind_all(ids.iter().copied()).push(")").query()?)
}

fn list(
    terms: Terms,
    kind: Option<&TargetType>,
    page: &Page,
) -> Result<Listing<FoundItem>, Problem> {
    let after: Option<(i64,)> = page.after(ORDER)?;
    if terms.is_impossible() {
        return Ok(Listing::from_bytes(b"[]", None));
    }
    let after = after.map(|(item,)| item);
    let search = Search { terms: &terms, kind, after };
    let items = sql::bounded_page(page.limit, |limit| search.statement(limit + 1))?;
    Ok(Listing::from_json(ORDER, items))
}

/// A page of a search.
struct Search<'a> {
    terms: &'a Terms,
    kind: Option<&'a TargetType>,
    after: Option<i64>,
}

impl Search<'_> {
    fn statement(&self, limit: u32) -> Statement {
        let mut statement = Statement::new(
            r#"SELECT i.target, COALESCE((SELECT '["' || string_agg(t.slug, '","' ORDER BY t.slug)
               || '"]' FROM taggings r JOIN tags t ON t.tenant = $tenant AND t.id = r.tag
               WHERE r.tenant = $tenant AND r.item = i.id), '[]') AS "tags:json",
               i.id AS "id:key" FROM ("#,
        );
        let driver = &self.terms.wanted[0].tags;
        if driver.len() <= MERGED_MAX && self.n_filtered() * driver.len() <= 600 {
            for (place, tag) in driver.iter().enumerate() {
                let union = if place == 0 { "" } else { " UNION " };
                statement.push(union).push("SELECT b.item FROM (SELECT d.item FROM taggings d ");
                statement.push("WHERE d.tenant = $tenant AND d.tag = ").bind(*tag);
                self.filter(&mut statement);
                statement.push(" ORDER BY d.item DESC LIMIT ").bind(limit).push(") b");
            }
        } else {
            statement.push("SELECT DISTINCT d.item FROM taggings d WHERE d.tenant = $tenant ");
            statement.push("AND d.tag IN (").bind_all(driver.iter().copied()).push(")");
            self.filter(&mut statement);
        }
        statement.push(") f JOIN items i ON i.tenant = $tenant AND i.id = f.item ");
        statement.push("ORDER BY f.item DESC LIMIT ").bind(limit);
        statement
    }

    /// How many parameters a filter has.
    fn n_filtered(&self) -> usize {
        let others = self.terms.wanted[1..].iter().map(|term| term.tags.len()).sum::<usize>();
        others + self.terms.unwanted.len() + 3
    }

    /// Appends what else holds for items `d.item`.
    fn filter(&self, statement: &mut Statement) {
        if let Some(item) = self.after {
            statement.push(" AND d.item < ").bind(item);
        }
        if let Some(kind) = self.kind {
            statement.push(" AND (SELECT k.kind FROM items k WHERE k.tenant = $tenant ");
            statement.push("AND k.id = d.item) = ").bind(kind.as_str());
        }
        for term in &self.terms.wanted[1..] {
            statement.push(" AND EXISTS");
            has_one_of(statement, &term.tags);
        }
        if !self.terms.unwanted.is_empty() {
            statement.push(" AND NOT EXISTS");
            has_one_of(statement, &self.terms.unwanted);
        }
    }
}

fn has_one_of(statement: &mut Statement, tags: &[i64]) {
    statement.push(" (SELECT 1 FROM taggings x WHERE x.tenant = $tenant AND x.item = d.item ");
    statement.push("AND x.tag IN (").bind_all(tags.iter().copied()).push("))");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(wanted: &[&[i64]], unwanted: &[i64]) -> Statement {
        let term = |tags: &&[i64]| Term { tags: tags.to_vec(), n_items: 0 };
        let wanted = wanted.iter().map(term).collect();
        let terms = Terms { wanted, unwanted: unwanted.to_vec() };
        Search { terms: &terms, kind: None, after: Some(7) }.statement(26)
    }

    #[test]
    fn one_tag_is_read_along_its_index() {
        let statement = search(&[&[1]], &[]);
        assert!(!statement.text().contains("UNION") && !statement.text().contains("EXISTS"));
        assert!(statement.text().contains("d.tag = $1 AND d.item < $2 ORDER BY d.item DESC LIMIT"));
    }

    #[test]
    fn a_statement_never_has_more_parameters_than_it_may() {
        let some: Vec<i64> = (0..20).collect();
        let many: Vec<i64> = (0..i64::from(hierarchy::BELOW_MAX)).collect();
        for statement in [
            search(&[&some, &some], &some),
            search(&[&many], &[]),
            search(&[&[1], &many], &some),
            search(&[&some, &many], &[]),
        ] {
            assert!(statement.parameters().len() <= 999, "{}", statement.parameters().len());
        }
    }

    #[test]
    fn slugs_are_bounded() {
        assert_eq!(read_slugs("all", None).unwrap(), Vec::<&str>::new());
        assert_eq!(read_slugs("all", Some("a,b")).unwrap(), ["a", "b"]);
        for slugs in ["", "a,", "a,,b", "a,b,c,d,e,f,g,h,i,j,k"] {
            assert_eq!(read_slugs("all", Some(slugs)).unwrap_err().status(), 400);
        }
    }
}
