//! The plugin's OpenAPI document against what it does: every route has an operation, every operation is
//! exercised, and what is answered is what the document says.

use caplet_testing::{Answer, TestHost, json};
use serde_json::Value;

use crate::examples::{Example, World, examples, operations};
use crate::stage::{host, path};

/// The document of the whole host, in which the plugin's operations are `comments.<operation>`.
async fn document(host: &TestHost) -> Value {
    host.get("/openapi.json").send().await.expect_status(200).json()
}

/// Path template, method and object of each of the plugin's operations.
fn described(document: &Value) -> Vec<(&String, &String, &Value)> {
    let paths = document["paths"].as_object().expect("there are paths");
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, it)| (path, method, it))
    });
    all.filter(|(path, _, _)| path.starts_with("/api/comments")).collect()
}

fn id_of(operation: &str) -> String {
    format!("comments.{operation}")
}

/// What the document says of an example's route.
fn operation_of<'a>(document: &'a Value, example: &Example) -> &'a Value {
    let all = described(document);
    let found = all.iter().find(|(_, _, it)| it["operationId"] == id_of(example.operation));
    let (template, method, operation) =
        found.unwrap_or_else(|| panic!("{} is not described", example.operation));
    assert_eq!(method.to_uppercase(), example.method.as_str(), "{example:?}");
    assert!(fits(template, &example.target), "{template} is not the path of {example:?}");
    operation
}

/// Whether a path has the segments of a template.
fn fits(template: &str, target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (wanted, given) = (segments(template), segments(path));
    let alike = |(wanted, given): (&String, &String)| wanted.starts_with('{') || wanted == given;
    wanted.len() == given.len() && wanted.iter().zip(&given).all(alike)
}

/// A schema of the document that stands alone. A closed one allows no members that it does not name,
/// so that an answer with more than was described is noticed.
fn alone(document: &Value, schema: &Value, closed: bool) -> Value {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    if closed {
        close(&mut schema);
    }
    schema
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

/// How a value does not fit a schema of the document.
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

/// The answer must be one of those that the document describes for the operation.
fn assert_described(document: &Value, operation: &Value, answer: &Answer) {
    let described = described_answer(operation, answer.status());
    let id = &operation["operationId"];
    assert!(described.is_object(), "{id}: the status is not described: {answer}");
    for name in described["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
        assert!(answer.header(name).is_some(), "{id}: the header {name} is missing: {answer}");
    }
    let Some(content) = described["content"].as_object() else {
        assert!(answer.body().is_empty(), "{id}: no body is described: {answer}");
        return;
    };
    let media_type = answer.header("content-type").expect("a body has a type");
    let schema = &content.get(media_type).expect("the body's type is described")["schema"];
    let schema = alone(document, schema, answer.status() < 300);
    let misfits = misfits(&schema, &answer.json());
    assert!(misfits.is_empty(), "{id}: {misfits:?}: {answer}");
}

#[tokio::test]
async fn every_route_is_described_and_has_an_example() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let routes = operations(&host);
    assert!(!routes.is_empty());
    let mut exemplified: Vec<String> =
        examples(&world).iter().map(|example| example.operation.to_owned()).collect();
    exemplified.sort();
    exemplified.dedup();
    assert_eq!(exemplified, routes);

    let document = document(&host).await;
    let id =
        |(_, _, operation): &(_, _, &Value)| operation["operationId"].as_str().map(str::to_owned);
    let mut ids: Vec<Option<String>> = described(&document).iter().map(id).collect();
    ids.sort();
    let expected: Vec<Option<String>> = routes.iter().map(|it| Some(id_of(it))).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn every_operation_answers_what_its_schema_says() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let document = document(&host).await;
    for example in examples(&world) {
        let answer = example.send(&example.who.caller(&host, "default")).await;
        assert!((200..300).contains(&answer.status()), "{example:?}: {answer}");
        assert_described(&document, operation_of(&document, &example), &answer);
    }
    // What a deleted comment looks like is described, too.
    let examples = examples(&world);
    let reading = examples.iter().find(|it| it.operation == "read_comment").unwrap();
    let deleted = host.get(&path(&world.answer)).send().await.expect_status(200);
    assert_eq!(deleted.json()["deleted"], true);
    assert_described(&document, operation_of(&document, reading), &deleted);
}

#[tokio::test]
async fn every_operation_refuses_as_its_schema_says() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let document = document(&host).await;
    for example in examples(&world) {
        let operation = operation_of(&document, &example);
        let unknown = example.with_query("colour=red");
        let unknown = unknown.send(&example.who.caller(&host, "default")).await;
        assert_refused(&document, operation, &unknown, 400);
        let elsewhere = world.top["id"].as_str().unwrap();
        if example.target.contains(elsewhere) {
            let id = "018bcfe5-6800-7000-8000-000000000000";
            let absent =
                Example { target: example.target.replace(elsewhere, id), ..example.clone() };
            let absent = absent.send(&example.who.caller(&host, "default")).await;
            assert_refused(&document, operation, &absent, 404);
        }
        let is_public = operation["security"].as_array().unwrap().contains(&json!({}));
        if !is_public {
            let answer = example.send(&host.anonymous()).await;
            assert_refused(&document, operation, &answer, 401);
        }
        if example.body.is_some() {
            let wrong = Example { body: Some(json!({ "wrong": 1 })), ..example.clone() };
            let wrong = wrong.send(&example.who.caller(&host, "default")).await;
            assert_refused(&document, operation, &wrong, 422);
        }
    }
}

fn assert_refused(document: &Value, operation: &Value, answer: &Answer, status: u16) {
    assert_eq!(answer.status(), status, "{}: {answer}", operation["operationId"]);
    assert_described(document, operation, answer);
}

#[tokio::test]
async fn what_is_not_described_would_be_noticed() {
    let host = host().await;
    let world = World::populate(&host, "default").await;
    let document = document(&host).await;
    let examples = examples(&world);
    let listing = operation_of(&document, &examples[0]);
    let schema = &listing["responses"]["200"]["content"]["application/json"]["schema"];
    let schema = alone(&document, schema, true);
    let page = examples[0].send(&host.anonymous()).await.json();
    assert_eq!(misfits(&schema, &page), Vec::<String>::new());
    for (pointer, wrong) in [
        ("/items/0/depth", json!("one")),
        ("/items/0/author", json!(5)),
        ("/items/0", json!({ "id": "x" })),
        ("/next_cursor", json!(false)),
    ] {
        let mut changed = page.clone();
        *changed.pointer_mut(pointer).unwrap() = wrong;
        assert!(!misfits(&schema, &changed).is_empty(), "{pointer}");
    }
    let mut larger = page;
    larger["items"][0]["secret"] = json!(1);
    assert!(!misfits(&schema, &larger).is_empty());
}
