//! `Body` and `Headers`: the request's raw parts.

use std::mem::take;

use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};

/// The body's bytes, whatever their media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(pub Vec<u8>);

impl FromRequest for Body {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        Ok(Self(take(&mut request.body)))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.raw_body();
    }
}

/// The headers that the route asked for with [`Route::header`](crate::Route::header), or that other
/// parameters of the handler asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a header; `name` in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// All headers in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromRequest for Headers {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        // Cloned, because a parameter that comes later may read a header as well.
        Ok(Self(request.headers.clone()))
    }

    fn describe(_operation: &mut Operation<'_>) {}
}
