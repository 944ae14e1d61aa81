//! What a database has: tables, their columns, and how many rows.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::sqlite::connection::Connection;
use crate::{Result, TableChange};

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table'
    AND substr(name, 1, 7) NOT IN ('caplet_', 'sqlite_') ORDER BY name";

const COLUMNS: &str = "SELECT name FROM pragma_table_info(?1) ORDER BY cid";

/// The plugin's tables at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Census(BTreeMap<String, Table>);

#[derive(Debug, PartialEq, Eq)]
struct Table {
    columns: Vec<String>,
    n_rows: u64,
}

impl Census {
    /// Counts until `end`.
    pub(super) fn take(connection: &Connection, end: Instant) -> Result<Self> {
        connection.budget().renew();
        let armed = connection.budget().arm(end);
        let result = count(connection.raw());
        drop(armed);
        let tables = result.map_err(|error| connection.fault(error).into_error())?;
        Ok(Self(tables))
    }

    /// How `after` differs from this one.
    pub(super) fn changes(&self, after: &Self) -> Vec<TableChange> {
        let names = self.0.keys().chain(after.0.keys().filter(|name| !self.0.contains_key(*name)));
        names.filter_map(|name| change(name, self.0.get(name), after.0.get(name))).collect()
    }
}

fn count(raw: &rusqlite::Connection) -> rusqlite::Result<BTreeMap<String, Table>> {
    let mut tables = BTreeMap::new();
    for name in names(raw, TABLES, [])? {
        let quoted = name.replace('"', "\"\"");
        let rows = format!("SELECT count(*) FROM \"{quoted}\"");
        let n_rows: i64 = raw.query_row(&rows, [], |row| row.get(0))?;
        let n_rows = u64::try_from(n_rows).unwrap_or_default();
        tables.insert(name.clone(), Table { columns: names(raw, COLUMNS, [name])?, n_rows });
    }
    Ok(tables)
}

fn names<P: rusqlite::Params>(
    raw: &rusqlite::Connection,
    sql: &str,
    parameters: P,
) -> rusqlite::Result<Vec<String>> {
    raw.prepare_cached(sql)?.query_map(parameters, |row| row.get(0))?.collect()
}

fn change(name: &str, before: Option<&Table>, after: Option<&Table>) -> Option<TableChange> {
    if before == after {
        return None;
    }
    let missing = |one: Option<&Table>, other: Option<&Table>| match (one, other) {
        (Some(one), Some(other)) => {
            one.columns.iter().filter(|it| !other.columns.contains(it)).cloned().collect()
        }
        _ => Vec::new(),
    };
    Some(TableChange {
        table: name.to_owned(),
        rows_before: before.map(|table| table.n_rows),
        rows_after: after.map(|table| table.n_rows),
        columns_new: missing(after, before),
        columns_gone: missing(before, after),
    })
}
