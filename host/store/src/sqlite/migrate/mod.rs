//! Bringing a plugin's schema up to date, phase by phase.
//!
//! `apply` runs migrations on a connection; this file decides which, in what groups, and takes the
//! writer for each of them anew, so that others get their turn.

pub(super) mod apply;

use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;
use super::database::PluginDatabase;
use super::fault::Fault;
use super::{ledger, off_thread};
use crate::plan::{Rules, fault};
use crate::{Backfilled, Error, Limits, Migrated, Migration, Pace, Phase, Plan, Result};

/// Compares the list with the ledger, as a snapshot has it.
pub(super) async fn plan(
    database: &PluginDatabase,
    migrations: Vec<Migration>,
    serving: Option<u32>,
) -> Result<Plan> {
    let limits = database.place.limits().clone();
    let reader = database.readers.acquire(Instant::now() + limits.migration_time_max).await?;
    off_thread(move || draw(reader.connection(), &migrations, serving, &limits)).await?
}

/// The parser needs a stack of a known size, so this is not for the calling thread.
pub(super) fn draw(
    connection: &Connection,
    migrations: &[Migration],
    serving: Option<u32>,
    limits: &Limits,
) -> Result<Plan> {
    let recorded = ledger::read(connection).map_err(Fault::into_error)?;
    let check = |migration: &Migration| apply::check(migration, limits);
    let rules = Rules { checksum: &apply::checksum, check: &check };
    Ok(Plan::draw(migrations, serving, recorded, &rules))
}

/// The same plan as of now.
async fn renewed(database: &PluginDatabase, plan: &Plan) -> Result<Plan> {
    let plan = self::plan(database, plan.migrations.clone(), plan.serving).await?;
    plan.check()?;
    Ok(plan)
}

/// Runs the expand phase.
pub(super) async fn expand(database: &PluginDatabase, plan: &Plan) -> Result<Migrated> {
    let plan = renewed(database, plan).await?;
    reopen(database, &plan).await?;
    let pending: Vec<_> = plan.pending_in(Phase::Expand).cloned().collect();
    let mut migrated = Migrated { applied: Vec::new(), schema_version: plan.schema_version };
    let mut rest = pending.as_slice();
    while let Some(first) = rest.first() {
        let group = group(rest, plan.serving);
        rest = &rest[group.len()..];
        if first.phase == Phase::Backfill {
            let stays_open = plan.serving.is_some_and(|known| first.number > known);
            fill(database, first, stays_open).await?;
            migrated.applied.push(first.number);
        } else {
            migrated.applied.extend(together(database, group.to_vec()).await?);
        }
    }
    migrated.note_version();
    Ok(migrated)
}

/// Those at the beginning that are applied at once.
fn group(pending: &[Migration], serving: Option<u32>) -> &[Migration] {
    let n_together = pending.iter().take_while(|it| it.phase != Phase::Backfill).count();
    &pending[..if serving.is_some() { n_together.max(1) } else { 1 }]
}

/// Runs a backfill once.
pub(super) async fn step(
    database: &PluginDatabase,
    plan: &Plan,
    pace: &Pace,
) -> Result<Option<Backfilled>> {
    let plan = renewed(database, plan).await?;
    refuse_pending(&plan, Phase::Expand)?;
    let next = plan.pending_in(Phase::Backfill).next().cloned();
    match next {
        Some(migration) => run_once(database, migration, pace.clone(), false).await.map(Some),
        None => Ok(None),
    }
}

/// Runs the contract phase.
pub(super) async fn contract(database: &PluginDatabase, plan: &Plan) -> Result<Migrated> {
    let plan = renewed(database, plan).await?;
    refuse_pending(&plan, Phase::Expand)?;
    refuse_pending(&plan, Phase::Backfill)?;
    let pending: Vec<_> = plan.pending_in(Phase::Contract).cloned().collect();
    let applied = if pending.is_empty() { Vec::new() } else { together(database, pending).await? };
    let mut migrated = Migrated { applied, schema_version: plan.schema_version };
    migrated.note_version();
    Ok(migrated)
}

/// A version that does not know a backfill writes rows that are not filled, so it is run once more
/// when a later version comes.
async fn reopen(database: &PluginDatabase, plan: &Plan) -> Result<()> {
    // Also one that was running when the plan was made: its last run may end before this one's turn.
    let is_backfill = |number: &u32| {
        let found = plan.recorded.iter().find(|it| it.number == *number);
        found.is_some_and(|it| it.phase == Phase::Backfill)
    };
    let numbers: Vec<_> = plan.ahead.iter().copied().filter(is_backfill).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    on_writer(database, move |connection| {
        apply::in_transaction(connection, || {
            let mut reopened = numbers.iter().map(|number| ledger::reopen(connection, *number));
            reopened.try_for_each(|result| result.map_err(Fault::into_error))
        })
    })
    .await
}

/// Runs a backfill to its end.
async fn fill(database: &PluginDatabase, migration: &Migration, stays_open: bool) -> Result<()> {
    let pace = Pace::default();
    let end = Instant::now() + pace.time_max;
    while !run_once(database, migration.clone(), pace.clone(), stays_open).await?.is_done {
        if Instant::now() >= end {
            let reason = format!("it was not done within {:?}", pace.time_max);
            return Err(fault(migration.number, reason));
        }
        tokio::time::sleep(pace.pause).await;
    }
    Ok(())
}

async fn run_once(
    database: &PluginDatabase,
    migration: Migration,
    pace: Pace,
    stays_open: bool,
) -> Result<Backfilled> {
    on_writer(database, move |connection| {
        apply::backfill(connection, &migration, (&pace, stays_open))
    })
    .await
}

async fn together(database: &PluginDatabase, group: Vec<Migration>) -> Result<Vec<u32>> {
    on_writer(database, move |connection| apply::together(connection, &group)).await
}

/// Does `work` with the writer, after all who asked for it before.
async fn on_writer<T: Send + 'static>(
    database: &PluginDatabase,
    work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
) -> Result<T> {
    let deadline = Instant::now() + database.place.limits().migration_time_max;
    let mut lease = Arc::clone(&database.writer).acquire(deadline).await?.settle().await?;
    off_thread(move || {
        let result = work(lease.connection());
        if matches!(result, Err(Error::Unavailable(_))) {
            lease.mark_broken();
        }
        result
    })
    .await?
}

fn refuse_pending(plan: &Plan, phase: Phase) -> Result<()> {
    match plan.pending_in(phase).next() {
        None => Ok(()),
        Some(first) => {
            let reason = format!("it is not done: the phase {phase} comes before this one");
            Err(fault(first.number, reason))
        }
    }
}

impl Migrated {
    fn note_version(&mut self) {
        let last = self.applied.iter().copied().max().unwrap_or_default();
        self.schema_version = self.schema_version.max(last);
    }
}
