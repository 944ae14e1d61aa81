//! A generation: one component with its description, grants, settings and schema, immutable from the
//! moment it is in the route table. A request takes its generation once and stays on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use caplet_abi::{Asset, Description, Route};
use caplet_store::{Mode, Transaction};
use http::Method;
use serde_json::Value;
use tracing::{Instrument, Span};

use crate::admission::{Admission, Permit};
use crate::cpu_share::Waiting;
use crate::description::Checked;
use crate::detached::Detached;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::guest::Context;
use crate::in_flight::InFlight;
use crate::inspect::Inspection;
use crate::instance::{Instance, WarmInstances, asks_for_retry};
use crate::invocation::{Answer, Call, Invocation};
use crate::lifecycle::layer::Layer;
use crate::lifecycle::scores::Scores;
use crate::limits::Limits;
use crate::load::{LoadError, Program, Step};
use crate::options::PluginOptions;
use crate::quarantine::{Probe, Quarantine, Quarantined};
use crate::request::Routed;
use crate::routes::{RouteId, RouteMatch};
use crate::subject_data::Holding;
use crate::usage::Usage;
use crate::wasi_http::HttpInstance;
use crate::work::Work;
use crate::{slow_call, spans, transaction};

/// How often an invocation is run again when the store rolled it back for reasons of its own.
const RETRIES_MAX: u32 = 3;

/// After how many failures in a row a plugin counts as failing.
const FAILING_AFTER: u32 = 3;

/// One generation of one plugin.
pub struct Generation {
    pub(crate) number: u32,
    pub(crate) checked: Checked,
    pub(crate) holdings: Vec<Holding>,
    pub(crate) digest: Digest,
    pub(crate) inspection: Inspection,
    /// What the operator had set for the plugin when it was prepared.
    pub(crate) options: PluginOptions,
    /// The part of it that was set while the host ran.
    pub(crate) layer: Layer,
    pub(crate) context: Arc<Context>,
    pub(crate) program: Program,
    pub(crate) instances: WarmInstances<Instance>,
    /// Those of a component of `wasi:http`.
    pub(crate) http_instances: WarmInstances<HttpInstance>,
    pub(crate) admission: Admission,
    pub(crate) in_flight: InFlight,
    /// Answers of components of `wasi:http` that have begun and go on without the databases.
    pub(crate) streams: InFlight,
    pub(crate) quarantine: Arc<Quarantine>,
    /// Invocations since the last one that was answered, of those that failed by the plugin's fault.
    pub(crate) n_failures_in_a_row: AtomicU32,
    pub(crate) scores: Scores,
}

/// The right to begin an invocation.
pub(crate) struct Admitted {
    pub(crate) probe: Option<Probe>,
    pub(crate) permit: Permit,
    /// It counts as one that waits until it begins.
    pub(crate) waiting: Option<Waiting>,
}

