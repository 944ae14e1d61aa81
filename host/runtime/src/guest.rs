//! What a store holds beside its instance: the invocation it serves, the plugin's context, its
//! limits, and the WASI state with nothing behind it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_store::{Database, Tag};
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::WasiCtx;

use crate::back_row::BackRow;
use crate::clock::Clock;
use crate::cpu_share::Share;
use crate::identity::Authorizer;
use crate::invocation::Invocation;
use crate::limits::Limits;
use crate::log::LogGate;
use crate::memory::{MemoryLimiter, PluginMemory};
use crate::meter::Meter;
use crate::metrics::PluginMetrics;
use crate::redaction::Redaction;
use crate::redirect::Redirects;
use crate::rights::Revoked;
use crate::settings::Settings;
use crate::wasi;
use crate::wasi_http::Outbound;

/// The functions that a copy of a request is served: they leave nothing behind. What is not listed here,
/// such as every function of the application, is refused to it.
const WITHOUT_EFFECT: [&str; 4] = ["clock", "identity", "random", "settings"];

/// What all instances of a generation share.
pub(crate) struct Context {
    pub(crate) plugin: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) settings: Settings,
    pub(crate) redirects: Redirects,
    pub(crate) outbound: Outbound,
    pub(crate) database: Option<Arc<dyn Database>>,
    /// Under which its statements are recorded, for the next version to be held against.
    pub(crate) statements: Option<Tag>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memory: Arc<PluginMemory>,
    pub(crate) log: Arc<LogGate>,
    pub(crate) metrics: Arc<PluginMetrics>,
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) redaction: Arc<Redaction>,
    pub(crate) share: Arc<Share>,
    pub(crate) back_row: Arc<BackRow>,
    /// A call that takes as long is told in the log.
    pub(crate) slow_call: Option<Duration>,
}

/// Why the host ended a guest call. Raised as a trap, so it is never shown to the guest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("CPU time used up")]
    Cpu,
    #[error("wall time used up")]
    Wall,
    #[error("too many host calls")]
    HostCalls,
    #[error("`{0}` is not served while a plugin describes itself")]
    Describing(String),
    #[error("`{0}` may have an effect, and is not served to a copy of a request")]
    Copy(String),
    #[error("its right to `{0}` was revoked")]
    Revoked(String),
    #[error("asked for {0} random bytes in one call; the limit is {1}")]
    Random(u32, u32),
    #[error("{0}")]
    Application(String),
    #[error("{0}")]
    Store(caplet_store::Error),
}

/// The data of one store.
pub(crate) struct Guest {
    pub(crate) context: Arc<Context>,
    pub(crate) invocation: Invocation,
    pub(crate) limiter: MemoryLimiter,
    pub(crate) meter: Arc<Meter>,
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
}

impl Guest {
    /// A store for one instance, with every limit set.
    pub(crate) fn store(
        engine: &Engine,
        context: Arc<Context>,
        invocation: Invocation,
    ) -> Store<Self> {
        let guest = Self::new(context, invocation);
        Self::store_of(engine, guest, |guest| guest)
    }

    /// A store for one instance, with every limit set, whose data hold a guest somewhere.
    pub(crate) fn store_of<T: Send + 'static>(
        engine: &Engine,
        data: T,
        guest: fn(&mut T) -> &mut Self,
    ) -> Store<T> {
        let mut store = Store::new(engine, data);
        let limits = &guest(store.data_mut()).context.limits;
        let (host_call_bytes_max, handles_max) = (limits.host_call_bytes_max, limits.handles_max);
        store.limiter(move |data| &mut guest(data).limiter);
        store.set_hostcall_fuel(host_call_bytes_max);
        store.set_max_component_handles(handles_max);
        store.epoch_deadline_callback(move |mut context| guest(context.data_mut()).tick());
        store
    }

    pub(crate) fn new(context: Arc<Context>, invocation: Invocation) -> Self {
        let limits = &context.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles_max);
        Self {
            limiter: MemoryLimiter::new(context.memory.clone(), limits),
            wasi: wasi::context(&context),
            meter: Arc::new(Meter::new(context.share.clone())),
            invocation,
            table,
            context,
        }
    }

    /// Begins an invocation: from now on the tick and the host functions hold it to its limits.
    pub(crate) fn begin(&mut self, invocation: Invocation) {
        self.meter.reset();
        self.limiter.take_refused();
        self.limiter.has_started();
        self.invocation = invocation;
    }

    /// Called at every host function of the contract: counts it against the invocation.
    pub(crate) fn enter(&mut self) -> Result<(), wasmtime::Error> {
        self.invocation.n_host_calls += 1;
        match self.over() {
            Some(stop) => Err(wasmtime::Error::new(stop)),
            None => Ok(()),
        }
    }

    /// Like [`Self::enter`], for functions that are not served while the plugin describes itself.
    pub(crate) fn enter_serving(&mut self, function: &str) -> Result<(), wasmtime::Error> {
        if self.invocation.describing {
            return Err(wasmtime::Error::new(Stop::Describing(function.to_owned())));
        }
        if self.invocation.is_copy && !WITHOUT_EFFECT.contains(&function) {
            return Err(wasmtime::Error::new(Stop::Copy(function.to_owned())));
        }
        if self.is_denied(function) {
            return Err(wasmtime::Error::new(Stop::Revoked(function.to_owned())));
        }
        self.enter()
    }

    /// Whether the right was revoked, which is then written down.
    pub(crate) fn is_denied(&self, right: &str) -> bool {
        let context = &self.context;
        let is_denied = context.revoked.has(right);
        if is_denied {
            context.revoked.denied(right, &self.invocation.request_id, context.clock.now_ms());
        }
        is_denied
    }

    /// The limit that the invocation is over, of those that need no tick.
    fn over(&self) -> Option<Stop> {
        if self.invocation.n_host_calls > self.context.limits.host_calls_max {
            return Some(Stop::HostCalls);
        }
        (Instant::now() >= self.invocation.deadline).then_some(Stop::Wall)
    }

    /// Called each tick while the guest runs: lets others run, or ends it.
    fn tick(&mut self) -> Result<UpdateDeadline, wasmtime::Error> {
        if let Some(stop) = self.over() {
            return Err(wasmtime::Error::new(stop));
        }
        if self.meter.tick(self.invocation.cpu_budget) {
            return Err(wasmtime::Error::new(Stop::Cpu));
        }
        Ok(UpdateDeadline::YieldCustom(1, self.pause()))
    }

    /// Lets others run; a guest that runs long, or whose plugin does, waits for its turn, too.
    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if !self.meter.runs_long() && !self.meter.is_greedy() {
            return Box::pin(tokio::task::yield_now());
        }
        let (meter, deadline) = (self.meter.clone(), self.invocation.deadline);
        Box::pin(async move {
            tokio::task::yield_now().await;
            // Without a turn in time it is ended at the next tick: its deadline is over.
            meter.take_turn(deadline).await;
        })
    }
}
