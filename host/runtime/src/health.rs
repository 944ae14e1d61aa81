//! Asking a plugin whether it is well: an invocation that reads, made before it takes requests.

use std::sync::Arc;

use caplet_store::Mode;

use crate::fault::Fault;
use crate::generation::Generation;
use crate::identity::DEFAULT_TENANT;
use crate::instance::{Instance, Template};
use crate::invocation::StoreUse;
use crate::load::{LoadError, Step};
use crate::work::{Origin, Work};

/// Characters in what a plugin says of its state; the rest is cut.
const REASON_CHARACTERS_MAX: usize = 1_000;

impl Generation {
    /// Asks the plugin whether it is well, if it answers to that.
    ///
    /// # Errors
    /// What it says, or how it failed to say it.
    pub(crate) async fn check_health(self: &Arc<Self>) -> Result<(), LoadError> {
        if self.program.plugin().and_then(Template::health).is_none() {
            return Ok(());
        }
        let unwell = |reason: String| Err(Step::Health.failed(Some(self.name()), vec![reason]));
        match self.clone().perform(Check::new()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => unwell(reason),
            Err(fault) => unwell(format!("the plugin {fault}")),
        }
    }
}

/// One question.
struct Check {
    request_id: Arc<str>,
    trace_id: Arc<str>,
    tenant: Arc<str>,
}

impl Check {
    fn new() -> Self {
        let id = uuid::Uuid::now_v7();
        Self {
            request_id: Arc::from(id.to_string()),
            trace_id: Arc::from(id.simple().to_string()),
            tenant: Arc::from(DEFAULT_TENANT),
        }
    }
}

impl Work for Check {
    type Outcome = Result<(), String>;

    fn operation<'a>(&'a self, _generation: &'a Generation) -> &'a str {
        "health.check"
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            request_id: &self.request_id,
            trace_id: &self.trace_id,
            identity: None,
            tenant: &self.tenant,
        }
    }

    fn store_use(&self, _generation: &Generation) -> StoreUse {
        StoreUse::Allowed(Mode::Read)
    }

    async fn serve(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> Result<Self::Outcome, Fault> {
        let exported = generation
            .program
            .plugin()
            .and_then(Template::health)
            .ok_or(Fault::Missing("health"))?;
        let answered = instance.call(|store, instance| {
            let guest = exported.load(&mut *store, instance);
            Box::pin(async move { guest?.call_check(store).await })
        });
        let redaction = &generation.context.redaction;
        Ok(answered.await?.map_err(|reason| shown(&redaction.text(&reason))))
    }

    fn commits(outcome: &Self::Outcome) -> bool {
        outcome.is_ok()
    }
}

/// A guest's reason as it may stand in a log and on a terminal.
fn shown(reason: &str) -> String {
    let escaped = |character: char| -> String {
        if character.is_control() { character.escape_default().collect() } else { character.into() }
    };
    reason.chars().take(REASON_CHARACTERS_MAX).map(escaped).collect()
}
