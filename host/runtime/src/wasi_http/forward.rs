//! The way of a request to a component of `wasi:http` and of its answer back: a turn, an instance, the head
//! as soon as it is there, and the rest of the call behind it.
//!
//! The head must be there in the wall time of a call; the body may take as long as `stream_ms_max` allows,
//! and be as large as any answer. The call goes on to its end when whoever asked goes away, and is ended
//! when nobody reads what it writes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{Either, select};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::timeout_at;
use tracing::{Instrument, Span};
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use super::instance::{GuestAnswer, HttpInstance};
use super::program::Program;
use super::rest::Driven;
use crate::detached::Detached;
use crate::fault::Fault;
use crate::generation::{Admitted, Generation};
use crate::identity::Identity;
use crate::in_flight::Entered;
use crate::instance::Reusable;
use crate::invocation::{Invocation, StoreUse};
use crate::usage::Usage;
use crate::work::Origin;
use crate::{answer, load, slow_call, spans};

/// How long past its deadline a call may take to end by itself.
const GRACE: Duration = Duration::from_millis(100);

/// Why a body does not come to its end.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request or an answer.
pub type HttpBody = UnsyncBoxBody<Bytes, BodyError>;

/// A request to a component of `wasi:http`, after the server has routed and checked it.
#[derive(Debug)]
pub struct HttpCall {
    /// Names the request in logs and answers.
    pub request_id: Arc<str>,
    /// The W3C trace id, 32 hexadecimal digits.
    pub trace_id: Arc<str>,
    /// The verified caller, if there is one.
    pub identity: Option<Arc<Identity>>,
    /// The tenant: the caller's, or the default one.
    pub tenant: Arc<str>,
    /// The operation of the matched route.
    pub operation: String,
    /// What the component gets, as it gets it.
    pub request: Request<HttpBody>,
}

/// Where the outcome of a call goes.
type Outcome = Result<Response<HttpBody>, Fault>;

impl Generation {
    /// Gives a request to a component of `wasi:http`. Returns when the head of its answer is there; the body
    /// comes while it is read.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn forward(self: Arc<Self>, call: HttpCall) -> Outcome {
        let load::Program::WasiHttp(program) = &self.program else {
            return Err(Fault::Missing("wasi:http handler"));
        };
        let in_flight = self.in_flight.enter();
        let Admitted { probe, permit, waiting } = self.admit().await?;
        let (caller, request) = Caller::of(call);
        let span = spans::invocation(&self.context, &caller.operation, caller.origin());
        let (told, outcome) = oneshot::channel();
        let (back_row, is_greedy) = (self.context.back_row.clone(), self.context.share.is_greedy());
        let (program, unread) = (program.clone(), program.unread.clone());
        let generation = self.clone();
        let running = async move {
            drop(waiting);
            let told = (told, in_flight);
            let mut exchange = Exchange::new(&generation, caller, told, permit.waited);
            let ended = exchange.run(&program, request).await;
            generation
                .quarantine
                .settle(probe, ended.as_ref().err().filter(|_| exchange.is_blamed()));
            exchange.end(ended);
            drop(permit);
        };
        let running = running.instrument(span);
        let running = match is_greedy {
            true => Detached::back(running, back_row),
            false => Detached::here(running, back_row),
        };
        let told = match select(outcome, running).await {
            Either::Left((Ok(Ok(answer)), running)) => {
                let driven = |body| Driven::new(body, running, &unread).boxed_unsync();
                Ok(Ok(answer.map(driven)))
            }
            Either::Left((told, running)) => {
                tokio::spawn(running);
                told
            }
            Either::Right(((), told)) => told.await,
        };
        told.unwrap_or_else(|_| Err(Fault::Trap("it ended without an answer".to_owned())))
    }

    /// Starts an instance before there is a request for it.
    pub(crate) async fn warm_http(&self, program: &Program) -> Result<(), Fault> {
        let started = HttpInstance::start(program, self.context.clone(), self.starting()).await;
        started
            .map(|instance| self.http_instances.put_back(instance))
            .map_err(|fault| self.without_secrets(fault))
    }
}

/// Who asks for what: a call without its request.
struct Caller {
    request_id: Arc<str>,
    trace_id: Arc<str>,
    identity: Option<Arc<Identity>>,
    tenant: Arc<str>,
    operation: String,
}

impl Caller {
    fn of(call: HttpCall) -> (Self, Request<HttpBody>) {
        let HttpCall { request_id, trace_id, identity, tenant, operation, request } = call;
        (Self { request_id, trace_id, identity, tenant, operation }, request)
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            request_id: &self.request_id,
            trace_id: &self.trace_id,
            identity: self.identity.as_ref(),
            tenant: &self.tenant,
        }
    }
}

