//! Handlers: plain functions of up to eight parameters, made callable for a request.

use crate::openapi::Operation;
use crate::request::{FromRequest, Request};
use crate::response::{IntoResponse, Response};

/// A function `fn(A, B, …) -> R` whose parameters are [`FromRequest`] and whose result is
/// [`IntoResponse`]. Implemented for functions and closures of up to eight parameters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    note = "a handler has at most 8 parameters, each `FromRequest`, and an `IntoResponse` result"
)]
pub trait Handler<Parameters>: Send + Sync + 'static {
    /// Takes the parameters out of the request, in their order, and calls the function.
    fn call(&self, request: &mut Request) -> Response;

    /// Describes the parameters and the result.
    fn describe(operation: &mut Operation<'_>);
}

macro_rules! handlers {
    ($($parameter:ident)*) => {
        impl<Function, Answer, $($parameter),*> Handler<($($parameter,)*)> for Function
        where
            Function: Fn($($parameter),*) -> Answer + Send + Sync + 'static,
            Answer: IntoResponse,
            $($parameter: FromRequest,)*
        {
            #[allow(non_snake_case)]
            fn call(&self, request: &mut Request) -> Response {
                $(
                    let $parameter = match $parameter::from_request(request) {
                        Ok(parameter) => parameter,
                        Err(problem) => return problem.into_response(),
                    };
                )*
                match request.refuse_rest_of_query() {
                    Ok(()) => self($($parameter),*).into_response(),
                    Err(problem) => problem.into_response(),
                }
            }

            fn describe(operation: &mut Operation<'_>) {
                $($parameter::describe(operation);)*
                Answer::describe(operation);
            }
        }
    };
}

handlers! {}
handlers! { A }
handlers! { A B }
handlers! { A B C }
handlers! { A B C D }
handlers! { A B C D E }
handlers! { A B C D E F }
handlers! { A B C D E F G }
handlers! { A B C D E F G H }

/// The name of a function, without its modules; none for a closure or a generic function, whose
/// names are no operation ids.
pub(crate) fn function_name<Function>() -> Option<&'static str> {
    let path = std::any::type_name::<Function>();
    let name = path.rsplit("::").next().unwrap_or(path);
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_plain && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Page, Path};
    use crate::problem::Problem;

    fn greet(Path(name): Path<String>, page: Page) -> Result<String, Problem> {
        if name == "nobody" {
            return Err(Problem::not_found("There is nobody."));
        }
        Ok(format!("{name} {}", page.limit))
    }

    fn call(name: &str, query: &[(&str, &str)]) -> (u16, String) {
        let mut request = Request {
            parameters: vec![("name".into(), name.into())],
            query: query.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            ..Request::default()
        };
        let response = Handler::call(&greet, &mut request);
        (response.status, String::from_utf8(response.body).unwrap())
    }

    #[test]
    fn parameters_take_their_parts() {
        assert_eq!(call("Ada", &[("limit", "3")]), (200, "Ada 3".to_owned()));
        assert_eq!(call("nobody", &[]).0, 404);
    }

    #[test]
    fn the_first_problem_is_the_answer() {
        assert_eq!(call("Ada", &[("limit", "none"), ("colour", "red")]).0, 400);
        let (status, body) = call("Ada", &[("colour", "red")]);
        assert_eq!(status, 400);
        assert!(body.contains("`colour`") && body.contains("unknown-parameter"));
    }

    #[test]
    fn functions_have_names_and_closures_have_none() {
        fn name_of<F>(_: F) -> Option<&'static str> {
            function_name::<F>()
        }
        assert_eq!(name_of(greet), Some("greet"));
        assert_eq!(name_of(|| "closure"), None);
    }
}
