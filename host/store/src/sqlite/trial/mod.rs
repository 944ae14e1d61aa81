//! Trying migrations on a copy before they run.
//!
//! `copy` makes and removes the copy; `census` counts what is in it; `statements` finds what the old
//! version can no longer run, by what the `rows` of a `table` must be; this file runs the plan on it and writes down what each step did.

mod census;
mod copy;
mod rows;
mod statements;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::connection::Connection;
use super::database::PluginDatabase;
use super::migrate::apply;
use super::off_thread;
use crate::plan::fault;
use crate::{Error, Migration, Pace, Phase, Plan, Result, Trial, Tried};

use census::Census;
use copy::Copy;
use statements::OldStatements;

/// Tries the plan. Only one trial of a database runs at a time.
pub(super) async fn run(
    database: &Arc<PluginDatabase>,
    plan: &Plan,
    old_statements: &[String],
) -> Result<Trial> {
    plan.check()?;
    if plan.pending.is_empty() {
        return Ok(Trial::default());
    }
    let alone = Arc::clone(&database.trying).lock_owned().await;
    let begun = Instant::now();
    let end = begun + database.place.limits().trial_time_max;
    let reader = database.readers.acquire(end).await?;
    let (place, plan) = (Arc::clone(&database.place), plan.clone());
    let texts = old_statements.to_vec();
    let is_abandoned = SetOnDrop::default();
    let bounds = Bounds { begun, end, is_abandoned: Arc::clone(&is_abandoned.0) };
    off_thread(move || {
        let copy = Copy::make(reader, &place, &bounds)?;
        let mut trial = Trial { copy_bytes: copy.bytes(), ..Trial::default() };
        let result = try_all(copy.connection(), &plan, (&texts, &bounds), &mut trial);
        trial.failure = result.err();
        trial.time = begun.elapsed();
        drop(copy);
        drop(alone);
        Ok(trial)
    })
    .await?
}

/// When a trial must end.
struct Bounds {
    begun: Instant,
    end: Instant,
    /// Whether nobody waits for it any more.
    is_abandoned: Arc<AtomicBool>,
}

impl Bounds {
    fn check(&self) -> Result<()> {
        if self.is_abandoned.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("the trial was abandoned".to_owned()));
        }
        if Instant::now() >= self.end {
            let max = self.end - self.begun;
            return Err(Error::Timeout(format!("the trial took longer than {max:?}")));
        }
        Ok(())
    }
}

#[derive(Default)]
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn try_all(
    connection: &Connection,
    plan: &Plan,
    (texts, bounds): (&[String], &Bounds),
    trial: &mut Trial,
) -> Result<()> {
    let old = OldStatements::read(connection, texts)?;
    let mut before = Census::take(connection, bounds.end)?;
    for phase in Phase::ALL {
        for migration in plan.pending_in(phase) {
            let begun = Instant::now();
            let n_runs = try_one(connection, migration, bounds)?;
            let time = begun.elapsed();
            let after = Census::take(connection, bounds.end)?;
            let tables = before.changes(&after);
            before = after;
            let Migration { number, phase, ref name, .. } = *migration;
            let name = name.clone();
            trial.steps.push(Tried { number, name, phase, time, n_runs, tables });
        }
        if phase == Phase::Expand {
            trial.n_statements = old.len();
            trial.broken = old.broken(connection)?;
        }
    }
    Ok(())
}

/// Runs a migration to its end and returns how often.
fn try_one(connection: &Connection, migration: &Migration, bounds: &Bounds) -> Result<u64> {
    let pace = Pace::default();
    loop {
        bounds.check().map_err(|error| match error {
            Error::Timeout(reason) => fault(migration.number, reason),
            other => other,
        })?;
        if migration.phase != Phase::Backfill {
            return apply::together(connection, std::slice::from_ref(migration)).map(|_| 1);
        }
        let run = apply::backfill(connection, migration, (&pace, false))?;
        if run.is_done {
            return Ok(run.n_runs);
        }
    }
}
