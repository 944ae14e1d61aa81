//! One instance of a component in a store of its own, and the warm ones that wait for work.
//!
//! Invariant: an instance whose call trapped, or was ended, is never used again.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_abi::exports::{guest, health, http_handler, subject_data};
use caplet_abi::{Description, Request, Response};
use caplet_store as store;
use parking_lot::Mutex;
use wasmtime::component::{self, InstancePre};
use wasmtime::{Engine, Store, Trap};

use crate::fault::Fault;
use crate::guest::{Context, Guest, Stop};
use crate::invocation::Invocation;
use crate::memory::Refused;
use crate::meter::{Meter, Metered};
use crate::metrics::PluginMetrics;
use crate::room::CROWDED;

/// How much an instance may grow over its calls and still be kept. Linear memory never shrinks: a
/// guest that once needed much would hold on to it while idle, at the cost of the running ones.
const KEPT_GROWTH_BYTES_MAX: usize = 8 << 20;

/// An instance whose start took as much CPU time is not dropped when it is the last one that waits: the
/// first call after a quiet time would pay for an interpreter's start.
const KEPT_START_CPU_MIN: Duration = Duration::from_millis(2);

/// A component that is compiled, linked and ready to be instantiated.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) engine: Engine,
    pub(crate) component: InstancePre<Guest>,
    guest: guest::GuestIndices,
    http_handler: Option<http_handler::GuestIndices>,
    subject_data: Option<subject_data::GuestIndices>,
    health: Option<health::GuestIndices>,
}

impl Template {
    /// # Errors
    /// Why the component's `guest` export does not have the contract's type.
    pub(crate) fn new(engine: &Engine, component: InstancePre<Guest>) -> wasmtime::Result<Self> {
        let guest = guest::GuestIndices::new(&component)?;
        let http_handler = http_handler::GuestIndices::new(&component).ok();
        let subject_data = subject_data::GuestIndices::new(&component).ok();
        let health = health::GuestIndices::new(&component).ok();
        Ok(Self { engine: engine.clone(), component, guest, http_handler, subject_data, health })
    }

    /// Whether it can serve routes.
    pub(crate) fn handles_http(&self) -> bool {
        self.http_handler.is_some()
    }

    /// How to ask the component whether it is well, if it answers to that.
    pub(crate) fn health(&self) -> Option<&health::GuestIndices> {
        self.health.as_ref()
    }

    /// How to call the component about the personal data it keeps, if it answers for them.
    pub(crate) fn subject_data(&self) -> Option<&subject_data::GuestIndices> {
        self.subject_data.as_ref()
    }
}

/// A guest function that runs.
pub(crate) type GuestCall<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>;

/// An instance and its store.
pub(crate) struct Instance {
    store: Store<Guest>,
    instance: component::Instance,
    http_handler: Option<http_handler::Guest>,
    n_calls: u32,
    /// CPU time that its start took.
    start_cpu: Duration,
    /// Linear memory before the first call.
    bytes_at_start: usize,
    /// Counts the instance while it lives.
    _alive: Alive,
}

impl Instance {
    /// Makes an instance, which runs the component's start functions, for `invocation`.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the pool or the plugin's memory is used up, else why the start failed.
    pub(crate) async fn start(
        template: &Template,
        context: Arc<Context>,
        invocation: Invocation,
    ) -> Result<Self, Fault> {
        let alive = Alive::new(context.metrics.clone());
        let mut store = Guest::store(&template.engine, context, invocation);
        store.set_epoch_deadline(1);
        let meter = store.data().meter.clone();
        let started =
            Metered::new(Box::pin(template.component.instantiate_async(&mut store)), meter).await;
        let instance = started.map_err(|error| start_fault(store.data_mut(), &error))?;
        let http_handler = match &template.http_handler {
            Some(indices) => Some(
                indices
                    .load(&mut store, &instance)
                    .map_err(|error| Fault::Trap(format!("{error:#}")))?,
            ),
            None => None,
        };
        let start_cpu = store.data().meter.used();
        let bytes_at_start = store.data().limiter.held_bytes();
        Ok(Self {
            store,
            instance,
            http_handler,
            n_calls: 0,
            start_cpu,
            bytes_at_start,
            _alive: alive,
        })
    }

