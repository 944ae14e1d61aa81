//! What comments keep about people: each kind with the statement that exports it and the steps that
//! erase it. A step is small enough for one invocation; the SDK calls it until nothing is left.

use std::collections::BTreeMap;

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use caplet_sdk::subject_data::{Holding, SubjectData};

use crate::comment::Stored;
use crate::{reaction, remove, standing};

/// Comments that one step empties: each takes up to seven statements of the 200 of an invocation.
const COMMENTS_A_STEP: u32 = 20;

/// Comments whose counts one step corrects.
const COUNTED_A_STEP: u32 = 50;

/// Rows that one step deletes or changes by a single statement.
const ROWS_A_STEP: u32 = 500;

const UNTIL_ERASED: &str = "Until the person or a moderator deletes it, or the person is erased.";

caplet_sdk::subject_data!(
    SubjectData::new()
        .holding(comments())
        .holding(revisions())
        .holding(edits())
        .holding(reactions())
        .holding(votes())
        .holding(reports())
        .holding(resolutions())
        .holding(subscriptions())
        .holding(paces())
);

/// A statement for a page of the rows of a person, in the order of their ids.
macro_rules! pages_of {
    ($select:literal, $key:literal) => {
        |person: &str, after: Option<&(String,)>, limit: u32| {
            let mut statement = Statement::new($select);
            statement.bind(person);
            if let Some((key,)) = after {
                statement.push(concat!(" AND ", $key, " > ")).bind(key);
            }
            statement.push(concat!(" ORDER BY ", $key, " LIMIT ")).bind(limit + 1);
            statement
        }
    };
}

fn comments() -> Holding {
    Holding::new("comments", "The comments that the person wrote.")
        .purpose("To show them to those who read the thread.")
        .retention(UNTIL_ERASED)
        .export(pages_of!(
            r#"SELECT id, target, reply_to, author_name, body, state,
               created_ms AS "created_at:time", edited_ms AS "edited_at:time", id AS "id:key"
               FROM comments WHERE tenant = $tenant AND author = "#,
            "id"
        ))
        .anonymise(empty_comments)
}

fn revisions() -> Holding {
    Holding::new("revisions", "Texts that the person wrote and that were edited since.")
        .purpose("To show moderators and authors what a comment said before.")
        .retention("As long as the comment.")
        .export(|person: &str, after: Option<&(String, i64)>, limit: u32| {
            let mut statement = Statement::new(
                r#"SELECT comment, number, body, written_ms AS "written_at:time",
                   comment AS "comment:key", number AS "number:key"
                   FROM revisions WHERE tenant = $tenant AND writer = "#,
            );
            statement.bind(person);
            if let Some((comment, number)) = after {
                statement.push(" AND (comment, number) > (").bind(comment);
                statement.push(", ").bind(*number).push(")");
            }
            statement.push(" ORDER BY comment, number LIMIT ").bind(limit + 1);
            statement
        })
        .anonymise(|person| {
            // What they wrote themselves is gone with their comments; the rest they wrote for others.
            let statement = "UPDATE revisions SET writer = '', body = '' \
                             WHERE tenant = $tenant AND (comment, number) IN \
                             (SELECT comment, number FROM revisions \
                              WHERE tenant = $tenant AND writer = $1 LIMIT $2)";
            Ok(sql::execute(statement, params![person, ROWS_A_STEP])?)
        })
}

fn edits() -> Holding {
    Holding::new("edits", "That the person edited a comment, their own or somebody else's.")
        .purpose("To tell who changed a text.")
        .retention("As long as the comment.")
        .export(pages_of!(
            r#"SELECT id AS comment, edited_ms AS "edited_at:time", id AS "id:key"
               FROM comments WHERE tenant = $tenant AND edited_by = "#,
            "id"
        ))
        .anonymise(|person| {
            let statement = "UPDATE comments SET edited_by = NULL \
                             WHERE tenant = $tenant AND id IN (SELECT id FROM comments \
                              WHERE tenant = $tenant AND edited_by = $1 LIMIT $2)";
            Ok(sql::execute(statement, params![person, ROWS_A_STEP])?)
        })
}

