//! A request as a handler's parameters see it, and the trait by which they take their part of it.
//!
//! A part is taken out, not copied. What is left of the query when every parameter has taken its
//! part is unknown to the handler and is answered 400, by name.

use crate::bindings::exports::caplet::plugin::http_handler;
use crate::openapi::Operation;
use crate::problem::Problem;

/// A request that matched a route and passed its access rule and its limits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The method in capitals.
    pub method: String,
    /// The path below `/api/<plugin>`, percent-encoded as it was sent.
    pub path: String,
    /// The parameters of the route's pattern, in its order, decoded.
    pub parameters: Vec<(String, String)>,
    /// The query's parameters in the order sent, decoded.
    pub query: Vec<(String, String)>,
    /// The headers the route asked for, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a handler's parameter must be able to do.
///
/// Parameters are taken in their order; the first problem is the answer. Implement it for a type of
/// your own to give several handlers the same parameter.
pub trait FromRequest: Sized {
    /// Takes this parameter's part out of the request.
    ///
    /// # Errors
    /// The problem that the request is answered with.
    fn from_request(request: &mut Request) -> Result<Self, Problem>;

    /// Adds to the operation's OpenAPI description what this parameter needs, and asks for the
    /// headers it reads. A header that nobody asked for never reaches the plugin.
    fn describe(operation: &mut Operation<'_>);
}

impl Request {
    /// The first value of a header that the route asked for; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// All values of a header that the route asked for, in the order sent; `name` in lower case.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Takes a query parameter that may be given once.
    ///
    /// # Errors
    /// 400 when it is given more than once.
    pub fn take_query(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.take_query_values(name);
        let value = values.pop();
        if values.is_empty() {
            return Ok(value);
        }
        Err(Problem::bad_request(format!("The query parameter `{name}` is given more than once.")))
    }

    /// Takes all values of a query parameter, in the order sent.
    pub fn take_query_values(&mut self, name: &str) -> Vec<String> {
        let taken = self.query.extract_if(.., |(n, _)| n == name);
        taken.map(|(_, value)| value).collect()
    }

    /// Answers 400 when there are query parameters that nobody took.
    pub(crate) fn refuse_rest_of_query(&self) -> Result<(), Problem> {
        match self.query.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(Problem::bad_request(format!("There is no query parameter `{name}` here."))
                    .with_code("unknown-parameter"))
            }
        }
    }
}

impl From<http_handler::Request> for Request {
    fn from(request: http_handler::Request) -> Self {
        Self {
            method: request.method,
            path: request.path,
            parameters: request.parameters,
            query: request.query,
            headers: request.headers,
            body: request.body,
        }
    }
}

/// The whole request, with nothing refused: for routes that forward or match by themselves.
impl FromRequest for Request {
    fn from_request(request: &mut Request) -> Result<Self, Problem> {
        Ok(std::mem::take(request))
    }

    fn describe(_operation: &mut Operation<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &[(&str, &str)]) -> Request {
        let query = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Request { query, ..Request::default() }
    }

    #[test]
    fn takes_a_query_parameter_out() {
        let mut request = request(&[("a", "1"), ("b", "2")]);
        assert_eq!(request.take_query("a").unwrap().as_deref(), Some("1"));
        assert_eq!(request.take_query("a").unwrap(), None);
        assert!(request.refuse_rest_of_query().unwrap_err().detail().contains("`b`"));
    }

    #[test]
    fn refuses_a_parameter_given_twice() {
        let problem = request(&[("a", "1"), ("a", "2")]).take_query("a").unwrap_err();
        assert_eq!(problem.status(), 400);
    }
}
