//! A request as work for a plugin: what the guest is told, which answers are kept under an
//! idempotency key, and which answers keep what was written.

use caplet_abi::{Request, Route, Transaction as Access};
use caplet_store::{IdempotencyKey, Mode};
use http::Method;

use crate::answer;
use crate::description;
use crate::fault::Fault;
use crate::generation::Generation;
use crate::idempotency;
use crate::instance::Instance;
use crate::invocation::{Answer, Call, StoreUse};
use crate::work::{Origin, Work};

/// A call that found its route, and what the guest is asked.
pub(crate) struct Routed {
    /// Without what is in the request.
    call: Call,
    request: Request,
}

impl Routed {
    /// The parts that nothing else needs are moved out of the call.
    pub(crate) fn new(generation: &Generation, mut call: Call) -> Self {
        let request = Request {
            operation: generation.route_info(call.route).operation.clone(),
            method: call.method.as_str().to_owned(),
            path: std::mem::take(&mut call.path),
            parameters: std::mem::take(&mut call.parameters),
            query: std::mem::take(&mut call.query),
            headers: std::mem::take(&mut call.headers),
            body: std::mem::take(&mut call.body).into(),
        };
        Self { call, request }
    }
}

impl Work for Routed {
    type Outcome = Answer;

    fn operation<'a>(&'a self, _generation: &'a Generation) -> &'a str {
        &self.request.operation
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            request_id: &self.call.request_id,
            trace_id: &self.call.trace_id,
            identity: self.call.identity.as_ref(),
            tenant: &self.call.tenant,
        }
    }

    fn store_use(&self, generation: &Generation) -> StoreUse {
        Self::store_use_of(generation.route_info(self.call.route), &self.call.method)
    }

    async fn serve(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> Result<Answer, Fault> {
        match self.kept_under(generation, instance) {
            None => self.handle(generation, instance).await,
            Some(key) => Box::pin(self.serve_once(generation, instance, key)).await,
        }
    }

    fn is_bad(answer: &Answer) -> bool {
        answer.status.is_server_error()
    }

    fn commits(answer: &Answer) -> bool {
        answer.status.as_u16() < 400
    }
}

impl Routed {
    /// What a request to a route may do with the store.
    pub(crate) fn store_use_of(route: &Route, method: &Method) -> StoreUse {
        match description::transaction(route, method) {
            Access::Read => StoreUse::Allowed(Mode::Read),
            Access::Write | Access::ByMethod => StoreUse::Allowed(Mode::Write),
            Access::None => StoreUse::Denied("the route has `transaction.none`"),
        }
    }

    /// Runs a request that has an idempotency key, unless it was answered before.
    async fn serve_once(
        &self,
        generation: &Generation,
        instance: &mut Instance,
        (key, fingerprint): (IdempotencyKey, String),
    ) -> Result<Answer, Fault> {
        let transaction = generation.begin(instance).await?;
        if let Some(kept) = transaction.recall(&key).await.map_err(Fault::Store)? {
            return idempotency::replay(&kept, &fingerprint);
        }
        let answer = self.handle(generation, instance).await?;
        if Self::commits(&answer)
            && let Some(transaction) = &mut instance.invocation().transaction
        {
            let record = idempotency::record(fingerprint, &answer);
            transaction.remember(&key, &record).await.map_err(Fault::Store)?;
        }
        Ok(answer)
    }

    /// The key under which the answer is kept, if the call has one and writes.
    fn kept_under(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> Option<(IdempotencyKey, String)> {
        let Self { call, request } = self;
        let key = call.idempotency_key.as_ref()?;
        let writes = instance.invocation().store_use == StoreUse::Allowed(Mode::Write);
        if !writes || generation.context.database.is_none() {
            return None;
        }
        let key = IdempotencyKey {
            tenant: call.tenant.clone(),
            subject: call.identity.as_ref().map(|it| it.subject.clone()).unwrap_or_default(),
            operation: request.operation.clone(),
            key: key.clone(),
        };
        Some((key, idempotency::fingerprint(request)))
    }

    /// Calls the guest and checks what it answers.
    async fn handle(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> Result<Answer, Fault> {
        let response = instance.handle(&self.request).await?;
        let context = &generation.context;
        let answer = answer::check(response, generation.limits(), &context.redirects)?;
        Ok(answer::without_secrets(answer, &context.redaction))
    }
}
