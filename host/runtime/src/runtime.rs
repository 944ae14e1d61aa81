//! The runtime: the engine, the plugins that are loaded, and the one atomic table by which requests
//! find them.
//!
//! Invariant: the table changes only under `loading`, one plugin at a time, by putting a new table in
//! place of the old one. Whoever took a generation from the old one keeps it.

use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use caplet_store::Store;
use parking_lot::Mutex;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::arrivals::Arrivals;
use crate::audit::{Audit, Decision};
use crate::back_row::BackRow;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::compiler::ahead::CompiledAhead;
use crate::compiler::{Compiled, Compiler, Processes};
use crate::cpu_share::Processors;
use crate::engine::{self, EngineOptions, World};
use crate::generation::Generation;
use crate::guest::Guest;
use crate::host_database::HostDatabase;
use crate::host_functions;
use crate::host_interface::HostInterface;
use crate::identity::Authorizer;
use crate::in_flight::InFlight;
use crate::inspect::Inspection;
use crate::lifecycle::{Lifecycle, Rollout};
use crate::limits::Limits;
use crate::load::{self, LoadError, Prepared, Shared, Step};
use crate::metrics::{Metrics, Observed};
use crate::options::{Options, PluginOptions};
use crate::redaction::Redaction;
use crate::rights::Revoked;
use crate::sealed::Keys;
use crate::wasi_http::Standard;

/// How long a host that ends waits for decisions to be written down.
const DECISIONS_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a host that ends waits for its databases, which a migration may hold. What is not done by then is
/// not done at all.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(15);

/// Why a runtime could not be started. `Display` names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refused its configuration, or the machine has too little address space.
    #[error(
        "the WebAssembly engine cannot start: {0}. Lower `engine.instances_max` or `engine.memory_bytes_max`"
    )]
    Engine(String),
    /// An interface of the application cannot be offered.
    #[error("the interface `{name}` cannot be offered to plugins: {reason}")]
    Interface {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The folder of the compile cache cannot be used.
    #[error(
        "the compile cache `{path}` cannot be used: {reason}. Make the folder writable for this user"
    )]
    Cache {
        /// The folder.
        path: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The folder of components cannot be used.
    #[error(
        "the components in `{path}` cannot be used: {reason}. Make the folder writable for this user"
    )]
    Components {
        /// The folder.
        path: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The keys of the plugins' secrets cannot be used.
    #[error(
        "the keys in `{path}` cannot be used: {reason}. Put the file back that was there, readable for this user"
    )]
    Keys {
        /// The file.
        path: String,
        /// What is wrong.
        reason: std::io::Error,
    },
    /// The host's own database cannot be opened.
    #[error("{0}")]
    Store(#[from] caplet_store::Error),
}

/// The plugins that are loaded.
#[derive(Debug, Default)]
pub struct Table {
    version: u64,
    pub(crate) plugins: BTreeMap<String, Arc<Generation>>,
    /// The new versions that get some of the requests. Invariant: their plugins are in `plugins`.
    pub(crate) rollouts: BTreeMap<String, Arc<Rollout>>,
}

impl Table {
    /// Grows with every change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The generation that serves a plugin's new requests, but those that a rollout takes.
    #[must_use]
    pub fn get(&self, plugin: &str) -> Option<&Arc<Generation>> {
        self.plugins.get(plugin)
    }

    /// The rollout of a plugin, while one goes on.
    #[must_use]
    pub fn rollout(&self, plugin: &str) -> Option<&Arc<Rollout>> {
        self.rollouts.get(plugin)
    }

