//! The document: all operations of a plugin and the schemas they share.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{Operation, words_of};
use super::parameters::openapi_path;
use crate::plugin::Plugin;
use crate::route::{Access, Route};

/// The plugin's OpenAPI document, and the headers each of its routes asks for, in their order.
pub(crate) fn document(plugin: &Plugin) -> (Value, Vec<Vec<String>>) {
    let mut generator = generator();
    let mut paths = Map::new();
    let mut headers = Vec::new();
    for route in plugin.all_routes() {
        let mut operation = Operation::new(&mut generator, route.pattern());
        route.describe(&mut operation);
        let path = paths.entry(openapi_path(route.pattern())).or_insert_with(|| json!({}));
        let object = operation_object(route, &operation);
        match route.method() {
            Some(method) => path[method.to_ascii_lowercase()] = object,
            // OpenAPI has no word for any method, and an operation may stand only once.
            None if path.get("get").is_none() => path["get"] = object,
            None => {}
        }
        headers.push(operation.into_headers().into_iter().collect());
    }
    let schemas = Value::Object(generator.take_definitions(true));
    (whole(plugin, paths, schemas), headers)
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12();
    settings
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator()
}

fn whole(plugin: &Plugin, paths: Map<String, Value>, schemas: Value) -> Value {
    let mut info = json!({ "title": plugin.title_text(), "version": plugin.version_text() });
    if !plugin.summary_text().is_empty() {
        info["description"] = plugin.summary_text().into();
    }
    json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": format!("/api/{}", plugin.name()) }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation_object(route: &Route, operation: &Operation<'_>) -> Value {
    let mut object = json!({
        "operationId": route.operation_name(),
        "security": security(route, operation),
        "responses": operation.responses,
    });
    let texts = [("summary", route.summary_text()), ("description", route.description_text())];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        object[name] = text.into();
    }
    if !route.tags().is_empty() {
        object["tags"] = route.tags().into();
    }
    let parameters = with_all_path_names(operation);
    if !parameters.is_empty() {
        object["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.request_body {
        object["requestBody"] = body.clone();
    }
    object
}

/// The parameters, with those of the pattern that the handler does not read: OpenAPI wants all.
fn with_all_path_names(operation: &Operation<'_>) -> Vec<Value> {
    let mut parameters = operation.parameters.clone();
    for name in &operation.path_names {
        if !parameters.iter().any(|p| p["in"] == "path" && p["name"] == name.as_str()) {
            parameters.push(json!({
                "name": name, "in": "path", "required": true, "schema": { "type": "string" },
            }));
        }
    }
    parameters
}

/// Which tokens the operation takes: none, one if there is one, or one in any case.
fn security(route: &Route, operation: &Operation<'_>) -> Value {
    match (route.access(), operation.reads_identity) {
        (Access::Public, false) => json!([]),
        (Access::Public, true) => json!([{}, { "bearer": [] }]),
        _ => json!([{ "bearer": [] }]),
    }
}

/// Describes what a route's access rule and its own notes add to the handler's answers.
pub(crate) fn describe_route(route: &Route, operation: &mut Operation<'_>) {
    match route.access() {
        Access::Public => {}
        Access::SignedIn => operation.problem(401, "There is no valid token."),
        Access::Permission(permission) => {
            operation.problem(401, "There is no valid token.");
            operation.problem(403, &format!("The caller does not hold `{permission}`."));
        }
    }
    for (status, description) in route.answers_noted() {
        let words = if description.is_empty() { words_of(*status) } else { description };
        match status {
            400.. => operation.problem(*status, words),
            _ => operation.response(*status, words),
        }
    }
}
