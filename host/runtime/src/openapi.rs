//! A plugin's own OpenAPI document: checked against its routes, or made from them. Merging the
//! documents of all plugins is the server's.

use std::collections::BTreeSet;

use caplet_abi::{Access, Description, Route};
use serde_json::{Map, Value, json};

/// The methods that an OpenAPI path item may hold.
const METHODS: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The document of a plugin: its own, or one made from its routes.
///
/// # Errors
/// Why its own is no OpenAPI 3.1 document, and each operation in it that is not one of its routes.
pub(crate) fn of_plugin(description: &Description) -> Result<Value, Vec<String>> {
    if description.openapi.is_empty() {
        return Ok(from_routes(description));
    }
    let document: Value = serde_json::from_str(&description.openapi)
        .map_err(|error| vec![format!("openapi: not JSON: {error}")])?;
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.1.") {
        return Err(vec!["openapi: the document must be of version 3.1".to_owned()]);
    }
    let faults = check(&document, &description.routes);
    if faults.is_empty() { Ok(document) } else { Err(faults) }
}

fn check(document: &Value, routes: &[Route]) -> Vec<String> {
    let Some(paths) = document.get("paths").and_then(Value::as_object) else {
        return vec!["openapi: the document has no `paths`".to_owned()];
    };
    let known: BTreeSet<(String, String, &str)> = routes.iter().flat_map(operations).collect();
    let mut faults = Vec::new();
    for (path, method, operation) in operations_of(paths) {
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
        if !known.contains(&(path.to_owned(), method.to_owned(), id)) {
            let method = method.to_uppercase();
            faults.push(format!(
                "openapi: `{method} {path}` (operationId `{id}`) is not one of the plugin's routes"
            ));
        }
    }
    faults
}

fn operations_of(paths: &Map<String, Value>) -> impl Iterator<Item = (&str, &str, &Value)> {
    paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .into_iter()
            .flatten()
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// The path template, the methods and the operation of a route.
fn operations(route: &Route) -> Vec<(String, String, &str)> {
    let path = route.pattern.replace("{*", "{");
    let methods: Vec<String> = match route.method.as_str() {
        "*" => METHODS.iter().map(ToString::to_string).collect(),
        method => vec![method.to_lowercase()],
    };
    methods.into_iter().map(|method| (path.clone(), method, route.operation.as_str())).collect()
}

fn from_routes(description: &Description) -> Value {
    let mut paths = Map::new();
    for route in &description.routes {
        // An operation id may stand only once in a document: a route of any method shows as GET.
        let mut all = operations(route);
        if all.len() > 1 {
            all.retain(|(_, method, _)| method == "get");
        }
        for (path, method, operation) in all {
            let item = paths.entry(path).or_insert_with(|| json!({}));
            item[method] = operation_object(operation, route);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": description.title, "version": description.version },
        "paths": paths,
    })
}

fn operation_object(operation: &str, route: &Route) -> Value {
    let parameters: Vec<Value> = route
        .pattern
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.trim_start_matches('*'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let mut object = json!({
        "operationId": operation,
        "parameters": parameters,
        "responses": { "default": { "description": "The plugin's answer." } },
    });
    if !matches!(route.access, Access::Public) {
        object["security"] = json!([{ "bearer": [] }]);
    }
    object
}

#[cfg(test)]
mod tests {
    use caplet_abi::Transaction;

    use super::*;

    fn description(openapi: &str) -> Description {
        let route = |operation: &str, method: &str, pattern: &str| Route {
            operation: operation.into(),
            method: method.into(),
            pattern: pattern.into(),
            access: Access::SignedIn,
            transaction: Transaction::ByMethod,
            body_max_bytes: None,
            headers: Vec::new(),
        };
        Description {
            name: "notes".into(),
            version: "1.0.0".into(),
            title: "Notes".into(),
            summary: String::new(),
            routes: vec![route("list", "GET", "/"), route("rest", "*", "/files/{*path}")],
            openapi: openapi.into(),
            migrations: Vec::new(),
            permissions: Vec::new(),
            settings_schema: String::new(),
            assets: Vec::new(),
        }
    }

    #[test]
    fn makes_a_document_from_routes() {
        let document = of_plugin(&description("")).unwrap();
        assert_eq!(document["paths"]["/"]["get"]["operationId"], "list");
        let tail = &document["paths"]["/files/{path}"]["get"];
        assert_eq!(tail["parameters"][0]["name"], "path");
        assert_eq!(tail["security"][0]["bearer"], json!([]));
    }

    #[test]
    fn takes_a_document_whose_operations_are_routes() {
        let text = r#"{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/":{"get":{"operationId":"list"}}}}"#;
        assert!(of_plugin(&description(text)).is_ok());
    }

    #[test]
    fn refuses_foreign_operations_and_other_versions() {
        for text in [
            "{",
            r#"{"openapi":"3.0.3","paths":{}}"#,
            r#"{"openapi":"3.1.0"}"#,
            r#"{"openapi":"3.1.0","paths":{"/x":{"get":{"operationId":"list"}}}}"#,
            r#"{"openapi":"3.1.0","paths":{"/":{"post":{"operationId":"list"}}}}"#,
            r#"{"openapi":"3.1.0","paths":{"/":{"get":{"operationId":"other"}}}}"#,
        ] {
            assert!(of_plugin(&description(text)).is_err(), "{text} was taken");
        }
    }
}
