//! A host: the runtime, who may call it, and what it shares with every request. How it listens is in
//! [`crate::serve`]; what a request passes through, in [`crate::request`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use caplet_runtime::{
    Authorizer, Clock, Compiler, DEFAULT_TENANT, Folder, HostInterface, Options, RolePermissions,
    Runtime, SystemClock, prometheus,
};
use caplet_store::Store;
use caplet_store::sqlite::{self, Sqlite};
use http::Request;

use crate::admin::Admin;
use crate::config::{Config, Http, Public};
use crate::content::RequestBody;
use crate::gateway::{Gateway, Refused, ServiceOptions, ServiceStatus};
use crate::identity::api_keys::ApiKeys;
use crate::identity::{self, Issuers, Unfit};
use crate::metrics::Metrics;
use crate::problem::Answered;
use crate::subjects::Subjects;
use crate::system::DocumentCache;
use crate::token::{self, Claims, Tokens};
use crate::{cors, request, secret};

/// The folder of the databases in the data directory. One host at a time has it.
pub const DATABASES: &str = "databases";

/// The folder of the components that generations were made of, in the data directory.
pub const COMPONENTS: &str = "components";

/// The file in the data directory with the keys that encrypt the plugins' settings.
pub const SECRETS_KEY: &str = "secrets.key";

/// How often it is written down when API keys were used last.
const USE_OF_KEYS_INTERVAL: Duration = Duration::from_secs(60);

