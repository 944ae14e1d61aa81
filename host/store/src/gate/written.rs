//! Which columns a statement writes: what must stay as it is for the statement to go on working.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, FromTable, Insert, ObjectName, Statement, TableFactor,
    TableObject, Update, Visit, Visitor,
};

use super::parse_known;
use crate::Limits;

/// One table that a statement writes to. Names are in small letters, as SQLite compares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) table: String,
    /// The columns it names; none when it gives a value for each.
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) kind: Kind,
}

/// What a statement does with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It makes them; the columns that it does not name get their defaults.
    Insert,
    /// It changes the columns that it names.
    Update,
    /// It takes them away.
    Delete,
}

/// The tables that a statement, which passed the gate before, writes to.
pub(crate) fn written(statement: &str, limits: &Limits) -> Vec<Written> {
    let mut collector = Collector(Vec::new());
    for statement in parse_known(statement, limits) {
        let ControlFlow::Continue(()) = statement.visit(&mut collector);
    }
    collector.0
}

struct Collector(Vec<Written>);

impl Visitor for Collector {
    type Break = std::convert::Infallible;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<Self::Break> {
        match statement {
            Statement::Insert(insert) => self.0.extend(inserted(insert)),
            Statement::Update(update) => self.0.extend(updated(update)),
            Statement::Delete(delete) => self.0.extend(deleted(delete)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn inserted(insert: &Insert) -> Option<Written> {
    let TableObject::TableName(table) = &insert.table else { return None };
    let columns: Vec<_> = insert.columns.iter().filter_map(name).collect();
    let columns = Some(columns).filter(|columns| !columns.is_empty());
    Some(Written { table: name(table)?, columns, kind: Kind::Insert })
}

fn updated(update: &Update) -> Option<Written> {
    let TableFactor::Table { name: table, .. } = &update.table.relation else { return None };
    let columns = update.assignments.iter().flat_map(targets).collect();
    Some(Written { table: name(table)?, columns: Some(columns), kind: Kind::Update })
}

fn deleted(delete: &Delete) -> Option<Written> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let TableFactor::Table { name: table, .. } = &from.first()?.relation else { return None };
    Some(Written { table: name(table)?, columns: None, kind: Kind::Delete })
}

fn targets(assignment: &Assignment) -> Vec<String> {
    match &assignment.target {
        AssignmentTarget::ColumnName(column) => name(column).into_iter().collect(),
        AssignmentTarget::Tuple(columns) => columns.iter().filter_map(name).collect(),
    }
}

fn name(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(|ident| ident.value.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(statement: &str) -> Vec<(String, Option<String>, Kind)> {
        let found = written(statement, &Limits::default()).into_iter();
        found.map(|it| (it.table, it.columns.map(|it| it.join(" ")), it.kind)).collect()
    }

    #[test]
    fn finds_tables_and_columns_wherever_they_are() {
        let some = |table: &str, columns: &str, kind| {
            vec![(table.to_owned(), Some(columns.to_owned()), kind)]
        };
        let upsert = "INSERT INTO Notes (id, \"Body\") VALUES ($1, $2)
            ON CONFLICT (id) DO UPDATE SET body = excluded.body RETURNING id";
        assert_eq!(found(upsert), some("notes", "id body", Kind::Insert));
        let with = "WITH a AS (SELECT 1 AS x) INSERT INTO b (c) SELECT x FROM a";
        assert_eq!(found(with), some("b", "c", Kind::Insert));
        assert_eq!(found("INSERT INTO a VALUES (1)"), [("a".to_owned(), None, Kind::Insert)]);
        let update = "UPDATE a SET b = 1, c = 2 WHERE d = 3";
        assert_eq!(found(update), some("a", "b c", Kind::Update));
        let delete = "DELETE FROM A WHERE b IN (SELECT c FROM d)";
        assert_eq!(found(delete), [("a".to_owned(), None, Kind::Delete)]);
        for nothing in ["SELECT a FROM b", "no statement", ""] {
            assert_eq!(found(nothing), [], "{nothing}");
        }
    }
}
