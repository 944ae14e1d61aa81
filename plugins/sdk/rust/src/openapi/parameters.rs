//! Path and query parameters from the schema of the type they are read into.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The names of a route pattern's parameters, in its order.
pub(super) fn names_in(pattern: &str) -> Vec<String> {
    let segments = pattern.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    segments.map(|name| name.trim_start_matches('*').to_owned()).collect()
}

/// The pattern as OpenAPI writes it: a tail is a parameter like any other.
pub(super) fn openapi_path(pattern: &str) -> String {
    pattern.replace("{*", "{")
}

/// A type's own schema, not a reference to it.
pub(super) fn inline<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    T::json_schema(generator).to_value()
}

/// One required parameter for each name: by the name of a struct's field, by its place in a tuple,
/// or, for the only one, by the type itself.
pub(super) fn in_path(names: &[String], schema: &Value) -> Vec<Value> {
    let parameter = |(place, name): (usize, &String)| {
        let own = schema["properties"].get(name).or_else(|| schema["prefixItems"].get(place));
        let own = own.unwrap_or(if names.len() == 1 { schema } else { &Value::Null });
        let mut parameter = parameter("path", name, own, true);
        bound_text(&mut parameter["schema"]);
        parameter
    };
    names.iter().enumerate().map(parameter).collect()
}

/// Says of a text in a path what the host holds: it is not empty and has no control characters.
fn bound_text(schema: &mut Value) {
    let is_bound = ["format", "pattern", "enum", "const"].iter().any(|key| !schema[key].is_null());
    if schema["type"] == "string" && !is_bound {
        schema["pattern"] = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$".into();
    }
}

/// One parameter for each property of an object schema.
pub(super) fn in_query(schema: &Value) -> Vec<Value> {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let required = |name: &String| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name))
    };
    let parameter = |(name, own): (&String, &Value)| parameter("query", name, own, required(name));
    properties.iter().map(parameter).collect()
}

/// A parameter, with the schema's description moved to where readers look for it.
fn parameter(place: &str, name: &str, schema: &Value, required: bool) -> Value {
    let mut schema = if schema.is_null() { json!({ "type": "string" }) } else { schema.clone() };
    let description = schema.as_object_mut().and_then(|s| s.remove("description"));
    let mut parameter = json!({ "name": name, "in": place, "schema": schema });
    if required {
        parameter["required"] = true.into();
    }
    if let Some(description) = description {
        parameter["description"] = description;
    }
    parameter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_the_patterns_order() {
        assert_eq!(names_in("/{id}/reactions/{kind}"), ["id", "kind"]);
        assert_eq!(names_in("/files/{*path}"), ["path"]);
        assert_eq!(openapi_path("/files/{*path}"), "/files/{path}");
    }

    #[test]
    fn path_parameters_are_required_and_typed() {
        let mut generator = SchemaGenerator::default();
        let schema = inline::<(u32, String)>(&mut generator);
        let parameters = in_path(&["id".to_owned(), "kind".to_owned()], &schema);
        assert_eq!(parameters[0]["schema"]["type"], "integer");
        assert_eq!(parameters[1]["schema"]["type"], "string");
        assert_eq!(parameters[1]["required"], true);
        assert!(parameters[1]["schema"]["pattern"].is_string());
        assert!(parameters[0]["schema"]["pattern"].is_null());
    }

    #[test]
    fn query_parameters_are_the_fields() {
        /// What to list.
        #[derive(serde::Deserialize, JsonSchema)]
        #[allow(dead_code)]
        struct Filter {
            /// What the comments are about.
            target: String,
            author: Option<String>,
        }
        let schema = inline::<Filter>(&mut SchemaGenerator::default());
        let parameters = in_query(&schema);
        let target = parameters.iter().find(|p| p["name"] == "target").unwrap();
        assert_eq!(target["required"], true);
        assert_eq!(target["description"], "What the comments are about.");
        assert_eq!(parameters.len(), 2);
    }
}
