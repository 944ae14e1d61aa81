//! What the rows of a table must be, as far as statements that write to it may break that.

use std::collections::{BTreeMap, BTreeSet};

use crate::Limits;
use crate::gate::{self, Check, Key};

type Names = BTreeSet<String>;

const COLUMNS: &str = "SELECT lower(name), dflt_value, \"notnull\" = 1, pk > 0,
    upper(type) = 'INTEGER' FROM pragma_table_info(?1)";

const UNIQUE: &str = "SELECT i.name, lower(c.name) FROM pragma_index_list(?1) AS i,
    pragma_index_info(i.name) AS c WHERE i.\"unique\" = 1 ORDER BY i.name";

/// Unique indexes over expressions, or over some rows alone.
const KEYS: &str = "SELECT s.sql FROM pragma_index_list(?1) AS i, sqlite_schema AS s
    WHERE i.\"unique\" = 1 AND s.type = 'index' AND s.name = i.name AND (i.partial = 1
    OR EXISTS (SELECT 1 FROM pragma_index_info(i.name) AS c WHERE c.name IS NULL))";

const PARTIAL: &str = "SELECT s.name FROM pragma_index_list(?1) AS s WHERE s.partial = 1";

const DEFINITION: &str = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = ?1";

const REFERENCES: &str = "SELECT id, lower(\"table\"), lower(\"from\")
    FROM pragma_foreign_key_list(?1)";

const REFERRERS: &str = "SELECT lower(s.name), f.id, lower(f.\"to\"), f.on_delete IN
    ('NO ACTION', 'RESTRICT'), f.on_update IN ('NO ACTION', 'RESTRICT')
    FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f
    WHERE s.type = 'table' AND lower(f.\"table\") = ?1";

/// What the rows of a table must be.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Its columns, with the texts of their defaults.
    pub(super) columns: BTreeMap<String, Option<String>>,
    pub(super) not_null: Names,
    /// Columns that a row must be given a value for.
    pub(super) required: Names,
    pub(super) unique: BTreeSet<Names>,
    pub(super) keys: Vec<Key>,
    pub(super) checks: Vec<Check>,
    /// The tables that rows of this one refer to, each with the columns that do.
    pub(super) references: BTreeSet<(String, Names)>,
    /// The tables whose rows may refer to one of this one and keep it from being deleted.
    pub(super) kept_by: BTreeSet<(String, Names)>,
    /// The same for a change of the columns that they refer to.
    pub(super) fixed_by: BTreeSet<(String, Names)>,
}

impl Table {
    pub(super) fn read(
        raw: &rusqlite::Connection,
        name: &str,
        limits: &Limits,
    ) -> rusqlite::Result<Self> {
        let mut table = Self::default();
        let primary = table.read_columns(raw, name)?;
        table.read_unique(raw, name)?;
        for sql in texts(raw, KEYS, name)? {
            table.keys.extend(gate::key(&sql, limits));
        }
        for sql in texts(raw, DEFINITION, name)? {
            table.checks.extend(gate::checks(&sql, limits));
        }
        table.read_references(raw, name)?;
        table.read_referrers(raw, name, &primary)?;
        Ok(table)
    }

    /// Whether it has a column.
    pub(super) fn has(&self, column: &String) -> bool {
        self.columns.contains_key(column)
    }

    /// Returns the columns of the primary key.
    fn read_columns(&mut self, raw: &rusqlite::Connection, name: &str) -> rusqlite::Result<Names> {
        let (mut primary, mut integers) = (Names::new(), Names::new());
        let mut statement = raw.prepare_cached(COLUMNS)?;
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            let column: String = row.get(0)?;
            for (is_in, set) in [(2, &mut self.not_null), (3, &mut primary), (4, &mut integers)] {
                if row.get(is_in)? {
                    set.insert(column.clone());
                }
            }
            self.columns.insert(column, row.get(1)?);
        }
        self.required.clone_from(&self.not_null);
        self.required.retain(|column| self.columns[column].is_none());
        // A key that is one INTEGER is the number of the row, which SQLite gives. It has no index.
        if let Some(only) =
            primary.first().filter(|it| primary.len() == 1 && integers.contains(*it))
        {
            self.required.remove(only);
            self.unique.insert(primary.clone());
        }
        Ok(primary)
    }

    fn read_unique(&mut self, raw: &rusqlite::Connection, name: &str) -> rusqlite::Result<()> {
        let partial: Names = texts(raw, PARTIAL, name)?.into_iter().collect();
        let mut by_index: BTreeMap<String, Option<Names>> = BTreeMap::new();
        let mut statement = raw.prepare_cached(UNIQUE)?;
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            let (index, column): (String, Option<String>) = (row.get(0)?, row.get(1)?);
            let columns = by_index.entry(index).or_insert_with(|| Some(Names::new()));
            *columns = columns.take().zip(column).map(|(mut columns, column)| {
                columns.insert(column);
                columns
            });
        }
        let whole = by_index.into_iter().filter(|(index, _)| !partial.contains(index));
        self.unique.extend(whole.filter_map(|(_, columns)| columns));
        Ok(())
    }

    fn read_references(&mut self, raw: &rusqlite::Connection, name: &str) -> rusqlite::Result<()> {
        let mut by_id: BTreeMap<i64, (String, Names)> = BTreeMap::new();
        let mut statement = raw.prepare_cached(REFERENCES)?;
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            let to = row.get(1)?;
            by_id.entry(row.get(0)?).or_insert_with(|| (to, Names::new())).1.insert(row.get(2)?);
        }
        self.references.extend(by_id.into_values());
        Ok(())
    }

    fn read_referrers(
        &mut self,
        raw: &rusqlite::Connection,
        name: &str,
        primary: &Names,
    ) -> rusqlite::Result<()> {
        let mut by_id: BTreeMap<(String, i64), (Names, bool, bool)> = BTreeMap::new();
        let mut statement = raw.prepare_cached(REFERRERS)?;
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            let (keeps, fixes) = (row.get(3)?, row.get(4)?);
            let place = by_id.entry((row.get(0)?, row.get(1)?));
            let (columns, ..) = place.or_insert_with(|| (Names::new(), keeps, fixes));
            match row.get::<_, Option<String>>(2)? {
                Some(column) => drop(columns.insert(column)),
                None => columns.extend(primary.iter().cloned()),
            }
        }
        for ((table, _), (columns, keeps, fixes)) in by_id {
            if keeps {
                self.kept_by.insert((table.clone(), columns.clone()));
            }
            if fixes {
                self.fixed_by.insert((table, columns));
            }
        }
        Ok(())
    }
}

fn texts(raw: &rusqlite::Connection, sql: &str, name: &str) -> rusqlite::Result<Vec<String>> {
    raw.prepare_cached(sql)?.query_map([name], |row| row.get(0))?.collect()
}
