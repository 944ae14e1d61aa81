//! One operation, as its handler's parameters and result describe it.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::parameters;
use crate::problem::ProblemDocument;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// What a handler's parameters and result say about an operation.
pub struct Operation<'g> {
    pub(super) generator: &'g mut SchemaGenerator,
    pub(super) path_names: Vec<String>,
    pub(super) parameters: Vec<Value>,
    pub(super) request_body: Option<Value>,
    pub(super) responses: BTreeMap<String, Map<String, Value>>,
    pub(super) reads_identity: bool,
    headers: BTreeSet<String>,
}

impl<'g> Operation<'g> {
    pub(crate) fn new(generator: &'g mut SchemaGenerator, pattern: &str) -> Self {
        Self {
            generator,
            path_names: parameters::names_in(pattern),
            parameters: Vec::new(),
            request_body: None,
            responses: BTreeMap::new(),
            reads_identity: false,
            headers: BTreeSet::new(),
        }
    }

    /// The schema of a type, shared with other operations where it has a name.
    pub fn schema<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    /// Asks the host for a request header, without describing it; `name` in lower case.
    pub fn header(&mut self, name: &str) {
        self.headers.insert(name.to_owned());
    }

    /// Asks the host for a request header and describes it; `name` in lower case.
    pub fn described_header(&mut self, name: &str, description: &str) {
        self.header(name);
        self.parameters.push(json!({
            "name": name, "in": "header", "description": description,
            "schema": { "type": "string" },
        }));
    }

    /// Describes the parameters of the route's pattern by the type they are read into.
    pub fn path_parameters<T: JsonSchema>(&mut self) {
        let schema = parameters::inline::<T>(self.generator);
        self.parameters.extend(parameters::in_path(&self.path_names, &schema));
    }

    /// Describes query parameters by the fields of the struct they are read into.
    pub fn query_parameters<T: JsonSchema>(&mut self) {
        let schema = parameters::inline::<T>(self.generator);
        self.parameters.extend(parameters::in_query(&schema));
    }

    /// Describes one optional query parameter.
    pub fn query_parameter(&mut self, name: &str, description: &str, schema: Value) {
        self.parameters.push(json!({
            "name": name, "in": "query", "description": description, "schema": schema,
        }));
    }

    /// Describes a required JSON body.
    pub fn json_body<T: JsonSchema>(&mut self) {
        let schema = self.schema::<T>();
        self.request_body =
            Some(json!({ "required": true, "content": { JSON: { "schema": schema } } }));
    }

    /// Describes a body of any media type.
    pub fn raw_body(&mut self) {
        self.request_body = Some(json!({ "content": { "*/*": {} } }));
    }

    /// Says that the operation reads who calls, so that a token is of use on a public route too.
    pub fn reads_identity(&mut self) {
        self.reads_identity = true;
    }

    /// Describes an answer without a body.
    pub fn response(&mut self, status: u16, description: &str) {
        self.entry(&status.to_string(), description);
    }

    /// Describes an answer with a JSON body.
    pub fn json_response<T: JsonSchema>(&mut self, status: u16, description: &str) {
        let schema = self.schema::<T>();
        self.content(status, description, JSON, schema);
    }

    /// Describes an answer with a body of a media type and schema.
    pub fn content(&mut self, status: u16, description: &str, media_type: &str, schema: Value) {
        let entry = self.entry(&status.to_string(), description);
        entry.insert("content".to_owned(), json!({ media_type: { "schema": schema } }));
    }

    /// Describes a problem that the operation answers.
    pub fn problem(&mut self, status: u16, description: &str) {
        let schema = self.schema::<ProblemDocument>();
        self.content(status, description, PROBLEM, schema);
    }

    /// Says that the operation may answer problems that are not listed one by one.
    pub(crate) fn any_problem(&mut self) {
        let schema = self.schema::<ProblemDocument>();
        let entry = self.entry("default", "A problem.");
        entry.insert("content".to_owned(), json!({ PROBLEM: { "schema": schema } }));
    }

    /// Describes a header of an answer that was described before.
    pub fn response_header(&mut self, status: u16, name: &str, description: &str) {
        if let Some(entry) = self.responses.get_mut(&status.to_string()) {
            add_header(entry, name, description);
        }
    }

    /// Describes a header of every answer below 300 that was described before.
    pub(crate) fn header_of_successes(&mut self, name: &str, description: &str) {
        for (status, entry) in &mut self.responses {
            if status.starts_with('2') {
                add_header(entry, name, description);
            }
        }
    }

    /// Moves an answer that was described before to another status.
    pub(crate) fn rename_response(&mut self, from: u16, to: u16, description: &str) {
        if let Some(mut entry) = self.responses.remove(&from.to_string()) {
            entry.insert("description".to_owned(), description.into());
            self.responses.insert(to.to_string(), entry);
        }
    }

    /// The headers that the route asks the host for, in lower case and in order.
    pub(crate) fn into_headers(self) -> BTreeSet<String> {
        self.headers
    }

    /// The answer of a status; the description that came last stays.
    fn entry(&mut self, status: &str, description: &str) -> &mut Map<String, Value> {
        let entry = self.responses.entry(status.to_owned()).or_default();
        entry.insert("description".to_owned(), description.into());
        entry
    }
}

impl std::fmt::Debug for Operation<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Operation")
            .field("parameters", &self.parameters)
            .field("responses", &self.responses)
            .finish_non_exhaustive()
    }
}

fn add_header(entry: &mut Map<String, Value>, name: &str, description: &str) {
    let headers = entry.entry("headers").or_insert_with(|| json!({}));
    headers[name] = json!({ "description": description, "schema": { "type": "string" } });
}

/// The words for a status, where a route gives none.
pub(crate) fn words_of(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Answer")
}