    /// All that serve, by name, without what is being rolled out.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.plugins.values()
    }

    /// All that may be called.
    pub(crate) fn callable(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.plugins.values().chain(self.rollouts.values().map(|it| &it.candidate))
    }
}

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    engine_options: EngineOptions,
    /// For components of `wasi:http`, once there is one.
    standard: OnceLock<Standard>,
    /// From the name of each interface of the application to what it means.
    pub(crate) interfaces: BTreeMap<String, String>,
    pub(crate) cache: Option<Cache>,
    pub(crate) compiler: Compiler,
    pub(crate) compiling: Processes,
    pub(crate) ahead: CompiledAhead,
    /// How long a host that starts waits for what has to be compiled.
    pub(crate) compile_wait: Duration,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) database: HostDatabase,
    pub(crate) audit: Audit,
    pub(crate) limits: Limits,
    pub(crate) plugins: BTreeMap<String, PluginOptions>,
    pub(crate) taken_names: BTreeMap<String, String>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) slow_call: Option<Duration>,
    pub(crate) metrics: Metrics,
    pub(crate) processors: Arc<Processors>,
    pub(crate) back_row: Arc<BackRow>,
    pub(crate) shared: Mutex<HashMap<String, Shared>>,
    pub(crate) revoked: Mutex<HashMap<String, Arc<Revoked>>>,
    pub(crate) redactions: Mutex<HashMap<String, Arc<Redaction>>>,
    pub(crate) in_flight: InFlight,
    pub(crate) streams: InFlight,
    table: ArcSwap<Table>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) loading: tokio::sync::Mutex<()>,
}

/// A handle to a running runtime. Clones are the same runtime; it ends when the last one is dropped.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
}

impl Options {
    /// Starts a runtime: the engine, and the host's own database in the store.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start(self) -> Result<Runtime, Error> {
        let no_threads = |error: std::io::Error| Error::Engine(error.to_string());
        let engine_error = |error: wasmtime::Error| Error::Engine(format!("{error:#}"));
        let engine = engine::start(World::Plugin, &self.engine).map_err(engine_error)?;
        let mut linker = host_functions::linker(&engine).map_err(engine_error)?;
        let interfaces = offer(&self.interfaces, &mut linker)?;
        let cache = self.cache.as_deref().map(|path| {
            Cache::open(path)
                .map_err(|reason| Error::Cache { path: path.display().to_string(), reason })
        });
        let cache = cache.transpose()?;
        let database = HostDatabase::open(&*self.store).await?;
        let keys = open_keys(self.secrets_key.as_deref())?;
        let kept = self.components.as_deref();
        let remembered = (database.clone(), self.clock.clone(), keys);
        let lifecycle = Lifecycle::open(remembered, kept, self.upgrade).map_err(|reason| {
            Error::Components {
                path: kept.map(|path| path.display().to_string()).unwrap_or_default(),
                reason,
            }
        })?;
        let runtime = Runtime {
            inner: Arc::new(Inner {
                engine,
                linker,
                compile_wait: Duration::from_millis(self.engine.compile_wait_ms),
                engine_options: self.engine,
                standard: OnceLock::new(),
                interfaces,
                cache,
                compiler: self.compiler,
                compiling: Processes::new(),
                ahead: CompiledAhead::default(),
                arrivals: Arc::default(),
                store: self.store,
                audit: Audit::new(database.clone(), self.clock.clone()),
                database,
                limits: self.limits,
                plugins: self.plugins,
                taken_names: self.taken_names,
                authorizer: self.authorizer,
                clock: self.clock,
                slow_call: self.slow_call,
                metrics: Metrics::new().map_err(|error| Error::Engine(error.to_string()))?,
                processors: Processors::start().map_err(no_threads)?,
                back_row: BackRow::start().map_err(no_threads)?,
                shared: Mutex::default(),
                revoked: Mutex::default(),
                redactions: Mutex::default(),
                in_flight: InFlight::new(),
                streams: InFlight::new(),
                table: ArcSwap::default(),
                lifecycle,
                loading: tokio::sync::Mutex::default(),
            }),
        };
        runtime.inner.lifecycle.end_unfinished().await?;
        runtime.inner.lifecycle.seal_anew().await?;
        runtime.trim_idle_instances();
        runtime.record_statements();
        runtime.revoke_again().await?;
        Ok(runtime)
    }
}

impl Inner {
    /// The engine on which components of that world run.
    pub(crate) fn engine_of(&self, world: World) -> wasmtime::Result<Engine> {
        match world {
            World::Plugin => Ok(self.engine.clone()),
            World::WasiHttp => self.standard().map(|standard| standard.engine.clone()),
        }
    }