/// One request and its answer.
struct Exchange<'a> {
    generation: &'a Generation,
    caller: Caller,
    began: Instant,
    usage: Usage,
    /// Until the outcome is told.
    told: Option<oneshot::Sender<Outcome>>,
    /// What a host that ends waits for.
    _in_flight: Entered,
    /// How long the head took, and what it said, once it is there.
    head: Option<(Duration, StatusCode)>,
    /// Why there is no head.
    wrong: Option<Fault>,
    shared: Arc<Bodies>,
}

/// What is known of the bodies by those who read them.
#[derive(Default)]
struct Bodies {
    /// The call has failed: the body of its answer is not whole, even when it ends.
    is_cut: AtomicBool,
    /// The caller did not send its body to the end, or did not read the answer's: that a component breaks
    /// on it tells nothing of the component, and nobody may put it into quarantine by that.
    is_caller_gone: AtomicBool,
}

impl Bodies {
    /// Whether an answer that ends now is not what it would have been.
    fn is_broken(&self) -> bool {
        self.is_cut.load(Relaxed) || self.is_caller_gone.load(Relaxed)
    }
}

impl<'a> Exchange<'a> {
    fn new(
        generation: &'a Generation,
        caller: Caller,
        (told, in_flight): (oneshot::Sender<Outcome>, Entered),
        queue: Duration,
    ) -> Self {
        Self {
            generation,
            caller,
            began: Instant::now(),
            usage: Usage { queue, ..Usage::default() },
            told: Some(told),
            _in_flight: in_flight,
            head: None,
            wrong: None,
            shared: Arc::default(),
        }
    }

    /// Whether a fault tells something of the component.
    fn is_blamed(&self) -> bool {
        !self.shared.is_caller_gone.load(Relaxed)
    }

    /// Runs the call to its end.
    async fn run(&mut self, program: &Program, request: Request<HttpBody>) -> Result<(), Fault> {
        let generation = self.generation;
        let limits = generation.limits();
        let _leaving = generation.context.memory.room.leaving();
        let mut instance = self.instance(program).await?;
        let invocation = Invocation {
            deadline: self.began + limits.stream_time(),
            ..Invocation::serving(self.caller.origin(), STORE, self.began, limits)
        };
        let deadline = invocation.deadline;
        instance.begin(invocation);
        let (answer, answered) = oneshot::channel();
        let shared = self.shared.clone();
        let request = request.map(|body| of_caller(body, shared));
        let served = {
            let serving = Box::pin(instance.serve(request, answer));
            let head_deadline = self.began + limits.wall_time();
            let served = select(serving, timeout_at_head(answered, head_deadline)).await;
            match served {
                Either::Left((served, answered)) => {
                    // The head may have come with the end.
                    if let Some(Some(answer)) = futures::FutureExt::now_or_never(answered) {
                        self.answer(answer);
                    }
                    served
                }
                Either::Right((Some(answer), serving)) => {
                    self.answer(answer);
                    match timeout_at((deadline + GRACE).into(), serving).await {
                        Ok(served) => served,
                        Err(_) => Err(Fault::Wall(limits.stream_ms_max)),
                    }
                }
                Either::Right((None, _)) => Err(Fault::Wall(limits.wall_ms_max)),
            }
        };
        let guest = instance.guest();
        self.usage.cpu += guest.meter.used();
        self.usage.store.add(std::mem::take(&mut guest.invocation.store_usage));
        // Told before the instance is dropped, which ends what it had not written yet.
        self.shared.is_cut.store(served.is_err(), Relaxed);
        served?;
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        if self.head.is_none() {
            return Err(Fault::Answer("it gave none".to_owned()));
        }
        generation.http_instances.put_back(instance);
        Ok(())
    }

    async fn instance(&mut self, program: &Program) -> Result<HttpInstance, Fault> {
        let generation = self.generation;
        let start =
            || HttpInstance::start(program, generation.context.clone(), generation.starting());
        let (instance, waited) = generation.find(&generation.http_instances, start).await?;
        self.usage.queue += waited;
        self.began += waited;
        Ok(instance)
    }

