//! What the definition of a table asks of its rows beyond their columns: `CHECK`s, and keys over expressions
//! or of some rows alone. It is read from the text that the engine keeps of what passed the gate.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, ColumnOption, CreateTable, Expr, Statement, TableConstraint, UnaryOperator,
    Value, Visit, Visitor,
};

use super::parse_known;
use crate::Limits;

/// A `CHECK`, and the columns in it, in small letters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    expression: Expr,
    pub(crate) columns: BTreeSet<String>,
}

/// A unique index over expressions, or over some rows alone: its text, the columns in its expressions, and
/// which rows it is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) columns: BTreeSet<String>,
    pub(crate) of_rows: Option<Check>,
}

/// The checks of a table that was made by this statement.
pub(crate) fn checks(create_table: &str, limits: &Limits) -> Vec<Check> {
    let statements = parse_known(create_table, limits).into_iter();
    let tables = statements.filter_map(|statement| match statement {
        Statement::CreateTable(table) => Some(expressions(table)),
        _ => None,
    });
    tables.flatten().map(Check::new).collect()
}

fn expressions(table: CreateTable) -> Vec<Expr> {
    let options = table.columns.into_iter().flat_map(|column| column.options);
    let of_columns = options.filter_map(|it| match it.option {
        ColumnOption::Check(check) => Some(*check.expr),
        _ => None,
    });
    let of_table = table.constraints.into_iter().filter_map(|it| match it {
        TableConstraint::Check(check) => Some(*check.expr),
        _ => None,
    });
    of_columns.chain(of_table).collect()
}

/// What a unique index is over.
pub(crate) fn key(create_index: &str, limits: &Limits) -> Option<Key> {
    let Some(Statement::CreateIndex(index)) = parse_known(create_index, limits).pop() else {
        return None;
    };
    let parts = index.columns.iter().map(|it| &it.column.expr);
    let columns = parts.clone().flat_map(columns).collect();
    let mut text = parts.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let of_rows = index.predicate.map(Check::new);
    if let Some(rows) = &of_rows {
        text += &format!(" WHERE {rows}");
    }
    Some(Key { text, columns, of_rows })
}

/// The columns that an expression names, in small letters.
fn columns(expression: &Expr) -> BTreeSet<String> {
    let mut names = Names(BTreeSet::new());
    let ControlFlow::Continue(()) = expression.visit(&mut names);
    names.0
}

struct Names(BTreeSet<String>);

impl Visitor for Names {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Self::Break> {
        let name = match expression {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.last(),
            _ => None,
        };
        self.0.extend(name.map(|name| name.value.to_ascii_lowercase()));
        ControlFlow::Continue(())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.expression)
    }
}

impl Check {
    fn new(expression: Expr) -> Self {
        Self { columns: columns(&expression), expression }
    }

    /// Whether every row that meets all of `others` meets this one, as far as their forms tell: it is one of
    /// them, a longer list, a wider range, or one of them or something else.
    pub(crate) fn follows_from(&self, others: &[Self]) -> bool {
        let known: Vec<&Expr> = others.iter().flat_map(|it| parts_of(&it.expression)).collect();
        parts_of(&self.expression)
            .into_iter()
            .all(|part| known.iter().any(|known| is_wider(part, known)))
    }
}

/// What an expression joins by `AND`.
fn parts_of(expression: &Expr) -> Vec<&Expr> {
    match bare(expression) {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            [parts_of(left), parts_of(right)].concat()
        }
        other => vec![other],
    }
}

fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// Whether `new` holds wherever `old` does.
fn is_wider(new: &Expr, old: &Expr) -> bool {
    if new == old {
        return true;
    }
    match (bare(new), bare(old)) {
        (Expr::BinaryOp { left, op: BinaryOperator::Or, right }, old) => {
            is_wider(left, old) || is_wider(right, old)
        }
        (
            Expr::InList { expr: of, list: more, negated: false },
            Expr::InList { expr, list, negated: false },
        ) => of == expr && list.iter().all(|it| more.contains(it)),
        (
            Expr::Between { expr: of, low: from, high: to, negated: false },
            Expr::Between { expr, low, high, negated: false },
        ) => of == expr && is_at_most(from, low) && is_at_most(high, to),
        (
            Expr::BinaryOp { left: of, op: new, right: bound },
            Expr::BinaryOp { left, op, right },
        ) => {
            of == left
                && new == op
                && match op {
                    BinaryOperator::Lt | BinaryOperator::LtEq => is_at_most(right, bound),
                    BinaryOperator::Gt | BinaryOperator::GtEq => is_at_most(bound, right),
                    _ => false,
                }
        }
        (new, old) => new == old,
    }
}

fn is_at_most(low: &Expr, high: &Expr) -> bool {
    number(low).zip(number(high)).is_some_and(|(low, high)| low <= high)
}

fn number(expression: &Expr) -> Option<i128> {
    match bare(expression) {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Some(-number(expr)?),
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.to_string().parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(definitions: &str) -> Vec<Check> {
        checks(&format!("CREATE TABLE \"a\" ({definitions})"), &Limits::default())
    }

    #[test]
    fn finds_checks_and_their_columns() {
        let found =
            of("b TEXT CHECK (length(B) > 1), c BIGINT, CHECK (c > 0 OR \"d\" = 'x'), d TEXT");
        let shown: Vec<_> = found.iter().map(|it| (it.to_string(), it.columns.clone())).collect();
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(
            shown,
            [
                ("length(B) > 1".to_owned(), set(&["b"])),
                ("c > 0 OR \"d\" = 'x'".to_owned(), set(&["c", "d"]))
            ]
        );
        assert_eq!(checks("SELECT 1", &Limits::default()), []);
        let index = "CREATE UNIQUE INDEX i ON a (tenant, lower(B)) WHERE c = 1";
        let key = key(index, &Limits::default()).unwrap();
        assert_eq!(
            (key.columns, key.of_rows.unwrap().columns),
            (set(&["tenant", "b"]), set(&["c"]))
        );
        assert_eq!(key.text, "tenant, lower(B) WHERE c = 1");
    }

    #[test]
    fn what_is_wider_follows() {
        for (old, new, follows) in [
            ("b > 0", "b > 0", true),
            ("b > 0", "(b > 0)", true),
            ("b > 0 AND c > 1", "c > 1", true),
            ("b > 0", "b > 0 AND c > 1", false),
            ("b > 0", "b > -5", true),
            ("b > 0", "b > 1", false),
            ("b > 0", "b < 1", false),
            ("length(b) <= 500", "length(b) <= 5000", true),
            ("length(b) <= 500", "length(c) <= 5000", false),
            ("b IN ('x', 'y')", "b IN ('y', 'z', 'x')", true),
            ("b IN ('x', 'y')", "b IN ('x', 'z')", false),
            ("b BETWEEN 1 AND 5", "b BETWEEN 0 AND 9", true),
            ("b BETWEEN 1 AND 5", "b BETWEEN 2 AND 9", false),
            ("b = 'x'", "b = 'x' OR c = 1", true),
            ("b = 'x' OR c = 1", "b = 'x'", false),
        ] {
            let [old, new] = [old, new].map(|check| of(&format!("b TEXT, CHECK ({check})")));
            assert_eq!(new[0].follows_from(&old), follows, "{} after {}", new[0], old[0]);
        }
        assert!(!of("b TEXT CHECK (b > 0)")[0].follows_from(&[]));
    }
}
