//! What holds for the tags of an item: how many there may be, and what groups ask for. Looked at when
//! an item's tags change; what was there before a rule stays.

use std::collections::BTreeMap;

use caplet_sdk::Target;
use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use serde::Deserialize;

use crate::settings::TagsSettings;

/// Why an item may not have some tags.
#[derive(Debug)]
pub enum Refusal {
    /// They break a rule.
    Broken(Broken),
    /// It could not be found out.
    Failed(Problem),
}

/// A rule that tags would break.
#[derive(Debug)]
pub struct Broken {
    code: &'static str,
    /// What is wrong with them, behind "tags".
    detail: String,
    group: Option<String>,
}

impl Refusal {
    /// As the problem of a place of the body.
    pub fn at(self, pointer: &str) -> Problem {
        self.problem(|detail| Problem::unprocessable_at(pointer, detail))
    }

    /// As the problem of the tags that the item has.
    pub fn conflict(self) -> Problem {
        self.problem(|detail| Problem::conflict(format!("The item's tags would {detail}.")))
    }

    fn problem(self, make: impl FnOnce(String) -> Problem) -> Problem {
        match self {
            Self::Failed(problem) => problem,
            Self::Broken(Broken { code, detail, group: Some(group) }) => {
                make(detail).with_code(code).with_member("group", group)
            }
            Self::Broken(Broken { code, detail, group: None }) => make(detail).with_code(code),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Group {
    id: String,
    exclusive: bool,
    required_for: String,
}

/// Passes when an item may have these tags.
///
/// # Errors
/// The first rule that would be broken.
pub fn check(target: &Target, tags: &[i64], settings: &TagsSettings) -> Result<(), Refusal> {
    if tags.len() > settings.tags_per_item_max {
        let detail = format!("be more than {}", settings.tags_per_item_max);
        return Err(Refusal::Broken(Broken { code: "too-many-tags", detail, group: None }));
    }
    let groups = groups().map_err(Refusal::Failed)?;
    if groups.is_empty() {
        return Ok(());
    }
    let members = members(tags).map_err(Refusal::Failed)?;
    let broken = groups.iter().find_map(|group| group.broken_by(target, &members));
    broken.map_or(Ok(()), |broken| Err(Refusal::Broken(broken)))
}

impl Group {
    fn broken_by(&self, target: &Target, members: &BTreeMap<String, usize>) -> Option<Broken> {
        let n_tags = members.get(&self.id).copied().unwrap_or(0);
        let (code, detail) = if self.exclusive && n_tags > 1 {
            ("tags-exclusive", format!("have {n_tags} of the group `{}`, not one", self.id))
        } else if n_tags == 0 && self.is_required_for(target) {
            ("tag-required", format!("have none of the group `{}`", self.id))
        } else {
            return None;
        };
        Some(Broken { code, detail, group: Some(self.id.clone()) })
    }

    fn is_required_for(&self, target: &Target) -> bool {
        // Types have no character that JSON escapes.
        self.required_for.contains(&format!("\"{}\"", target.kind()))
    }
}

fn groups() -> Result<Vec<Group>, Problem> {
    let statement = "SELECT id, exclusive, required_for FROM tag_groups WHERE tenant = $tenant \
                     AND (exclusive = 1 OR required_for <> '[]') ORDER BY id";
    Ok(sql::query(statement, params![])?)
}

/// How many of the tags are in each group.
fn members(tags: &[i64]) -> Result<BTreeMap<String, usize>, Problem> {
    if tags.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut statement = Statement::new(
        "SELECT group_id, count(*) FROM group_members WHERE tenant = $tenant AND tag IN (",
    );
    statement.bind_all(tags.iter().copied()).push(") GROUP BY group_id");
    let counted: Vec<(String, u32)> = statement.query()?;
    Ok(counted.into_iter().map(|(group, n_tags)| (group, n_tags as usize)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(n_tags: usize, exclusive: bool, required_for: &str, target: &str) -> Option<String> {
        let group =
            Group { id: "kind".to_owned(), exclusive, required_for: required_for.to_owned() };
        let target = Target::parse(target).unwrap();
        let members = BTreeMap::from([("kind".to_owned(), n_tags), ("other".to_owned(), 9)]);
        group.broken_by(&target, &members).map(|broken| broken.code.to_owned())
    }

    #[test]
    fn one_of_an_exclusive_group_at_most() {
        assert_eq!(broken(2, true, "[]", "post:1").unwrap(), "tags-exclusive");
        assert_eq!(broken(1, true, "[]", "post:1"), None);
        assert_eq!(broken(2, false, "[]", "post:1"), None);
    }

    #[test]
    fn one_of_a_required_group_at_least_for_items_of_its_types() {
        let types = r#"["post","blog.post"]"#;
        assert_eq!(broken(0, false, types, "post:1").unwrap(), "tag-required");
        assert_eq!(broken(1, false, types, "blog.post:1"), None);
        assert_eq!(broken(0, false, types, "log:1"), None);
    }
}