    /// What components of `wasi:http` run on, made for the first of them.
    pub(crate) fn standard(&self) -> wasmtime::Result<&Standard> {
        if let Some(standard) = self.standard.get() {
            return Ok(standard);
        }
        let standard = Standard::start(&self.engine_options)?;
        Ok(self.standard.get_or_init(|| standard))
    }

    /// Whether the code of the component of that digest, in hexadecimal digits, is kept.
    pub(crate) fn is_in_cache(&self, world: World, digest: &str) -> bool {
        let Some(cache) = &self.cache else { return false };
        self.engine_of(world).is_ok_and(|engine| cache.has(&engine, digest))
    }

    /// The most memory that an instance of any plugin may have: of those that are named in what the host
    /// was started with, and of those that serve.
    pub(crate) fn memory_bytes_max_of_any(&self) -> usize {
        let set = self.plugins.values().filter_map(|it| it.limits(&self.limits).ok());
        let set = set.map(|limits| limits.memory_bytes_max).max().unwrap_or_default();
        let table = self.table.load();
        let serving = table.callable().map(|it| it.limits().memory_bytes_max).max();
        self.limits.memory_bytes_max.max(set).max(serving.unwrap_or_default())
    }
}

fn open_keys(path: Option<&Path>) -> Result<Keys, Error> {
    Keys::open(path).map_err(|reason| Error::Keys {
        path: path.map(|path| path.display().to_string()).unwrap_or_default(),
        reason,
    })
}

/// Adds the interfaces of the application to `linker`. Returns what they are called and mean.
fn offer(
    interfaces: &[HostInterface],
    linker: &mut Linker<Guest>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut offered = BTreeMap::new();
    for interface in interfaces {
        let name = interface.name().to_owned();
        let refused = |reason| Error::Interface { name: name.clone(), reason };
        if offered.contains_key(&name) {
            return Err(refused("it is offered twice; put its functions into one".to_owned()));
        }
        interface.add_to_linker(linker).map_err(refused)?;
        offered.insert(name, interface.meaning().to_owned());
    }
    Ok(offered)
}

impl Runtime {
    /// The table as it is now. Take it once a request.
    #[must_use]
    pub fn table(&self) -> Guard<Arc<Table>> {
        self.inner.table.load()
    }

    /// Compiles, describes and checks a component without any effect. One of `wasi:http`, which has no name
    /// of its own, is `called` so.
    ///
    /// # Errors
    /// Why it would not load.
    pub async fn prepare(
        &self,
        bytes: Vec<u8>,
        called: Option<&str>,
    ) -> Result<Prepared, LoadError> {
        let compiled = load::compile(&self.inner, bytes.into()).await?;
        load::examine(&self.inner, compiled, called, None).await
    }

    /// What a component imports and exports, also of one that could not be loaded.
    ///
    /// # Errors
    /// Why it is not a component.
    pub async fn inspect(&self, bytes: Vec<u8>) -> Result<Inspection, LoadError> {
        let Compiled { world, component, .. } = load::compile(&self.inner, bytes.into()).await?;
        let engine = self
            .inner
            .engine_of(world)
            .map_err(|error| Step::Compile.failed(None, vec![format!("{error:#}")]))?;
        Ok(Inspection::of(&engine, (world, &component), &self.inner.interfaces))
    }

    /// Ends the quarantine of a plugin by hand. Returns whether it was in one.
    pub async fn release(&self, plugin: &str, by: &str) -> bool {
        let table = self.table();
        let rolled_out = table.rollout(plugin).map(|it| it.candidate());
        let both = table.get(plugin).into_iter().chain(rolled_out);
        // All of them, also after the first that was in quarantine.
        let is_released = both.filter(|it| it.quarantine.release()).count() > 0;
        drop(table);
        if is_released {
            let detail = serde_json::json!({ "because": "by hand" });
            let (actor, plugin) = (by.to_owned(), plugin.to_owned());
            let (action, request) = ("quarantine.end", String::new());
            self.inner.audit.note(Decision { actor, plugin, action, detail, request }).await;
        }
        is_released
    }

