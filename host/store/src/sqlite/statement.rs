//! Running one statement of a plugin on one connection, to its end.
//!
//! Nothing here waits or knows of threads; whoever calls has armed the budget.

use rusqlite::types::{ToSqlOutput, ValueRef as SqliteRef};
use rusqlite::{Row, Rows as SqliteRows, Statement};

use super::authorizer::Role;
use super::connection::Connection;
use super::fault::Fault;
use super::plans::{Prepared, Slot};
use crate::json::{ValueRef, Writer};
use crate::{Error, JsonPage, Limits, Rows, Value};

/// What is wanted of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Rows,
    Json { limit: usize },
    Changes,
}

/// What a statement gave.
#[derive(Debug)]
pub(super) enum Output {
    Rows(Rows),
    Json(JsonPage),
    Changes(u64),
}

/// A statement with everything it needs.
pub(super) struct Call<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) tenant: &'a str,
    pub(super) parameters: &'a [Value],
    pub(super) shape: Shape,
}

/// Refuses what cannot be right, before any connection is used.
pub(super) fn check(call: &Call<'_>, limits: &Limits) -> Result<(), Error> {
    let (given, taken) = (call.parameters.len(), call.prepared.checked.n_parameters);
    if given < taken {
        return Err(Error::Invalid(format!("no value is given for ${}", given + 1)));
    }
    if given > taken {
        return Err(Error::Invalid(format!(
            "a value is given for ${}, which is unused",
            taken + 1
        )));
    }
    if matches!(call.shape, Shape::Json { .. }) && !call.prepared.checked.selects {
        return Err(Error::Invalid("only a SELECT can be returned as JSON".to_owned()));
    }
    for (index, value) in call.parameters.iter().enumerate() {
        check_parameter(index + 1, value, limits)?;
    }
    Ok(())
}

fn check_parameter(number: usize, value: &Value, limits: &Limits) -> Result<(), Error> {
    let n_bytes = match value {
        Value::Real(real) if !real.is_finite() => {
            return Err(Error::Invalid(format!("${number} is not a finite number")));
        }
        Value::Text(text) if text.contains('\0') => {
            return Err(Error::Invalid(format!("${number} contains a NUL character")));
        }
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 0,
    };
    if n_bytes > limits.value_bytes_max {
        let max = limits.value_bytes_max;
        let reason = format!("${number} has {n_bytes} bytes, the limit is {max}");
        return Err(Error::too_large("sql-value-bytes", reason));
    }
    Ok(())
}

/// Runs the statement; when it fails, it has no effect.
pub(super) fn run(connection: &Connection, call: &Call<'_>) -> Result<Output, Fault> {
    // A failure while its rows are read would leave the changes of a RETURNING clause behind.
    let needs_savepoint = call.prepared.checked.writes && matches!(call.shape, Shape::Rows);
    if !needs_savepoint {
        return run_bare(connection, call);
    }
    connection.host("SAVEPOINT statement", [])?;
    let result = run_bare(connection, call);
    if connection.is_in_transaction() {
        if result.is_err() {
            connection.host("ROLLBACK TO statement", [])?;
        }
        connection.host("RELEASE statement", [])?;
    }
    result
}

fn run_bare(connection: &Connection, call: &Call<'_>) -> Result<Output, Fault> {
    let _role = connection.assume(Role::Plugin);
    let raw = connection.raw();
    let mut statement =
        raw.prepare_cached(&call.prepared.text).map_err(|error| connection.fault(error))?;
    if call.prepared.checked.writes == statement.readonly() {
        return Err(Fault::invalid("the parser and the engine read this statement differently"));
    }
    bind(&mut statement, call).map_err(|fault| fault.unwrap_or_else(|e| connection.fault(e)))?;
    let reader = Reader { connection, call };
    match call.shape {
        Shape::Rows => reader.rows(&mut statement).map(Output::Rows),
        Shape::Json { limit } => reader.json(&mut statement, limit).map(Output::Json),
        Shape::Changes => reader.changes(&mut statement).map(Output::Changes),
    }
}

type BindFault = Result<Fault, rusqlite::Error>;

fn bind(statement: &mut Statement<'_>, call: &Call<'_>) -> Result<(), BindFault> {
    for (index, slot) in call.prepared.slots(statement).map_err(Ok)?.iter().enumerate() {
        let value = match slot {
            Slot::Tenant => SqliteRef::Text(call.tenant.as_bytes()),
            // The gate counted the parameters, and `check` compared the numbers.
            Slot::Parameter(number) => as_sqlite(&call.parameters[*number]),
        };
        statement.raw_bind_parameter(index + 1, ToSqlOutput::Borrowed(value)).map_err(Err)?;
    }
    Ok(())
}

fn as_sqlite(value: &Value) -> SqliteRef<'_> {
    match value {
        Value::Null => SqliteRef::Null,
        Value::Integer(integer) => SqliteRef::Integer(*integer),
        Value::Real(real) => SqliteRef::Real(*real),
        Value::Text(text) => SqliteRef::Text(text.as_bytes()),
        Value::Blob(blob) => SqliteRef::Blob(blob),
    }
}

