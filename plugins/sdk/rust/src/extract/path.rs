//! `Path<T>`: the parameters of the route's pattern, typed.

use std::mem::take;

use schemars::JsonSchema;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
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
        let parameters = &mut request.parameters;
        T::deserialize(Parameters(parameters)).map(Self).map_err(|error| {
            // What only a type's own check found out was not read in one of its members.
            let only = parameters.first().map_or("", |(name, _)| name);
            let Error { parameter, detail } = error.of(only);
            Problem::bad_request(format!("The path's parameter `{parameter}` {detail}."))
                .with_code("bad-path")
        })
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.path_parameters::<T>();
    }
}

/// The parameters; their values are taken out when they are read, their names stay.
struct Parameters<'r>(&'r mut [(String, String)]);

impl Parameters<'_> {
    fn only(self) -> Result<Text, Error> {
        match self.0 {
            [(_, value)] => Ok(Text(take(value))),
            _ => Err(de::Error::custom("is not the only one of the route's pattern")),
        }
    }
}

macro_rules! only {
    ($($function:ident)*) => {$(
        fn $function<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.only()?.$function(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Parameters<'_> {
    type Error = Error;

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Members { rest: self.0.iter_mut(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Members { rest: self.0.iter_mut(), value: None })
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
        self.only()?.deserialize_enum(name, variants, visitor)
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

/// The members of a struct or tuple. Names the parameter whose value does not fit.
struct Members<'r> {
    rest: std::slice::IterMut<'r, (String, String)>,
    value: Option<&'r mut (String, String)>,
}

impl<'r> Members<'r> {
    fn read<'de, S: DeserializeSeed<'de>>(
        (name, value): &'r mut (String, String),
        seed: S,
    ) -> Result<S::Value, Error> {
        seed.deserialize(Text(take(value))).map_err(|error| error.of(name))
    }
}

impl<'de> de::MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.value = self.rest.next();
        let name = self.value.as_ref().map(|(name, _)| name.as_str().into_deserializer());
        name.map(|name| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.value.take() {
            Some(parameter) => Self::read(parameter, seed),
            None => Err(de::Error::custom("was read before its name")),
        }
    }
}

impl<'de> de::SeqAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.rest.next().map(|parameter| Self::read(parameter, seed)).transpose()
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
    fn names_the_parameter_that_a_type_itself_refuses() {
        #[derive(Debug, serde::Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        struct Even(#[allow(dead_code)] String);

        impl TryFrom<String> for Even {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, &'static str> {
                if text.len().is_multiple_of(2) {
                    Ok(Self(text))
                } else {
                    Err("must be of even length")
                }
            }
        }
        assert!(path::<Even>(&[("name", "Adam")]).is_ok());
        let problem = path::<Even>(&[("name", "Ada")]).unwrap_err();
        assert_eq!(problem.detail(), "The path's parameter `name` must be of even length.");
    }

    #[test]
    fn names_the_parameter_that_does_not_fit() {
        let problem = path::<(String, u16)>(&[("name", "x"), ("year", "next")]).unwrap_err();
        assert!(problem.detail().contains("`year`"));
        let problem = path::<u16>(&[("year", "next")]).unwrap_err();
        assert_eq!(problem.status(), 400);
        assert_eq!(
            problem.detail(),
            "The path's parameter `year` must be a whole number in range."
        );
    }
}
