//! `caplet describe`: what a plugin says of itself, for people or as JSON.

use std::fmt::Write;

use caplet_runtime::{Access, Description, Prepared, Route, description_document, phase_name};
use serde_json::{Value, json};

use crate::arguments::Describe;
use crate::dry;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::table::aligned;

/// Prints the description.
///
/// # Errors
/// When the plugin cannot be asked, with each reason.
pub async fn run(options: &Describe) -> Result<(), Failure> {
    let settings = Settings::load(&options.file.common, None)?;
    let bytes = dry::read(&options.file.file)?;
    let file = options.file.file.display();
    let runtime = dry::runtime(&settings).await?;
    let prepared = Progress::spinner(format!("compiling {file}"))
        .during(runtime.prepare(bytes, Some(&dry::name_of(&options.file.file))))
        .await
        .map_err(|error| Failure::run_time(format!("{file}: {error}")))?;
    if options.json {
        output::print(&format!("{:#}\n", document(&prepared)))
    } else {
        output::print(&text(prepared.description()))
    }
}

fn text(description: &Description) -> String {
    let Description { name, version, title, summary, .. } = description;
    let mut text = format!("{name} {version}: {title}\n");
    if !summary.is_empty() {
        let _ = writeln!(text, "{summary}");
    }
    section(&mut text, &format!("Routes below /api/{name}"), &routes(description));
    let permissions = description.permissions.iter();
    let permissions: Vec<_> =
        permissions.map(|it| [it.name.clone(), it.description.clone()]).collect();
    section(&mut text, "Permissions", &permissions);
    section(&mut text, "Settings", &settings(&description.settings_schema));
    let migrations: Vec<_> = description
        .migrations
        .iter()
        .map(|it| [it.number.to_string(), phase_name(it.phase).to_owned(), it.name.clone()])
        .collect();
    section(&mut text, "Migrations", &migrations);
    let assets: Vec<_> = description
        .assets
        .iter()
        .map(|it| [it.path.clone(), it.media_type.clone(), format!("{} bytes", it.content.len())])
        .collect();
    section(&mut text, &format!("Files below /api/{name}/-"), &assets);
    text
}

/// A heading and its rows; nothing when there are none.
fn section<const N: usize>(text: &mut String, heading: &str, rows: &[[String; N]]) {
    if !rows.is_empty() {
        let _ = write!(text, "\n{heading}\n{}", aligned(2, rows));
    }
}

fn routes(description: &Description) -> Vec<[String; 4]> {
    let row = |route: &Route| {
        let Route { method, pattern, operation, .. } = route;
        [method.clone(), pattern.clone(), access(&route.access), operation.clone()]
    };
    description.routes.iter().map(row).collect()
}

fn access(access: &Access) -> String {
    match access {
        Access::Public => "public".to_owned(),
        Access::SignedIn => "signed in".to_owned(),
        Access::Permission(permission) => permission.clone(),
    }
}

/// Name, type, default and meaning of each setting at the top of the schema.
fn settings(schema: &str) -> Vec<[String; 4]> {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let row = |(name, property): (&String, &Value)| {
        let default = property.get("default").map(|it| format!("default {it}"));
        [
            name.clone(),
            text(property.get("type")),
            default.unwrap_or_default(),
            text(property.get("description")),
        ]
    };
    properties.iter().map(row).collect()
}

fn document(prepared: &Prepared) -> Value {
    let description = prepared.description();
    let mut document = description_document(description);
    let rights: Vec<_> = prepared.inspection().rights.iter().map(|right| right.name).collect();
    let migrations = description.migrations.iter().map(|it| {
        json!({
            "number": it.number,
            "name": it.name,
            "phase": phase_name(it.phase),
            "sql": it.sql,
            "postgres": it.postgres,
        })
    });
    document["digest"] = Value::from(prepared.digest().to_string());
    document["rights"] = Value::from(rights);
    document["migrations"] = migrations.collect();
    document["openapi"] = serde_json::from_str(&description.openapi).unwrap_or_default();
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_with_type_default_and_meaning() {
        let schema = r#"{"type": "object", "properties": {
            "edit_window_s": {"type": "integer", "default": 900, "description": "How long."},
            "mode": {"type": ["string", "null"]}
        }}"#;
        assert_eq!(
            settings(schema),
            [
                ["edit_window_s", "integer", "default 900", "How long."].map(str::to_owned),
                ["mode", r#"["string","null"]"#, "", ""].map(str::to_owned),
            ]
        );
        assert!(settings("").is_empty());
    }
}
