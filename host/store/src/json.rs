//! Rows as JSON bytes, written straight from an engine's memory.
//!
//! A backend makes a [`Plan`] of the column names and feeds a [`Writer`] with borrowed values. The
//! form is that of `query-json` in the contract: the end of a column's name decides how its values
//! are written.
//!
//! | name ends in | the value is | written as |
//! |---|---|---|
//! | `:bool` | an integer | `true` (not 0) or `false` |
//! | `:time` | an integer of Unix milliseconds | an RFC 3339 text in UTC |
//! | `:json` | a text that is JSON | as it is |
//! | `:key` | anything | not at all, but returned in [`JsonPage::last`] |
//! | nothing | anything | null, number, string; blobs as base64 |

use data_encoding::BASE64;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::de::IgnoredAny;

use crate::{Error, JsonPage, Result, Value};

/// Three digits always, so that times sort as texts.
static TIMES: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// A value as an engine holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// SQL `NULL`.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double, which must be finite.
    Real(f64),
    /// UTF-8.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => Self::Text(text.to_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Bool,
    Time,
    Json,
    Key,
}

#[derive(Debug, Clone)]
struct Column {
    /// The name with its ending, as the engine gives it.
    name: String,
    form: Form,
    /// `"name":`, escaped, ready to be written; empty for a key.
    label: Vec<u8>,
}

/// How the columns of a statement are written. Made once for a statement, used for each run.
#[derive(Debug, Clone)]
pub struct Plan {
    columns: Vec<Column>,
}

impl Plan {
    /// Reads the endings of the column names.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an ending that is none of those above, and for two columns of one name.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let columns = names.into_iter().map(Column::new).collect::<Result<Vec<_>>>()?;
        for (index, column) in columns.iter().enumerate() {
            let twice = columns[..index].iter().any(|other| other.label == column.label);
            if twice && column.form != Form::Key {
                return Err(Error::Invalid(format!("two columns are named {}", column.name)));
            }
        }
        Ok(Self { columns })
    }

    /// Whether it was made for these names.
    pub fn is_for<'a>(&self, names: impl ExactSizeIterator<Item = &'a str>) -> bool {
        names.len() == self.columns.len()
            && self.columns.iter().zip(names).all(|(column, name)| column.name == name)
    }
}

impl Column {
    fn new(name: &str) -> Result<Self> {
        let (label, form) = match name.rsplit_once(':') {
            None => (name, Form::Plain),
            Some((label, "bool")) => (label, Form::Bool),
            Some((label, "time")) => (label, Form::Time),
            Some((label, "json")) => (label, Form::Json),
            Some((label, "key")) => (label, Form::Key),
            Some((_, ending)) => {
                return Err(Error::Invalid(format!(
                    "the column {name} ends in :{ending}, which is none of :bool, :time, :json, :key"
                )));
            }
        };
        let mut written = Vec::with_capacity(label.len() + 3);
        if form != Form::Key {
            write_text(&mut written, label)?;
            written.push(b':');
        }
        Ok(Self { name: name.to_owned(), form, label: written })
    }
}

/// Writes the rows of one page.
#[derive(Debug)]
pub struct Writer<'a> {
    plan: &'a Plan,
    bytes: Vec<u8>,
    bytes_max: usize,
    count: u32,
    last: Vec<Value>,
}

impl<'a> Writer<'a> {
    /// Begins a page of at most `bytes_max` bytes.
    #[must_use]
    pub fn new(plan: &'a Plan, bytes_max: usize) -> Self {
        let mut bytes = Vec::with_capacity(4096);
        bytes.push(b'[');
        Self { plan, bytes, bytes_max, count: 0, last: Vec::new() }
    }

