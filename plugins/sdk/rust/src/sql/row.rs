//! Rows into Rust types: a serde deserializer over the columns of a result.

use std::vec::IntoIter;

use serde::de::value::SeqDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{Error, Result, Rows, Value};

/// Reads all rows of a result.
pub(super) fn read_all<Row: DeserializeOwned>(rows: Rows) -> Result<Vec<Row>> {
    let width = rows.columns.len();
    let count = rows.values.len().checked_div(width).unwrap_or(0);
    let mut values = rows.values.into_iter();
    let mut read = Vec::with_capacity(count);
    for _ in 0..count {
        let mut row = RowReader { columns: &rows.columns, values: &mut values, next: 0 };
        read.push(Row::deserialize(&mut row)?);
        row.skip_rest();
    }
    Ok(read)
}

impl de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Invalid(message.to_string())
    }
}

/// The values of one row, taken in order out of those of all rows.
struct RowReader<'r> {
    columns: &'r [String],
    values: &'r mut IntoIter<Value>,
    next: usize,
}

impl RowReader<'_> {
    fn next_value(&mut self) -> Value {
        self.next += 1;
        self.values.next().unwrap_or(Value::Null)
    }

    /// A row may be read into a type that wants fewer columns than it has, such as a short tuple.
    fn skip_rest(&mut self) {
        while self.next < self.columns.len() {
            self.next_value();
        }
    }

    fn only_value(&mut self) -> Result<ValueReader> {
        if self.columns.len() == 1 && self.next == 0 {
            return Ok(ValueReader(self.next_value()));
        }
        Err(Error::Invalid("a row of several columns was read into a single value".to_owned()))
    }

    fn read_next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        let column = &self.columns[self.next];
        seed.deserialize(ValueReader(self.next_value())).map_err(|error| match error {
            Error::Invalid(detail) => Error::Invalid(format!("column `{column}`: {detail}")),
            other => other,
        })
    }
}

macro_rules! only {
    ($($function:ident)*) => {$(
        fn $function<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.only_value()?.$function(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut RowReader<'_> {
    type Error = Error;

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_map(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_map(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_seq(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.only_value()?.deserialize_enum(name, variants, visitor)
    }

    only! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64 deserialize_str deserialize_string deserialize_byte_buf
        deserialize_option deserialize_seq
    }

    forward_to_deserialize_any! {
        char bytes unit unit_struct identifier ignored_any i128 u128
    }
}

impl<'de> de::MapAccess<'de> for &mut RowReader<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(column) = self.columns.get(self.next) else { return Ok(None) };
        seed.deserialize(column.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.read_next(seed)
    }
}

impl<'de> de::SeqAccess<'de> for &mut RowReader<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.next == self.columns.len() {
            return Ok(None);
        }
        self.read_next(seed).map(Some)
    }
}

/// One value.
struct ValueReader(Value);

impl<'de> de::Deserializer<'de> for ValueReader {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Integer(value) => visitor.visit_i64(value),
            Value::Real(value) => visitor.visit_f64(value),
            Value::Text(value) => visitor.visit_string(value),
            Value::Blob(value) => visitor.visit_byte_buf(value),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Integer(value @ (0 | 1)) => visitor.visit_bool(value == 1),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Blob(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.into_iter())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            Value::Text(variant) => visitor.visit_enum(variant.into_deserializer()),
            other => ValueReader(other).deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum State {
        Live,
        Deleted,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Id(String);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Comment {
        id: Id,
        state: State,
        pinned: bool,
        score: f64,
        depth: u8,
        parent: Option<String>,
        digest: Vec<u8>,
    }

    fn rows(columns: &[&str], values: Vec<Value>) -> Rows {
        Rows { columns: columns.iter().map(|c| (*c).to_owned()).collect(), values }
    }

    fn comment(score: Value, depth: i64) -> Rows {
        let columns = ["depth", "id", "state", "pinned", "score", "parent", "digest"];
        rows(
            &columns,
            vec![
                Value::Integer(depth),
                Value::Text("c1".into()),
                Value::Text("live".into()),
                Value::Integer(1),
                score,
                Value::Null,
                Value::Blob(vec![1, 2]),
            ],
        )
    }

    #[test]
    fn reads_structs_by_column_name() {
        let read: Vec<Comment> = read_all(comment(Value::Integer(2), 8)).unwrap();
        assert_eq!(
            read,
            [Comment {
                id: Id("c1".into()),
                state: State::Live,
                pinned: true,
                score: 2.0,
                depth: 8,
                parent: None,
                digest: vec![1, 2],
            }]
        );
    }

    #[test]
    fn names_the_column_that_does_not_fit() {
        let error = read_all::<Comment>(comment(Value::Real(0.5), 300)).unwrap_err();
        assert!(matches!(error, Error::Invalid(text) if text.starts_with("column `depth`:")));
        let error = read_all::<Comment>(comment(Value::Null, 1)).unwrap_err();
        assert!(matches!(error, Error::Invalid(text) if text.starts_with("column `score`:")));
    }

    #[test]
    fn reads_tuples_by_order_and_skips_what_is_not_wanted() {
        let values = (1..=6).map(Value::Integer).collect();
        let read: Vec<(i64, i64)> = read_all(rows(&["a", "b", "c"], values)).unwrap();
        assert_eq!(read, [(1, 2), (4, 5)]);
    }

    #[test]
    fn reads_the_only_column() {
        let texts = || vec![Value::Text("a".into()), Value::Null];
        let read: Vec<Option<String>> = read_all(rows(&["name"], texts())).unwrap();
        assert_eq!(read, [Some("a".to_owned()), None]);
        assert!(read_all::<String>(rows(&["name", "other"], texts())).is_err());
    }

    #[test]
    fn a_boolean_is_0_or_1() {
        let read = |value| read_all::<bool>(rows(&["locked"], vec![Value::Integer(value)]));
        assert_eq!((read(0).unwrap(), read(1).unwrap()), (vec![false], vec![true]));
        assert!(read(2).is_err());
    }

    #[test]
    fn no_rows_are_no_rows() {
        assert!(read_all::<Comment>(rows(&["id"], Vec::new())).unwrap().is_empty());
        assert!(read_all::<Comment>(rows(&[], Vec::new())).unwrap().is_empty());
    }
}
