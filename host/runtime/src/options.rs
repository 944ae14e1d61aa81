//! What a runtime is started with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caplet_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{Clock, SystemClock};
use crate::compiler::Compiler;
use crate::engine::EngineOptions;
use crate::host_interface::HostInterface;
use crate::identity::{Authorizer, RolePermissions};
use crate::instance::Reuse;
use crate::lifecycle::UpgradeOptions;
use crate::limits::Limits;

/// What a runtime is started with. [`Options::new`] gives the defaults.
pub struct Options {
    /// Where plugins keep their data.
    pub store: Arc<dyn Store>,
    /// Where compiled code is kept; none compiles at each load.
    pub cache: Option<PathBuf>,
    /// Where the components of all generations are kept, so that they are there after a restart;
    /// none keeps them as long as the host lives.
    pub components: Option<PathBuf>,
    /// The file with the keys that encrypt what is kept of the plugins' settings, made when it is
    /// missing; none makes a key that lasts as long as the runtime.
    pub secrets_key: Option<PathBuf>,
    /// How changes of plugins are followed up.
    pub upgrade: UpgradeOptions,
    /// Who compiles components.
    pub compiler: Compiler,
    /// The size of the engine's pool.
    pub engine: EngineOptions,
    /// The limits of every plugin.
    pub limits: Limits,
    /// What is set for single plugins, by name.
    pub plugins: BTreeMap<String, PluginOptions>,
    /// Names that no plugin may have, and who has them: they are served in another way.
    pub taken_names: BTreeMap<String, String>,
    /// Who holds which permission.
    pub authorizer: Arc<dyn Authorizer>,
    /// The time that plugins see.
    pub clock: Arc<dyn Clock>,
    /// An invocation that takes as long, its wait for a turn included, is told in the log; none
    /// tells of none.
    pub slow_call: Option<Duration>,
    /// What the application around the host offers to plugins, beside the contract.
    pub interfaces: Vec<HostInterface>,
}

impl Options {
    /// The defaults, over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            cache: None,
            components: None,
            secrets_key: None,
            upgrade: UpgradeOptions::default(),
            compiler: Compiler::default(),
            engine: EngineOptions::default(),
            limits: Limits::default(),
            plugins: BTreeMap::new(),
            taken_names: BTreeMap::new(),
            authorizer: Arc::new(RolePermissions::default()),
            clock: Arc::new(SystemClock),
            slow_call: None,
            interfaces: Vec::new(),
        }
    }
}

/// What an operator sets for one plugin.
/// Its `Debug` leaves the settings out: secrets may be among them.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginOptions {
    /// Its settings, checked against the plugin's own schema.
    pub settings: Value,
    /// The rights it may have, such as `["sql", "log"]`, and the interfaces of the application around
    /// the host, by their full names. Not set: every right of this host's contract, none of which
    /// reaches outside the plugin, and no interface of the application.
    pub grants: Option<Vec<String>>,
    /// Origins such as `https://shop.example` to which its answers may redirect, beside paths of this
    /// host.
    pub redirect_origins: Vec<String>,
    /// Origins such as `https://api.example` to which it may send requests; to no other.
    pub outbound_origins: Vec<String>,
    /// Whether its instances are used again.
    pub instances: Reuse,
    /// Limits that differ from those of the other plugins.
    pub limits: BTreeMap<String, Value>,
}

impl std::fmt::Debug for PluginOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginOptions")
            .field("grants", &self.grants)
            .field("redirect_origins", &self.redirect_origins)
            .field("outbound_origins", &self.outbound_origins)
            .field("instances", &self.instances)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl PluginOptions {
    /// The plugin's limits: the host's, with its own laid over them.
    ///
    /// # Errors
    /// The limit that is unknown or not of its type.
    pub fn limits(&self, host: &Limits) -> Result<Limits, String> {
        let mut limits = host.clone();
        limits.overlay(&self.limits)?;
        Ok(limits)
    }
}