    /// What the plugin says of itself.
    pub(crate) async fn describe(
        template: &Template,
        context: Arc<Context>,
        invocation: Invocation,
    ) -> Result<Description, Fault> {
        let mut store = Guest::store(&template.engine, context, invocation);
        store.set_epoch_deadline(1);
        let meter = store.data().meter.clone();
        let run = Box::pin(async {
            let instance = template.component.instantiate_async(&mut store).await?;
            template.guest.load(&mut store, &instance)?.call_describe(&mut store).await
        });
        let described = Metered::new(run, meter).await;
        described.map_err(|error| start_fault(store.data_mut(), &error))
    }

    /// Begins to serve `invocation`.
    pub(crate) fn begin(&mut self, invocation: Invocation) {
        self.store.set_epoch_deadline(1);
        self.store.data_mut().begin(invocation);
        self.n_calls += 1;
    }

    /// Runs the request handler for the invocation that was begun. It is loaded with the instance,
    /// because loading costs as much as a small request.
    pub(crate) async fn handle(&mut self, request: &Request) -> Result<Response, Fault> {
        let meter = self.begin_turn().await?;
        let Some(handler) = &self.http_handler else {
            return Err(Fault::Missing("http-handler"));
        };
        let answered = {
            let call = pin!(handler.call_handle(&mut self.store, request));
            Metered::new(call, meter).await
        };
        answered.map_err(|error| fault(self.store.data_mut(), &error))
    }

    /// Runs a function of any other export for the invocation that was begun.
    pub(crate) async fn call<T>(
        &mut self,
        run: impl for<'a> FnOnce(&'a mut Store<Guest>, &'a component::Instance) -> GuestCall<'a, T>,
    ) -> Result<T, Fault> {
        let meter = self.begin_turn().await?;
        let call = run(&mut self.store, &self.instance);
        let answered = Metered::new(call, meter).await;
        answered.map_err(|error| fault(self.store.data_mut(), &error))
    }

    /// Waits for a turn, where the plugin has to take one before a call begins. Nothing may be waited
    /// for between this and the call: the turn would be kept from others meanwhile.
    async fn begin_turn(&mut self) -> Result<Arc<Meter>, Fault> {
        let guest = self.store.data();
        let (meter, deadline) = (guest.meter.clone(), guest.invocation.deadline);
        // What is rare is put aside, so that the common way stays small.
        if meter.is_greedy() && !Box::pin(meter.take_turn(deadline)).await {
            return Err(Fault::Busy("waited too long for its turn on the processors"));
        }
        Ok(meter)
    }

    /// The invocation being served.
    pub(crate) fn invocation(&mut self) -> &mut Invocation {
        &mut self.store.data_mut().invocation
    }

    /// CPU time of the invocation being served.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.store.data().meter.used()
    }
}

/// An instance that may be kept for another call.
pub(crate) trait Reusable {
    /// What its store holds.
    fn guest(&mut self) -> &mut Guest;

    fn n_calls(&self) -> u32;

    /// CPU time that its start took.
    fn start_cpu(&self) -> Duration;

    /// Linear memory before the first call, in bytes.
    fn bytes_at_start(&self) -> usize;

    /// Whether its calls made it so large that a new instance is the better one to keep.
    fn has_outgrown(&mut self) -> bool {
        let (held_bytes, at_start) = (self.guest().limiter.held_bytes(), self.bytes_at_start());
        held_bytes.saturating_sub(at_start) > KEPT_GROWTH_BYTES_MAX
    }
}

impl Reusable for Instance {
    fn guest(&mut self) -> &mut Guest {
        self.store.data_mut()
    }

    fn n_calls(&self) -> u32 {
        self.n_calls
    }

    fn start_cpu(&self) -> Duration {
        self.start_cpu
    }

    fn bytes_at_start(&self) -> usize {
        self.bytes_at_start
    }
}

/// Why a start failed. A pool or a memory account that is used up is load, not the plugin's fault.
pub(crate) fn start_fault(guest: &mut Guest, error: &wasmtime::Error) -> Fault {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Fault::Busy("all instances of the host are in use");
    }
    let is_stopped = error.downcast_ref::<Stop>().is_some();
    match guest.limiter.take_refused().filter(|_| !is_stopped) {
        Some(Refused::Crowded) => CROWDED,
        Some(refused) => Fault::Memory(refused.to_string()),
        None => fault(guest, error),
    }
}

