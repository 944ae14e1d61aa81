//! Routes: a method, a pattern, a handler, and who may call it under which limits.

use std::borrow::Cow;
use std::marker::PhantomData;

use crate::handler::{Handler, function_name};
use crate::openapi::{Operation, describe_route};
use crate::request::Request;
use crate::response::Response;

pub use crate::bindings::exports::caplet::plugin::guest::{Access, Transaction};

/// A route, made by [`get`], [`post`], [`put`], [`patch`], [`delete`] or [`any`].
///
/// Unless it says otherwise it may be called by anybody with a valid token, takes bodies up to
/// 64 KiB, reads from the store for `GET` and `HEAD` and writes for the other methods.
pub struct Route {
    method: Option<&'static str>,
    pattern: String,
    operation: Cow<'static, str>,
    access: Access,
    transaction: Transaction,
    body_max_bytes: Option<u32>,
    headers: Vec<String>,
    summary: String,
    description: String,
    tags: Vec<String>,
    answers: Vec<(u16, String)>,
    endpoint: Box<dyn Endpoint>,
}

macro_rules! methods {
    ($($function:ident $method:literal)*) => {$(
        #[doc = concat!("A `", $method, "` route; its operation is named like the handler.")]
        pub fn $function<Parameters: 'static>(
            pattern: &str,
            handler: impl Handler<Parameters>,
        ) -> Route {
            Route::new(Some($method), pattern, handler)
        }
    )*};
}

methods! { get "GET" post "POST" put "PUT" patch "PATCH" delete "DELETE" }

/// A route for any method. The OpenAPI document shows it as `GET`.
pub fn any<Parameters: 'static>(pattern: &str, handler: impl Handler<Parameters>) -> Route {
    Route::new(None, pattern, handler)
}

impl Route {
    fn new<H: Handler<P>, P: 'static>(
        method: Option<&'static str>,
        pattern: &str,
        handler: H,
    ) -> Self {
        let operation = match function_name::<H>() {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(name_of_place(method.unwrap_or("any"), pattern)),
        };
        Self {
            method,
            pattern: pattern.to_owned(),
            operation,
            access: Access::SignedIn,
            transaction: Transaction::ByMethod,
            body_max_bytes: None,
            headers: Vec::new(),
            summary: String::new(),
            description: String::new(),
            tags: Vec::new(),
            answers: Vec::new(),
            endpoint: Box::new(Typed(handler, PhantomData)),
        }
    }

    /// Names the operation, instead of the handler's name. Unique in the plugin.
    #[must_use]
    pub fn operation(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.operation = name.into();
        self
    }

    /// Lets anybody call it, with or without a token.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// Lets only those call it who hold one of the plugin's permissions.
    #[must_use]
    pub fn permission(mut self, permission: &str) -> Self {
        self.access = Access::Permission(permission.to_owned());
        self
    }

    /// Takes bodies up to this size; more is answered 413 by the host.
    #[must_use]
    pub fn body_max_bytes(mut self, bytes: u32) -> Self {
        self.body_max_bytes = Some(bytes);
        self
    }

    /// Runs on a snapshot whatever the method; writing fails.
    #[must_use]
    pub fn reads(mut self) -> Self {
        self.transaction = Transaction::Read;
        self
    }

    /// Runs as the plugin's writer whatever the method.
    #[must_use]
    pub fn writes(mut self) -> Self {
        self.transaction = Transaction::Write;
        self
    }

    /// Runs without the store; every statement fails.
    #[must_use]
    pub fn no_store(mut self) -> Self {
        self.transaction = Transaction::None;
        self
    }

    /// Asks the host for a request header, for [`Headers`](crate::Headers) and
    /// [`Request`](crate::Request); `name` in lower case.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        self.headers.push(name.to_owned());
        self
    }

    /// What it does, in a few words, for OpenAPI.
    #[must_use]
    pub fn summary(mut self, text: &str) -> Self {
        text.clone_into(&mut self.summary);
        self
    }

    /// What it does in detail, as Markdown, for OpenAPI.
    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.description);
        self
    }

    /// Groups it with others in OpenAPI.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    /// Describes an answer in OpenAPI that the handler's types do not tell, such as
    /// `.answers(404, "There is no such comment.")`.
    #[must_use]
    pub fn answers(mut self, status: u16, description: &str) -> Self {
        self.answers.push((status, description.to_owned()));
        self
    }

    pub(crate) fn call(&self, request: &mut Request) -> Response {
        self.endpoint.call(request)
    }

    pub(crate) fn describe(&self, operation: &mut Operation<'_>) {
        self.endpoint.describe(operation);
        describe_route(self, operation);
        self.headers.iter().for_each(|name| operation.header(name));
    }

    pub(crate) fn method(&self) -> Option<&'static str> {
        self.method
    }

    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(crate) fn operation_name(&self) -> &str {
        &self.operation
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    pub(crate) fn transaction(&self) -> Transaction {
        self.transaction
    }

    pub(crate) fn body_limit_bytes(&self) -> Option<u32> {
        self.body_max_bytes
    }

    pub(crate) fn summary_text(&self) -> &str {
        &self.summary
    }

    pub(crate) fn description_text(&self) -> &str {
        &self.description
    }

    pub(crate) fn tags(&self) -> &[String] {
        &self.tags
    }

    pub(crate) fn answers_noted(&self) -> &[(u16, String)] {
        &self.answers
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Route")
            .field("method", &self.method)
            .field("pattern", &self.pattern)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

/// A handler whose parameters' types are forgotten.
trait Endpoint: Send + Sync {
    fn call(&self, request: &mut Request) -> Response;
    fn describe(&self, operation: &mut Operation<'_>);
}

struct Typed<H, P>(H, PhantomData<fn(P)>);

impl<H: Handler<P>, P> Endpoint for Typed<H, P> {
    fn call(&self, request: &mut Request) -> Response {
        self.0.call(request)
    }

    fn describe(&self, operation: &mut Operation<'_>) {
        H::describe(operation);
    }
}

/// An operation's name where the handler has none: `get-notes-id` for `GET /notes/{id}`.
fn name_of_place(method: &str, pattern: &str) -> String {
    let place = format!("{} {pattern}", method.to_ascii_lowercase());
    let words = place.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list_notes() -> &'static str {
        "[]"
    }

    #[test]
    fn operations_are_named_like_their_handlers() {
        assert_eq!(get("/", list_notes).operation_name(), "list_notes");
        assert_eq!(get("/", list_notes).operation("list").operation_name(), "list");
        assert_eq!(get("/notes/{id}", || "").operation_name(), "get-notes-id");
        assert_eq!(any("/{*path}", || "").operation_name(), "any-path");
    }

    #[test]
    fn a_route_is_for_the_signed_in_unless_it_says_otherwise() {
        assert_eq!(*get("/", list_notes).access(), Access::SignedIn);
        assert_eq!(*get("/", list_notes).public().access(), Access::Public);
    }
}
