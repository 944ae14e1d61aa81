//! Outside services behind `/api/<name>`: the registry of them, and what callers may count on when
//! one is down, slow or lies.
//!
//! - [`options`]: what an operator sets; `service`: what is made of it, and its status.
//! - `forward`: the way of a request; `attempt`: one try; `retry`, `breaker`, `health`: whether to try;
//!   `failure`: how it fails.
//! - `target`, `headers`, `forwarded`, `credentials`: what the service sees.
//! - `upload`, `download`, `upgrade`: bodies and upgraded connections, part by part.
//! - `client`: connections; `counters`: what is counted.
//!
//! A service and a plugin cannot have one name: the configuration is there first, and the plugin is
//! not loaded.

mod attempt;
mod breaker;
mod client;
mod counters;
mod credentials;
mod download;
mod failure;
pub(crate) mod forward;
pub(crate) mod forwarded;
pub(crate) mod headers;
mod health;
pub mod options;
mod retry;
mod service;
mod target;
mod upgrade;
pub(crate) mod upload;

use std::collections::BTreeMap;
use std::sync::Arc;

use caplet_runtime::{Clock, prometheus};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use breaker::Circuit;
pub use forwarded::Network;
pub use health::Health;
pub use options::ServiceOptions;
pub use service::{Refused, ServiceStatus};

pub(crate) use service::Service;

use crate::host;
use counters::Families;
use service::Surroundings;

/// All services of a host.
pub(crate) struct Gateway {
    services: BTreeMap<String, Arc<Service>>,
    stop: watch::Sender<bool>,
    /// The health checks, which end with the host.
    _checks: JoinSet<()>,
}

impl Gateway {
    /// # Errors
    /// The setting that is wrong.
    pub(crate) fn new(
        options: BTreeMap<String, ServiceOptions>,
        registry: &prometheus::Registry,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, host::Error> {
        let families = Families::new(registry)?;
        let stop = watch::Sender::new(false);
        let surroundings = Surroundings { clock, stop: &stop };
        let mut services = BTreeMap::new();
        let mut checks = JoinSet::new();
        for (name, options) in options {
            check_name(&name)?;
            let counters = families.service(&name);
            let service = Arc::new(Service::new(&name, options, counters, &surroundings)?);
            if let Some(path) = service.options.health.path.clone() {
                checks.spawn(health::watch(service.clone(), path));
            }
            services.insert(name, service);
        }
        Ok(Self { services, stop, _checks: checks })
    }

    /// The service of a name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Service>> {
        self.services.get(name).cloned()
    }

    /// All services by name, as they are now.
    pub(crate) fn statuses(&self) -> Vec<ServiceStatus> {
        self.services.values().map(|service| service.status()).collect()
    }

    /// Ends what has no end of its own: event streams and upgraded connections.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

fn check_name(name: &str) -> Result<(), Refused> {
    if caplet_runtime::is_plugin_name(name) {
        return Ok(());
    }
    let reason = "it is no name; expected a-z, 0-9 and single hyphens, beginning with a letter, and \
                  none of the host's own names";
    Err(Refused { service: name.to_owned(), key: "", reason: reason.to_owned() })
}
