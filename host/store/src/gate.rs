//! Which statements a plugin may run at all, decided by a parser.
//!
//! The gate lets through the SQL that SQLite and PostgreSQL share, and of that only what reads and
//! changes rows; migrations may also shape the schema. It is built from lists of what is allowed
//! (tokens, clauses, expressions, functions), so that a construct nobody thought of is refused.
//!
//! It knows no engine. The engine's own means (SQLite's authorizer, PostgreSQL's privileges) are the
//! second wall behind it: they decide by what a statement does, the gate by what it says.
//!
//! What plugin authors should know, beyond the grammar:
//!
//! - `LIKE` tells capital letters from small ones; write `lower(a) LIKE lower(b)` to ignore case.
//! - Parameters are `$1`, `$2`, … without gaps. There are no casts with `::` and no `?`.
//! - Names that begin with `caplet_`, `sqlite_`, `pragma_` or `pg_` are reserved.
//! - The allowed functions are in [`FUNCTIONS`].

mod clauses;
mod expressions;
mod rules;
mod schema;
mod tokens;
mod written;

use std::ops::ControlFlow;

use sqlparser::ast::{SetExpr, Statement, Visit};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::TokenWithSpan;

use crate::{Error, Limits, Result};

pub use expressions::FUNCTIONS;
pub(crate) use rules::{Check, Key, checks, key};
pub(crate) use written::{Kind, Written, written};

const ONE_STATEMENT: &str = "write exactly one statement, without a second one after `;`";

/// How deep a statement may nest: the parser goes back and forth in nested parentheses, so that each
/// level may double its time.
const DEPTH_MAX: usize = 24;

/// How many operators and keywords one statement may have: chains of them, as in `a + a + a`, nest in
/// the parse tree, and walking and dropping it takes stack for each level.
const LINKS_MAX: usize = 1_000;

/// How many tokens one statement may have: the parser takes about 1 µs for each, and cannot be
/// interrupted.
const TOKENS_MAX: usize = 20_000;

/// What the gate found out about a statement it let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Whether it inserts, updates or deletes.
    pub writes: bool,
    /// Whether it begins with `SELECT`, `VALUES` or a `WITH` of these and returns rows.
    pub selects: bool,
    /// How many parameters it takes: it uses each of `$1` to `$n_parameters`.
    pub n_parameters: usize,
}

/// Checks one statement of a running plugin.
///
/// # Errors
/// [`Error::Invalid`] with what is wrong and, where there is one, the allowed way to write it;
/// [`Error::TooLarge`] when it is longer than [`Limits::statement_bytes_max`].
pub fn check(statement: &str, limits: &Limits) -> Result<Checked> {
    let found = tokens::scan(statement, limits)?;
    if found.n_statements > 1 {
        return invalid(ONE_STATEMENT);
    }
    let n_parameters = found.n_parameters()?;
    let mut statements = parse(found.tokens)?;
    let (Some(parsed), true) = (statements.pop(), statements.is_empty()) else {
        return invalid(ONE_STATEMENT);
    };
    let writes = check_rows(&parsed)?;
    Ok(Checked { writes, selects: !writes, n_parameters })
}

/// Checks the statements of a migration and returns how many there are.
///
/// # Errors
/// As [`check`]. A migration has no parameters.
pub fn check_migration(sql: &str, limits: &Limits) -> Result<usize> {
    let found = tokens::scan(sql, limits)?;
    if found.has_placeholders() {
        return invalid("a migration has no parameters: write the values");
    }
    let statements = parse(found.tokens)?;
    for statement in &statements {
        if schema::check(statement)? {
            walk(statement, usize::MAX)?;
        } else {
            check_rows(statement)?;
        }
    }
    Ok(statements.len())
}

/// Checks the one statement of a backfill: it changes rows, and a `LIMIT` bounds how many.
///
/// # Errors
/// As [`check`]. A backfill has no parameters.
pub fn check_backfill(sql: &str, limits: &Limits) -> Result<()> {
    let found = tokens::scan(sql, limits)?;
    if found.has_placeholders() {
        return invalid("a backfill has no parameters: it is for the rows of all tenants");
    }
    let is_bounded = found.has_limit();
    let statements = parse(found.tokens)?;
    let [statement] = statements.as_slice() else {
        return invalid("a backfill is exactly one INSERT, UPDATE or DELETE");
    };
    if !check_rows(statement)? {
        return invalid("a backfill is one INSERT, UPDATE or DELETE, and this changes nothing");
    }
    if !is_bounded {
        return invalid(
            "a backfill bounds the rows of one run, such as by \
             `WHERE id IN (SELECT id FROM … WHERE … LIMIT 500)`",
        );
    }
    Ok(())
}

/// The statements of a text that passed [`check`] before; none of one that does not.
fn parse_known(statement: &str, limits: &Limits) -> Vec<Statement> {
    tokens::scan(statement, limits).and_then(|found| parse(found.tokens)).unwrap_or_default()
}

fn parse(tokens: Vec<TokenWithSpan>) -> Result<Vec<Statement>> {
    Parser::new(&tokens::Portable)
        .with_recursion_limit(DEPTH_MAX * 2)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(|error| match error {
            ParserError::RecursionLimitExceeded => Error::Invalid("nested too deeply".to_owned()),
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
                Error::Invalid(text)
            }
        })
}

/// Checks a statement about rows and tells whether it writes.
fn check_rows(statement: &Statement) -> Result<bool> {
    let changes_after_with = match statement {
        Statement::Query(query) => {
            matches!(*query.body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_))
        }
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => false,
        _ => return invalid("only SELECT, INSERT, UPDATE, DELETE and WITH are allowed here"),
    };
    // The parser nests the changing statement in the query of its WITH: a second statement is right
    // there and nowhere else.
    walk(statement, if changes_after_with { 2 } else { 1 })?;
    Ok(changes_after_with || !matches!(statement, Statement::Query(_)))
}

fn walk(statement: &Statement, n_statements_max: usize) -> Result<()> {
    let mut walker = clauses::Walker { n_statements_left: n_statements_max };
    match statement.visit(&mut walker) {
        ControlFlow::Break(text) => Err(Error::Invalid(text)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn invalid<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::Invalid(text.into()))
}

#[cfg(test)]
mod tests;
