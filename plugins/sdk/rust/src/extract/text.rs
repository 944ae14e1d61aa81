//! Reads values out of texts: path and query parameters. One text is a number, a boolean, a text, a
//! bare enum variant or an option of these; several texts of one name are a sequence.

use serde::de::value::SeqDeserializer;
use serde::de::{self, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// What is wrong with a parameter. `parameter` is empty until the reader who knows it fills it in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) parameter: String,
    pub(crate) detail: String,
}

impl Error {
    fn new(detail: impl Into<String>) -> Self {
        Self { parameter: String::new(), detail: detail.into() }
    }

    /// Names the parameter, unless a reader further in already did.
    pub(crate) fn of(mut self, parameter: &str) -> Self {
        if self.parameter.is_empty() {
            parameter.clone_into(&mut self.parameter);
        }
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("is missing").of(field)
    }
}

/// One text.
pub(crate) struct Text(pub(crate) String);

impl IntoDeserializer<'_, Error> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($expected:literal: $($function:ident $visit:ident,)*) => {$(
        fn $function<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Error::new(concat!("must be ", $expected))),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Text {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if !variants.contains(&self.0.as_str()) {
            return Err(Error::new(format!("must be one of {}", variants.join(", "))));
        }
        visitor.visit_enum(self.0.into_deserializer())
    }

    parsed! { "a whole number in range":
        deserialize_i8 visit_i8, deserialize_i16 visit_i16, deserialize_i32 visit_i32,
        deserialize_i64 visit_i64, deserialize_u8 visit_u8, deserialize_u16 visit_u16,
        deserialize_u32 visit_u32, deserialize_u64 visit_u64,
    }
    parsed! { "a number": deserialize_f32 visit_f32, deserialize_f64 visit_f64, }
    parsed! { "true or false": deserialize_bool visit_bool, }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any i128 u128
    }
}

/// All texts given for one name.
pub(crate) struct Texts(pub(crate) Vec<String>);

impl Texts {
    fn single(mut self) -> Result<Text, Error> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(value), true) => Ok(Text(value)),
            (Some(_), false) => Err(Error::new("is given more than once")),
            (None, _) => Err(Error::new("is missing")),
        }
    }
}

impl IntoDeserializer<'_, Error> for Texts {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! single {
    ($($function:ident)*) => {$(
        fn $function<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.single()?.$function(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Texts {
    type Error = Error;

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter().map(Text)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.single()?.deserialize_enum(name, variants, visitor)
    }

    single! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64 deserialize_str deserialize_string deserialize_char
    }

    forward_to_deserialize_any! {
        bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
        i128 u128
    }
}
