//! A runtime with one guest in it, and requests to it without a socket. Changes of the guest are in
//! [`changes`].

pub mod changes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use caplet_runtime::{
    Answer, Call, EngineOptions, FakeClock, Fault, Generation, HostInterface, Identity, Kind,
    Limits, LoadError, Options, PluginOptions, RolePermissions, RouteMatch, Runtime,
    UpgradeOptions,
};
use caplet_store::sqlite::{self, Sqlite};
use caplet_tests::PATIENCE;
use http::Method;
use serde_json::Value;

/// What the clock shows at first, in milliseconds.
const START_MS: u64 = 1_700_000_000_000;

/// Between two looks at what gives no sign when it changes.
const PAUSE: Duration = Duration::from_millis(5);

/// A runtime in which one plugin is loaded.
pub struct Rig {
    pub runtime: Runtime,
    pub clock: Arc<FakeClock>,
    pub plugin: String,
}

/// What a rig is made with.
#[derive(Default)]
pub struct Setup {
    pub limits: Limits,
    pub plugin: PluginOptions,
    pub roles: BTreeMap<String, Vec<String>>,
    pub interfaces: Vec<HostInterface>,
    pub upgrade: UpgradeOptions,
    /// Where components and databases are kept, for tests that start a host again.
    pub kept: Option<PathBuf>,
}

impl Setup {
    /// A runtime without any plugin, for one of that name.
    pub async fn empty(self, plugin: &str) -> Rig {
        let clock = Arc::new(FakeClock::new(START_MS));
        let place = match &self.kept {
            Some(kept) => sqlite::Options::directory(kept.join("databases")),
            None => sqlite::Options::temporary(),
        };
        let store = Sqlite::open(place).expect("the store opens");
        let options = Options {
            limits: self.limits,
            plugins: BTreeMap::from([(plugin.to_owned(), self.plugin)]),
            authorizer: Arc::new(RolePermissions::new(self.roles)),
            clock: clock.clone(),
            interfaces: self.interfaces,
            upgrade: self.upgrade,
            engine: EngineOptions { compile_wait_ms: 300_000, ..EngineOptions::default() },
            secrets_key: self.kept.as_ref().map(|kept| kept.join("secrets.key")),
            components: self.kept.map(|kept| kept.join("components")),
            ..Options::new(Arc::new(store))
        };
        let runtime = options.start().await.expect("the engine starts");
        Rig { runtime, clock, plugin: plugin.to_owned() }
    }

    /// A runtime with the guest of that name, or why it does not load.
    pub async fn try_load(self, guest: &str) -> Result<Rig, LoadError> {
        let rig = self.empty(guest).await;
        let plugin = rig.runtime.load(bytes_of(guest)).await?.name().to_owned();
        Ok(Rig { plugin, ..rig })
    }

    /// A runtime that serves what the one before it served at the same place.
    pub async fn restore(self, plugin: &str) -> Rig {
        let rig = self.empty(plugin).await;
        assert!(rig.runtime.restore().await.is_empty(), "something is not restored");
        rig
    }

    /// A runtime with the guest of that name.
    pub async fn load(self, guest: &str) -> Rig {
        self.try_load(guest).await.unwrap_or_else(|error| panic!("{guest}: {error}"))
    }
}

/// Limits under which the processor's time alone ends a call. On a busy machine it may take a hundred times as
/// long by the clock on the wall.
pub fn ended_by_cpu(cpu_ms_max: u64) -> Limits {
    Limits { cpu_ms_max, wall_ms_max: 600_000, ..Limits::default() }
}

/// Limits under which the clock on the wall alone ends a call.
pub fn ended_by_wall(wall_ms_max: u64) -> Limits {
    Limits { wall_ms_max, cpu_ms_max: 600_000, ..Limits::default() }
}

/// The component of a guest.
pub fn bytes_of(guest: &str) -> Vec<u8> {
    std::fs::read(caplet_tests::guest_path(guest)).expect("the guest can be read")
}

/// A request in the making.
pub struct Ask {
    generation: Arc<Generation>,
    call: Call,
}

