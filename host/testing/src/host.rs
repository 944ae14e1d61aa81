//! The host of a test, and how it is set up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_runtime::{Compiler, FakeClock, Kind, Limits, LoadError, PluginOptions};
use caplet_server::{Config, Host};
use caplet_store::sqlite::{self, Sqlite};
use caplet_store::{Begin, Mode, Rows, Store, Value};
use http::Method;
use tempfile::TempDir;

use crate::guests;
use crate::request::{Caller, Request};

/// What the clock shows at first: the beginning of 2026, in milliseconds.
pub const START_MS: u64 = 1_767_225_600_000;

/// How long a look into a database may take.
const LOOK_TIME_MAX: Duration = Duration::from_secs(10);

/// A host with plugins, all of whose time, data and callers are the test's.
pub struct TestHost {
    host: Host,
    clock: Arc<FakeClock>,
    store: Sqlite,
    keys: TempDir,
    setup: Setup,
}

/// What a host is set up with; kept, so that it can be set up again with a change.
#[derive(Clone, Default)]
struct Setup {
    plugins: Vec<Plugin>,
    config: Config,
    cache: Option<PathBuf>,
    compiler: Compiler,
}

/// A plugin that is loaded.
#[derive(Clone)]
enum Plugin {
    /// One that was built for the tests.
    Named(String),
    /// This component.
    Component(Vec<u8>),
}

impl Plugin {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Named(name) => guests::component(name),
            Self::Component(bytes) => bytes.clone(),
        }
    }
}

/// Sets up a [`TestHost`].
#[derive(Default)]
pub struct Builder {
    setup: Setup,
}

impl Builder {
    /// Loads the plugin or fixture `name`.
    #[must_use]
    pub fn plugin(mut self, name: &str) -> Self {
        self.setup.plugins.push(Plugin::Named(name.to_owned()));
        self
    }

    /// Loads a component that was built elsewhere.
    #[must_use]
    pub fn component(mut self, bytes: Vec<u8>) -> Self {
        self.setup.plugins.push(Plugin::Component(bytes));
        self
    }

    /// Keeps compiled code in a directory, instead of beside the guests of the tests.
    #[must_use]
    pub fn cache(mut self, directory: impl Into<PathBuf>) -> Self {
        self.setup.cache = Some(directory.into());
        self
    }

    /// Has components compiled by `compiler`.
    #[must_use]
    pub fn compiler(mut self, compiler: Compiler) -> Self {
        self.setup.compiler = compiler;
        self
    }

    /// Sets the settings of a plugin: a JSON object.
    #[must_use]
    pub fn settings(mut self, plugin: &str, settings: serde_json::Value) -> Self {
        self.options(plugin).settings = settings;
        self
    }

    /// Grants a plugin these rights and no others.
    #[must_use]
    pub fn grants(mut self, plugin: &str, rights: &[&str]) -> Self {
        self.options(plugin).grants = Some(rights.iter().map(ToString::to_string).collect());
        self
    }

    /// Sets the limits of every plugin.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.setup.config.limits = limits;
        self
    }

    /// Gives a role permissions.
    #[must_use]
    pub fn role(mut self, role: &str, permissions: &[&str]) -> Self {
        let permissions = permissions.iter().map(ToString::to_string).collect();
        self.setup.config.roles.insert(role.to_owned(), permissions);
        self
    }

    /// Changes whatever else a host can be configured with.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.setup.config);
        self
    }

    fn options(&mut self, plugin: &str) -> &mut PluginOptions {
        self.setup.config.plugin.entry(plugin.to_owned()).or_default()
    }

    /// Starts the host and loads the plugins.
    ///
    /// # Panics
    /// When it cannot start, or a plugin does not load.
    pub async fn start(self) -> TestHost {
        self.try_start().await.unwrap_or_else(|error| panic!("the plugin does not load: {error}"))
    }

    /// Starts the host and loads the plugins, for tests of plugins that must not load.
    ///
    /// # Errors
    /// Why the first one that did not load did not.
    pub async fn try_start(self) -> Result<TestHost, LoadError> {
        let store = Sqlite::open(sqlite::Options::temporary()).expect("a temporary store opens");
        let clock = Arc::new(FakeClock::new(START_MS));
        let keys = tempfile::tempdir().expect("a temporary directory");
        let host = start(&self.setup, (&store, &clock), &keys).await?;
        Ok(TestHost { host, clock, store, keys, setup: self.setup })
    }
}

