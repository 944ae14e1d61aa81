//! Which clauses a statement may have, wherever they stand in it.
//!
//! The walk covers common table expressions, subqueries and the queries of views alike.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Delete, Distinct, FromTable, GroupByExpr, Insert, Join, JoinOperator, LimitClause, ObjectName,
    OnConflictAction, OnInsert, Query, Select, SelectFlavor, SetExpr, Statement, TableFactor,
    TableObject, TableWithJoins, Update, Visitor,
};

use super::expressions;

type Check = Result<(), String>;

/// Visits every part of a statement and breaks with the text of the first refusal.
pub(super) struct Walker {
    /// Statements that may still be met: what is nested beyond them is hidden.
    pub(super) n_statements_left: usize,
}

impl Visitor for Walker {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        if self.n_statements_left == 0 {
            return refuse("a statement must not contain another INSERT, UPDATE or DELETE");
        }
        self.n_statements_left -= 1;
        flow(match statement {
            Statement::Insert(insert) => check_insert(insert),
            Statement::Update(update) => check_update(update),
            Statement::Delete(delete) => check_delete(delete),
            _ => Ok(()),
        })
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        flow(check_query(query))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        flow(check_select(select))
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<String> {
        flow(check_relation(relation))
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        flow(check_factor(factor))
    }

    fn pre_visit_expr(&mut self, expression: &sqlparser::ast::Expr) -> ControlFlow<String> {
        flow(expressions::check(expression))
    }
}

pub(super) fn check_relation(relation: &ObjectName) -> Check {
    match relation.0.as_slice() {
        [part] if part.as_ident().is_some() => Ok(()),
        _ => Err(format!("name tables without a database or schema: {relation}")),
    }
}

fn check_query(query: &Query) -> Check {
    allow(query.locks.is_empty(), "FOR UPDATE and FOR SHARE")?;
    allow(query.fetch.is_none(), "FETCH FIRST (write LIMIT)")?;
    allow(
        query.for_clause.is_none()
            && query.settings.is_none()
            && query.format_clause.is_none()
            && query.pipe_operators.is_empty(),
        "what follows the query",
    )?;
    match &query.limit_clause {
        Some(LimitClause::OffsetCommaLimit { .. }) => {
            return Err("write LIMIT a OFFSET b and not LIMIT b, a".to_owned());
        }
        Some(LimitClause::LimitOffset { limit_by, .. }) => allow(limit_by.is_empty(), "LIMIT BY")?,
        None => {}
    }
    if let Some(with) = &query.with {
        allow(with.cte_tables.iter().all(|cte| cte.from.is_none()), "FROM after WITH")?;
    }
    check_body(&query.body)
}

fn check_body(body: &SetExpr) -> Check {
    match body {
        SetExpr::Merge(_) => Err("MERGE is not part of the portable SQL".to_owned()),
        SetExpr::Table(_) => Err("write SELECT * FROM a and not TABLE a".to_owned()),
        SetExpr::SetOperation { left, right, .. } => {
            check_body(left)?;
            check_body(right)
        }
        _ => Ok(()),
    }
}

fn check_select(select: &Select) -> Check {
    allow(select.into.is_none(), "SELECT INTO")?;
    allow(!matches!(select.distinct, Some(Distinct::On(_))), "DISTINCT ON")?;
    allow(select.flavor == SelectFlavor::Standard, "FROM before SELECT")?;
    allow(
        match &select.group_by {
            GroupByExpr::All(_) => false,
            GroupByExpr::Expressions(_, modifiers) => modifiers.is_empty(),
        },
        "this GROUP BY",
    )?;
    allow(
        select.optimizer_hints.is_empty()
            && select.select_modifiers.is_none()
            && select.top.is_none()
            && select.exclude.is_none()
            && select.lateral_views.is_empty()
            && select.prewhere.is_none()
            && select.connect_by.is_empty()
            && select.cluster_by.is_empty()
            && select.distribute_by.is_empty()
            && select.sort_by.is_empty()
            && select.qualify.is_none()
            && select.value_table_mode.is_none(),
        "a clause of this SELECT",
    )?;
    select.from.iter().try_for_each(check_joins)
}