    /// Passes the head on, or keeps what is wrong until the call has ended.
    fn answer(&mut self, answer: GuestAnswer) {
        let limits = self.generation.limits();
        let checked = answer.map_err(|error| Fault::Answer(format!("{error:#}")));
        let checked = checked.and_then(|response| {
            let (mut head, body) = response.into_parts();
            let redirects = &self.generation.context.redirects;
            head.headers = answer::checked_head((head.status, head.headers), limits, redirects)?;
            let bounded = Bounded {
                body,
                left: limits.response_bytes_max,
                has_ended: false,
                shared: self.shared.clone(),
            };
            Ok(Response::from_parts(head, bounded.boxed_unsync()))
        });
        match checked {
            Ok(response) => {
                self.head = Some((self.began.elapsed(), response.status()));
                if self.generation.context.database.is_none() {
                    // What is left needs nothing that another process has to wait for.
                    self._in_flight = self.generation.streams.enter();
                }
                self.tell(Ok(response));
            }
            Err(fault) => self.wrong = Some(fault),
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(told) = self.told.take() {
            let without_secrets = |fault| self.generation.without_secrets(fault);
            // Whoever asked may have gone.
            let _ = told.send(outcome.map_err(without_secrets));
        }
    }

    /// Counts what the call took and came to, and tells of it where somebody wants to know.
    fn end(mut self, ended: Result<(), Fault>) {
        let generation = self.generation;
        let took = self.began.elapsed();
        let metrics = &generation.context.metrics;
        metrics.finished(took, &self.usage);
        let (head_took, status) = self.head.unwrap_or((took, StatusCode::OK));
        let is_bad = match &ended {
            Ok(()) => status.is_server_error(),
            Err(fault) => fault.is_plugin_fault() && self.is_blamed(),
        };
        if self.is_blamed() {
            generation.watch_health(&ended);
        }
        generation.scores.count(is_bad, head_took);
        spans::finished(&self.usage);
        // How long a body takes is also the reader's doing.
        let wall = if ended.is_ok() { head_took } else { took };
        let asked = (self.caller.operation.as_str(), self.caller.origin());
        slow_call::report(generation, asked, outcome(&ended, status), wall, &self.usage);
        match ended {
            Ok(()) if is_refusal(status) => metrics.refused.inc(),
            Ok(()) => metrics.ok.inc(),
            Err(fault) => self.fail(fault),
        }
    }

    fn fail(&mut self, fault: Fault) {
        let generation = self.generation;
        let metrics = &generation.context.metrics;
        metrics.fault(fault.code());
        metrics.limit_hit(fault.code());
        spans::faulted(&Span::current(), &fault);
        if self.told.is_some() {
            self.tell(Err(fault));
        } else {
            let fault = generation.without_secrets(fault);
            tracing::warn!(plugin = generation.name(), "{fault}; its answer was cut off");
        }
    }
}

/// Whether an answer counts as a refusal, as those of plugins do.
fn is_refusal(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

/// What a call came to, in a word.
fn outcome(ended: &Result<(), Fault>, status: StatusCode) -> &'static str {
    match ended {
        Ok(()) if is_refusal(status) => "refused",
        Ok(()) => "ok",
        Err(fault) => fault.code(),
    }
}

/// Keys and values have transactions of their own.
const STORE: StoreUse = StoreUse::Denied("components of `wasi:http` have keys and values instead");

/// The guest's answer; none when it does not come in time.
fn timeout_at_head(
    answered: oneshot::Receiver<GuestAnswer>,
    deadline: Instant,
) -> Pin<Box<dyn Future<Output = Option<GuestAnswer>> + Send>> {
    Box::pin(async move {
        match timeout_at(deadline.into(), answered).await {
            Ok(Ok(answer)) => Some(answer),
            // The guest goes on without an answer to give: the end of the call may tell why.
            Ok(Err(_)) => {
                tokio::time::sleep_until(deadline.into()).await;
                None
            }
            Err(_) => None,
        }
    })
}

/// The body of a request. One that breaks off or is too large ends with an error.
fn of_caller(body: HttpBody, shared: Arc<Bodies>) -> WasiBody {
    let broken = move |_| {
        shared.is_caller_gone.store(true, Relaxed);
        WasiError::HttpRequestBodySize(None)
    };
    body.map_err(broken).boxed_unsync()
}

/// The body of an answer, which ends with an error when it is too large, its call has failed, or the body
/// of the request was not whole.
struct Bounded {
    body: WasiBody,
    /// Bytes that it may still have.
    left: usize,
    has_ended: bool,
    shared: Arc<Bodies>,
}

impl Drop for Bounded {
    fn drop(&mut self) {
        if !self.has_ended && !http_body::Body::is_end_stream(self) {
            self.shared.is_caller_gone.store(true, Relaxed);
        }
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.has_ended = !matches!(frame, Some(Ok(_)));
        let frame = match frame {
            None if self.shared.is_broken() => {
                return Poll::Ready(Some(Err("the request or the call was cut off".into())));
            }
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.to_string().into()))),
            Some(Ok(frame)) => frame,
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        Poll::Ready(Some(match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(frame)
            }
            None => Err("the answer is larger than `response_bytes_max` allows".into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
