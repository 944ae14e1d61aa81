//! What tags keep about people: who made a tag, and who tagged what. Tags and taggings belong to all
//! who use them, so erasing a person takes the name away and leaves them.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use caplet_sdk::subject_data::{Holding, SubjectData};

/// Rows that one step changes.
const ROWS_A_STEP: u32 = 500;

caplet_sdk::subject_data!(SubjectData::new().holding(taggings()).holding(tags()));

fn taggings() -> Holding {
    Holding::new("taggings", "That the person put a tag on an item, and when.")
        .purpose("To tell who tagged what.")
        .retention("As long as the item has the tag.")
        .export(|person: &str, after: Option<&(i64, i64)>, limit: u32| {
            let mut statement = Statement::new(
                r#"SELECT i.target, t.name, g.tagged_ms AS "tagged_at:time",
                   g.item AS "item:key", g.tag AS "tag:key"
                   FROM taggings g JOIN items i ON i.tenant = g.tenant AND i.id = g.item
                   JOIN tags t ON t.tenant = g.tenant AND t.id = g.tag
                   WHERE g.tenant = $tenant AND g.tagged_by = "#,
            );
            statement.bind(person);
            if let Some((item, tag)) = after {
                statement.push(" AND (g.item, g.tag) > (").bind(*item);
                statement.push(", ").bind(*tag).push(")");
            }
            statement.push(" ORDER BY g.item, g.tag LIMIT ").bind(limit + 1);
            statement
        })
        .anonymise(|person| {
            let statement = "UPDATE taggings SET tagged_by = '' \
                             WHERE tenant = $tenant AND (item, tag) IN \
                             (SELECT item, tag FROM taggings \
                              WHERE tenant = $tenant AND tagged_by = $1 LIMIT $2)";
            Ok(sql::execute(statement, params![person, ROWS_A_STEP])?)
        })
}

fn tags() -> Holding {
    Holding::new("tags", "That the person made a tag, and when.")
        .purpose("To tell who brought a tag in.")
        .retention("As long as the tag.")
        .export(|person: &str, after: Option<&(i64,)>, limit: u32| {
            let mut statement = Statement::new(
                r#"SELECT name, slug, created_ms AS "created_at:time", id AS "id:key"
                   FROM tags WHERE tenant = $tenant AND created_by = "#,
            );
            statement.bind(person);
            if let Some((id,)) = after {
                statement.push(" AND id > ").bind(*id);
            }
            statement.push(" ORDER BY id LIMIT ").bind(limit + 1);
            statement
        })
        .anonymise(|person| {
            let statement = "UPDATE tags SET created_by = NULL \
                             WHERE tenant = $tenant AND id IN (SELECT id FROM tags \
                              WHERE tenant = $tenant AND created_by = $1 LIMIT $2)";
            Ok(sql::execute(statement, params![person, ROWS_A_STEP])?)
        })
}

#[cfg(test)]
mod tests {
    use super::subject_data;

    #[test]
    fn every_holding_says_all_that_must_be_said() {
        for holding in subject_data().describe() {
            for text in [holding.summary, holding.purpose, holding.retention] {
                assert!(!text.is_empty(), "{}", holding.name);
            }
        }
    }
}