async fn start(
    setup: &Setup,
    (store, clock): (&Sqlite, &Arc<FakeClock>),
    keys: &TempDir,
) -> Result<Host, LoadError> {
    let host = Host::builder()
        .config(setup.config.clone())
        .store(Arc::new(store.clone()))
        .clock(clock.clone())
        .secrets_key(keys.path().join("secrets.key"))
        .cache(setup.cache.clone().unwrap_or_else(guests::cache))
        .compiler(setup.compiler.clone())
        .build()
        .await
        .unwrap_or_else(|error| panic!("the host does not start: {error}"));
    for plugin in &setup.plugins {
        host.runtime().load(plugin.bytes()).await?;
    }
    host.ready().await;
    Ok(host)
}

impl TestHost {
    /// A host with one plugin and all defaults.
    ///
    /// # Panics
    /// When the plugin has not been built or does not load.
    pub async fn with_plugin(name: &str) -> Self {
        Self::builder().plugin(name).start().await
    }

    /// Begins to set up a host.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The clock that plugins see and tokens are checked by.
    #[must_use]
    pub fn clock(&self) -> &FakeClock {
        &self.clock
    }

    /// The host itself.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Loads another plugin, or another version of one.
    ///
    /// # Errors
    /// Why it does not load.
    pub async fn load(&self, name: &str) -> Result<(), LoadError> {
        self.host.runtime().load(guests::component(name)).await.map(drop)
    }

    /// Changes the settings of a plugin, as an operator does who edits the configuration and starts
    /// the host again: data and clock stay.
    ///
    /// # Panics
    /// When the plugin does not take them.
    pub async fn change_settings(&mut self, plugin: &str, settings: serde_json::Value) {
        let changed = self.try_change_settings(plugin, settings).await;
        changed.unwrap_or_else(|error| panic!("the plugin does not take its settings: {error}"));
    }

    /// As [`Self::change_settings`], for settings that may be wrong.
    ///
    /// # Errors
    /// Why the plugin does not take them.
    pub async fn try_change_settings(
        &mut self,
        plugin: &str,
        settings: serde_json::Value,
    ) -> Result<(), LoadError> {
        let options: &mut BTreeMap<_, PluginOptions> = &mut self.setup.config.plugin;
        options.entry(plugin.to_owned()).or_default().settings = settings;
        self.restart().await
    }

    /// Starts the host again: data and clock stay, and nothing that instances held in memory does.
    ///
    /// # Errors
    /// Why a plugin does not load.
    pub async fn restart(&mut self) -> Result<(), LoadError> {
        self.host = start(&self.setup, (&self.store, &self.clock), &self.keys).await?;
        Ok(())
    }

    /// A person of the default tenant, without roles, teams or scopes.
    #[must_use]
    pub fn user(&self, subject: &str) -> Caller<'_> {
        Caller::known(&self.host, subject, Kind::User)
    }

    /// A program of the default tenant, without roles, teams or scopes.
    #[must_use]
    pub fn service(&self, subject: &str) -> Caller<'_> {
        Caller::known(&self.host, subject, Kind::Service)
    }

    /// A caller without a token.
    #[must_use]
    pub fn anonymous(&self) -> Caller<'_> {
        Caller::anonymous(&self.host)
    }

    /// A `GET` without a token.
    pub fn get(&self, path: &str) -> Request<'_> {
        self.anonymous().request(Method::GET, path)
    }

    /// Looks into a plugin's database: one `SELECT` on a snapshot, with `$tenant` bound to `tenant`.
    ///
    /// # Panics
    /// When the statement fails.
    pub async fn rows(
        &self,
        plugin: &str,
        tenant: &str,
        statement: &str,
        parameters: &[Value],
    ) -> Rows {
        let rows = self.try_rows(plugin, tenant, statement, parameters).await;
        rows.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// As [`Self::rows`], for statements that may be wrong.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn try_rows(
        &self,
        plugin: &str,
        tenant: &str,
        statement: &str,
        parameters: &[Value],
    ) -> caplet_store::Result<Rows> {
        let database = self.store.open(plugin, caplet_store::Limits::default()).await?;
        let begin = Begin {
            mode: Mode::Read,
            tenant: tenant.into(),
            deadline: Instant::now() + LOOK_TIME_MAX,
            tag: None,
        };
        database.begin(begin).await?.query(statement, parameters).await
    }

    /// How many rows of a tenant a table has.
    ///
    /// # Panics
    /// When the table has no column `tenant`.
    pub async fn count(&self, plugin: &str, tenant: &str, table: &str) -> i64 {
        let statement = format!("SELECT count(*) FROM {table} WHERE tenant = $tenant");
        match self.rows(plugin, tenant, &statement, &[]).await.values.as_slice() {
            [Value::Integer(count)] => *count,
            other => panic!("a count is one number, not {other:?}"),
        }
    }
}
