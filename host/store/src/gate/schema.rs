//! Which changes of the schema a migration may make.

use sqlparser::ast::{
    AlterTable, AlterTableOperation, ColumnDef, ColumnOption, ConstraintCharacteristics,
    CreateIndex, CreateTable, CreateView, ObjectType, Statement, TableConstraint,
};

use super::clauses::{allow, check_relation};
use crate::{Error, Result};

type Check = Result<(), String>;

/// Checks a statement about the schema; false when it is about something else.
pub(super) fn check(statement: &Statement) -> Result<bool> {
    let checked = match statement {
        Statement::CreateTable(table) => check_table(table),
        Statement::CreateIndex(index) => check_index(index),
        Statement::CreateView(view) => check_view(view),
        Statement::AlterTable(table) => check_alter(table),
        Statement::Drop { object_type, names, cascade, purge, temporary, table, .. } => allow(
            matches!(object_type, ObjectType::Table | ObjectType::Index | ObjectType::View)
                && !cascade
                && !purge
                && !temporary
                && table.is_none(),
            "this DROP",
        )
        .and_then(|()| names.iter().try_for_each(check_relation)),
        _ => return Ok(false),
    };
    checked.map(|()| true).map_err(Error::Invalid)
}

fn check_table(table: &CreateTable) -> Check {
    allow(
        !table.temporary && !table.or_replace && !table.unlogged && !table.external,
        "this kind of CREATE TABLE",
    )?;
    allow(
        !table.without_rowid && !table.strict && table.like.is_none() && table.query.is_none(),
        "WITHOUT ROWID, STRICT, LIKE and AS after CREATE TABLE",
    )?;
    table.columns.iter().try_for_each(check_column)?;
    table.constraints.iter().try_for_each(check_constraint)
}

fn check_column(column: &ColumnDef) -> Check {
    for option in &column.options {
        match &option.option {
            ColumnOption::Null
            | ColumnOption::NotNull
            | ColumnOption::Default(_)
            | ColumnOption::Check(_) => {}
            ColumnOption::PrimaryKey(key) => check_immediate(key.characteristics.as_ref())?,
            ColumnOption::Unique(key) => check_immediate(key.characteristics.as_ref())?,
            ColumnOption::ForeignKey(key) => {
                check_relation(&key.foreign_table)?;
                check_immediate(key.characteristics.as_ref())?;
            }
            other => return Err(format!("of column {}: {other} is not portable", column.name)),
        }
    }
    Ok(())
}

pub(super) fn check_constraint(constraint: &TableConstraint) -> Check {
    match constraint {
        TableConstraint::Unique(key) => check_immediate(key.characteristics.as_ref()),
        TableConstraint::PrimaryKey(key) => check_immediate(key.characteristics.as_ref()),
        TableConstraint::ForeignKey(key) => {
            check_relation(&key.foreign_table)?;
            check_immediate(key.characteristics.as_ref())
        }
        TableConstraint::Check(_) => Ok(()),
        other => Err(format!("{other} is not portable")),
    }
}

/// A constraint that is checked at the commit would fail the other transactions of a shared commit.
fn check_immediate(characteristics: Option<&ConstraintCharacteristics>) -> Check {
    allow(characteristics.is_none(), "DEFERRABLE (constraints hold after each statement)")
}

fn check_index(index: &CreateIndex) -> Check {
    allow(
        index.name.is_some()
            && index.using.is_none()
            && !index.concurrently
            && !index.r#async
            && index.include.is_empty()
            && index.nulls_distinct.is_none()
            && index.with.is_empty()
            && index.index_options.is_empty()
            && index.alter_options.is_empty(),
        "this kind of CREATE INDEX",
    )?;
    index.name.iter().try_for_each(check_relation)
}

fn check_view(view: &CreateView) -> Check {
    allow(
        !view.or_alter
            && !view.or_replace
            && !view.materialized
            && !view.secure
            && !view.temporary
            && view.cluster_by.is_empty()
            && view.to.is_none()
            && view.params.is_none(),
        "this kind of CREATE VIEW",
    )
}

fn check_alter(table: &AlterTable) -> Check {
    allow(
        !table.if_exists
            && !table.only
            && table.location.is_none()
            && table.on_cluster.is_none()
            && table.table_type.is_none()
            && table.operations.len() == 1,
        "this form of ALTER TABLE (one change a statement)",
    )?;
    match &table.operations[0] {
        AlterTableOperation::AddColumn { column_def, column_position: None, .. } => {
            check_column(column_def)
        }
        AlterTableOperation::DropColumn { .. }
        | AlterTableOperation::RenameColumn { .. }
        | AlterTableOperation::RenameTable { .. } => Ok(()),
        other => Err(format!("ALTER TABLE … {other}: not part of the portable SQL")),
    }
}
