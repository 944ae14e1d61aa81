//! Values and results, the same for every backend.

/// A parameter or a column of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// A 64-bit integer; also booleans (0, 1) and times (milliseconds).
    Integer(i64),
    /// A finite double.
    Real(f64),
    /// UTF-8 without NUL.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// Rows in row-major order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// `values[row * columns.len() + column]`.
    pub values: Vec<Value>,
}

/// A page of rows as JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JsonPage {
    /// A JSON array of objects.
    pub items: Vec<u8>,
    /// How many objects it has.
    pub count: u32,
    /// Whether there were more rows.
    pub more: bool,
    /// The `:key` columns of the last row written.
    pub last: Vec<Value>,
}