/// Why a call failed, from what the engine says and what the host noted.
pub(crate) fn fault(guest: &mut Guest, error: &wasmtime::Error) -> Fault {
    let limits = &guest.context.limits;
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Cpu => {
                Fault::Cpu(guest.invocation.cpu_budget.as_millis().try_into().unwrap_or(u64::MAX))
            }
            Stop::Wall => Fault::Wall(limits.wall_ms_max),
            Stop::HostCalls => Fault::HostCalls(limits.host_calls_max),
            Stop::Store(error) => Fault::Store(error.clone()),
            Stop::Application(reason) => Fault::Application(reason.clone()),
            Stop::Revoked(right) => Fault::Revoked(right.clone()),
            Stop::Describing(_) | Stop::Copy(_) | Stop::Random(..) => Fault::Trap(stop.to_string()),
        };
    }
    let reason = reason(error);
    match guest.limiter.take_refused() {
        // What the others left was not enough for it to grow: that is load, and not its fault.
        Some(Refused::Crowded) => CROWDED,
        Some(refused) => Fault::Memory(format!("{reason}; {refused}")),
        None => Fault::Trap(reason),
    }
}

/// The trap and the guest's innermost functions, in one line.
fn reason(error: &wasmtime::Error) -> String {
    const FRAMES_MAX: usize = 6;
    let what = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let frames: Vec<String> = error
        .downcast_ref::<wasmtime::WasmBacktrace>()
        .map(|backtrace| {
            let names = backtrace.frames().iter().filter_map(|frame| frame.func_name());
            names
                .take(FRAMES_MAX)
                .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
                .collect()
        })
        .unwrap_or_default();
    if frames.is_empty() { what } else { format!("{what} (in {})", frames.join(" < ")) }
}

/// Keeps the gauge of living instances.
pub(crate) struct Alive(Arc<PluginMetrics>);

impl Alive {
    pub(crate) fn new(metrics: Arc<PluginMetrics>) -> Self {
        metrics.instances.inc();
        Self(metrics)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.instances.dec();
    }
}

/// Whether instances are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reuse {
    /// What the component expects: `fresh` for one of `wasi:http` 0.2, `warm` for all others.
    #[default]
    Usual,
    /// An instance serves many invocations, one after the other.
    Warm,
    /// Each invocation gets an instance of its own, which is dropped after it: nothing a guest
    /// leaves in memory is there for the next caller.
    Fresh,
}

/// The instances of one generation that wait for work. The last one used is the first to be used
/// again, so that a quiet plugin's spare ones grow old and go.
pub(crate) struct WarmInstances<I> {
    idle: Mutex<Vec<Idle<I>>>,
    is_reused: bool,
    reuse_max: u32,
}

struct Idle<I> {
    instance: I,
    since: Instant,
}

impl<I: Reusable> WarmInstances<I> {
    pub(crate) fn new(is_reused: bool, reuse_max: u32) -> Self {
        Self { idle: Mutex::new(Vec::new()), is_reused, reuse_max }
    }

    pub(crate) fn take(&self) -> Option<I> {
        self.idle.lock().pop().map(|idle| idle.instance)
    }

    /// Takes back an instance whose call ended well. It holds nothing of its caller while it is idle.
    pub(crate) fn put_back(&self, mut instance: I) {
        let is_kept =
            self.is_reused && instance.n_calls() < self.reuse_max && !instance.has_outgrown();
        if is_kept {
            instance.guest().invocation.end();
            self.idle.lock().push(Idle { instance, since: Instant::now() });
        }
    }

    /// How many wait.
    pub(crate) fn n_idle(&self) -> usize {
        self.idle.lock().len()
    }

    /// Drops those that nobody used for `idle_time_max`, but for one that was started at some cost.
    pub(crate) fn trim(&self, idle_time_max: Duration) {
        let mut idle = self.idle.lock();
        let mut old = idle.iter().take_while(|it| it.since.elapsed() >= idle_time_max).count();
        let is_dear = |it: &Idle<I>| it.instance.start_cpu() >= KEPT_START_CPU_MIN;
        if old == idle.len() && idle.last().is_some_and(is_dear) {
            old -= 1;
        }
        let dropped: Vec<Idle<I>> = idle.drain(..old).collect();
        drop(idle);
        drop(dropped);
    }
}

/// Whether the store asked for the whole invocation to be run again.
pub(crate) fn asks_for_retry(fault: &Fault) -> bool {
    matches!(fault, Fault::Store(store::Error::Retry(_)))
}
