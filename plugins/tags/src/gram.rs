//! The three-letter pieces of names, by which names are found that are near to what was typed.
//!
//! A tag has each piece of its names once, so that the pieces of one name that goes are those that no
//! other name of the tag has.

use std::collections::BTreeSet;

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;

/// How many rows one statement inserts: three parameters each, at most 999.
const ROWS_MAX: usize = 400;
/// The most pieces that a search looks for.
const SEARCHED_MAX: usize = 14;
/// How many tags a search looks at for each piece. A piece that more tags have says little.
const TAGS_PER_GRAM_MAX: u32 = 400;
/// The most tags that are compared letter by letter.
const CANDIDATES_MAX: u32 = 150;

/// The pieces of a folded name. Spaces before it make the first letters count.
pub fn of(folded: &str) -> BTreeSet<String> {
    let letters: Vec<char> = "  ".chars().chain(folded.chars()).collect();
    letters.windows(3).map(|piece| piece.iter().collect()).collect()
}

/// Adds the pieces of names to their tags.
///
/// # Errors
/// Those of the store.
pub fn add<'a>(names: impl IntoIterator<Item = (i64, &'a str)>) -> Result<(), Problem> {
    let rows: BTreeSet<(String, i64)> = names
        .into_iter()
        .flat_map(|(tag, folded)| of(folded).into_iter().map(move |gram| (gram, tag)))
        .collect();
    for rows in rows.into_iter().collect::<Vec<_>>().chunks(ROWS_MAX) {
        let mut statement = Statement::new("INSERT INTO grams (tenant, gram, tag) VALUES ");
        for (place, (gram, tag)) in rows.iter().enumerate() {
            statement.push(if place == 0 { "($tenant, " } else { ", ($tenant, " });
            statement.bind(gram).push(", ").bind(*tag).push(")");
        }
        statement.push(" ON CONFLICT DO NOTHING").execute()?;
    }
    Ok(())
}

/// Takes the pieces of a name from its tag, but for those of the names it keeps.
///
/// # Errors
/// Those of the store.
pub fn remove<'a>(
    tag: i64,
    folded: &str,
    kept: impl IntoIterator<Item = &'a String>,
) -> Result<(), Problem> {
    let kept: BTreeSet<String> = kept.into_iter().flat_map(|name| of(name)).collect();
    let gone: Vec<String> = of(folded).into_iter().filter(|gram| !kept.contains(gram)).collect();
    if !gone.is_empty() {
        let mut statement = Statement::new("DELETE FROM grams WHERE tenant = $tenant AND tag = ");
        statement.bind(tag).push(" AND gram IN (").bind_all(&gone).push(")").execute()?;
    }
    Ok(())
}

/// The tags that share most pieces with what was typed.
///
/// # Errors
/// Those of the store.
pub fn near(folded: &str) -> Result<Vec<i64>, Problem> {
    let grams = of(folded);
    // Those of a long text are taken evenly.
    let step = grams.len().div_ceil(SEARCHED_MAX).max(1);
    let mut statement = Statement::new("SELECT h.tag FROM (");
    for (place, gram) in grams.iter().step_by(step).enumerate() {
        let union = if place == 0 { "" } else { " UNION ALL " };
        statement.push(union).push("SELECT p.tag FROM (SELECT g.tag FROM grams g ");
        statement.push("WHERE g.tenant = $tenant AND g.gram = ").bind(gram);
        statement.push(" ORDER BY g.tag LIMIT ").bind(TAGS_PER_GRAM_MAX).push(") p");
    }
    statement.push(") h GROUP BY h.tag ORDER BY count(*) DESC, h.tag LIMIT ").bind(CANDIDATES_MAX);
    Ok(statement.query()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_three_letters() {
        assert_eq!(Vec::from_iter(of("rust")), ["  r", " ru", "rus", "ust"]);
        assert_eq!(Vec::from_iter(of("né")), ["  n", " né"]);
        assert!(of("").is_empty());
    }
}
