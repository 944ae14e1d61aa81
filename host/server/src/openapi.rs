//! One OpenAPI 3.1 document for everything that is loaded: the plugins' own documents with their
//! names kept apart, and the host's endpoints. What a plugin's document may say is checked by the
//! runtime when it is loaded.

use std::collections::BTreeMap;

use caplet_runtime::Access;
use serde_json::{Map, Value, json};

/// The members of a path item that are operations.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The name of the security scheme that every protected operation refers to.
const BEARER: &str = "bearer";

/// What the document needs to know of one plugin.
pub(crate) struct Part<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) summary: &'a str,
    pub(crate) document: &'a Value,
    /// Who may call each operation, by its id.
    pub(crate) access: BTreeMap<&'a str, &'a Access>,
}

/// Merges the documents of `parts` and that of the admin API. `base` stands before all paths.
pub(crate) fn merge(parts: &[Part<'_>], admin: &Value, base: &str) -> Value {
    let mut paths = host_paths();
    let mut components = Map::new();
    let mut tags = Vec::new();
    for part in parts {
        add_paths(&mut paths, part);
        add_components(&mut components, part);
        tags.push(json!({ "name": part.plugin, "description": part.summary }));
    }
    add_admin(&mut paths, &mut components, admin);
    tags.push(json!({ "name": "host", "description": "The host itself." }));
    tags.push(json!({ "name": "admin", "description": "What operators see and do." }));
    add_host_components(&mut components);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Caplet",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Everything that this host serves. Errors are problem documents (RFC 9457).",
        },
        "servers": [{ "url": if base.is_empty() { "/" } else { base } }],
        "tags": tags,
        "paths": paths,
        "components": components,
    })
}

fn add_paths(paths: &mut Map<String, Value>, part: &Part<'_>) {
    let Some(own) = part.document.get("paths").and_then(Value::as_object) else { return };
    for (path, item) in own {
        let mut item = item.clone();
        rewrite_references(&mut item, part.plugin);
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                adopt_operation(operation, part);
            }
        }
        let below = if path == "/" { "" } else { path.as_str() };
        paths.insert(format!("/api/{}{below}", part.plugin), item);
    }
}

/// Gives an operation the plugin's name, tag and the access rule that the host enforces.
fn adopt_operation(operation: &mut Value, part: &Part<'_>) {
    let Some(operation) = operation.as_object_mut() else { return };
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    operation.insert("operationId".into(), format!("{}.{id}", part.plugin).into());
    operation.insert("tags".into(), json!([part.plugin]));
    let security = match part.access.get(id.as_str()) {
        // A public operation takes a token, too: it then knows its caller.
        None | Some(Access::Public) => json!([{}, { BEARER: [] }]),
        Some(Access::SignedIn) => json!([{ BEARER: [] }]),
        Some(Access::Permission(permission)) => {
            operation.insert("x-caplet-permission".into(), permission.as_str().into());
            json!([{ BEARER: [] }])
        }
    };
    operation.insert("security".into(), security);
}

/// The paths of the admin API are whole already; the names of its operations and schemas are kept
/// apart like those of a plugin.
fn add_admin(
    paths: &mut Map<String, Value>,
    components: &mut Map<String, Value>,
    document: &Value,
) {
    let access = Access::Permission(crate::admin::PERMISSION.to_owned());
    let operations = document["paths"].as_object().into_iter().flatten();
    for (path, item) in operations {
        let mut item = item.clone();
        rewrite_references(&mut item, "admin");
        for method in METHODS {
            let Some(operation) = item.get_mut(method) else { continue };
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            let access = BTreeMap::from([(id.as_str(), &access)]);
            adopt_operation(operation, &Part { plugin: "admin", summary: "", document, access });
            describe_responses(operation);
            operation["responses"]["default"] = json!({
                "description": "Why it was not done.",
                "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" }
                } },
            });
        }
        paths.insert(path.clone(), item);
    }
    let own = Part { plugin: "admin", summary: "", document, access: BTreeMap::new() };
    add_components(components, &own);
}

/// OpenAPI wants a description of each response; the handlers describe those that need one.
fn describe_responses(operation: &mut Value) {
    for response in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        let described = response["description"].as_str().is_some_and(|text| !text.is_empty());
        if !described && response.get("$ref").is_none() {
            response["description"] = "As asked.".into();
        }
    }
}

fn add_components(components: &mut Map<String, Value>, part: &Part<'_>) {
    let Some(own) = part.document.get("components").and_then(Value::as_object) else { return };
    for (section, members) in own {
        // How callers prove who they are is the host's to say.
        let Some(members) = members.as_object().filter(|_| section != "securitySchemes") else {
            continue;
        };
        let merged = components.entry(section.as_str()).or_insert_with(|| json!({}));
        for (name, member) in members {
            let mut member = member.clone();
            rewrite_references(&mut member, part.plugin);
            merged[format!("{}.{name}", part.plugin)] = member;
        }
    }
}

/// Points every reference to a component of the plugin's document to its new name.
fn rewrite_references(value: &mut Value, plugin: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite_references(item, plugin)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match (name.as_str(), member) {
                    ("$ref", Value::String(reference)) => rename(reference, plugin),
                    ("mapping", Value::Object(mapping)) => rename_all(mapping, plugin),
                    (_, member) => rewrite_references(member, plugin),
                }
            }
        }
        _ => {}
    }
}

/// The mapping of a discriminator names schemas by reference.
fn rename_all(mapping: &mut Map<String, Value>, plugin: &str) {
    for target in mapping.values_mut() {
        match target {
            Value::String(reference) => rename(reference, plugin),
            other => rewrite_references(other, plugin),
        }
    }
}

