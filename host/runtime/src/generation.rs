//! A generation: one component with its description, grants, settings and schema, immutable from the
//! moment it is in the route table. A request takes its generation once and stays on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use caplet_abi::{Asset, Description, Request, Route, Transaction as Access};
use caplet_store::{IdempotencyKey, Mode, Transaction};
use http::Method;
use serde_json::Value;
use tracing::{Instrument, Span};

use crate::admission::{Admission, Permit};
use crate::answer;
use crate::description::{self, Checked};
use crate::detached::Detached;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::guest::Context;
use crate::idempotency;
use crate::in_flight::InFlight;
use crate::inspect::Inspection;
use crate::instance::{Instance, Template, WarmInstances, asks_for_retry};
use crate::invocation::{Answer, Call, Invocation, StoreUse};
use crate::limits::Limits;
use crate::routes::{RouteId, RouteMatch};
use crate::usage::Usage;
use crate::{slow_call, spans, transaction};

/// How often an invocation is run again when the store rolled it back for reasons of its own.
const RETRIES_MAX: u32 = 3;

/// After how many failures in a row a plugin counts as failing.
const FAILING_AFTER: u32 = 3;

/// One generation of one plugin.
pub struct Generation {
    pub(crate) checked: Checked,
    pub(crate) digest: Digest,
    pub(crate) inspection: Inspection,
    pub(crate) context: Arc<Context>,
    pub(crate) template: Template,
    pub(crate) instances: WarmInstances,
    pub(crate) admission: Admission,
    pub(crate) in_flight: InFlight,
    /// Invocations since the last one that was answered, of those that failed by the plugin's fault.
    pub(crate) n_failures_in_a_row: AtomicU32,
}

/// A call, and what the guest is asked.
struct Task {
    /// Without what is in the request.
    call: Call,
    request: Request,
}

impl Generation {
    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.checked.description.name
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

    /// Runs one request: waits for its turn, calls the plugin, and commits or rolls back. Returns
    /// when what the answer tells is durable.
    ///
    /// The call goes on to its end when the returned future is dropped.
    ///
    /// # Errors
    /// Why there is no answer; nothing was changed then.
    pub async fn invoke(self: Arc<Self>, call: Call) -> Result<Answer, Fault> {
        let in_flight = self.in_flight.enter();
        let permit = match self.admission.enter().await {
            Ok(permit) => permit,
            Err(fault) => {
                self.context.metrics.limit_hit("queue");
                return Err(fault);
            }
        };
        let operation = &self.route_info(call.route).operation;
        let span = spans::invocation(&self.context, operation, &call);
        let running = async move {
            let outcome = self.run(call, permit).await;
            drop(in_flight);
            outcome
        };
        Detached::new(running.instrument(span)).await
    }

    async fn run(&self, mut call: Call, permit: Permit) -> Result<Answer, Fault> {
        let began = Instant::now();
        let task = Task { request: self.request(&mut call), call };
        let mut usage = Usage { queue: permit.waited, ..Usage::default() };
        let mut outcome = self.attempt(&task, began, &mut usage).await;
        for _ in 0..RETRIES_MAX {
            match &outcome {
                Err(fault) if asks_for_retry(fault) => {
                    self.context.metrics.limit_hit("retry");
                    outcome = self.attempt(&task, Instant::now(), &mut usage).await;
                }
                _ => break,
            }
        }
        self.account(&task.call, &outcome, began.elapsed(), &usage);
        outcome
    }

    /// What the guest is asked. The parts that nothing else needs are moved out of the call.
    fn request(&self, call: &mut Call) -> Request {
        Request {
            operation: self.route_info(call.route).operation.clone(),
            method: call.method.as_str().to_owned(),
            path: std::mem::take(&mut call.path),
            parameters: std::mem::take(&mut call.parameters),
            query: std::mem::take(&mut call.query),
            headers: std::mem::take(&mut call.headers),
            body: std::mem::take(&mut call.body).into(),
        }
    }

    /// Runs the request once.
    async fn attempt(
        &self,
        task: &Task,
        began: Instant,
        usage: &mut Usage,
    ) -> Result<Answer, Fault> {
        let mut instance = self.instance(&task.call, began).await?;
        let outcome = self.serve(&mut instance, task).await;
        usage.cpu += instance.cpu_time();
        usage.store.add(std::mem::take(&mut instance.invocation().store_usage));
        let transaction = instance.invocation().transaction.take();
        let settled = match (&outcome, transaction) {
            (Ok(answer), Some(transaction)) if answer.status.as_u16() < 400 => {
                self.commit(transaction, usage).await
            }
            (_, Some(transaction)) => {
                transaction.rollback().await;
                Ok(())
            }
            (_, None) => Ok(()),
        };
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
        let span = spans::transaction(&self.context, "COMMIT");
        let began = Instant::now();
        let committed = transaction.commit().instrument(span.clone()).await;
        usage.store.committed(began.elapsed());
        committed.map_err(|error| {
            spans::failed(&span, &error);
            Fault::Store(error)
        })
    }

