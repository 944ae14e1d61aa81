//! `GET /counts`: how many comments targets have, in one statement.

use std::collections::BTreeMap;

use caplet_sdk::Target;
use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::select::Reader;

/// The most targets of one request.
const TARGETS_MAX: usize = 100;

/// What to count.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Targets {
    /// Up to 100 targets with commas between them: `post:1,post:2`.
    targets: String,
}

/// How many comments each target has.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Counts {
    /// The number of comments that are not deleted, for each target that was asked for.
    counts: BTreeMap<String, u64>,
}

/// `GET /counts`
pub fn count_comments(
    _reader: Reader,
    Query(query): Query<Targets>,
) -> Result<Json<Counts>, Problem> {
    let targets = parse(&query.targets)?;
    let mut statement = Statement::new(
        "SELECT target, n_comments FROM threads WHERE tenant = $tenant AND target IN (",
    );
    statement.bind_all(targets.iter().map(Target::as_str)).push(")");
    let counted: Vec<(String, u64)> = statement.query()?;
    let mut counts: BTreeMap<String, u64> =
        targets.into_iter().map(|target| (target.as_str().to_owned(), 0)).collect();
    counts.extend(counted);
    Ok(Json(Counts { counts }))
}

/// Reads the targets; one that is named twice is counted once.
fn parse(text: &str) -> Result<Vec<Target>, Problem> {
    let targets: Result<Vec<Target>, &str> = text.split(',').map(Target::parse).collect();
    let mut targets = targets.map_err(|detail| bad(format!("Each of `targets` {detail}.")))?;
    targets.sort();
    targets.dedup();
    if targets.len() > TARGETS_MAX {
        return Err(bad(format!("`targets` names more than {TARGETS_MAX}.")));
    }
    Ok(targets)
}

fn bad(detail: String) -> Problem {
    Problem::bad_request(detail).with_code("bad-query")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_once_each() {
        let targets = parse("post:2,post:1,post:2").unwrap();
        assert_eq!(targets.iter().map(Target::as_str).collect::<Vec<_>>(), ["post:1", "post:2"]);
    }

    #[test]
    fn targets_are_bounded() {
        let many: Vec<String> = (0..101).map(|number| format!("post:{number}")).collect();
        assert!(parse(&many[..100].join(",")).is_ok());
        assert_eq!(parse(&many.join(",")).unwrap_err().status(), 400);
        assert_eq!(parse("post:1,").unwrap_err().status(), 400);
        assert_eq!(parse("").unwrap_err().status(), 400);
    }
}
