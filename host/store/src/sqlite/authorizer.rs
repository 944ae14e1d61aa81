//! What SQLite itself lets a statement do: the second wall, behind the gate.
//!
//! SQLite asks for every table, function and action while it prepares a statement, so this wall
//! decides by what the statement does, however it is written. Who is asking is set by [`Role`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::gate::FUNCTIONS;

/// On whose behalf a statement is prepared and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    /// The host's own fixed texts: transaction control and host tables.
    Host = 0,
    /// A running plugin.
    Plugin = 1,
    /// A plugin's migration.
    Migration = 2,
}

/// The role of a connection, shared with its authorizer.
#[derive(Debug, Default)]
pub(super) struct CurrentRole(AtomicU8);

impl CurrentRole {
    /// Makes the role of `connection`, at first the host, and installs the authorizer.
    pub(super) fn install(connection: &mut rusqlite::Connection) -> rusqlite::Result<Arc<Self>> {
        let role = Arc::new(Self::default());
        let asked = Arc::clone(&role);
        connection.authorizer(Some(move |context: AuthContext<'_>| asked.decide(&context)))?;
        Ok(role)
    }

    /// Sets another role until the guard is dropped.
    #[must_use]
    pub(super) fn assume(&self, role: Role) -> Assumed<'_> {
        self.0.store(role as u8, Ordering::Relaxed);
        Assumed(self)
    }

    fn decide(&self, context: &AuthContext<'_>) -> Authorization {
        let role = self.0.load(Ordering::Relaxed);
        let is_allowed = if role == Role::Host as u8 {
            true
        } else if role == Role::Migration as u8 {
            may_migration(context)
        } else {
            may_plugin(context)
        };
        if is_allowed { Authorization::Allow } else { Authorization::Deny }
    }
}

/// The role is another one while this lives.
pub(super) struct Assumed<'a>(&'a CurrentRole);

impl Drop for Assumed<'_> {
    fn drop(&mut self) {
        self.0.0.store(Role::Host as u8, Ordering::Relaxed);
    }
}

fn may_plugin(context: &AuthContext<'_>) -> bool {
    if context.database_name.is_some_and(|name| name != "main") {
        return false;
    }
    match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name } => is_plugin_table(table_name),
        AuthAction::Function { function_name } => is_allowed_function(function_name),
        _ => false,
    }
}

/// SQLite shapes the schema by statements of its own on its schema tables, with functions of its own:
/// those cannot be told from the migration's, so the names in them are left to the gate and to
/// SQLite's defensive mode.
fn may_migration(context: &AuthContext<'_>) -> bool {
    // The context of this one names a column where others name the database.
    if let AuthAction::AlterTable { database_name, table_name } = context.action {
        return database_name == "main" && !has_prefix(table_name, "caplet_");
    }
    if context.database_name.is_some_and(|name| name != "main") {
        return is_own_look_at_temporary_tables(context);
    }
    match context.action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Reindex { .. } => true,
        AuthAction::Read { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::DropIndex { table_name, .. } => !has_prefix(table_name, "caplet_"),
        AuthAction::CreateView { view_name } | AuthAction::DropView { view_name } => {
            !has_prefix(view_name, "caplet_")
        }
        // SQLite looks whether the rows meet the `CHECK` of a column that is added.
        AuthAction::Pragma { pragma_name, .. } => pragma_name == "quick_check",
        AuthAction::Function { function_name } => {
            function_name.starts_with("sqlite_")
                || matches!(function_name, "printf" | "quote" | "like" | "glob" | "raise")
                || is_allowed_function(function_name)
        }
        _ => false,
    }
}

/// `ALTER TABLE … RENAME` also renames in temporary views and triggers, of which there are none.
fn is_own_look_at_temporary_tables(context: &AuthContext<'_>) -> bool {
    match context.action {
        AuthAction::Read { table_name, .. } | AuthAction::Update { table_name, .. } => {
            context.database_name == Some("temp") && has_prefix(table_name, "sqlite_temp_")
        }
        _ => false,
    }
}

fn is_plugin_table(name: &str) -> bool {
    // The last three are tables that SQLite's own modules make up.
    !["caplet_", "sqlite_", "pragma_"].iter().any(|prefix| has_prefix(name, prefix))
        && !["json_each", "json_tree", "dbstat"]
            .iter()
            .any(|table| name.eq_ignore_ascii_case(table))
}

fn is_allowed_function(name: &str) -> bool {
    // `LIKE` is a function to SQLite.
    FUNCTIONS.iter().chain(&["like"]).any(|allowed| allowed.eq_ignore_ascii_case(name))
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}
