//! `Plugin`: what a plugin is and has. Built once for each instance by `plugin!`; finds the handler
//! of an operation, and turns itself into the description that the host asks for.

use serde::de::DeserializeOwned;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use crate::bindings::exports::caplet::plugin::guest;
use crate::openapi;
use crate::request::Request;
use crate::response::Response;
use crate::route::Route;

/// A plugin: its name, routes, migrations, permissions, settings and assets.
///
/// The limits of all parts are in `wit/guest.wit`; the host refuses to load what does not fit.
#[derive(Debug)]
pub struct Plugin {
    name: String,
    version: String,
    title: String,
    summary: String,
    routes: Vec<Route>,
    /// Invariant: the places of `routes`, sorted by operation. A sorted list, because it is small
    /// and a hash map would import random numbers into every component.
    by_operation: Vec<usize>,
    migrations: Vec<guest::Migration>,
    permissions: Vec<guest::Permission>,
    settings_schema: String,
    assets: Vec<guest::Asset>,
}

impl Plugin {
    /// A plugin whose URLs begin with `/api/<name>`: 2 to 40 characters of `a-z`, `0-9` and `-`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: String::new(),
            title: name.to_owned(),
            summary: String::new(),
            routes: Vec::new(),
            by_operation: Vec::new(),
            migrations: Vec::new(),
            permissions: Vec::new(),
            settings_schema: String::new(),
            assets: Vec::new(),
        }
    }

    /// The semantic version. `plugin!` sets it from the crate's own.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// A short name for people, at most 80 characters. The plugin's name if not given.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// What the plugin does, in a sentence or a few.
    #[must_use]
    pub fn summary(mut self, summary: &str) -> Self {
        summary.clone_into(&mut self.summary);
        self
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        let place = self
            .by_operation
            .partition_point(|&other| self.routes[other].operation_name() < route.operation_name());
        self.by_operation.insert(place, self.routes.len());
        self.routes.push(route);
        self
    }

    /// Adds routes, in their order.
    #[must_use]
    pub fn routes(self, routes: impl IntoIterator<Item = Route>) -> Self {
        routes.into_iter().fold(self, Self::route)
    }

    /// Adds the next step of the schema's history, which the version before can live with. One that
    /// was released must never change.
    #[must_use]
    pub fn migration(self, number: u32, name: &str, sql: &str) -> Self {
        self.step(number, name, guest::Phase::Expand, sql)
    }

    /// Adds a step that fills what an earlier one made: one `INSERT`, `UPDATE` or `DELETE` with a
    /// `LIMIT` in it, which the host runs again and again until it changes no row.
    #[must_use]
    pub fn backfill(self, number: u32, name: &str, sql: &str) -> Self {
        self.step(number, name, guest::Phase::Backfill, sql)
    }

    /// Adds a step that the version before cannot live with: it runs when that one is gone for good.
    #[must_use]
    pub fn contract(self, number: u32, name: &str, sql: &str) -> Self {
        self.step(number, name, guest::Phase::Contract, sql)
    }

    fn step(mut self, number: u32, name: &str, phase: guest::Phase, sql: &str) -> Self {
        self.migrations.push(guest::Migration {
            number,
            name: name.to_owned(),
            phase,
            sql: sql.to_owned(),
            postgres: None,
        });
        self
    }

    /// Gives the step that was added last other statements on PostgreSQL.
    #[must_use]
    pub fn migration_on_postgres(mut self, sql: &str) -> Self {
        if let Some(migration) = self.migrations.last_mut() {
            migration.postgres = Some(sql.to_owned());
        }
        self
    }

    /// Adds a permission, `<plugin>.<verb or noun>`, and what it allows, in one sentence.
    #[must_use]
    pub fn permission(mut self, name: &str, description: &str) -> Self {
        let (name, description) = (name.to_owned(), description.to_owned());
        self.permissions.push(guest::Permission { name, description });
        self
    }

    /// Declares the settings: a struct whose fields have `#[serde(default)]` values, read with
    /// [`Settings`](crate::Settings).
    #[must_use]
    pub fn settings<T: DeserializeOwned + JsonSchema>(mut self) -> Self {
        let generator = SchemaSettings::draft2020_12().into_generator();
        self.settings_schema = generator.into_root_schema_for::<T>().to_value().to_string();
        self
    }

    /// Adds a file that the host serves at `/api/<name>/-/<path>` without calling the plugin.
    #[must_use]
    pub fn asset(mut self, path: &str, media_type: &str, content: &[u8]) -> Self {
        self.assets.push(guest::Asset {
            path: path.to_owned(),
            media_type: media_type.to_owned(),
            content: content.to_vec(),
        });
        self
    }

    /// Calls the handler of an operation; none when there is no such operation.
    pub(crate) fn call(&self, operation: &str, request: &mut Request) -> Option<Response> {
        let name_at = |place: &usize| self.routes[*place].operation_name();
        let found = self.by_operation.binary_search_by(|place| name_at(place).cmp(operation));
        Some(self.routes[self.by_operation[found.ok()?]].call(request))
    }

    /// The description that the host asks for, with the OpenAPI document in it.
    pub fn describe(&self) -> guest::Description {
        let (openapi, headers) = openapi::document(self);
        let routes = self.routes.iter().zip(headers).map(|(route, headers)| guest::Route {
            operation: route.operation_name().to_owned(),
            method: route.method().unwrap_or("*").to_owned(),
            pattern: route.pattern().to_owned(),
            access: route.access().clone(),
            transaction: route.transaction(),
            body_max_bytes: route.body_limit_bytes(),
            headers,
        });
        guest::Description {
            name: self.name.clone(),
            version: self.version.clone(),
            title: self.title.clone(),
            summary: self.summary.clone(),
            routes: routes.collect(),
            openapi: openapi.to_string(),
            migrations: self.migrations.clone(),
            permissions: self.permissions.clone(),
            settings_schema: self.settings_schema.clone(),
            assets: self.assets.clone(),
        }
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn title_text(&self) -> &str {
        &self.title
    }

    pub(crate) fn summary_text(&self) -> &str {
        &self.summary
    }

    pub(crate) fn version_text(&self) -> &str {
        &self.version
    }

    pub(crate) fn all_routes(&self) -> &[Route] {
        &self.routes
    }
}
