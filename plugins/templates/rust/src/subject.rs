//! What is kept about people: exported and erased for a person who asks.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use caplet_sdk::subject_data::{Holding, SubjectData};

caplet_sdk::subject_data!(
    SubjectData::new().holding(
        Holding::new("notes", "The notes that the person wrote.")
            .purpose("To show them to their readers.")
            .retention("Until their author is erased.")
            .export(notes_of)
            .delete(delete_notes_of)
    )
);

fn notes_of(author: &str, after: Option<&(String,)>, limit: u32) -> Statement {
    let mut statement = Statement::new(
        r#"SELECT id, body, pinned AS "pinned:bool", created_ms AS "created_at:time",
           id AS "id:key" FROM notes WHERE tenant = $tenant AND author = "#,
    );
    statement.bind(author);
    if let Some((id,)) = after {
        statement.push(" AND id > ").bind(id);
    }
    statement.push(" ORDER BY id LIMIT ").bind(limit + 1);
    statement
}

/// Some of them: it is called until there are none left.
fn delete_notes_of(author: &str) -> Result<u64, Problem> {
    let statement = "DELETE FROM notes WHERE tenant = $tenant AND id IN \
                     (SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)";
    Ok(sql::execute(statement, params![author])?)
}