    /// A warm instance, or a new one, that has begun the call.
    async fn instance(&self, call: &Call, began: Instant) -> Result<Instance, Fault> {
        let serving = |began| Invocation::serving(call, self.store_use(call), began, self.limits());
        if let Some(mut instance) = self.instances.take() {
            instance.begin(serving(began));
            return Ok(instance);
        }
        // What is rare is put aside, so that the common way stays small.
        let mut instance = Box::pin(self.start()).await?;
        instance.begin(serving(Instant::now()));
        Ok(instance)
    }

    async fn start(&self) -> Result<Instance, Fault> {
        let limits = self.limits();
        let cpu_budget = Duration::from_millis(limits.cpu_ms_max);
        let start = Invocation::describing(limits.wall_time(), cpu_budget);
        Instance::start(&self.template, self.context.clone(), start).await
    }

    fn store_use(&self, call: &Call) -> StoreUse {
        match description::transaction(self.route_info(call.route), &call.method) {
            Access::Read => StoreUse::Allowed(Mode::Read),
            Access::Write | Access::ByMethod => StoreUse::Allowed(Mode::Write),
            Access::None => StoreUse::Denied("the route has `transaction.none`"),
        }
    }

    async fn serve(&self, instance: &mut Instance, task: &Task) -> Result<Answer, Fault> {
        match self.idempotency(instance, task) {
            None => self.handle(instance, &task.request).await,
            Some(key) => Box::pin(self.serve_once(instance, task, key)).await,
        }
    }

    /// Runs a request that has an idempotency key, unless it was answered before.
    async fn serve_once(
        &self,
        instance: &mut Instance,
        task: &Task,
        (key, fingerprint): (IdempotencyKey, String),
    ) -> Result<Answer, Fault> {
        let transaction = self.begin(instance).await?;
        if let Some(kept) = transaction.recall(&key).await.map_err(Fault::Store)? {
            return idempotency::replay(&kept, &fingerprint);
        }
        let answer = self.handle(instance, &task.request).await?;
        if answer.status.as_u16() < 400
            && let Some(transaction) = &mut instance.invocation().transaction
        {
            let record = idempotency::record(fingerprint, &answer);
            transaction.remember(&key, &record).await.map_err(Fault::Store)?;
        }
        Ok(answer)
    }

    /// The key under which the answer is kept, if the call has one and writes.
    fn idempotency(
        &self,
        instance: &mut Instance,
        Task { call, request }: &Task,
    ) -> Option<(IdempotencyKey, String)> {
        let key = call.idempotency_key.as_ref()?;
        let writes = instance.invocation().store_use == StoreUse::Allowed(Mode::Write);
        if !writes || self.context.database.is_none() {
            return None;
        }
        let key = IdempotencyKey {
            tenant: call.tenant.clone(),
            subject: call.identity.as_ref().map(|it| it.subject.clone()).unwrap_or_default(),
            operation: self.route_info(call.route).operation.clone(),
            key: key.clone(),
        };
        Some((key, idempotency::fingerprint(request)))
    }

    /// Begins the invocation's transaction before the guest does.
    async fn begin<'a>(
        &self,
        instance: &'a mut Instance,
    ) -> Result<&'a mut Box<dyn Transaction>, Fault> {
        let invocation = instance.invocation();
        let transaction = transaction::begin(&self.context, invocation, Mode::Write).await;
        let transaction = transaction.ok_or(Fault::Missing("database"))?.map_err(Fault::Store)?;
        Ok(invocation.transaction.insert(transaction))
    }

    /// Calls the guest and checks what it answers.
    async fn handle(&self, instance: &mut Instance, request: &Request) -> Result<Answer, Fault> {
        let response = instance.handle(request).await?;
        answer::check(response, self.limits())
    }

    /// Counts what the call took and came to, and tells of it where somebody wants to know.
    fn account(&self, call: &Call, outcome: &Result<Answer, Fault>, wall: Duration, usage: &Usage) {
        let metrics = &self.context.metrics;
        metrics.finished(wall, usage);
        self.watch_health(outcome);
        let outcome = match outcome {
            Ok(answer) if answer.status.as_u16() < 400 => {
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
        slow_call::report(self, call, outcome, wall, usage);
    }
}

impl Generation {
    /// What load, storage or the caller did wrong says nothing about the plugin.
    fn watch_health(&self, outcome: &Result<Answer, Fault>) {
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
