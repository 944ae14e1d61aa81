//! The kinds of invocation: what is asked of a plugin, by whom, and when its writes are kept. The way
//! is the same for all of them ([`Generation::perform`]); each kind is one implementation of [`Work`].

use std::sync::Arc;

use crate::fault::Fault;
use crate::generation::Generation;
use crate::identity::Identity;
use crate::instance::Instance;
use crate::invocation::StoreUse;

/// Where an invocation comes from: what the host knows of it, whatever is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// Names what caused it, in logs and answers.
    pub(crate) request_id: &'a Arc<str>,
    /// The W3C trace id, 32 hexadecimal digits.
    pub(crate) trace_id: &'a Arc<str>,
    /// The verified caller, if there is one.
    pub(crate) identity: Option<&'a Arc<Identity>>,
    pub(crate) tenant: &'a Arc<str>,
}

/// One thing that is asked of a plugin. It may be served more than once, when the store rolls back
/// for reasons of its own; what an earlier attempt did is gone then.
pub(crate) trait Work: Send + Sync + 'static {
    /// What comes of it.
    type Outcome: Send + Sync + 'static;

    /// Its name in logs.
    fn operation<'a>(&'a self, generation: &'a Generation) -> &'a str;

    fn origin(&self) -> Origin<'_>;

    fn store_use(&self, generation: &Generation) -> StoreUse;

    /// Whether it is a copy of a request, which may have no effect at all.
    fn is_copy(&self) -> bool {
        false
    }

    /// Calls the guest, and checks what it answers.
    fn serve(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> impl Future<Output = Result<Self::Outcome, Fault>> + Send;

    /// Whether it tells of a fault of the plugin.
    fn is_bad(_outcome: &Self::Outcome) -> bool {
        false
    }

    /// Whether what was written is kept.
    fn commits(outcome: &Self::Outcome) -> bool;
}
