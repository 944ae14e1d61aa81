//! `GET /suggest`: the tags that somebody may mean who has typed a few letters.
//!
//! Names that begin with what was typed come first, those most used before others; then, if there is
//! room, names that would begin with it but for a typing error or two. Every step looks at a bounded
//! number of rows, however many tags there are and however many begin alike.

use std::collections::BTreeSet;

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Reader;
use crate::distance;
use crate::gram;
use crate::name::fold;

/// The most characters of what was typed.
const TYPED_MAX_CHARS: usize = 64;
/// How many suggestions are made when the request does not say.
const LIMIT_DEFAULT: usize = 10;
/// The most suggestions.
const LIMIT_MAX: usize = 50;
/// Up to so many names that begin alike are ranked by use. Where there are more, the most used tags
/// are looked through instead.
const RANKED_MAX: u32 = 1_000;
/// How many of the most used tags are looked through.
const MOST_USED_MAX: u32 = 20_000;
/// In how many letters swapped and superfluous ones are looked for by themselves.
const SLIPS_LETTERS_MAX: usize = 16;
/// How many names are taken for each such slip.
const NAMES_PER_SLIP_MAX: u32 = 10;

/// What was typed.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
pub struct SuggestQuery {
    /// The beginning of a name. Nothing at all asks for the most used tags.
    #[garde(length(chars, max = TYPED_MAX_CHARS))]
    q: String,
    /// How many suggestions to make at most; 10 if not given.
    #[garde(range(min = 1, max = LIMIT_MAX))]
    limit: Option<usize>,
}

/// Suggestions, the best first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Suggestions {
    suggestions: Vec<Suggestion>,
}

/// A tag that may be meant.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Suggestion {
    /// Its name in URLs.
    slug: String,
    /// Its name.
    name: String,
    /// The name that was found: its own or a synonym.
    matched: String,
    /// How many items have it.
    n_items: u64,
    /// How many typing errors are between what was typed and the name found.
    errors: usize,
}

/// A name that was found.
#[derive(Debug, Clone, Deserialize)]
struct Found {
    tag: i64,
    slug: String,
    name: String,
    matched: String,
    folded: String,
    n_items: u64,
}

/// `GET /suggest`
pub fn suggest_tags(
    Query(query): Query<SuggestQuery>,
    _reader: Reader,
) -> Result<Json<Suggestions>, Problem> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    // A name holds no NUL, and the store takes none.
    let typed = fold(&query.q.replace('\0', ""));
    let mut suggestions = Collected { limit, tags: BTreeSet::new(), suggestions: Vec::new() };
    for found in beginning_with(&typed, limit)? {
        suggestions.add(found, 0);
    }
    let letters: Vec<char> = typed.chars().collect();
    if suggestions.has_room() && errors_max(letters.len()) > 0 {
        for (errors, found) in near(&typed, &letters)? {
            suggestions.add(found, errors);
        }
    }
    Ok(Json(Suggestions { suggestions: suggestions.suggestions }))
}

/// How many typing errors are forgiven in so many letters.
fn errors_max(n_letters: usize) -> usize {
    match n_letters {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    }
}

/// Suggestions so far, each tag once.
struct Collected {
    limit: usize,
    tags: BTreeSet<i64>,
    suggestions: Vec<Suggestion>,
}

impl Collected {
    fn has_room(&self) -> bool {
        self.suggestions.len() < self.limit
    }

    fn add(&mut self, found: Found, errors: usize) {
        if self.has_room() && self.tags.insert(found.tag) {
            let Found { slug, name, matched, n_items, .. } = found;
            self.suggestions.push(Suggestion { slug, name, matched, n_items, errors });
        }
    }
}

const COLUMNS: &str = "SELECT n.tag, t.slug, t.name, n.name AS matched, n.folded, t.n_items";

/// The best names that begin with what was typed: exactly that name, then by use.
fn beginning_with(typed: &str, limit: usize) -> Result<Vec<Found>, Problem> {
    // No name has a character behind the last one of Unicode.
    let end = format!("{typed}\u{10ffff}");
    let mut found = ranked(typed, &end, limit)?;
    if found.len() >= limit && n_between(typed, &end)? > RANKED_MAX {
        found.splice(0..0, most_used(typed, &end, limit)?);
        // A stable sort: where two are used as much, those found before stay before.
        found.sort_by_key(|found| (found.folded != typed, u64::MAX - found.n_items));
    }
    Ok(found)
}

fn n_between(start: &str, end: &str) -> Result<u32, Problem> {
    let statement = "SELECT count(*) FROM (SELECT folded FROM names WHERE tenant = $tenant \
                     AND folded >= $1 AND folded < $2 LIMIT $3) AS n";
    Ok(sql::query_one(statement, params![start, end, RANKED_MAX + 1])?)
}

