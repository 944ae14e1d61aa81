//! `Path<T>`: the parameters of the route's pattern, typed.

use std::mem::take;

use schemars::JsonSchema;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, Visitor};
use serde::forward_to_deserialize_any;

use super::text::{Error, Text};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};

/// The parameters of the route's pattern.
///
/// `T` is the type of the only parameter, or a tuple of them in the pattern's order, or a struct
/// whose fields have their names. A value that does not fit is answered 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + JsonSchema> FromRequest for Path<T> {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        T::deserialize(Parameters(take(&mut request.parameters))).map(Self).map_err(
            |Error { parameter, detail }| {
                Problem::bad_request(format!("The path's parameter `{parameter}` {detail}."))
                    .with_code("bad-path")
            },
        )
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.path_parameters::<T>();
    }
}

type Pair = (String, String);

struct Parameters(Vec<Pair>);

impl Parameters {
    fn only(mut self) -> Result<Pair, Error> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(pair), true) => Ok(pair),
            _ => Err(de::Error::custom("is not the only one of the route's pattern")),
        }
    }
}

macro_rules! only {
    ($($function:ident)*) => {$(
        fn $function<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let (name, value) = self.only()?;
            Text(value).$function(visitor).map_err(|error| error.of(&name))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Parameters {
    type Error = Error;

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let pairs = self.0.into_iter().map(|(name, value)| (Text(name), Text(value)));
        visitor.visit_map(MapDeserializer::new(pairs))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Members { rest: self.0.into_iter(), value: None })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter().map(|(_, value)| Text(value))))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
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
        let (parameter, value) = self.only()?;
        Text(value).deserialize_enum(name, variants, visitor).map_err(|error| error.of(&parameter))
    }

    only! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64 deserialize_str deserialize_string
    }

    forward_to_deserialize_any! {
        char bytes byte_buf option unit unit_struct tuple_struct identifier ignored_any i128 u128
    }
}

/// The members of a struct, which names the parameter when its value does not fit.
struct Members {
    rest: std::vec::IntoIter<Pair>,
    value: Option<Pair>,
}

impl<'de> de::MapAccess<'de> for Members {
    type Error = Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.value = self.rest.next();
        self.value.as_ref().map(|(name, _)| seed.deserialize(Text(name.clone()))).transpose()
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (name, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Text(value)).map_err(|error| error.of(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path<T: DeserializeOwned + JsonSchema>(parameters: &[(&str, &str)]) -> Result<T, Problem> {
        let parameters = parameters.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Path::from_request(&mut Request { parameters, ..Request::default() }).map(|path| path.0)
    }

    #[test]
    fn reads_the_only_parameter() {
        assert_eq!(path::<String>(&[("name", "Ada")]).unwrap(), "Ada");
        assert_eq!(path::<u16>(&[("year", "1815")]).unwrap(), 1815);
    }

    #[test]
    fn reads_tuples_by_order_and_structs_by_name() {
        #[derive(serde::Deserialize, JsonSchema, PartialEq, Debug)]
        struct Reaction {
            kind: String,
            id: u32,
        }
        let parameters = [("id", "7"), ("kind", "like")];
        assert_eq!(path::<(u32, String)>(&parameters).unwrap(), (7, "like".to_owned()));
        assert_eq!(path::<Reaction>(&parameters).unwrap(), Reaction { kind: "like".into(), id: 7 });
    }

    #[test]
    fn names_the_parameter_that_does_not_fit() {
        let problem = path::<u16>(&[("year", "next")]).unwrap_err();
        assert_eq!(problem.status(), 400);
        assert_eq!(
            problem.detail(),
            "The path's parameter `year` must be a whole number in range."
        );
    }
}
