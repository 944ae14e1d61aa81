//! One instance of a component of `wasi:http`, which serves one request at a time.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;
use wasmtime::component::Accessor;
use wasmtime::{Store, error::Context as _};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p3::Request as ServiceRequest;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::outbound::Sender;
use super::program::{Handler, Program};
use crate::fault::Fault;
use crate::guest::{Context, Guest};
use crate::instance::{Alive, Reusable, fault, start_fault};
use crate::invocation::Invocation;
use crate::meter::Metered;
use crate::wasi::HoldsGuest;

/// The data of a store.
pub(crate) struct HttpGuest {
    pub(super) guest: Guest,
    http: WasiHttpCtx,
    sender: Sender,
}

impl HoldsGuest for HttpGuest {
    fn guest(&mut self) -> &mut Guest {
        &mut self.guest
    }
}

impl WasiView for HttpGuest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.guest.ctx()
    }
}

impl WasiHttpView for HttpGuest {
    /// Every call of `wasi:http` passes here, and is counted like those of WASI.
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let invocation = &mut self.guest.invocation;
        invocation.n_host_calls = invocation.n_host_calls.saturating_add(1);
        WasiHttpCtxView {
            hooks: &mut self.sender,
            table: &mut self.guest.table,
            ctx: &mut self.http,
        }
    }
}

/// What a guest answers: the head now, the body while it comes.
pub(super) type GuestAnswer = wasmtime::Result<http::Response<WasiBody>>;

/// An instance and its store.
pub(crate) struct HttpInstance {
    store: Store<HttpGuest>,
    exports: Exports,
    n_calls: u32,
    /// CPU time that its start took.
    start_cpu: Duration,
    bytes_at_start: usize,
    /// Counts the instance while it lives.
    _alive: Alive,
}

enum Exports {
    Incoming(Proxy),
    Service(Service),
}

impl Reusable for HttpInstance {
    fn guest(&mut self) -> &mut Guest {
        &mut self.store.data_mut().guest
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

impl HttpInstance {
    /// Makes an instance, which runs the component's start functions, for `invocation`.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the pool or the plugin's memory is used up, else why the start failed.
    pub(super) async fn start(
        program: &Program,
        context: Arc<Context>,
        invocation: Invocation,
    ) -> Result<Self, Fault> {
        let alive = Alive::new(context.metrics.clone());
        let data = HttpGuest {
            sender: Sender::new(context.clone()),
            guest: Guest::new(context, invocation),
            http: WasiHttpCtx::new(),
        };
        let mut store = Guest::store_of(&program.engine, data, |data| &mut data.guest);
        store.set_epoch_deadline(1);
        let meter = store.data().guest.meter.clone();
        let started = Metered::new(Box::pin(exports(program, &mut store)), meter).await;
        let exports = started.map_err(|error| start_fault(store.data_mut().guest(), &error))?;
        let start_cpu = store.data().guest.meter.used();
        let bytes_at_start = store.data().guest.limiter.held_bytes();
        Ok(Self { store, exports, n_calls: 0, start_cpu, bytes_at_start, _alive: alive })
    }

    /// Begins to serve `invocation`.
    pub(super) fn begin(&mut self, invocation: Invocation) {
        self.store.set_epoch_deadline(1);
        let data = self.store.data_mut();
        data.sender.begin(&invocation);
        data.guest.begin(invocation);
        self.n_calls += 1;
    }

    /// Gives the guest a request, and runs it until it has nothing more to do; `answer` gets the head as
    /// soon as it is there.
    ///
    /// # Errors
    /// Why the guest was ended, or trapped. The instance must not be used again.
    pub(super) async fn serve(
        &mut self,
        request: http::Request<WasiBody>,
        answer: oneshot::Sender<GuestAnswer>,
    ) -> Result<(), Fault> {
        let meter = self.store.data().guest.meter.clone();
        let deadline = self.store.data().guest.invocation.deadline;
        if meter.is_greedy() && !Box::pin(meter.take_turn(deadline)).await {
            return Err(Fault::Busy("waited too long for its turn on the processors"));
        }
        let served = {
            let run = pin!(run(&mut self.store, &self.exports, request, answer));
            Metered::new(run, meter).await
        };
        served.map_err(|error| fault(self.store.data_mut().guest(), &error))
    }
}

async fn exports(program: &Program, store: &mut Store<HttpGuest>) -> wasmtime::Result<Exports> {
    Ok(match &program.handler {
        Handler::Incoming(proxy) => Exports::Incoming(proxy.instantiate_async(store).await?),
        Handler::Service(service) => Exports::Service(service.instantiate_async(store).await?),
    })
}

async fn run(
    store: &mut Store<HttpGuest>,
    exports: &Exports,
    request: http::Request<WasiBody>,
    answer: oneshot::Sender<GuestAnswer>,
) -> wasmtime::Result<()> {
    match exports {
        Exports::Incoming(proxy) => handle_incoming(store, proxy, request, answer).await,
        Exports::Service(service) => {
            let served = store
                .run_concurrent(async |accessor| handle(accessor, service, request, answer).await);
            served.await?
        }
    }
}

/// 0.2: the call goes on until the body is written.
async fn handle_incoming(
    store: &mut Store<HttpGuest>,
    proxy: &Proxy,
    request: http::Request<WasiBody>,
    answer: oneshot::Sender<GuestAnswer>,
) -> wasmtime::Result<()> {
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let answered = parking_lot::Mutex::new(Some(answer));
    let outparam = http.new_response_outparam_from_callback(move |response| {
        if let Some(answer) = answered.lock().take() {
            // Whoever asked may have gone.
            let _ = answer.send(response.map_err(Into::into));
        }
    })?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, outparam).await
}

/// 0.3: the call returns the answer, and the guest may go on, for instance with the body.
async fn handle(
    accessor: &Accessor<HttpGuest>,
    service: &Service,
    request: http::Request<WasiBody>,
    answer: oneshot::Sender<GuestAnswer>,
) -> wasmtime::Result<()> {
    let (request, received) = accessor.with(|mut store| {
        let (request, received) = ServiceRequest::from_http(store.get().http().hooks, request);
        let received: BoxFuture<'static, _> = Box::pin(received);
        (request, received)
    });
    let response = match service.handle(accessor, request).await? {
        Ok(response) => accessor
            .with(|mut store| response.into_http(&mut store, received))
            .context("its answer is not one of HTTP"),
        Err(code) => Err(code.into()),
    };
    let _ = answer.send(response);
    poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
    Ok(())
}