/// Why a host cannot start. The texts name the setting, file or directory and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret that signs tokens.
    #[error("{0}")]
    Secret(#[from] secret::Error),
    /// A setting about callers that does not fit.
    #[error("{0}")]
    Setting(#[from] Unfit),
    /// The databases of the plugins.
    #[error("{0}")]
    Store(#[from] caplet_store::Error),
    /// The engine or its cache.
    #[error("{0}")]
    Runtime(#[from] caplet_runtime::Error),
    /// The plugin folder.
    #[error("the plugin folder `{}` cannot be read: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// An outside service.
    #[error("{0}")]
    Service(#[from] Refused),
    /// The counters.
    #[error("the counters cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// A host of plugins. Cheap to clone; all clones are the same host. Several may live in one process.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

/// What every request shares.
pub(crate) struct Shared {
    pub(crate) runtime: Runtime,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) issuers: Issuers,
    pub(crate) api_keys: ApiKeys,
    pub(crate) identity_metrics: identity::metrics::Metrics,
    pub(crate) cors: cors::Policy,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) admin: Admin,
    pub(crate) gateway: Gateway,
    pub(crate) subjects: Subjects,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) http: Http,
    pub(crate) public: Public,
    pub(crate) metrics: Metrics,
    pub(crate) document: DocumentCache,
    /// The tenant of callers without a token.
    pub(crate) tenant: Arc<str>,
    phase: AtomicU8,
    pub(crate) folder: Option<Folder>,
    /// The store that the host opened itself.
    own_store: Option<Sqlite>,
}

/// Where a host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The plugin folder is being read for the first time.
    Starting,
    /// It serves.
    Ready,
    /// It finishes what runs and takes nothing new.
    Draining,
}

/// What a host is made of. Made by [`Host::builder`].
pub struct Builder {
    config: Config,
    data: Option<PathBuf>,
    plugins: Option<PathBuf>,
    secrets_key: Option<PathBuf>,
    cache: Option<PathBuf>,
    compiler: Compiler,
    store: Option<Arc<dyn Store>>,
    authorizer: Option<Arc<dyn Authorizer>>,
    clock: Arc<dyn Clock>,
    interfaces: Vec<HostInterface>,
}

impl Builder {
    /// What the operator sets. Without it: the defaults.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The directory that the host keeps its files in, made when it is missing. Without it nothing
    /// outlives the host.
    #[must_use]
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data = Some(directory.into());
        self
    }

    /// The folder whose `.wasm` files are loaded and followed, made when it is missing. Without it
    /// plugins are loaded through [`Host::runtime`].
    #[must_use]
    pub fn plugins(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plugins = Some(folder.into());
        self
    }

    /// The file with the keys that encrypt plugins' settings where they are kept; it is made when it is
    /// missing. Without it `secrets.key` in the data directory, and without that a key that ends with the
    /// host: a store that outlives it must not be used without one of the two.
    #[must_use]
    pub fn secrets_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.secrets_key = Some(file.into());
        self
    }

    /// Where compiled code is kept, instead of the directory `cache` in the data directory. Without
    /// either, plugins are compiled at each load.
    #[must_use]
    pub fn cache(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache = Some(directory.into());
        self
    }

    /// Who compiles components, instead of a thread of this process: a process with limits of its
    /// own, for a host that takes components it does not know. See [`crate::compile_worker`].
    #[must_use]
    pub fn compiler(mut self, compiler: Compiler) -> Self {
        self.compiler = compiler;
        self
    }

    /// Where plugins keep their data, instead of files in the data directory.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Who holds which permission, instead of [`Config::roles`].
    #[must_use]
    pub fn authorizer(mut self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.authorizer = Some(authorizer);
        self
    }

    /// The clock that tokens are checked by and plugins see, instead of the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Offers an interface of the application's own to plugins. Each plugin that imports it has to be
    /// granted it by its full name, in [`caplet_runtime::PluginOptions::grants`].
    #[must_use]
    pub fn interface(mut self, interface: HostInterface) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// Starts the host. It serves at once; [`Host::ready`] tells when the plugin folder has been
    /// read for the first time.
    ///
    /// # Errors
    /// Why it cannot start.
    pub async fn build(self) -> Result<Host, Error> {
        let Self {
            config,
            data,
            plugins,
            secrets_key,
            cache,
            compiler,
            store,
            authorizer,
            clock,
            interfaces,
        } = self;
        let cors = cors::Policy::new(&config.cors)?;
        identity::check(&config.auth)?;
        let (store, own_store) = match store {
            Some(store) => (store, None),
            None => {
                let own = open_store(data.as_deref())?;
                (Arc::new(own.clone()) as Arc<dyn Store>, Some(own))
            }
        };
        let secret = secret::load(&config.auth, data.as_deref())?;
        let roles = || Arc::new(RolePermissions::new(config.roles.clone()));
        let authorizer = authorizer.unwrap_or_else(|| roles());
        let slow_call_ms = config.log.slow_call_ms;
        let options = Options {
            components: data.as_ref().map(|data| data.join(COMPONENTS)),
            secrets_key: secrets_key.or_else(|| data.as_ref().map(|data| data.join(SECRETS_KEY))),
            cache: cache.or_else(|| data.map(|data| data.join("cache"))),
            upgrade: config.upgrade,
            compiler,
            limits: config.limits,
            plugins: config.plugin,
            taken_names: names_of_services(&config.services),
            engine: config.engine,
            authorizer: authorizer.clone(),
            clock: clock.clone(),
            slow_call: (slow_call_ms > 0).then(|| Duration::from_millis(slow_call_ms)),
            interfaces,
            ..Options::new(store)
        };
        let runtime = options.start().await?;
        let api_keys = ApiKeys::open(runtime.database().clone()).await?;
        let folder = plugins.map(|path| follow(&runtime, path)).transpose()?;
        if folder.is_none() {
            // The folder does it itself, so that a host with many plugins answers meanwhile.
            runtime.restore().await;
        }
        let metrics = Metrics::new(runtime.metrics())?;
        let gateway = Gateway::new(config.services, runtime.metrics(), &clock)?;
        let identity_metrics = identity::metrics::Metrics::new(runtime.metrics())?;
        let tokens = Arc::new(Tokens::new(&secret, &config.auth, clock.clone()));
        let issuers =
            Issuers::start(tokens.clone(), &config.auth, &identity_metrics, clock.clone())?;
        let shared = Arc::new_cyclic(|host| Shared {
            tokens,
            issuers,
            api_keys,
            identity_metrics,
            cors,
            authorizer,
            admin: Admin::new(host.clone()),
            gateway,
            subjects: Subjects::new(host.clone()),
            metrics,
            document: DocumentCache::empty(),
            tenant: Arc::from(DEFAULT_TENANT),
            phase: AtomicU8::new(Phase::Starting as u8),
            http: config.http,
            public: config.public,
            runtime,
            clock,
            folder,
            own_store,
        });
        tokio::spawn(remember_use_of_keys(Arc::downgrade(&shared)));
        let host = Host { shared };
        tokio::spawn({
            let host = host.clone();
            async move {
                // Those who keep what is to be told or erased are all there then.
                host.loaded().await;
                if let Err(error) = host.shared.subjects.resume(&host.shared).await {
                    tracing::error!(%error, "what was begun for data subjects is not resumed");
                }
            }
        });
        Ok(host)
    }
}

fn names_of_services(services: &BTreeMap<String, ServiceOptions>) -> BTreeMap<String, String> {
    let owner = |name: &String| format!("the service `services.{name}` in the configuration");
    services.keys().map(|name| (name.clone(), owner(name))).collect()
}

