//! `Query<T>`: query parameters as the fields of a struct.

use garde::Validate;
use schemars::JsonSchema;
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::text::{Error, Texts};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};

/// Query parameters, one for each field of the struct `T`.
///
/// An `Option` may be left out, a `Vec` may be given several times. A wrong, missing or repeated
/// value is answered 400 and named; so is a parameter that no part of the handler knows. `T` cannot
/// use `#[serde(flatten)]`, which hides from the reader which fields there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T> FromRequest for Query<T>
where
    T: DeserializeOwned + JsonSchema + Validate<Context = ()>,
{
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        let query = T::deserialize(Fields(request)).map_err(|Error { parameter, detail }| {
            bad_query(format!("The query parameter `{parameter}` {detail}."))
        })?;
        query.validate().map_err(|report| {
            bad_query(format!("The query does not fit: {}.", report.to_string().trim_end()))
        })?;
        Ok(Self(query))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.query_parameters::<T>();
        operation.problem(400, "A parameter is malformed, missing or unknown.");
    }
}

fn bad_query(detail: String) -> Problem {
    Problem::bad_request(detail).with_code("bad-query")
}

struct Fields<'r>(&'r mut Request);

impl<'de> de::Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("is read into something else than a struct with named fields"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Given { request: self.0, fields: fields.iter(), current: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields that the query has a value for.
struct Given<'r> {
    request: &'r mut Request,
    fields: std::slice::Iter<'static, &'static str>,
    current: Option<(&'static str, Vec<String>)>,
}

impl<'de> de::MapAccess<'de> for Given<'_> {
    type Error = Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        for field in self.fields.by_ref() {
            let values = self.request.take_query_values(field);
            if !values.is_empty() {
                self.current = Some((field, values));
                return seed.deserialize((*field).into_deserializer()).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (field, values) = self.current.take().unwrap_or_default();
        seed.deserialize(Texts(values)).map_err(|error| error.of(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema, PartialEq, Debug)]
    #[serde(rename_all = "lowercase")]
    enum Sort {
        New,
        Best,
    }

    #[derive(serde::Deserialize, JsonSchema, Validate, PartialEq, Debug)]
    struct Filter {
        #[garde(length(chars, max = 3))]
        target: String,
        #[garde(skip)]
        sort: Option<Sort>,
        #[garde(skip)]
        #[serde(default)]
        tag: Vec<String>,
    }

    fn request(query: &[(&str, &str)]) -> Request {
        let query = query.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Request { query, ..Request::default() }
    }

    fn detail(query: &[(&str, &str)]) -> String {
        let problem = Query::<Filter>::from_request(&mut request(query)).unwrap_err();
        assert_eq!(problem.status(), 400);
        problem.detail().to_owned()
    }

    #[test]
    fn reads_options_enums_and_lists() {
        let mut request = request(&[("tag", "a"), ("target", "p"), ("tag", "b"), ("sort", "best")]);
        let Query(filter) = Query::<Filter>::from_request(&mut request).unwrap();
        assert_eq!(filter.sort, Some(Sort::Best));
        assert_eq!(filter.tag, ["a", "b"]);
        assert!(request.query.is_empty());
    }

    #[test]
    fn leaves_unknown_parameters_to_be_refused() {
        let mut request = request(&[("target", "p"), ("colour", "red")]);
        Query::<Filter>::from_request(&mut request).unwrap();
        assert!(request.refuse_rest_of_query().unwrap_err().detail().contains("`colour`"));
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(detail(&[]), "The query parameter `target` is missing.");
        assert!(detail(&[("target", "p"), ("sort", "old")]).contains("one of new, best"));
        assert!(detail(&[("target", "p"), ("target", "q")]).contains("more than once"));
        assert!(detail(&[("target", "post")]).contains("target: length"));
    }
}