fn rename(reference: &mut String, plugin: &str) {
    let parts = reference.strip_prefix("#/components/").and_then(|rest| rest.split_once('/'));
    if let Some((section, name)) = parts {
        *reference = format!("#/components/{section}/{plugin}.{name}");
    }
}

fn add_host_components(components: &mut Map<String, Value>) {
    components.insert(
        "securitySchemes".into(),
        json!({ BEARER: { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } }),
    );
    let schemas = components.entry("schemas").or_insert_with(|| json!({}));
    schemas["Problem"] = json!({
        "type": "object",
        "description": "Why a request was not served (RFC 9457).",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "code": { "type": "string", "description": "Stable; what programs decide by." },
            "detail": { "type": "string" },
            "request_id": { "type": "string" },
        },
    });
}

fn host_paths() -> Map<String, Value> {
    let operation = |id: &str, summary: &str, media_type: &str| {
        json!({ "get": {
            "operationId": format!("host.{id}"),
            "summary": summary,
            "tags": ["host"],
            // A token is needed where the operator lets strangers see no more than the health.
            "security": if id == "healthz" { json!([]) } else { json!([{}, { BEARER: [] }]) },
            "responses": { "200": {
                "description": "As asked.",
                "content": { media_type: { "schema": {} } },
            } },
        } })
    };
    Map::from_iter([
        (
            "/healthz".to_owned(),
            operation("healthz", "Whether the host lives.", "application/json"),
        ),
        (
            "/readyz".to_owned(),
            operation(
                "readyz",
                "Whether the host serves, and what is loaded; 503 while it starts or stops.",
                "application/json",
            ),
        ),
        (
            "/metrics".to_owned(),
            operation("metrics", "Counters in Prometheus' text format.", "text/plain"),
        ),
        ("/openapi.json".to_owned(), operation("openapi", "This document.", "application/json")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Value {
        json!({
            "openapi": "3.1.0",
            "paths": {
                "/": {
                    "get": {
                        "operationId": "list",
                        "responses": {
                            "200": { "content": { "application/json": {
                                "schema": { "$ref": "#/components/schemas/Note" }
                            } } },
                            "default": { "$ref": "#/components/responses/Problem" },
                        },
                    },
                    "post": { "operationId": "create", "tags": ["Own"], "security": [{"own": []}] },
                },
                "/{id}": { "delete": { "operationId": "remove" } },
            },
            "components": {
                "schemas": {
                    "Note": {
                        "type": "object",
                        "properties": {
                            "$ref": { "type": "string" },
                            "next": { "$ref": "#/components/schemas/Note" },
                            "local": { "$ref": "#/$defs/Other" },
                        },
                        "discriminator": {
                            "propertyName": "kind",
                            "mapping": { "note": "#/components/schemas/Note" },
                        },
                    },
                },
                "responses": { "Problem": { "description": "no" } },
                "securitySchemes": { "own": { "type": "http", "scheme": "basic" } },
            },
        })
    }

    fn merged() -> Value {
        let document = notes();
        let permission = Access::Permission("notes.admin".into());
        let access = BTreeMap::from([
            ("list", &Access::Public),
            ("create", &Access::SignedIn),
            ("remove", &permission),
        ]);
        let part = Part { plugin: "notes", summary: "Keeps notes.", document: &document, access };
        merge(&[part], &json!({}), "/base")
    }

    /// Every `$ref` whose value is a text, wherever it stands.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if name == "$ref" => found.push(text.clone()),
                        other => references(other, found),
                    }
                }
            }
            _ => {}
        }
    }

    #[test]
    fn puts_plugins_below_their_names() {
        let document = merged();
        assert_eq!(document["paths"]["/api/notes"]["get"]["operationId"], "notes.list");
        assert_eq!(document["paths"]["/api/notes/{id}"]["delete"]["operationId"], "notes.remove");
        assert_eq!(document["paths"]["/api/notes"]["post"]["tags"], json!(["notes"]));
        assert_eq!(document["paths"]["/healthz"]["get"]["operationId"], "host.healthz");
    }

    #[test]
    fn every_reference_to_a_component_resolves() {
        let document = merged();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert_eq!(found.len(), 4);
        for reference in found.iter().filter(|reference| reference.starts_with("#/components")) {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        let note = &document["components"]["schemas"]["notes.Note"];
        assert_eq!(note["discriminator"]["mapping"]["note"], "#/components/schemas/notes.Note");
        assert_eq!(note["properties"]["local"]["$ref"], "#/$defs/Other");
    }

    #[test]
    fn security_is_what_the_host_enforces() {
        let document = merged();
        let paths = &document["paths"];
        assert_eq!(paths["/api/notes"]["get"]["security"], json!([{}, {"bearer": []}]));
        assert_eq!(paths["/api/notes"]["post"]["security"], json!([{"bearer": []}]));
        let remove = &paths["/api/notes/{id}"]["delete"];
        assert_eq!(remove["x-caplet-permission"], "notes.admin");
        let schemes = document["components"]["securitySchemes"].as_object().unwrap();
        assert_eq!(schemes.keys().collect::<Vec<_>>(), ["bearer"]);
    }

    #[test]
    fn a_host_without_plugins_has_a_document() {
        let document = merge(&[], &json!({}), "");
        assert_eq!(document["paths"].as_object().unwrap().len(), 4);
        assert!(document["components"]["schemas"]["Problem"].is_object());
    }
}
