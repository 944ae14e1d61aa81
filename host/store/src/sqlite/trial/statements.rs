//! What the version before ran, and what of it would fail on a changed schema.
//!
//! Preparing a statement finds tables and columns that are gone. It does not find that rows must now
//! have what the old version does not give them, so that is compared as well.

use std::collections::{BTreeMap, BTreeSet};

use crate::gate::{self, Written};
use crate::sqlite::authorizer::Role;
use crate::sqlite::connection::Connection;
use crate::{Broken, Result};

/// Columns that a row must be given a value for. A key of type `INTEGER` is given one by SQLite.
const REQUIRED: &str = "SELECT lower(name) FROM pragma_table_info(?1)
    WHERE \"notnull\" = 1 AND dflt_value IS NULL AND NOT (pk = 1 AND upper(type) = 'INTEGER')";

const COLUMNS: &str = "SELECT lower(name) FROM pragma_table_info(?1)";

const UNIQUE: &str = "SELECT i.name, lower(c.name) FROM pragma_index_list(?1) AS i,
    pragma_index_info(i.name) AS c WHERE i.\"unique\" = 1 AND i.partial = 0 AND c.name IS NOT NULL";

/// The statements that can be run before the migrations, and what they rely on.
pub(super) struct OldStatements {
    statements: Vec<Known>,
    tables: BTreeMap<String, Table>,
}

struct Known {
    text: String,
    columns: Vec<String>,
    written: Vec<Written>,
}

/// What the rows of a table must be.
#[derive(Debug, Default)]
struct Table {
    columns: BTreeSet<String>,
    required: BTreeSet<String>,
    unique: BTreeSet<BTreeSet<String>>,
}

impl OldStatements {
    /// What cannot be run even now is no concern of the migrations.
    pub(super) fn read(connection: &Connection, texts: &[String]) -> Result<Self> {
        let limits = connection.limits();
        let passes = |text: &&String| gate::check(text, &limits).is_ok();
        let known = |text: &String| {
            let columns = prepare(connection, text).ok()?;
            Some(Known { text: text.clone(), columns, written: gate::written(text, &limits) })
        };
        let statements: Vec<_> = texts.iter().filter(passes).filter_map(known).collect();
        let tables = tables(connection, &statements)?;
        Ok(Self { statements, tables })
    }

    pub(super) fn len(&self) -> usize {
        self.statements.len()
    }

    /// Those that would fail now.
    pub(super) fn broken(&self, connection: &Connection) -> Result<Vec<Broken>> {
        let now = tables(connection, &self.statements)?;
        let broken = |known: &Known| {
            let reason = changed_result(connection, known).or_else(|| {
                known.written.iter().find_map(|written| self.refused_rows(written, &now))
            })?;
            Some(Broken { statement: known.text.clone(), reason })
        };
        Ok(self.statements.iter().filter_map(broken).collect())
    }

    /// Why the table would not take the rows any more.
    fn refused_rows(&self, written: &Written, now: &BTreeMap<String, Table>) -> Option<String> {
        let (before, now) = (self.tables.get(&written.table)?, now.get(&written.table)?);
        let table = &written.table;
        let names = |column: &String| {
            written.columns.as_ref().is_none_or(|columns| columns.contains(column))
        };
        let missing = now.required.difference(&before.required).find(|it| !names(it));
        if let Some(column) = missing.filter(|_| written.is_insert) {
            return Some(format!(
                "{table}.{column} is NOT NULL without a default, and this does not give a value for it"
            ));
        }
        let is_new = |key: &&BTreeSet<String>| {
            key.is_subset(&before.columns) && !before.unique.iter().any(|it| it.is_subset(key))
        };
        let is_touched = |key: &&BTreeSet<String>| written.is_insert || key.iter().any(names);
        let key = now.unique.iter().filter(is_new).find(is_touched)?;
        let columns: Vec<_> = key.iter().map(String::as_str).collect();
        let columns = columns.join(", ");
        Some(format!("{table} ({columns}) must be unique now, which this version does not know"))
    }
}

/// Why the statement cannot be run, or what is missing in its result.
fn changed_result(connection: &Connection, known: &Known) -> Option<String> {
    match prepare(connection, &known.text) {
        Err(reason) => Some(reason),
        Ok(columns) if columns.starts_with(&known.columns) => None,
        Ok(columns) => Some(format!(
            "its columns are {} now, and were {}",
            columns.join(", "),
            known.columns.join(", ")
        )),
    }
}

/// The columns of its result.
fn prepare(connection: &Connection, text: &str) -> Result<Vec<String>, String> {
    let _role = connection.assume(Role::Plugin);
    let statement = connection.raw().prepare(text);
    let statement = statement.map_err(|error| connection.fault(error).into_error().to_string())?;
    Ok(statement.column_names().map(str::to_owned).collect())
}

/// The tables that the statements write to.
fn tables(connection: &Connection, statements: &[Known]) -> Result<BTreeMap<String, Table>> {
    let names: BTreeSet<_> =
        statements.iter().flat_map(|it| &it.written).map(|it| &it.table).collect();
    let read = |name: &String| Ok((name.clone(), table(connection.raw(), name)?));
    let tables: rusqlite::Result<_> = names.into_iter().map(read).collect();
    tables.map_err(|error| connection.fault(error).into_error())
}

fn table(raw: &rusqlite::Connection, name: &str) -> rusqlite::Result<Table> {
    let set = |sql| -> rusqlite::Result<BTreeSet<String>> {
        raw.prepare_cached(sql)?.query_map([name], |row| row.get(0))?.collect()
    };
    let mut by_index: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut statement = raw.prepare_cached(UNIQUE)?;
    let pairs = statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for pair in pairs {
        let (index, column): (String, String) = pair?;
        by_index.entry(index).or_default().insert(column);
    }
    let unique = by_index.into_values().collect();
    Ok(Table { columns: set(COLUMNS)?, required: set(REQUIRED)?, unique })
}