/// Of the first names between two, those of the most used tags.
fn ranked(start: &str, end: &str, limit: usize) -> Result<Vec<Found>, Problem> {
    let mut statement = Statement::new(COLUMNS);
    statement.push(" FROM (SELECT m.tag, m.name, m.folded FROM names m WHERE m.tenant = $tenant");
    statement.push(" AND m.folded >= ").bind(start).push(" AND m.folded < ").bind(end);
    statement.push(" ORDER BY m.folded LIMIT ").bind(RANKED_MAX);
    statement.push(") n JOIN tags t ON t.tenant = $tenant AND t.id = n.tag ORDER BY CASE ");
    statement.push("WHEN n.folded = ").bind(start).push(" THEN 0 ELSE 1 END, t.n_items DESC, ");
    // A tag may be found by several of its names.
    statement.push("n.folded LIMIT ").bind(as_limit(limit * 4));
    Ok(statement.query()?)
}

/// Of the most used tags, the first whose own names are between two.
fn most_used(start: &str, end: &str, limit: usize) -> Result<Vec<Found>, Problem> {
    let mut statement = Statement::new(
        "SELECT u.id AS tag, t.slug, t.name, t.name AS matched, u.folded, u.n_items FROM \
         (SELECT s.id, s.folded, s.n_items FROM (SELECT m.id, m.folded, m.n_items FROM tags m \
         WHERE m.tenant = $tenant ORDER BY m.n_items DESC, m.id DESC LIMIT ",
    );
    statement.bind(MOST_USED_MAX).push(") s WHERE s.folded >= ").bind(start);
    statement.push(" AND s.folded < ").bind(end).push(" LIMIT ").bind(as_limit(limit));
    statement.push(") u JOIN tags t ON t.tenant = $tenant AND t.id = u.id");
    Ok(statement.query()?)
}

/// Names that would begin with what was typed but for a few errors, those with fewest first.
fn near(typed: &str, letters: &[char]) -> Result<Vec<(usize, Found)>, Problem> {
    let mut tags = gram::near(typed)?;
    tags.extend(without_slips(letters)?);
    tags.sort_unstable();
    tags.dedup();
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::new(COLUMNS);
    statement.push(" FROM names n JOIN tags t ON t.tenant = $tenant AND t.id = n.tag ");
    statement.push("WHERE n.tenant = $tenant AND n.tag IN (").bind_all(tags);
    statement.push(") ORDER BY n.tag, n.folded LIMIT ").bind(sql::ROWS_MAX);
    let candidates: Vec<Found> = statement.query()?;
    let errors_max = errors_max(letters.len());
    let measured = candidates.into_iter().filter_map(|found| {
        let name: Vec<char> = found.folded.chars().collect();
        distance::to_prefix(letters, &name, errors_max).map(|errors| (errors, found))
    });
    let mut near: Vec<(usize, Found)> = measured.collect();
    near.sort_by(|(errors, one), (more_errors, other)| {
        let by_use = other.n_items.cmp(&one.n_items);
        errors.cmp(more_errors).then(by_use).then_with(|| one.folded.cmp(&other.folded))
    });
    Ok(near)
}

/// The tags of names that begin with what was typed but for two letters that are swapped or one too
/// many. In short words such a slip leaves no piece of three letters as it was.
fn without_slips(letters: &[char]) -> Result<Vec<i64>, Problem> {
    let mut statement = Statement::new("SELECT m.tag FROM (");
    for (place, meant) in meant_by(letters).iter().enumerate() {
        statement.push(if place == 0 { "" } else { " UNION ALL " });
        statement.push("SELECT s.tag FROM (SELECT n.tag FROM names n WHERE n.tenant = $tenant");
        statement.push(" AND n.folded >= ").bind(meant).push(" AND n.folded < ");
        statement.bind(format!("{meant}\u{10ffff}")).push(" ORDER BY n.folded LIMIT ");
        statement.bind(NAMES_PER_SLIP_MAX).push(") s");
    }
    Ok(statement.push(") m").query()?)
}

/// What may have been meant: with neighbours swapped, and with one letter less.
fn meant_by(letters: &[char]) -> BTreeSet<String> {
    let places = 0..letters.len().min(SLIPS_LETTERS_MAX);
    let swapped = places.clone().skip(1).map(|place| {
        let mut letters = letters.to_vec();
        letters.swap(place - 1, place);
        letters.into_iter().collect()
    });
    let shorter = places.map(|place| {
        let (before, after) = letters.split_at(place);
        before.iter().chain(&after[1..]).collect()
    });
    swapped.chain(shorter).collect()
}

fn as_limit(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_swapped_and_superfluous_letters() {
        let meant = Vec::from_iter(meant_by(&['r', 's', 'u']));
        assert_eq!(meant, ["rs", "ru", "rus", "sru", "su"]);
        // The store takes 50 of them in one statement.
        assert!(meant_by(&['a'; 64]).len() <= 31);
        let letters: Vec<char> = ('a'..='z').collect();
        assert_eq!(meant_by(&letters).len(), 31);
    }

    #[test]
    fn short_texts_are_forgiven_less() {
        assert_eq!([2, 3, 5, 6].map(errors_max), [0, 1, 1, 2]);
    }
}