impl Rig {
    /// The default set-up.
    pub async fn with(guest: &str) -> Self {
        Setup::default().load(guest).await
    }

    pub fn generation(&self) -> Arc<Generation> {
        self.runtime.table().get(&self.plugin).expect("the plugin is loaded").clone()
    }

    /// A request to a path with its query, such as `/query?sql=…`; values are not percent-encoded.
    pub fn ask(&self, method: Method, target: &str) -> Ask {
        Ask::to(self.generation(), method, target)
    }

    pub async fn get(&self, target: &str) -> Result<Answer, Fault> {
        self.ask(Method::GET, target).send().await
    }

    pub async fn post(&self, target: &str) -> Result<Answer, Fault> {
        self.ask(Method::POST, target).send().await
    }

    /// Runs a statement in a writing invocation of the `storage` guest.
    pub async fn query(&self, sql: &str) -> Value {
        let body = serde_json::json!({ "sql": sql, "parameters": [] });
        let answer = self.ask(Method::POST, "/query").body(body.to_string()).send().await;
        json(&answer.expect("the guest answers"))
    }

    /// What the metrics say of a family with these labels.
    pub fn counted(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        let families = self.runtime.metrics().gather();
        let metrics =
            families.iter().filter(|it| it.name() == family).flat_map(|it| it.get_metric());
        let fits = |metric: &&caplet_runtime::prometheus::proto::Metric| {
            labels.iter().all(|(name, value)| {
                metric.get_label().iter().any(|it| it.name() == *name && it.value() == *value)
            })
        };
        metrics
            .filter(fits)
            .map(|it| it.get_counter().get_value() + it.get_gauge().get_value())
            .sum()
    }

    /// How often the plugin reached a limit.
    pub fn limit_hits(&self, limit: &str) -> f64 {
        self.counted(
            "caplet_limit_hits_total",
            &[("plugin", self.plugin.as_str()), ("limit", limit)],
        )
    }
}

impl Ask {
    /// A request to a generation.
    pub fn to(generation: Arc<Generation>, method: Method, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let RouteMatch::Found(matched) = generation.route(&method, path) else {
            panic!("there is no route for {method} {path}");
        };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').expect("a name and a value");
            (name.to_owned(), value.to_owned())
        };
        let call = Call {
            request_id: "request".into(),
            trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
            identity: None,
            tenant: "default".into(),
            route: matched.route,
            method,
            path: path.to_owned(),
            parameters: matched.parameters,
            query: query.split('&').filter(|it| !it.is_empty()).map(pair).collect(),
            headers: Vec::new(),
            body: Bytes::new(),
            idempotency_key: None,
        };
        Ask { generation, call }
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.call.body = body.into();
        self
    }

    pub fn key(mut self, key: &str) -> Self {
        self.call.idempotency_key = Some(key.to_owned());
        self
    }

    pub fn caller(mut self, subject: &str, tenant: &str, roles: &[&str]) -> Self {
        self.call.tenant = tenant.into();
        self.call.identity = Some(Arc::new(Identity {
            subject: subject.to_owned(),
            kind: Kind::User,
            tenant: tenant.into(),
            roles: roles.iter().map(ToString::to_string).collect(),
            teams: Vec::new(),
            scopes: Vec::new(),
        }));
        self
    }

    /// The call alone.
    pub fn call(self) -> Call {
        self.call
    }

    pub async fn send(self) -> Result<Answer, Fault> {
        self.generation.invoke(self.call).await
    }
}

/// The body as JSON.
pub fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("the body is JSON")
}

/// The body as text.
pub fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).expect("the body is text")
}

/// Waits for what is known to come.
pub async fn in_time<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, coming).await;
    came.unwrap_or_else(|_| panic!("it never came: {what}"))
}

/// Looks for something until it is there.
pub async fn found<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        let mut pause = tokio::time::interval(PAUSE);
        loop {
            pause.tick().await;
            if let Some(it) = look().await {
                return it;
            }
        }
    };
    in_time(what, looking).await
}

/// Looks until it is so.
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    found(what, async || is_so().await.then_some(())).await
}