    /// Puts a changed table in place of the current one. Callers hold `loading`.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Arc<Generation>>) -> T,
    ) -> T {
        self.change_table(|table| change(&mut table.plugins))
    }

    /// The same, with the rollouts. That of a plugin which is not loaded ends.
    pub(crate) fn change_table<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let table = self.inner.table.load();
        let (plugins, rollouts) = (table.plugins.clone(), table.rollouts.clone());
        let mut changed = Table { version: table.version + 1, plugins, rollouts };
        let outcome = change(&mut changed);
        changed.rollouts.retain(|plugin, _| changed.plugins.contains_key(plugin));
        self.inner.table.store(Arc::new(changed));
        outcome
    }

    /// The registry of the runtime's metrics, brought up to date, for the host to add its own to
    /// and to write out.
    #[must_use]
    pub fn metrics(&self) -> &prometheus::Registry {
        let table = self.inner.table.load();
        self.inner.metrics.forget_rollouts();
        for generation in table.iter() {
            let rollout = table.rollout(generation.name());
            let both = || iter::once(generation).chain(rollout.map(|it| it.candidate()));
            self.inner.metrics.observe(
                generation.name(),
                &Observed {
                    memory_bytes: generation.context.memory.held_bytes() as u64,
                    database_bytes: generation.database_bytes(),
                    n_running: both().map(|it| it.admission.n_running() as u64).sum(),
                    n_waiting: both().map(|it| it.admission.n_waiting() as u64).sum(),
                    is_quarantined: generation.quarantined().is_some(),
                },
            );
            if let Some(rollout) = rollout {
                self.inner.metrics.observe_rollout(&rollout.report(generation));
            }
        }
        &self.inner.metrics.registry
    }

    /// Counts that `plugin` reached a limit which whoever calls it enforces, such as the size of a
    /// body. The name is empty for what concerns no plugin; it must be that of a loaded one
    /// otherwise, because it becomes a label.
    pub fn count_limit_hit(&self, plugin: &str, limit: &str) {
        self.inner.metrics.limit_hit(plugin, limit);
    }

    /// The host's own database.
    #[must_use]
    pub fn database(&self) -> &HostDatabase {
        &self.inner.database
    }

    /// The host's limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Lets what runs or waits for its turn finish, for at most `grace`, then refuses new
    /// invocations, has all decisions written down, and closes the plugins' databases;
    /// [`Self::database`] is closed by whoever uses it last. Whoever sends requests should stop before.
    /// Returns whether all finished in time. A migration that outlasts it is rolled back by the store when it is
    /// opened again.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        let all = async {
            self.inner.in_flight.none().await;
            self.inner.streams.none().await;
        };
        let drained = tokio::time::timeout(grace, all).await.is_ok();
        let closed = tokio::time::timeout(CLOSE_TIME_MAX, self.close()).await.is_ok();
        drained && closed
    }

    /// As [`Self::shutdown`], for a host whose place another process takes: answers of components of
    /// `wasi:http` that have begun, and whose components keep no data, go on. [`Self::streams_ended`] waits
    /// for them.
    pub async fn hand_over(&self, grace: Duration) -> bool {
        let drained = tokio::time::timeout(grace, self.inner.in_flight.none()).await.is_ok();
        self.close().await;
        drained
    }

    /// Waits until the answers have ended that [`Self::hand_over`] left, for at most `grace`. Returns whether
    /// they have.
    pub async fn streams_ended(&self, grace: Duration) -> bool {
        tokio::time::timeout(grace, self.inner.streams.none()).await.is_ok()
    }

    async fn close(&self) {
        self.write_statements_down().await;
        // What is not written in time says so itself.
        let _ = tokio::time::timeout(DECISIONS_TIME_MAX, self.inner.audit.all_added()).await;
        let table = self.inner.table.load_full();
        for generation in table.callable() {
            generation.admission.close();
        }
        for generation in table.iter() {
            if let Some(database) = &generation.context.database {
                database.close().await;
            }
        }
    }

    /// Drops instances that nobody needs any more, for as long as the runtime lives.
    fn trim_idle_instances(&self) {
        const PERIOD: Duration = Duration::from_secs(1);
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PERIOD).await;
                let Some(inner) = weak.upgrade() else { return };
                for generation in inner.table.load().callable() {
                    generation.trim_idle();
                }
            }
        });
    }
}