fn reactions() -> Holding {
    Holding::new("reactions", "The reactions that the person gave.")
        .purpose("To show them, and to count each person once.")
        .retention("Until the person takes them back, or the comment is deleted.")
        .export(|person: &str, after: Option<&(String, String)>, limit: u32| {
            let mut statement = Statement::new(
                r#"SELECT comment, kind, created_ms AS "created_at:time",
                   comment AS "comment:key", kind AS "kind:key"
                   FROM reactions WHERE tenant = $tenant AND reactor = "#,
            );
            statement.bind(person);
            if let Some((comment, kind)) = after {
                statement.push(" AND (comment, kind) > (").bind(comment);
                statement.push(", ").bind(kind).push(")");
            }
            statement.push(" ORDER BY comment, kind LIMIT ").bind(limit + 1);
            statement
        })
        .delete(delete_reactions)
}

fn votes() -> Holding {
    Holding::new("votes", "The votes that the person cast.")
        .purpose("To sort comments, and to count each person once.")
        .retention("Until the person takes them back, or the comment is deleted.")
        .export(pages_of!(
            r#"SELECT comment, value, voted_ms AS "voted_at:time", comment AS "comment:key"
               FROM votes WHERE tenant = $tenant AND voter = "#,
            "comment"
        ))
        .delete(delete_votes)
}

fn reports() -> Holding {
    Holding::new("reports", "The comments that the person reported, and why.")
        .purpose("To let moderators judge them.")
        .retention("Until the comment is deleted.")
        .export(pages_of!(
            r#"SELECT comment, reason, note, state, created_ms AS "created_at:time",
               comment AS "comment:key" FROM reports WHERE tenant = $tenant AND reporter = "#,
            "comment"
        ))
        .delete(|person| {
            let statement = "DELETE FROM reports WHERE tenant = $tenant AND reporter = $1 \
                             AND comment IN (SELECT comment FROM reports \
                              WHERE tenant = $tenant AND reporter = $1 LIMIT $2)";
            Ok(sql::execute(statement, params![person, ROWS_A_STEP])?)
        })
}

fn resolutions() -> Holding {
    Holding::new("resolutions", "That the person decided on a report.")
        .purpose("To tell which moderator decided.")
        .retention("As long as the report.")
        .export(pages_of!(
            r#"SELECT comment, state, resolved_ms AS "resolved_at:time",
               comment || ' ' || reporter AS "place:key"
               FROM reports WHERE tenant = $tenant AND resolved_by = "#,
            "comment || ' ' || reporter"
        ))
        .anonymise(|person| {
            let statement = "UPDATE reports SET resolved_by = NULL \
                             WHERE tenant = $tenant AND (comment, reporter) IN \
                             (SELECT comment, reporter FROM reports \
                              WHERE tenant = $tenant AND resolved_by = $1 LIMIT $2)";
            Ok(sql::execute(statement, params![person, ROWS_A_STEP])?)
        })
}

fn subscriptions() -> Holding {
    Holding::new("subscriptions", "The threads that the person watches or has muted.")
        .purpose("To tell the person what is new there, or not to.")
        .retention("Until the person ends them.")
        .export(pages_of!(
            r#"SELECT target, level, since_ms AS "since:time", target AS "target:key"
               FROM subscriptions WHERE tenant = $tenant AND subscriber = "#,
            "target"
        ))
        .delete(|person| {
            let statement = "DELETE FROM subscriptions WHERE tenant = $tenant AND subscriber = $1 \
                             AND target IN (SELECT target FROM subscriptions \
                              WHERE tenant = $tenant AND subscriber = $1 LIMIT $2)";
            Ok(sql::execute(statement, params![person, ROWS_A_STEP])?)
        })
}

