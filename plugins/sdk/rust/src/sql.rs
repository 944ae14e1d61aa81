//! The plugin's own database: statements, parameters, rows into structs, rows as JSON.
//!
//! A statement is one `SELECT`, `INSERT`, `UPDATE`, `DELETE` or `WITH …` in the subset of SQL that
//! SQLite and PostgreSQL share; parameters are `$1`, `$2`, …, and `$tenant` is bound by the host.
//! The full contract is `wit/sql.wit`. Errors turn into problems by `?`: the caller gets a status
//! and a code, the log gets the text.
//!
//! ```
//! use caplet_sdk::prelude::*;
//!
//! #[derive(serde::Deserialize)]
//! struct Note {
//!     id: String,
//!     pinned: bool,
//! }
//!
//! fn pinned_notes(author: &str) -> Result<Vec<Note>, Problem> {
//!     let statement = "SELECT id, pinned FROM notes \
//!                      WHERE tenant = $tenant AND author = $1 AND pinned = $2";
//!     Ok(sql::query(statement, params![author, true])?)
//! }
//! ```

mod row;
mod statement;
mod value;

use serde::de::DeserializeOwned;

use crate::host;

pub use crate::bindings::caplet::plugin::sql::{Error, JsonPage, Rows, Value};
pub use crate::params;
pub use statement::Statement;

/// The most rows one statement returns.
pub const ROWS_MAX: u32 = 1_000;
/// The most statements one invocation runs.
pub const STATEMENTS_MAX: u32 = 200;
/// The most bytes one statement returns.
pub const RESULT_MAX_BYTES: u32 = 4 * 1024 * 1024;
/// The most bytes of a statement's text.
pub const STATEMENT_MAX_BYTES: u32 = 256 * 1024;

/// A [`bounded_page`] is cut short rather than larger than this: an answer must fit one copy from the
/// plugin (4 MiB), and a list may be made of two of these.
const PAGE_MAX_BYTES: usize = 1024 * 1024;

/// What a statement answers.
pub type Result<T> = std::result::Result<T, Error>;

/// The parameters of a statement: `params![id, 5, None::<i64>]` makes a `&[Value]`.
///
/// Takes whatever [`Value`] is `From`: integers, booleans, floats, texts, bytes and options of them.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::sql::Value::from($value)),*] as &[$crate::sql::Value]
    };
}

/// Runs a statement and reads its rows, at most [`ROWS_MAX`].
///
/// `Row` is a struct whose fields have the columns' names, or a tuple in the columns' order, or the
/// type of the only column. Integers become booleans, floats and integers; text becomes strings and
/// bare enum variants; a blob becomes `Vec<u8>`; null becomes `None`.
///
/// # Errors
/// [`Error::Invalid`] also when a row does not fit `Row`, and says which column.
pub fn query<Row: DeserializeOwned>(statement: &str, parameters: &[Value]) -> Result<Vec<Row>> {
    row::read_all(host::sql_query(statement, parameters)?)
}

/// Runs a statement that returns at most one row; more is [`Error::Invalid`].
///
/// # Errors
/// As [`query`].
pub fn query_optional<Row: DeserializeOwned>(
    statement: &str,
    parameters: &[Value],
) -> Result<Option<Row>> {
    let mut rows = query(statement, parameters)?;
    let row = rows.pop();
    if rows.is_empty() {
        return Ok(row);
    }
    Err(Error::Invalid("more than one row where at most one was expected".to_owned()))
}

/// Runs a statement that returns exactly one row, such as an aggregate.
///
/// # Errors
/// As [`query`]; no row is [`Error::Invalid`].
pub fn query_one<Row: DeserializeOwned>(statement: &str, parameters: &[Value]) -> Result<Row> {
    query_optional(statement, parameters)?
        .ok_or_else(|| Error::Invalid("no row where one was expected".to_owned()))
}

/// Runs a statement and returns its rows, at most [`ROWS_MAX`], with the types that the values have in
/// the database: for statements whose columns are not known beforehand.
///
/// # Errors
/// As the host's.
pub fn query_values(statement: &str, parameters: &[Value]) -> Result<Rows> {
    host::sql_query(statement, parameters)
}

/// Runs a `SELECT` and returns the first `limit` rows as JSON, without reading single values: the
/// fast way to a [`Listing`](crate::Listing). Column names may end in `:bool`, `:time`, `:json` and
/// `:key`; see `wit/sql.wit`.
///
/// # Errors
/// As the host's.
pub fn query_json(statement: &str, parameters: &[Value], limit: u32) -> Result<JsonPage> {
    host::sql_query_json(statement, parameters, limit)
}

/// Reads at most `limit` rows with `statement(limit)` as JSON, and fewer where they would be larger
/// than 1 MiB together. One row is read whatever its size.
///
/// # Errors
/// As [`query_json`].
pub fn bounded_page(limit: u32, statement: impl Fn(u32) -> Statement) -> Result<JsonPage> {
    let mut limit = limit;
    loop {
        match statement(limit).query_json(limit) {
            Ok(page) if page.items.len() <= PAGE_MAX_BYTES || limit == 1 => return Ok(page),
            Err(error) if !matches!(error, Error::TooLarge(_)) || limit == 1 => return Err(error),
            _ => limit /= 2,
        }
    }
}

/// Runs a `SELECT` of at most one row and returns it as a JSON object, with its `:key` columns.
///
/// # Errors
/// As the host's.
pub fn query_json_optional(
    statement: &str,
    parameters: &[Value],
) -> Result<Option<(Vec<u8>, Vec<Value>)>> {
    Ok(only_item(query_json(statement, parameters, 1)?))
}

/// Runs a statement and returns how many rows it inserted, changed or deleted.
///
/// # Errors
/// As the host's.
pub fn execute(statement: &str, parameters: &[Value]) -> Result<u64> {
    host::sql_execute(statement, parameters)
}

/// The object in a JSON array of one object.
fn only_item(page: JsonPage) -> Option<(Vec<u8>, Vec<Value>)> {
    let inside = page.items.strip_prefix(b"[")?.strip_suffix(b"]")?;
    (page.count == 1).then(|| (inside.to_vec(), page.last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_take_what_has_a_value() {
        let title = String::from("a");
        let parameters = params![&title, true, 7_u32, None::<i64>, 0.5];
        assert_eq!(
            parameters,
            [
                Value::Text("a".into()),
                Value::Integer(1),
                Value::Integer(7),
                Value::Null,
                Value::Real(0.5)
            ]
        );
        assert!(params![].is_empty());
    }

    #[test]
    fn one_object_is_taken_out_of_its_array() {
        let page = |items: &[u8], count| JsonPage {
            items: items.to_vec(),
            count,
            more: false,
            last: Vec::new(),
        };
        assert_eq!(only_item(page(b"[{\"a\":1}]", 1)).unwrap().0, b"{\"a\":1}");
        assert_eq!(only_item(page(b"[]", 0)), None);
    }
}