impl Generation {
    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.checked.description.name
    }

    /// Its place in the plugin's history, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The plugin's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.checked.description.version
    }

    /// All that the plugin says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.checked.description
    }

    /// What the component imports and exports.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// The SHA-256 of the component.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The limits that hold for it.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.context.limits
    }

    /// The plugin's OpenAPI document, paths relative to `/api/<name>`.
    #[must_use]
    pub fn openapi(&self) -> &Value {
        &self.checked.openapi
    }

    /// The asset at a path below `/api/<name>/-/`.
    #[must_use]
    pub fn asset(&self, path: &str) -> Option<&Asset> {
        self.checked.description.assets.iter().find(|asset| asset.path == path)
    }

    /// The route of a request. `path` is normalised and begins with `/`.
    #[must_use]
    pub fn route(&self, method: &Method, path: &str) -> RouteMatch {
        self.checked.routes.find(method, path)
    }

    /// A route of this generation, by an id that this generation gave out.
    #[must_use]
    pub fn route_info(&self, route: RouteId) -> &Route {
        &self.checked.description.routes[route.0]
    }

    /// Whether `identity` holds a permission.
    #[must_use]
    pub fn permitted(&self, identity: &crate::Identity, permission: &str) -> bool {
        self.context.authorizer.permitted(identity, permission)
    }

    /// Bytes of the plugin's database.
    #[must_use]
    pub fn database_bytes(&self) -> u64 {
        self.context.database.as_ref().map_or(0, |database| database.size_bytes())
    }

    /// Whether its last [`FAILING_AFTER`] invocations all failed by its own fault.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.n_failures_in_a_row.load(Ordering::Relaxed) >= FAILING_AFTER
    }

    /// When and why it is not called, while it is in quarantine.
    #[must_use]
    pub fn quarantined(&self) -> Option<Quarantined> {
        self.quarantine.quarantined()
    }

    /// Runs one request: waits for its turn, calls the plugin, and commits or rolls back. Returns
    /// when what the answer tells is durable.
    ///
    /// The call goes on to its end when the returned future is dropped.
    ///
    /// # Errors
    /// Why there is no answer; nothing was changed then.
    pub async fn invoke(self: Arc<Self>, call: Call) -> Result<Answer, Fault> {
        let routed = Routed::new(&self, call);
        self.perform(routed).await
    }

    /// Runs one invocation, whatever is asked, in the way that [`Self::invoke`] describes.
    pub(crate) async fn perform<W: Work>(self: Arc<Self>, work: W) -> Result<W::Outcome, Fault> {
        let in_flight = self.in_flight.enter();
        let Admitted { probe, permit, waiting } = self.admit().await?;
        let span = spans::invocation(&self.context, work.operation(&self), work.origin());
        let context = self.context.clone();
        let running = async move {
            drop(waiting);
            let outcome = self.run(&work, permit).await;
            self.quarantine.settle(probe, outcome.as_ref().err());
            drop(in_flight);
            outcome
        };
        let (running, back_row) = (running.instrument(span), context.back_row.clone());
        if context.share.is_greedy() {
            Detached::back(running, back_row).await
        } else {
            Detached::here(running, back_row).await
        }
    }

    /// Waits for a turn, of those that may have one. Who is sent away is counted.
    pub(crate) async fn admit(&self) -> Result<Admitted, Fault> {
        let hit = |limit| move |_: &Fault| self.context.metrics.limit_hit(limit);
        let probe = self.quarantine.enter().inspect_err(hit("quarantine"))?;
        let waiting = self.context.share.enter().inspect_err(hit("cpu-share"))?;
        let permit = self.admission.enter().await.inspect_err(hit("queue"))?;
        Ok(Admitted { probe, permit, waiting })
    }

    async fn run<W: Work>(&self, work: &W, permit: Permit) -> Result<W::Outcome, Fault> {
        let began = Instant::now();
        let queued = permit.waited;
        let mut usage = Usage { queue: queued, ..Usage::default() };
        let mut outcome = self.attempt(work, began, &mut usage).await;
        for _ in 0..RETRIES_MAX {
            match &outcome {
                Err(fault) if asks_for_retry(fault) => {
                    self.context.metrics.limit_hit("retry");
                    outcome = self.attempt(work, Instant::now(), &mut usage).await;
                }
                _ => break,
            }
        }
        let wall = began.elapsed().saturating_sub(usage.queue.saturating_sub(queued));
        self.account(work, &outcome, wall, &usage);
        outcome
    }

    /// Does the work once.
    pub(crate) async fn attempt<W: Work>(
        &self,
        work: &W,
        began: Instant,
        usage: &mut Usage,
    ) -> Result<W::Outcome, Fault> {
        let _leaving = self.context.memory.room.leaving();
        let mut instance = self.instance(work, began, usage).await?;
        let outcome = work.serve(self, &mut instance).await;
        usage.cpu += instance.cpu_time();
        usage.store.add(std::mem::take(&mut instance.invocation().store_usage));
        let transaction = instance.invocation().transaction.take();
        let settled = match (&outcome, transaction) {
            (Ok(outcome), Some(transaction)) if W::commits(outcome) => {
                self.commit(transaction, usage).await
            }
            (_, Some(transaction)) => {
                transaction.rollback().await;
                Ok(())
            }
            (_, None) => Ok(()),
        };
        let outcome = outcome.map_err(|fault| self.without_secrets(fault));
        if outcome.is_ok() {
            self.instances.put_back(instance);
        }
        settled.and(outcome)
    }

    async fn commit(
        &self,
        transaction: Box<dyn Transaction>,
        usage: &mut Usage,
    ) -> Result<(), Fault> {
        let committed = transaction::commit(&self.context, transaction, &mut usage.store).await;
        committed.map_err(Fault::Store)
    }

    /// A warm instance, or a new one, that has begun the work.
    async fn instance<W: Work>(
        &self,
        work: &W,
        began: Instant,
        usage: &mut Usage,
    ) -> Result<Instance, Fault> {
        let serving = |began| Invocation {
            is_copy: work.is_copy(),
            ..Invocation::serving(work.origin(), work.store_use(self), began, self.limits())
        };
        if !self.context.memory.room.is_waited_for()
            && let Some(mut instance) = self.instances.take()
        {
            instance.begin(serving(began));
            return Ok(instance);
        }
        // What is rare is put aside, so that the common way stays small.
        let found = Box::pin(self.find(&self.instances, || self.start())).await;
        let (mut instance, waited) = found?;
        usage.queue += waited;
        instance.begin(serving(Instant::now()));
        Ok(instance)
    }

    /// Starts instances before there are requests for them.
    ///
    /// # Errors
    /// Why the plugin does not start. That the host has no instances left is no reason.
    pub(crate) async fn warm(&self, n_instances: usize) -> Result<(), LoadError> {
        for _ in 0..n_instances {
            let started = match &self.program {
                Program::Plugin(_) => self.start().await.map(|it| self.instances.put_back(it)),
                Program::WasiHttp(program) => self.warm_http(program).await,
            };
            match started {
                Ok(()) => {}
                Err(Fault::Busy(_)) => break,
                Err(fault) => {
                    let reason = format!("the plugin {fault}");
                    return Err(Step::Warm.failed(Some(self.name()), vec![reason]));
                }
            }
        }
        Ok(())
    }

    async fn start(&self) -> Result<Instance, Fault> {
        let template = self.program.plugin().ok_or(Fault::Missing("guest"))?;
        let started = Instance::start(template, self.context.clone(), self.starting()).await;
        started.map_err(|fault| self.without_secrets(fault))
    }

    /// What an instance is started with, before it serves anybody.
    pub(crate) fn starting(&self) -> Invocation {
        let limits = self.limits();
        Invocation::describing(
            limits.wall_time(),
            Duration::from_millis(limits.describe_cpu_ms_max),
        )
    }

    /// How many instances wait for work.
    pub(crate) fn n_idle(&self) -> usize {
        self.instances.n_idle() + self.http_instances.n_idle()
    }

    /// Drops instances that nobody used for their time.
    pub(crate) fn trim_idle(&self) {
        let idle_time_max = Duration::from_millis(self.limits().idle_ms_max);
        self.instances.trim(idle_time_max);
        self.http_instances.trim(idle_time_max);
    }

    /// Whether it is a component of `wasi:http`, which is called by [`Self::forward`].
    #[must_use]
    pub fn is_wasi_http(&self) -> bool {
        matches!(self.program, Program::WasiHttp(_))
    }

    /// A fault whose texts may be a guest's.
    pub(crate) fn without_secrets(&self, fault: Fault) -> Fault {
        fault.with_texts(|text| self.context.redaction.text(text).into_owned())
    }

    /// Begins the invocation's transaction before the guest does.
    pub(crate) async fn begin<'a>(
        &self,
        instance: &'a mut Instance,
    ) -> Result<&'a mut Box<dyn Transaction>, Fault> {
        let invocation = instance.invocation();
        let transaction = transaction::begin(&self.context, invocation, Mode::Write).await;
        let transaction = transaction.ok_or(Fault::Missing("database"))?.map_err(Fault::Store)?;
        Ok(invocation.transaction.insert(transaction))
    }

    /// Counts what the call took and came to, and tells of it where somebody wants to know.
    fn account<W: Work>(
        &self,
        work: &W,
        outcome: &Result<W::Outcome, Fault>,
        wall: Duration,
        usage: &Usage,
    ) {
        let metrics = &self.context.metrics;
        metrics.finished(wall, usage);
        self.watch_health(outcome);
        let is_bad = match outcome {
            Ok(outcome) => W::is_bad(outcome),
            Err(fault) => fault.is_plugin_fault(),
        };
        self.scores.count(is_bad, wall);
        let outcome = match outcome {
            Ok(outcome) if W::commits(outcome) => {
                metrics.ok.inc();
                "ok"
            }
            Ok(_) => {
                metrics.refused.inc();
                "refused"
            }
            Err(fault) => {
                metrics.fault(fault.code());
                metrics.limit_hit(fault.code());
                spans::faulted(&Span::current(), fault);
                fault.code()
            }
        };
        spans::finished(usage);
        let asked = (work.operation(self), work.origin());
        slow_call::report(self, asked, outcome, wall, usage);
    }
}

impl Generation {
    /// Holds what all generations of the plugin share to the limits of this one, which serves now.
    pub(crate) fn impose_limits(&self) {
        self.context.log.limit(self.limits());
        self.context.share.limit(self.limits());
        if let Some(database) = &self.context.database {
            database.set_limits(self.limits().store());
        }
    }

    /// What load, storage or the caller did wrong says nothing about the plugin.
    pub(crate) fn watch_health<T>(&self, outcome: &Result<T, Fault>) {
        match outcome {
            // Written to only when it changes: a cache line that all threads read stays shared.
            Ok(_) if self.n_failures_in_a_row.load(Ordering::Relaxed) != 0 => {
                self.n_failures_in_a_row.store(0, Ordering::Relaxed);
            }
            Err(fault) if fault.is_plugin_fault() => {
                self.n_failures_in_a_row.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation")
            .field("name", &self.name())
            .field("version", &self.version())
            .field("digest", &self.digest.to_string())
            .finish_non_exhaustive()
    }
}