    /// How many rows were written.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Writes one row; `value(n)` is the value of its column `n`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a value does not fit the ending of its column; [`Error::TooLarge`] when
    /// the page outgrows its limit; and those of `value`. The page is of no use then.
    pub fn row<'v>(&mut self, mut value: impl FnMut(usize) -> Result<ValueRef<'v>>) -> Result<()> {
        if self.count > 0 {
            self.bytes.push(b',');
        }
        self.bytes.push(b'{');
        self.last.clear();
        let mut is_first = true;
        for (index, column) in self.plan.columns.iter().enumerate() {
            let value = value(index)?;
            if column.form == Form::Key {
                self.last.push(value.into());
                continue;
            }
            if !is_first {
                self.bytes.push(b',');
            }
            is_first = false;
            self.bytes.extend_from_slice(&column.label);
            write_value(&mut self.bytes, column, value)?;
            // The closing brackets count, so that the finished page keeps to the limit.
            if self.bytes.len() + 2 > self.bytes_max {
                let max = self.bytes_max;
                let reason = format!("a result of more than {max} bytes");
                return Err(Error::too_large("sql-result-bytes", reason));
            }
        }
        self.bytes.push(b'}');
        self.count += 1;
        Ok(())
    }

    /// Ends the page; `more` tells whether rows were left over.
    #[must_use]
    pub fn finish(mut self, more: bool) -> JsonPage {
        self.bytes.push(b']');
        JsonPage { items: self.bytes, count: self.count, more, last: self.last }
    }
}

fn write_value(bytes: &mut Vec<u8>, column: &Column, value: ValueRef<'_>) -> Result<()> {
    match (column.form, value) {
        (_, ValueRef::Null) => bytes.extend_from_slice(b"null"),
        (Form::Bool, ValueRef::Integer(integer)) => {
            bytes.extend_from_slice(if integer == 0 { b"false" } else { b"true" });
        }
        (Form::Time, ValueRef::Integer(milliseconds)) => {
            write_time(bytes, &column.name, milliseconds)?;
        }
        (Form::Json, ValueRef::Text(text)) => {
            serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
                Error::Invalid(format!("the column {} is not JSON: {error}", column.name))
            })?;
            bytes.extend_from_slice(text.as_bytes());
        }
        (Form::Plain, ValueRef::Integer(integer)) => write_json(bytes, &integer)?,
        (Form::Plain, ValueRef::Real(real)) if real.is_finite() => write_json(bytes, &real)?,
        (Form::Plain, ValueRef::Text(text)) => write_text(bytes, text)?,
        (Form::Plain, ValueRef::Blob(blob)) => write_blob(bytes, blob),
        (_, value) => return Err(unfit(column, value)),
    }
    Ok(())
}

fn unfit(column: &Column, value: ValueRef<'_>) -> Error {
    let kind = match value {
        ValueRef::Null => "null",
        ValueRef::Integer(_) => "an integer",
        ValueRef::Real(real) if !real.is_finite() => "not a finite number",
        ValueRef::Real(_) => "a real number",
        ValueRef::Text(_) => "a text",
        ValueRef::Blob(_) => "a blob",
    };
    Error::Invalid(format!("the column {} holds what it cannot be written as: {kind}", column.name))
}

fn write_time(bytes: &mut Vec<u8>, name: &str, milliseconds: i64) -> Result<()> {
    let time = Timestamp::from_millisecond(milliseconds)
        .map_err(|error| Error::Invalid(format!("the column {name} holds no time: {error}")))?;
    bytes.push(b'"');
    TIMES.print_timestamp(&time, &mut *bytes).map_err(|error| Error::Invalid(error.to_string()))?;
    bytes.push(b'"');
    Ok(())
}

fn write_blob(bytes: &mut Vec<u8>, blob: &[u8]) {
    bytes.push(b'"');
    let begin = bytes.len();
    bytes.resize(begin + BASE64.encode_len(blob.len()), 0);
    BASE64.encode_mut(blob, &mut bytes[begin..]);
    bytes.push(b'"');
}

fn write_text(bytes: &mut Vec<u8>, text: &str) -> Result<()> {
    write_json(bytes, text)
}

fn write_json<T: serde::Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> Result<()> {
    serde_json::to_writer(bytes, value).map_err(|error| Error::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests;
