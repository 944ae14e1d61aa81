//! Good requests, one or more for each route of a plugin, from which the scenarios that hold for
//! every route are made: the contract, tenants, permissions, bad requests.

use http::Method;
use serde_json::Value;

use crate::{Answer, Caller, TestHost};

/// A person of a plugin's scenarios, as somebody who can make requests.
pub trait Person: Copy {
    /// This person in a tenant.
    fn caller<'a>(self, host: &'a TestHost, tenant: &str) -> Caller<'a>;
}

/// A request that succeeds when it is made by `who`.
#[derive(Debug, Clone)]
pub struct Example<Who> {
    /// The operation of its route.
    pub operation: &'static str,
    /// Who may make it.
    pub who: Who,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub target: String,
    /// Its JSON body, if it has one.
    pub body: Option<Value>,
}

impl<Who: Person> Example<Who> {
    /// A request without a body.
    pub fn new(operation: &'static str, who: Who, method: Method, target: String) -> Self {
        Self { operation, who, method, target, body: None }
    }

    /// The same request with a body.
    #[must_use]
    pub fn with_body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The same request with more in its query.
    #[must_use]
    pub fn with_query(&self, more: &str) -> Self {
        let join = if self.target.contains('?') { '&' } else { '?' };
        Self { target: format!("{}{join}{more}", self.target), ..self.clone() }
    }

    /// Makes the request as `caller`.
    pub async fn send(&self, caller: &Caller<'_>) -> Answer {
        let request = caller.request(self.method.clone(), &self.target);
        match &self.body {
            None => request.send().await,
            Some(body) => request.json(body).send().await,
        }
    }

    /// Makes the request as who may make it.
    pub async fn send_in(&self, host: &TestHost, tenant: &str) -> Answer {
        self.send(&self.who.caller(host, tenant)).await
    }

    /// Makes the request as who may make it, with another body of a media type.
    pub async fn send_raw(&self, host: &TestHost, media_type: &str, body: Vec<u8>) -> Answer {
        let caller = self.who.caller(host, "default");
        let request = caller.request(self.method.clone(), &self.target);
        request.header("content-type", media_type).body(body).send().await
    }
}

/// The operations of the routes that a loaded plugin describes, in order.
///
/// # Panics
/// When the plugin is not loaded.
#[must_use]
pub fn operations(host: &TestHost, plugin: &str) -> Vec<String> {
    let table = host.host().runtime().table();
    let generation = table.get(plugin).expect("the plugin is loaded");
    let routes = generation.description().routes.iter();
    let mut operations: Vec<String> = routes.map(|route| route.operation.clone()).collect();
    operations.sort();
    operations
}
