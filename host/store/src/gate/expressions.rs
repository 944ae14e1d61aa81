//! Which expressions and functions a statement may use.
//!
//! Both lists are of what is allowed. A function is on the list when SQLite and PostgreSQL have it
//! under the same name with the same meaning, and when one call of it takes a time that grows with
//! the length of its arguments and no faster: an engine cannot interrupt a single call.

use sqlparser::ast::{
    BinaryOperator, CastKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, UnaryOperator, Value,
};

/// The functions a statement may call.
pub const FUNCTIONS: [&str; 34] = [
    "abs",
    "avg",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "trim",
    "upper",
];

/// The longest pattern of `trim` and `replace`, whose time grows with its length times the text's.
const PATTERN_BYTES_MAX: usize = 64;

type Check = Result<(), String>;

/// Checks one expression; those inside it are visited on their own.
pub(super) fn check(expression: &Expr) -> Check {
    match expression {
        Expr::Identifier(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Between { .. }
        | Expr::Like { any: false, .. }
        | Expr::Nested(_)
        | Expr::Case { .. }
        | Expr::Exists { .. }
        | Expr::Subquery(_)
        | Expr::Tuple(_)
        | Expr::Substring { .. } => Ok(()),
        Expr::CompoundIdentifier(parts) if parts.len() == 2 => Ok(()),
        Expr::CompoundIdentifier(_) => refuse("write column or table.column, no database's name"),
        Expr::Value(value) => check_literal(&value.value),
        Expr::Cast { kind: CastKind::Cast, format: None, .. } => Ok(()),
        Expr::UnaryOp { op, .. } => check_unary(*op),
        Expr::BinaryOp { op, .. } => check_binary(op),
        Expr::Trim { trim_where: None, trim_what: None, trim_characters: None, .. } => Ok(()),
        Expr::Trim { .. } => refuse("write trim(a), ltrim(a, 'x') or rtrim(a, 'x')"),
        Expr::Function(function) => check_function(function),
        other => refuse(format!("not part of the portable SQL: {}", shortened(other))),
    }
}

fn check_literal(value: &Value) -> Check {
    match value {
        Value::Number(..)
        | Value::SingleQuotedString(_)
        | Value::Boolean(_)
        | Value::Null
        | Value::Placeholder(_) => Ok(()),
        other => refuse(format!("pass this value as a parameter: {other}")),
    }
}

fn check_unary(operator: UnaryOperator) -> Check {
    match operator {
        UnaryOperator::Plus
        | UnaryOperator::Minus
        | UnaryOperator::Not
        | UnaryOperator::BitwiseNot => Ok(()),
        other => refuse(format!("the operator {other} is not part of the portable SQL")),
    }
}

fn check_binary(operator: &BinaryOperator) -> Check {
    use BinaryOperator as Operator;
    match operator {
        Operator::Plus
        | Operator::Minus
        | Operator::Multiply
        | Operator::Divide
        | Operator::Modulo
        | Operator::StringConcat
        | Operator::Gt
        | Operator::Lt
        | Operator::GtEq
        | Operator::LtEq
        | Operator::Eq
        | Operator::NotEq
        | Operator::And
        | Operator::Or
        | Operator::BitwiseOr
        | Operator::BitwiseAnd
        | Operator::PGBitwiseShiftLeft
        | Operator::PGBitwiseShiftRight => Ok(()),
        other => refuse(format!("the operator {other} is not part of the portable SQL")),
    }
}

fn check_function(function: &Function) -> Check {
    let name = function.name.to_string().to_ascii_lowercase();
    if !FUNCTIONS.contains(&name.as_str()) {
        return refuse(format!("the function {name} is not one of the portable functions"));
    }
    if function.uses_odbc_syntax
        || function.parameters != FunctionArguments::None
        || !function.within_group.is_empty()
        || function.null_treatment.is_some()
    {
        return refuse(format!("this form of calling {name} is not part of the portable SQL"));
    }
    let FunctionArguments::List(list) = &function.args else {
        return refuse(format!("call {name} with arguments in parentheses"));
    };
    let only_ordered = |clause| matches!(clause, &FunctionArgumentClause::OrderBy(_));
    if !list.clauses.iter().all(only_ordered)
        || list.duplicate_treatment == Some(DuplicateTreatment::All)
    {
        return refuse(format!("this form of calling {name} is not part of the portable SQL"));
    }
    check_arguments(&name, &list.args)
}

fn check_arguments(name: &str, arguments: &[FunctionArg]) -> Check {
    if arguments.iter().any(|argument| !matches!(argument, FunctionArg::Unnamed(_))) {
        return refuse(format!("pass the arguments of {name} by place"));
    }
    match name {
        "max" | "min" if arguments.len() != 1 => {
            refuse(format!("{name} takes one argument; use CASE to compare two"))
        }
        "ltrim" | "rtrim" | "trim" | "replace" => match arguments.get(1) {
            Some(pattern) if !is_short_text(pattern) => refuse(format!(
                "the second argument of {name} must be a text in quotes of at most \
                 {PATTERN_BYTES_MAX} bytes"
            )),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn is_short_text(argument: &FunctionArg) -> bool {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) = argument else {
        return false;
    };
    matches!(&value.value, Value::SingleQuotedString(text) if text.len() <= PATTERN_BYTES_MAX)
}

fn shortened(expression: &Expr) -> String {
    expression.to_string().chars().take(60).collect()
}

fn refuse(text: impl Into<String>) -> Check {
    Err(text.into())
}
