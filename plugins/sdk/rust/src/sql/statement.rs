//! `Statement`: a text and its parameters that grow together, for statements with optional parts.

use std::fmt::Write;

use serde::de::DeserializeOwned;

use super::{JsonPage, Result, Value, execute, query, query_json};

/// A statement made of parts. Values are only ever bound, so none can change what it means.
///
/// ```
/// # use caplet_sdk::sql::Statement;
/// let mut statement = Statement::new("SELECT id FROM notes WHERE tenant = $tenant");
/// statement.push(" AND author = ").bind("ada");
/// assert_eq!(statement.text(), "SELECT id FROM notes WHERE tenant = $tenant AND author = $1");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    text: String,
    parameters: Vec<Value>,
}

impl Statement {
    /// Begins with a part that has no numbered parameters.
    pub fn new(text: &'static str) -> Self {
        let mut begun = String::with_capacity(1024);
        begun.push_str(text);
        Self { text: begun, parameters: Vec::new() }
    }

    /// Appends a part of the text. It takes only literals, because nothing that a caller sent may
    /// become part of a statement.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends the next parameter, and binds it.
    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.parameters.push(value.into());
        // Writing to a string cannot fail.
        let _ = write!(self.text, "${}", self.parameters.len());
        self
    }

    /// Appends a list of parameters with commas between them, for `IN (…)`.
    pub fn bind_all<T: Into<Value>>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parameters so far.
    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }

    /// Runs it; see [`query`](super::query).
    ///
    /// # Errors
    /// As [`query`](super::query).
    pub fn query<Row: DeserializeOwned>(&self) -> Result<Vec<Row>> {
        query(&self.text, &self.parameters)
    }

    /// Runs it; see [`execute`](super::execute).
    ///
    /// # Errors
    /// As [`execute`](super::execute).
    pub fn execute(&self) -> Result<u64> {
        execute(&self.text, &self.parameters)
    }

    /// Runs it; see [`query_json`](super::query_json).
    ///
    /// # Errors
    /// As [`query_json`](super::query_json).
    pub fn query_json(&self, limit: u32) -> Result<JsonPage> {
        query_json(&self.text, &self.parameters, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_order_of_binding() {
        let mut statement = Statement::new("SELECT 1 WHERE a = ");
        statement.bind(5).push(" AND b IN (").bind_all(["x", "y"]).push(")");
        assert_eq!(statement.text(), "SELECT 1 WHERE a = $1 AND b IN ($2, $3)");
        assert_eq!(statement.parameters().len(), 3);
    }
}