fn check_joins(tables: &TableWithJoins) -> Check {
    tables.joins.iter().try_for_each(check_join)
}

fn check_join(join: &Join) -> Check {
    let allowed = matches!(
        join.join_operator,
        JoinOperator::Join(_)
            | JoinOperator::Inner(_)
            | JoinOperator::Left(_)
            | JoinOperator::LeftOuter(_)
            | JoinOperator::Right(_)
            | JoinOperator::RightOuter(_)
            | JoinOperator::FullOuter(_)
            | JoinOperator::CrossJoin(_)
    );
    allow(allowed && !join.global, "this kind of JOIN")
}

fn check_factor(factor: &TableFactor) -> Check {
    match factor {
        TableFactor::Table {
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
            ..
        } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => Ok(()),
        TableFactor::Table { args: Some(_), name, .. } => {
            Err(format!("functions as tables are not allowed: {name}"))
        }
        TableFactor::Derived { lateral: false, sample: None, .. } => Ok(()),
        TableFactor::NestedJoin { table_with_joins, .. } => check_joins(table_with_joins),
        _ => Err("only tables, subqueries and joins of these may follow FROM".to_owned()),
    }
}

fn check_insert(insert: &Insert) -> Check {
    allow(
        insert.or.is_none() && !insert.ignore && !insert.replace_into && !insert.overwrite,
        "INSERT OR … and REPLACE (write ON CONFLICT … DO)",
    )?;
    allow(insert.into && !insert.has_table_keyword, "INSERT without INTO")?;
    allow(matches!(insert.table, TableObject::TableName(_)), "INSERT into what is no table")?;
    match &insert.on {
        Some(OnInsert::DuplicateKeyUpdate(_)) => {
            return Err("write ON CONFLICT … DO UPDATE".to_owned());
        }
        Some(OnInsert::OnConflict(conflict)) => {
            if let OnConflictAction::DoUpdate(_) = conflict.action {
                // SQLite would take any constraint, PostgreSQL demands one.
                allow(conflict.conflict_target.is_some(), "DO UPDATE without its columns")?;
            }
        }
        Some(_) => return Err("write ON CONFLICT … DO".to_owned()),
        None => {}
    }
    allow(
        insert.optimizer_hints.is_empty()
            && insert.assignments.is_empty()
            && insert.partitioned.is_none()
            && insert.after_columns.is_empty()
            && insert.output.is_none()
            && insert.priority.is_none()
            && insert.insert_alias.is_none()
            && insert.settings.is_none()
            && insert.format_clause.is_none()
            && insert.multi_table_insert_type.is_none(),
        "a clause of this INSERT",
    )
}

fn check_update(update: &Update) -> Check {
    allow(update.or.is_none(), "UPDATE OR …")?;
    allow(
        update.order_by.is_empty() && update.limit.is_none(),
        "UPDATE with ORDER BY or LIMIT (write WHERE … IN (SELECT …))",
    )?;
    allow(
        update.optimizer_hints.is_empty()
            && update.output.is_none()
            && update.table.joins.is_empty(),
        "a clause of this UPDATE",
    )
}

fn check_delete(delete: &Delete) -> Check {
    allow(
        delete.order_by.is_empty() && delete.limit.is_none(),
        "DELETE with ORDER BY or LIMIT (write WHERE … IN (SELECT …))",
    )?;
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    allow(from.len() == 1 && from[0].joins.is_empty(), "DELETE from several tables")?;
    allow(
        matches!(delete.from, FromTable::WithFromKeyword(_))
            && delete.optimizer_hints.is_empty()
            && delete.tables.is_empty()
            && delete.using.is_none()
            && delete.output.is_none(),
        "a clause of this DELETE",
    )
}

pub(super) fn allow(condition: bool, what: &str) -> Check {
    if condition { Ok(()) } else { Err(format!("{what}: not part of the portable SQL")) }
}

fn flow(check: Check) -> ControlFlow<String> {
    match check {
        Ok(()) => ControlFlow::Continue(()),
        Err(text) => ControlFlow::Break(text),
    }
}

fn refuse(text: &str) -> ControlFlow<String> {
    ControlFlow::Break(text.to_owned())
}
