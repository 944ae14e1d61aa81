//! A plugin's OpenAPI document against what it does: every route has an operation, every operation is
//! exercised by an example, and what is answered is what the document says.

use serde_json::{Value, json};

use crate::example::{Example, Person};
use crate::{Answer, TestHost, operations};

/// The part of the host's OpenAPI document that is a plugin's.
pub struct Contract {
    plugin: String,
    document: Value,
}

impl Contract {
    /// Reads the document from the host.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn of(host: &TestHost, plugin: &str) -> Self {
        let document = host.get("/openapi.json").send().await.expect_status(200).json();
        Self { plugin: plugin.to_owned(), document }
    }

    /// Every route must be an operation of the document and have an example.
    ///
    /// # Panics
    /// When one is missing.
    pub fn assert_complete<Who: Person>(&self, host: &TestHost, examples: &[Example<Who>]) {
        let routes = operations(host, &self.plugin);
        assert!(!routes.is_empty(), "{} has no routes", self.plugin);
        let mut exemplified: Vec<String> =
            examples.iter().map(|example| example.operation.to_owned()).collect();
        exemplified.sort();
        exemplified.dedup();
        assert_eq!(exemplified, routes, "each route has an example");
        let ids = self.described().into_iter().filter_map(|(_, _, it)| it["operationId"].as_str());
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort();
        let expected: Vec<String> = routes.iter().map(|it| self.id_of(it)).collect();
        assert_eq!(ids, expected, "each route is described");
    }

    /// What the document says of an example's route.
    ///
    /// # Panics
    /// When it says nothing, or describes another path or method.
    pub fn operation<Who: Person>(&self, example: &Example<Who>) -> &Value {
        let id = self.id_of(example.operation);
        let all = self.described();
        let found = all.iter().find(|(_, _, operation)| operation["operationId"] == id);
        let (template, method, operation) =
            found.unwrap_or_else(|| panic!("{id} is not described"));
        assert_eq!(method.to_uppercase(), example.method.as_str(), "{id}");
        assert!(fits(template, &example.target), "{template} is not {}", example.target);
        operation
    }

    /// The answer must be one of those that the document describes for the example's operation.
    ///
    /// # Panics
    /// When it is not.
    pub fn assert_describes<Who: Person>(&self, example: &Example<Who>, answer: &Answer) {
        let operation = self.operation(example);
        let described = described_answer(operation, answer.status());
        let id = &operation["operationId"];
        assert!(described.is_object(), "{id}: the status is not described: {answer}");
        let headers = described["headers"].as_object().into_iter().flat_map(|it| it.keys());
        for name in headers {
            assert!(answer.header(name).is_some(), "{id}: the header {name} is missing: {answer}");
        }
        let Some(content) = described["content"].as_object() else {
            assert!(answer.body().is_empty(), "{id}: no body is described: {answer}");
            return;
        };
        let media_type = answer.header("content-type").expect("a body has a type");
        let schema = &content.get(media_type).expect("the body's type is described")["schema"];
        if media_type.ends_with("json") {
            let misfits = misfits(&self.alone(schema, answer.status() < 300), &answer.json());
            assert!(misfits.is_empty(), "{id}: {misfits:?}: {answer}");
        }
    }

    /// The answer must be a refusal of that status, as the document describes it.
    ///
    /// # Panics
    /// When it is not.
    pub fn assert_refuses<Who: Person>(
        &self,
        example: &Example<Who>,
        answer: &Answer,
        status: u16,
    ) {
        assert_eq!(answer.status(), status, "{}: {answer}", example.operation);
        self.assert_describes(example, answer);
    }

    /// Whether the example's route may be called without a token.
    pub fn is_public<Who: Person>(&self, example: &Example<Who>) -> bool {
        let security = self.operation(example)["security"].as_array();
        security.is_some_and(|all| all.is_empty() || all.contains(&json!({})))
    }

    /// How a value does not fit what the document says of the example's answer of 200. Members that
    /// the document does not name do not fit.
    pub fn misfits<Who: Person>(&self, example: &Example<Who>, value: &Value) -> Vec<String> {
        let described = described_answer(self.operation(example), 200);
        let schema = &described["content"]["application/json"]["schema"];
        misfits(&self.alone(schema, true), value)
    }

    /// Path template, method and object of each of the plugin's operations.
    fn described(&self) -> Vec<(&String, &String, &Value)> {
        let start = format!("/api/{}", self.plugin);
        let paths = self.document["paths"].as_object().expect("there are paths");
        let all = paths.iter().flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().map(move |(method, it)| (path, method, it))
        });
        all.filter(|(path, _, _)| {
            path.strip_prefix(&start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .collect()
    }

    /// The plugin's operations are `<plugin>.<operation>` in the document of the whole host.
    fn id_of(&self, operation: &str) -> String {
        format!("{}.{operation}", self.plugin)
    }

    /// A schema of the document that stands alone. A closed one allows no members that it does not
    /// name, so that an answer with more than was described is noticed.
    fn alone(&self, schema: &Value, closed: bool) -> Value {
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        if closed {
            close(&mut schema);
        }
        schema
    }
}

/// Whether a path has the segments of a template.
fn fits(template: &str, target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (wanted, given) = (segments(template), segments(path));
    let alike = |(wanted, given): (&String, &String)| wanted.starts_with('{') || wanted == given;
    wanted.len() == given.len() && wanted.iter().zip(&given).all(alike)
}

fn close(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(close),
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("properties").is_some_and(Value::is_object) {
                members.entry("additionalProperties").or_insert(json!(false));
            }
        }
        _ => {}
    }
}

fn misfits(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).expect("the schema is one");
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// What the document says of a status. Problems need not be named one by one: `default` is all others.
fn described_answer(operation: &Value, status: u16) -> &Value {
    let responses = &operation["responses"];
    match &responses[status.to_string()] {
        Value::Null if status >= 400 => &responses["default"],
        named => named,
    }
}
