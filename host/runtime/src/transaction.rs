//! Beginning an invocation's transaction, whether for the guest's first statement or for an
//! idempotency key. How it ends is in [`crate::generation`].

use std::time::Instant;

use caplet_store::{Begin, Mode, Transaction};
use tracing::Instrument;

use crate::guest::Context;
use crate::invocation::Invocation;
use crate::spans;

/// Begins a transaction for `invocation`, which may have to wait for its turn. None when the plugin
/// has no database.
pub(crate) async fn begin(
    context: &Context,
    invocation: &mut Invocation,
    mode: Mode,
) -> Option<caplet_store::Result<Box<dyn Transaction>>> {
    let database = context.database.as_ref()?;
    let begin = Begin {
        mode,
        tenant: invocation.tenant.clone(),
        deadline: invocation.deadline,
        tag: context.statements,
    };
    let span = spans::transaction(context, "BEGIN");
    let began = Instant::now();
    let begun = database.begin(begin).instrument(span.clone()).await;
    invocation.store_usage.begun(began.elapsed());
    Some(begun.inspect_err(|error| spans::failed(&span, error)))
}
