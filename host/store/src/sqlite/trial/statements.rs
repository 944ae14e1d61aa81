//! What the version before ran, and what of it would fail on a changed schema.
//!
//! Preparing a statement finds tables and columns that are gone. It does not find that rows must now
//! be what the old version does not make them, so that is compared as well: `rows`.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::Comparison;
use super::table::Table;
use crate::gate::{self, Written};
use crate::sqlite::authorizer::Role;
use crate::sqlite::connection::Connection;
use crate::{Broken, Result};

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
            let refused = |written| self.refused_rows(written, &now, connection);
            let reason = changed_result(connection, known)
                .or_else(|| known.written.iter().find_map(refused))?;
            Some(Broken { statement: known.text.clone(), reason })
        };
        Ok(self.statements.iter().filter_map(broken).collect())
    }

    /// Why the table may not take the rows any more.
    fn refused_rows(
        &self,
        written: &Written,
        now: &BTreeMap<String, Table>,
        connection: &Connection,
    ) -> Option<String> {
        let (before, now) = (self.tables.get(&written.table)?, now.get(&written.table)?);
        Comparison { written, before, now }.refusal(connection.raw())
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
    let limits = connection.limits();
    let read = |name: &String| Ok((name.clone(), Table::read(connection.raw(), name, &limits)?));
    let tables: rusqlite::Result<_> = names.into_iter().map(read).collect();
    tables.map_err(|error| connection.fault(error).into_error())
}