/// Takes the rows of a statement that is bound.
struct Reader<'a> {
    connection: &'a Connection,
    call: &'a Call<'a>,
}

impl Reader<'_> {
    fn next<'r>(&self, rows: &'r mut SqliteRows<'_>) -> Result<Option<&'r Row<'r>>, Fault> {
        rows.next().map_err(|error| self.connection.fault(error))
    }

    fn rows(&self, statement: &mut Statement<'_>) -> Result<Rows, Fault> {
        let limits = self.connection.limits();
        let mut columns = names(statement).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut values = Vec::new();
        let mut n_rows = 0;
        let mut n_bytes = 0;
        let mut rows = statement.raw_query();
        while let Some(row) = self.next(&mut rows)? {
            if n_rows == 0 {
                // The first step prepares the statement anew after a change of the schema.
                let current = names(row.as_ref());
                if current != columns {
                    columns = current.into_iter().map(str::to_owned).collect();
                }
            }
            n_rows += 1;
            if n_rows > limits.rows_max {
                let max = limits.rows_max;
                return Err(too_large("sql-rows", format!("a result of more than {max} rows")));
            }
            for index in 0..columns.len() {
                let value = Value::from(value(row, index)?);
                n_bytes += size_of::<u64>() + bytes_of(&value);
                values.push(value);
                // Within the row, because one row may hold a hundred long values.
                if n_bytes > limits.result_bytes_max {
                    let max = limits.result_bytes_max;
                    let reason = format!("a result of more than {max} bytes");
                    return Err(too_large("sql-result-bytes", reason));
                }
            }
        }
        Ok(Rows { columns, values })
    }

    fn json(&self, statement: &mut Statement<'_>, limit: usize) -> Result<JsonPage, Fault> {
        let limits = self.connection.limits();
        let plan = self.call.prepared.json_plan(&names(statement));
        let mut plan = plan.map_err(Fault::Statement)?;
        let mut rows = statement.raw_query();
        if let Some(row) = self.next(&mut rows)? {
            // The first step prepares the statement anew after a change of the schema.
            let current = self.call.prepared.json_plan(&names(row.as_ref()));
            plan = current.map_err(Fault::Statement)?;
            let mut writer = Writer::new(&plan, limits.result_bytes_max);
            let mut next = Some(row);
            while let Some(row) = next {
                if writer.count() as usize == limit {
                    return Ok(writer.finish(true));
                }
                let written = writer.row(|index| value(row, index).map_err(Fault::into_error));
                written.map_err(Fault::Statement)?;
                next = self.next(&mut rows)?;
            }
            return Ok(writer.finish(false));
        }
        Ok(Writer::new(&plan, limits.result_bytes_max).finish(false))
    }

    fn changes(&self, statement: &mut Statement<'_>) -> Result<u64, Fault> {
        let mut rows = statement.raw_query();
        while self.next(&mut rows)?.is_some() {}
        drop(rows);
        Ok(if self.call.prepared.checked.writes { self.connection.raw().changes() } else { 0 })
    }
}

fn names<'s>(statement: &'s Statement<'_>) -> Vec<&'s str> {
    (0..statement.column_count()).map(|index| statement.column_name(index).unwrap_or("")).collect()
}

fn value<'r>(row: &'r Row<'_>, index: usize) -> Result<ValueRef<'r>, Fault> {
    match row.get_ref(index) {
        Ok(SqliteRef::Null) => Ok(ValueRef::Null),
        Ok(SqliteRef::Integer(integer)) => Ok(ValueRef::Integer(integer)),
        Ok(SqliteRef::Real(real)) if real.is_finite() => Ok(ValueRef::Real(real)),
        Ok(SqliteRef::Real(_)) => Err(Fault::invalid("a number in the result is not finite")),
        Ok(SqliteRef::Text(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(ValueRef::Text(text)),
            Ok(_) => Err(Fault::invalid("a text in the result contains a NUL character")),
            Err(_) => Err(Fault::invalid("a text in the result is not UTF-8")),
        },
        Ok(SqliteRef::Blob(bytes)) => Ok(ValueRef::Blob(bytes)),
        Err(error) => Err(Fault::invalid(error.to_string())),
    }
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 0,
    }
}

fn too_large(limit: &'static str, reason: String) -> Fault {
    Fault::Statement(Error::too_large(limit, reason))
}

impl Output {
    pub(super) fn into_rows(self) -> Rows {
        match self {
            Self::Rows(rows) => rows,
            Self::Json(_) | Self::Changes(_) => unreachable!("the shape was rows"),
        }
    }

    pub(super) fn into_json(self) -> JsonPage {
        match self {
            Self::Json(page) => page,
            Self::Rows(_) | Self::Changes(_) => unreachable!("the shape was JSON"),
        }
    }

    pub(super) fn into_changes(self) -> u64 {
        match self {
            Self::Changes(n_rows) => n_rows,
            Self::Rows(_) | Self::Json(_) => unreachable!("the shape was changes"),
        }
    }
}