fn paces() -> Holding {
    Holding::new("paces", "How much the person wrote and reacted within a minute.")
        .purpose("To slow down those who flood.")
        .retention("Until the person writes or reacts again.")
        .export(pages_of!(
            r#"SELECT deed, n_done, since_ms AS "since:time", deed AS "deed:key"
               FROM paces WHERE tenant = $tenant AND subject = "#,
            "deed"
        ))
        .delete(|person| {
            let statement = "DELETE FROM paces WHERE tenant = $tenant AND subject = $1";
            Ok(sql::execute(statement, params![person])?)
        })
}

/// Empties comments as if their author deleted them: their places stay for the replies of others.
fn empty_comments(person: &str) -> Result<u64, Problem> {
    let statement = "SELECT id FROM comments WHERE tenant = $tenant AND author = $1 LIMIT $2";
    let ids: Vec<String> = sql::query(statement, params![person, COMMENTS_A_STEP])?;
    for id in &ids {
        if let Some(stored) = Stored::find(id)? {
            remove::erase(&stored)?;
        }
    }
    Ok(ids.len() as u64)
}

/// Deletes reactions, and takes them out of the counts that their comments keep.
fn delete_reactions(person: &str) -> Result<u64, Problem> {
    let statement = "SELECT r.comment, r.kind, c.reactions FROM reactions r \
                     JOIN comments c ON c.tenant = r.tenant AND c.id = r.comment \
                     WHERE r.tenant = $tenant AND r.reactor = $1 ORDER BY r.comment, r.kind LIMIT $2";
    let given: Vec<(String, String, String)> =
        sql::query(statement, params![person, COUNTED_A_STEP])?;
    let mut counts = BTreeMap::new();
    for (comment, kind, reactions) in &given {
        let counted = match counts.remove(comment) {
            Some(counted) => counted,
            None => reaction::parse(reactions)?,
        };
        counts.insert(comment, reaction::without(counted, kind));
        let delete = "DELETE FROM reactions \
                      WHERE tenant = $tenant AND comment = $1 AND reactor = $2 AND kind = $3";
        sql::execute(delete, params![comment, person, kind])?;
    }
    for (comment, counted) in counts {
        let update = "UPDATE comments SET reactions = $2, version = version + 1 \
                      WHERE tenant = $tenant AND id = $1";
        sql::execute(update, params![comment, reaction::write(&counted)])?;
    }
    Ok(given.len() as u64)
}

/// Deletes votes, and takes them out of the counts and the standing of their comments.
fn delete_votes(person: &str) -> Result<u64, Problem> {
    let statement = "SELECT v.comment, v.value, c.n_up, c.n_down FROM votes v \
                     JOIN comments c ON c.tenant = v.tenant AND c.id = v.comment \
                     WHERE v.tenant = $tenant AND v.voter = $1 ORDER BY v.comment LIMIT $2";
    let cast: Vec<(String, i64, i64, i64)> =
        sql::query(statement, params![person, COUNTED_A_STEP])?;
    for (comment, value, n_up, n_down) in &cast {
        let (n_up, n_down) = (n_up - i64::from(*value == 1), n_down - i64::from(*value == -1));
        let update = "UPDATE comments SET n_up = $2, n_down = $3, standing = $4, \
                      version = version + 1 WHERE tenant = $tenant AND id = $1";
        let standing = standing::of_votes(n_up, n_down);
        sql::execute(update, params![comment, n_up, n_down, standing])?;
        let delete = "DELETE FROM votes WHERE tenant = $tenant AND comment = $1 AND voter = $2";
        sql::execute(delete, params![comment, person])?;
    }
    Ok(cast.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::subject_data;

    #[test]
    fn every_holding_says_all_that_must_be_said() {
        let holdings = subject_data().describe();
        assert_eq!(holdings.len(), 9);
        for holding in holdings {
            for text in [holding.summary, holding.purpose, holding.retention] {
                assert!(!text.is_empty(), "{}", holding.name);
            }
        }
    }
}
