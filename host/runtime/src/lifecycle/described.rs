//! What a plugin said of itself as a JSON document, for people and programs, and for the history, where it is
//! kept with its generation.

use caplet_abi::{Access, Description, Phase, Route, Transaction};
use serde_json::{Value, json};

/// What is kept of a description with its generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    /// The highest number of its migrations, 0 when it has none.
    pub(crate) schema_version: u32,
    /// The document, as text.
    pub(crate) document: String,
}

impl Described {
    pub(crate) fn of(description: &Description) -> Self {
        Self {
            schema_version: description.migrations.last().map_or(0, |last| last.number),
            document: document(description).to_string(),
        }
    }
}

/// A description as a JSON object, without the contents of files, the SQL of migrations and the OpenAPI
/// document.
#[must_use]
pub fn document(description: &Description) -> Value {
    let schema = serde_json::from_str::<Value>(&description.settings_schema).unwrap_or_default();
    let permissions = description.permissions.iter();
    let permissions =
        permissions.map(|it| json!({ "name": it.name, "description": it.description }));
    let migrations = description.migrations.iter();
    let migrations = migrations
        .map(|it| json!({ "number": it.number, "name": it.name, "phase": phase_name(it.phase) }));
    let assets = description.assets.iter();
    let assets = assets.map(
        |it| json!({ "path": it.path, "media_type": it.media_type, "bytes": it.content.len() }),
    );
    json!({
        "name": description.name,
        "version": description.version,
        "title": description.title,
        "summary": description.summary,
        "routes": description.routes.iter().map(route).collect::<Vec<_>>(),
        "permissions": permissions.collect::<Vec<_>>(),
        "settings_schema": schema,
        "migrations": migrations.collect::<Vec<_>>(),
        "assets": assets.collect::<Vec<_>>(),
    })
}

/// The word for a phase of a migration.
#[must_use]
pub fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expand",
        Phase::Backfill => "backfill",
        Phase::Contract => "contract",
    }
}

fn route(route: &Route) -> Value {
    let transaction = match route.transaction {
        Transaction::ByMethod => "by-method",
        Transaction::Read => "read",
        Transaction::Write => "write",
        Transaction::None => "none",
    };
    let (access, permission) = match &route.access {
        Access::Public => ("public", None),
        Access::SignedIn => ("signed-in", None),
        Access::Permission(permission) => ("permission", Some(permission)),
    };
    json!({
        "operation": route.operation,
        "method": route.method,
        "pattern": route.pattern,
        "access": access,
        "permission": permission,
        "transaction": transaction,
        "body_max_bytes": crate::body_bytes_max(route),
        "headers": route.headers,
    })
}
