//! Whether a table still takes what a statement of the version before does to its rows. Preparing the
//! statement does not tell: what it writes is known to that version alone, so that a rule which it does not
//! know is one that it may break. Rules that follow from those it knows, and rules about columns that it does
//! not know and whose defaults keep them, are none.

use std::collections::BTreeSet;

use super::table::Table;
use crate::gate::{Check, Key, Kind, Written};

/// One thing that a statement does, and its table before and after the migrations.
pub(super) struct Comparison<'a> {
    pub(super) written: &'a Written,
    pub(super) before: &'a Table,
    pub(super) now: &'a Table,
}

impl Comparison<'_> {
    /// Why the rows may be refused now. `raw` is where the defaults of columns are worked out.
    pub(super) fn refusal(&self, raw: &rusqlite::Connection) -> Option<String> {
        match self.written.kind {
            Kind::Delete => self.kept(),
            Kind::Insert | Kind::Update => self
                .lacks_value()
                .or_else(|| self.lacks_null())
                .or_else(|| self.must_be_unique(raw))
                .or_else(|| self.must_meet(raw))
                .or_else(|| self.must_refer())
                .or_else(|| self.fixed()),
        }
    }

    fn is_insert(&self) -> bool {
        self.written.kind == Kind::Insert
    }

    /// Whether the statement gives a column a value.
    fn names(&self, column: &String) -> bool {
        self.written.columns.as_ref().is_none_or(|columns| columns.contains(column))
    }

    /// Whether the statement gives a column a value that nobody but it knows.
    fn gives(&self, column: &String) -> bool {
        self.before.has(column) && self.names(column)
    }

    /// Whether a column of a row that the statement makes is empty.
    fn stays_empty(&self, column: &String) -> bool {
        let default = self.now.columns.get(column).and_then(Option::as_deref);
        self.is_insert()
            && !self.gives(column)
            && default.is_none_or(|default| default.eq_ignore_ascii_case("null"))
    }

    /// Whether it may give all of the columns values together that they did not have.
    fn may_set(&self, columns: &BTreeSet<String>) -> bool {
        match self.is_insert() {
            true => !columns.iter().any(|column| self.stays_empty(column)),
            false => columns.iter().any(|column| self.gives(column)),
        }
    }

    fn lacks_value(&self) -> Option<String> {
        let table = &self.written.table;
        let mut required = self.now.required.difference(&self.before.required);
        let column = required.find(|column| self.is_insert() && !self.names(column))?;
        Some(format!(
            "{table}.{column} is NOT NULL without a default, and this does not give a value for it"
        ))
    }

    fn lacks_null(&self) -> Option<String> {
        let table = &self.written.table;
        let mut new = self.now.not_null.difference(&self.before.not_null);
        let column = new.find(|column| self.gives(column))?;
        Some(format!("{table}.{column} is NOT NULL now, which this version does not know"))
    }

    fn must_be_unique(&self, raw: &rusqlite::Connection) -> Option<String> {
        let table = &self.written.table;
        let known = &self.before.unique;
        let is_new = |key: &&BTreeSet<String>| {
            !known.iter().any(|it| it.is_subset(key)) && self.may_set(key)
        };
        let is_new_key = |key: &&Key| !self.before.keys.contains(key) && self.may_be_in(key, raw);
        let of_columns = self.now.unique.iter().find(is_new).map(listed);
        let columns = of_columns
            .or_else(|| self.now.keys.iter().find(is_new_key).map(|key| key.text.clone()))?;
        Some(format!("{table} ({columns}) must be unique now, which this version does not know"))
    }

    /// Whether rows that the statement writes may be new in a unique index.
    fn may_be_in(&self, key: &Key, raw: &rusqlite::Connection) -> bool {
        match &key.of_rows {
            _ if !self.is_insert() => {
                let rows = key.of_rows.iter().flat_map(|rows| &rows.columns);
                key.columns.iter().chain(rows).any(|column| self.gives(column))
            }
            Some(rows) if !rows.columns.iter().any(|column| self.gives(column)) => {
                self.by_defaults(rows, false, raw).unwrap_or(true)
            }
            _ => true,
        }
    }

    fn must_meet(&self, raw: &rusqlite::Connection) -> Option<String> {
        let table = &self.written.table;
        let check =
            self.now.checks.iter().find(|check| {
                !check.follows_from(&self.before.checks) && self.may_break(check, raw)
            })?;
        Some(format!("{table} has CHECK ({check}) now, which this version does not know"))
    }

    fn may_break(&self, check: &Check, raw: &rusqlite::Connection) -> bool {
        check.columns.iter().any(|column| self.gives(column))
            || (self.is_insert() && !self.by_defaults(check, true, raw).unwrap_or(false))
    }

    /// What an expression comes to in a row in which its columns have their defaults.
    fn by_defaults(
        &self,
        expression: &Check,
        if_null: bool,
        raw: &rusqlite::Connection,
    ) -> rusqlite::Result<bool> {
        let value = |column: &String| {
            let default = self.now.columns.get(column).and_then(Option::as_deref);
            let (default, name) = (default.unwrap_or("NULL"), column.replace('"', "\"\""));
            format!("({default}) AS \"{name}\"")
        };
        let values: Vec<String> = expression.columns.iter().map(value).collect();
        let row = if values.is_empty() { "1".to_owned() } else { values.join(", ") };
        let sql = format!("SELECT coalesce(({expression}), ?1) <> 0 FROM (SELECT {row})");
        raw.query_row(&sql, [if_null], |row| row.get(0))
    }

    fn must_refer(&self) -> Option<String> {
        let table = &self.written.table;
        let mut new = self.now.references.difference(&self.before.references);
        let (parent, columns) = new.find(|(_, columns)| self.may_set(columns))?;
        let columns = listed(columns);
        Some(format!(
            "{table} ({columns}) must refer to a row of {parent} now, which this version does not know"
        ))
    }

    fn kept(&self) -> Option<String> {
        let table = &self.written.table;
        let (child, _) = self.now.kept_by.difference(&self.before.kept_by).next()?;
        Some(format!(
            "rows of {child} keep rows of {table} from being deleted now; let the foreign key say \
             ON DELETE CASCADE or SET NULL"
        ))
    }

    fn fixed(&self) -> Option<String> {
        let table = &self.written.table;
        let mut new = self.now.fixed_by.difference(&self.before.fixed_by);
        let (child, columns) = new.find(|(_, columns)| {
            !self.is_insert() && columns.iter().any(|column| self.names(column))
        })?;
        let columns = listed(columns);
        Some(format!(
            "rows of {child} keep {table} ({columns}) from being changed now; let the foreign key say \
             ON UPDATE CASCADE"
        ))
    }
}

fn listed(columns: &BTreeSet<String>) -> String {
    columns.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
