//! What is running, for the front page and its JSON: state, plugins and services and their health,
//! files that did not load. Collected anew for each answer, from what the host knows without asking anybody.

use caplet_runtime::{Arrival, Generation};
use serde_json::{Value, json};

use super::View;
use crate::gateway::{Circuit, Health, ServiceStatus};
use crate::host::{Phase, Shared};

/// What is running.
pub(super) struct Overview {
    pub(super) phase: Phase,
    /// None for those who may see only whether the host serves.
    pub(super) inside: Option<Inside>,
}

/// What not everybody may see.
pub(super) struct Inside {
    pub(super) plugins: Vec<Plugin>,
    /// The outside services.
    pub(super) services: Vec<Service>,
    /// The plugins that are on their way, and how far they are.
    pub(super) loading: Vec<(String, &'static str)>,
    /// The files that are not loaded, and why.
    pub(super) failed: Vec<(String, String)>,
}

/// A plugin that is loaded.
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) version: String,
    pub(super) path: String,
    pub(super) n_operations: usize,
    /// See [`health`].
    pub(super) health: &'static str,
}

impl Overview {
    /// `base` stands before all paths.
    pub(super) fn of(host: &Shared, view: View, base: &str) -> Self {
        let inside = || {
            let table = host.runtime.table();
            let plugins = table.iter().map(|generation| Plugin::of(generation, base)).collect();
            let statuses = host.gateway.statuses();
            let services = statuses.into_iter().map(|status| Service::of(status, base)).collect();
            let arrivals = host.runtime.arrivals().into_iter();
            let loading = arrivals.map(|it| (it.name.clone(), step(&it))).collect();
            Inside { plugins, services, loading, failed: host.failed_files() }
        };
        Self { phase: host.phase(), inside: (view == View::Everything).then(inside) }
    }

    /// The same as JSON.
    pub(super) fn to_json(&self, base: &str) -> Value {
        let status = self.phase.name();
        let Some(inside) = &self.inside else {
            return json!({ "name": "caplet", "status": status });
        };
        json!({
            "name": "caplet",
            "version": env!("CARGO_PKG_VERSION"),
            "status": status,
            "openapi": format!("{base}/openapi.json"),
            "docs": format!("{base}/docs"),
            "plugins": inside.plugins.iter().map(Plugin::to_json).collect::<Vec<_>>(),
            "services": inside.services.iter().map(Service::to_json).collect::<Vec<_>>(),
        })
    }
}

/// An outside service. Where it is behind the host is nobody's business here.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) path: String,
    pub(super) health: &'static str,
}

impl Service {
    fn of(status: ServiceStatus, base: &str) -> Self {
        let health = match (status.health, status.circuit) {
            (Health::Unhealthy, _) | (_, Circuit::Open) => "failing",
            (Health::Healthy, _) => "healthy",
            (Health::Unknown, _) => "unknown",
        };
        let path = format!("{base}/api/{}", status.name);
        Self { name: status.name, title: status.title, path, health }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "title": self.title,
            "path": self.path,
            "health": self.health,
        })
    }
}

impl Plugin {
    fn of(generation: &Generation, base: &str) -> Self {
        let description = generation.description();
        Self {
            name: generation.name().to_owned(),
            title: description.title.clone(),
            summary: description.summary.clone(),
            version: generation.version().to_owned(),
            path: format!("{base}/api/{}", generation.name()),
            n_operations: description.routes.len(),
            health: health(generation),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "title": self.title,
            "summary": self.summary,
            "version": self.version,
            "path": self.path,
            "health": self.health,
        })
    }
}

/// How far a plugin is that is on its way.
pub(crate) fn step(arrival: &Arrival) -> &'static str {
    if arrival.is_compiling { "compiling" } else { "starting" }
}

/// Whether a plugin's last invocations were answered, or it is not called at all for a while.
pub(crate) fn health(generation: &Generation) -> &'static str {
    match generation.quarantined() {
        Some(_) => "quarantined",
        None if generation.is_failing() => "failing",
        None => "healthy",
    }
}
