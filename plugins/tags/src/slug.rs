//! Slugs: the names of tags in URLs. A slug that was given out leads to its tag as long as there is
//! one, whatever the tag is called by then.

use std::collections::BTreeSet;

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;

/// The longest slug that is made of a name, in characters; a number may follow.
const BASE_MAX_CHARS: usize = 80;
/// The longest slug that is looked for, in bytes.
const LENGTH_MAX_BYTES: usize = 400;
/// How many numbers are tried behind a slug that is taken.
const NUMBERS_MAX: u32 = 30;
/// What stands in the place of a tag's slug in other routes.
pub const RESERVED: [&str; 6] = ["items", "suggest", "popular", "groups", "parse", "-"];

/// The slug that a folded name would have if it was free: letters and digits of any script, with one
/// hyphen for whatever else is between them.
pub fn base_of(folded: &str) -> String {
    let mut slug = String::with_capacity(folded.len());
    for c in folded.chars() {
        match c {
            _ if c.is_alphanumeric() => slug.push(c),
            // Names that differ in these alone are usual: c, c++ and c#.
            '+' => slug.push_str("plus"),
            '#' => slug.push_str("sharp"),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug: String = slug.chars().take(BASE_MAX_CHARS).collect();
    match slug.trim_end_matches('-') {
        "" => "tag".to_owned(),
        slug => slug.to_owned(),
    }
}

/// Whether a text can be a slug. What cannot is never asked for: the store refuses some texts.
pub fn is_slug(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-';
    !text.is_empty() && text.len() <= LENGTH_MAX_BYTES && text.chars().all(is_part)
}

/// Gives each of the tags a slug that is free, made of its folded name, and keeps it.
///
/// # Errors
/// 409 when so many tags have names alike that no number is free.
pub fn assign(tags: &[(i64, &str)]) -> Result<Vec<String>, Problem> {
    let mut slugs: Vec<Option<String>> = vec![None; tags.len()];
    let mut taken: BTreeSet<String> = RESERVED.map(str::to_owned).into();
    for number in 1..=NUMBERS_MAX {
        let wanted = |place: usize| numbered(&base_of(tags[place].1), number);
        let open: Vec<usize> = (0..tags.len()).filter(|&place| slugs[place].is_none()).collect();
        if open.is_empty() {
            break;
        }
        let mut statement =
            Statement::new("SELECT slug FROM slugs WHERE tenant = $tenant AND slug IN (");
        statement.bind_all(open.iter().map(|&place| wanted(place))).push(")");
        taken.extend(statement.query::<String>()?);
        for place in open {
            let slug = wanted(place);
            if taken.insert(slug.clone()) {
                slugs[place] = Some(slug);
            }
        }
    }
    let slugs: Option<Vec<String>> = slugs.into_iter().collect();
    let slugs = slugs.ok_or_else(|| {
        Problem::conflict("Too many tags have a name like this.").with_code("slug-taken")
    })?;
    keep(tags, &slugs)?;
    Ok(slugs)
}

fn numbered(base: &str, number: u32) -> String {
    if number == 1 { base.to_owned() } else { format!("{base}-{number}") }
}

fn keep(tags: &[(i64, &str)], slugs: &[String]) -> Result<(), Problem> {
    let mut statement = Statement::new("INSERT INTO slugs (tenant, slug, tag) VALUES ");
    for (place, (slug, (tag, _))) in slugs.iter().zip(tags).enumerate() {
        statement.push(if place == 0 { "($tenant, " } else { ", ($tenant, " });
        statement.bind(slug).push(", ").bind(*tag).push(")");
    }
    statement.execute()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::fold;
    use proptest::prelude::*;

    #[test]
    fn slugs_are_made_of_letters_and_digits() {
        for (name, slug) in [
            ("Machine Learning", "machine-learning"),
            ("C++", "cplusplus"),
            ("C#", "csharp"),
            ("node.js", "node-js"),
            ("naïve café", "naïve-café"),
            ("数据库", "数据库"),
            ("❤", "tag"),
            ("--a--b--", "a-b"),
        ] {
            assert_eq!(base_of(&fold(name)), slug);
        }
    }

    proptest! {
        #[test]
        fn what_is_made_is_a_slug(name in "(?s).{0,100}") {
            let base = base_of(&fold(&name));
            prop_assert!(is_slug(&base), "{}", base);
            prop_assert!(is_slug(&numbered(&base, NUMBERS_MAX)));
        }
    }
}
