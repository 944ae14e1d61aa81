//! Beginning an invocation's transaction, whether for the guest's first statement or for an
//! idempotency key, and committing it. When that is done is in [`crate::generation`].

use std::time::Instant;

use caplet_store::{Begin, Mode, Transaction};
use tracing::Instrument;

use crate::guest::Context;
use crate::invocation::Invocation;
use crate::spans;
use crate::usage::StoreUsage;

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

/// Commits a transaction, which may have to wait for the disk.
pub(crate) async fn commit(
    context: &Context,
    transaction: Box<dyn Transaction>,
    usage: &mut StoreUsage,
) -> caplet_store::Result<()> {
    let span = spans::transaction(context, "COMMIT");
    let began = Instant::now();
    let committed = transaction.commit().instrument(span.clone()).await;
    usage.committed(began.elapsed());
    committed.inspect_err(|error| spans::failed(&span, error))
}
