//! Traces of people: what is kept about them, exported and erased.

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use caplet_sdk::subject_data::{Holding, SubjectData};

caplet_sdk::subject_data!(
    SubjectData::new()
        .holding(
            Holding::new("notes", "What the person wrote.")
                .purpose("To show it.")
                .retention("Until it is deleted.")
                .export(|person: &str, after: Option<&(i64,)>, limit: u32| {
                    page("notes", person, after, limit)
                })
                .delete(|person| {
                    let statement = "DELETE FROM traces WHERE tenant = $tenant AND id IN \
                        (SELECT id FROM traces WHERE tenant = $tenant AND person = $1 \
                         AND holding = 'notes' LIMIT 500)";
                    Ok(sql::execute(statement, params![person])?)
                })
        )
        .holding(
            Holding::new("votes", "What the person voted for.")
                .purpose("To count it.")
                .retention("As long as the poll.")
                .export(|person: &str, after: Option<&(i64,)>, limit: u32| {
                    page("votes", person, after, limit)
                })
                .anonymise(|person| {
                    let statement = "UPDATE traces SET person = '' \
                        WHERE tenant = $tenant AND person = $1 AND holding = 'votes'";
                    Ok(sql::execute(statement, params![person])?)
                })
        )
        .holding(
            Holding::new("bills", "What the person paid.")
                .purpose("To account for it.")
                .retention("Ten years.")
                .export(|person: &str, after: Option<&(i64,)>, limit: u32| {
                    page("bills", person, after, limit)
                })
                .keep("The law asks for it.", |person| {
                    let statement = "SELECT count(*) AS n FROM traces \
                        WHERE tenant = $tenant AND person = $1 AND holding = 'bills'";
                    Ok(sql::query_one(statement, params![person])?)
                })
        )
);

/// A page of a holding. That of one person fails, by a mistake of the author.
fn page(holding: &'static str, person: &str, after: Option<&(i64,)>, limit: u32) -> Statement {
    let begin = match person {
        "broken" => "SELECT word FROM nobodys_traces WHERE tenant = $tenant AND person = ",
        _ => r#"SELECT word, id AS "id:key" FROM traces WHERE tenant = $tenant AND person = "#,
    };
    let mut statement = Statement::new(begin);
    statement.bind(person).push(" AND holding = ").bind(holding);
    statement.push(" AND id > ").bind(after.map_or(0, |(id,)| *id));
    statement.push(" ORDER BY id LIMIT ").bind(limit + 1);
    statement
}