/// Writes down now and then when API keys were used last, for as long as the host lives.
async fn remember_use_of_keys(host: Weak<Shared>) {
    loop {
        tokio::time::sleep(USE_OF_KEYS_INTERVAL).await;
        let Some(host) = host.upgrade() else { return };
        host.write_use_of_keys().await;
    }
}

fn open_store(data: Option<&Path>) -> Result<Sqlite, Error> {
    let options = match data {
        Some(data) => sqlite::Options::directory(data.join(DATABASES)),
        None => sqlite::Options::temporary(),
    };
    Ok(Sqlite::open(options)?)
}

fn follow(runtime: &Runtime, path: PathBuf) -> Result<Folder, Error> {
    let failed = |reason| Error::Folder { path: path.clone(), reason };
    std::fs::create_dir_all(&path).map_err(failed)?;
    runtime.follow(path.clone()).map_err(failed)
}

impl Host {
    /// Begins to make a host.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            config: Config::default(),
            data: None,
            plugins: None,
            secrets_key: None,
            cache: None,
            compiler: Compiler::default(),
            store: None,
            authorizer: None,
            clock: Arc::new(SystemClock),
            interfaces: Vec::new(),
        }
    }

    /// The host as a router, to be served, nested or merged in an axum application. Nested, its
    /// answers name the paths that the outside sees; behind a proxy that takes a path away, or below
    /// a pattern such as `/{tenant}`, that is for [`crate::config::Public::base_path`] to say.
    pub fn router(&self) -> axum::Router {
        axum::Router::new().fallback_service(self.clone())
    }

    /// Serves one request without a socket.
    pub async fn handle<B>(&self, request: Request<B>) -> Answered
    where
        B: RequestBody,
    {
        request::respond(&self.shared, request, None).await
    }

    /// Loads, removes and lists plugins.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.shared.runtime
    }

    /// The outside services, by name, as they are now.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceStatus> {
        self.shared.gateway.statuses()
    }

    /// A token that this host takes, valid for `ttl`.
    ///
    /// # Errors
    /// The claim that is not allowed.
    pub fn issue_token(&self, claims: &Claims, ttl: Duration) -> Result<String, token::Refused> {
        self.shared.tokens.issue(claims, ttl)
    }

    /// Waits until the plugin folder has been read for the first time. Components that take longer to
    /// compile than `engine.compile_wait_ms` are not waited for.
    pub async fn ready(&self) {
        if let Some(folder) = &self.shared.folder {
            folder.first_scan().await;
        }
        self.shared.enter(Phase::Starting, Phase::Ready);
    }

    /// Waits until the host is ready and no plugin is on its way any more, however long compiling takes.
    pub async fn loaded(&self) {
        self.ready().await;
        self.shared.runtime.arrived().await;
    }

    /// Tells those who ask at `/readyz` to send no more requests. Requests that come are served.
    pub fn begin_draining(&self) {
        self.shared.phase.store(Phase::Draining as u8, Ordering::Relaxed);
        self.shared.gateway.stop();
    }

    /// Ends the host: takes no new calls, waits for those that run, at most `grace`, and closes the
    /// databases. Returns whether all finished in time. May be called more than once.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        self.begin_draining();
        let drained = self.shared.runtime.shutdown(grace).await;
        self.close().await;
        drained
    }

    /// As [`Self::shutdown`], for a host that another process is to replace on the same data directory:
    /// `/readyz` goes on saying what it said, streams of outside services, and of components of `wasi:http`
    /// that keep no data, go on as long as their connections do, and the directory is unlocked.
    pub async fn release(&self, grace: Duration) -> bool {
        let drained = self.shared.runtime.hand_over(grace).await;
        self.close().await;
        drained
    }

    async fn close(&self) {
        self.shared.write_use_of_keys().await;
        self.shared.runtime.database().close().await;
        if let Some(Err(error)) = self.shared.own_store.as_ref().map(Sqlite::release) {
            tracing::error!(%error, "no other host can have the databases while this one lives");
        }
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }
}

impl Phase {
    /// The word for it in answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

impl Shared {
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    async fn write_use_of_keys(&self) {
        if let Err(error) = self.api_keys.flush().await {
            tracing::warn!(%error, "when API keys were used last could not be written down");
        }
    }

    fn enter(&self, from: Phase, to: Phase) {
        let order = Ordering::Relaxed;
        // It fails when the host has gone further meanwhile, which is then what counts.
        let _gone_further = self.phase.compare_exchange(from as u8, to as u8, order, order);
    }
}

impl<B> tower::Service<Request<B>> for Host
where
    B: RequestBody,
{
    type Response = Answered;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let host = self.clone();
        Box::pin(async move { Ok(host.handle(request).await) })
    }
}
