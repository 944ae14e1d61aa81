//! The data of a plugin while it is changed: what its migrations would do, tried on a copy; what runs
//! before the swap, and what runs when the generation before is gone.

use std::sync::Arc;

use caplet_store::{Database, Migration, Pace, Phase, Plan, Tag, Trial};

use super::difference::{Difference, Effect};
use super::operation::Operation;
use super::recorded::remember;
use crate::digest::Digest;
use crate::generation::Generation;
use crate::load::{LoadError, Prepared, Step};
use crate::runtime::Inner;

/// Broken statements that are told of.
const BROKEN_TOLD_MAX: usize = 5;

/// Characters of a statement that are told.
const STATEMENT_CHARACTERS_MAX: usize = 200;

/// The database of a plugin, and what is to be done with it.
#[derive(Clone)]
pub(crate) struct Schema {
    plugin: Arc<str>,
    pub(crate) database: Arc<dyn Database>,
    plan: Plan,
}

/// Which version works on the data while they are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// None, and there are no data: what would be done is only told, and none are made.
    Nothing,
    /// One that knows the migrations up to this number.
    Version(u32),
    /// None now. What the version that served last had not done yet is done in its turn, and what it needs
    /// is given up when the new one serves: until then there is a way back.
    Nobody,
}

impl Beside {
    /// The generation that serves now.
    pub(crate) fn serving(generation: Option<&Generation>) -> Self {
        match generation {
            None => Self::Nobody,
            Some(generation) => {
                let migrations = &generation.description().migrations;
                Self::Version(migrations.last().map_or(0, |last| last.number))
            }
        }
    }
}

impl Schema {
    /// Opens the database of a prepared plugin, and plans; none when it keeps no data.
    pub(crate) async fn open(
        inner: &Inner,
        prepared: &Prepared,
        beside: Beside,
    ) -> Result<Option<Self>, LoadError> {
        let migrations = &prepared.description().migrations;
        if migrations.is_empty() && !prepared.inspection.asks_for("sql") {
            return Ok(None);
        }
        let failed = failed_at(Step::Expand, prepared.name());
        let limits = prepared.limits.store();
        let database = match beside {
            Beside::Nothing => inner.store.open_scratch(limits).await,
            _ => inner.store.open(prepared.name(), limits).await,
        };
        let database = database.map_err(&failed)?;
        let migrations: Vec<Migration> = migrations.iter().cloned().map(Into::into).collect();
        let plan = plan(&*database, &migrations, beside).await.map_err(&failed)?;
        plan.check().map_err(&failed)?;
        Ok(Some(Self { plugin: prepared.name().into(), database, plan }))
    }

    /// What is to be done, one line each.
    pub(crate) fn steps(&self) -> Vec<String> {
        let pending = self.plan.pending.iter();
        pending
            .map(|it| format!("{} {}: {}", it.runs_in, it.migration.number, it.migration.name))
            .collect()
    }

    /// Whether anything is to be done.
    pub(crate) fn is_pending(&self) -> bool {
        !self.plan.pending.is_empty()
    }

    /// Whether rows are to be filled in after the swap.
    pub(crate) fn is_to_fill(&self) -> bool {
        // One that ran with the expand steps is run once more: the old version went on writing.
        self.plan.pending.iter().any(|it| it.migration.phase == Phase::Backfill)
    }

    /// Whether something is to be given up after the swap.
    pub(crate) fn is_to_contract(&self) -> bool {
        self.plan.pending_in(Phase::Contract).next().is_some()
    }

    /// Whether something is to be given up before the swap already.
    pub(crate) fn gives_up_at_once(&self) -> bool {
        given_up_at_once(&self.plan).is_some()
    }

    /// Tries what is to be done on a copy of the data, with the statements of the generation that
    /// serves, if one does. Returns what would be lost.
    ///
    /// # Errors
    /// What failed on the copy, or would make the serving generation fail.
    pub(crate) async fn rehearse(
        &self,
        serving: Option<&Generation>,
    ) -> Result<Vec<Difference>, LoadError> {
        let known = serving.map(|it| self.database.statements_of(tag(&it.digest())));
        let are_all_known = known.as_ref().is_none_or(|known| known.is_complete);
        let texts = known.map(|known| known.texts).unwrap_or_default();
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let failed = failed_at(Step::Trial, &self.plugin);
        let trial = self.database.trial(&self.plan, &texts).await.map_err(&failed)?;
        tracing::info!(
            plugin = &*self.plugin,
            n_statements = trial.n_statements,
            copy_bytes = trial.copy_bytes,
            time = ?trial.time,
            "tried the migrations on a copy"
        );
        if let Some(failure) = trial.failure {
            return Err(failed(failure));
        }
        if !trial.broken.is_empty() {
            return Err(self.broken(&trial));
        }
        let known = serving.and_then(|it| it.description().migrations.last());
        let mut differences = losses(&trial, known.map_or(0, |last| last.number));
        differences.extend((!are_all_known).then(unknown_statements));
        Ok(differences)
    }

    fn broken(&self, trial: &Trial) -> LoadError {
        let told = trial.broken.iter().take(BROKEN_TOLD_MAX).map(|broken| {
            let text: String = broken.statement.chars().take(STATEMENT_CHARACTERS_MAX).collect();
            format!("the version that serves would fail with `{text}`: {}", broken.reason)
        });
        let mut reasons: Vec<String> = told.collect();
        if trial.broken.len() > BROKEN_TOLD_MAX {
            reasons.push(format!("and {} more", trial.broken.len() - BROKEN_TOLD_MAX));
        }
        reasons.push("mark the migration that does it as `contract`".to_owned());
        Step::Trial.failed(Some(&self.plugin), reasons)
    }

    /// Does what must be done before the swap to the component with this digest.
    pub(crate) async fn expand(&self, inner: &Inner, digest: &Digest) -> Result<(), LoadError> {
        let expanded = self.database.expand(&self.plan).await;
        let migrated = expanded.map_err(failed_at(Step::Expand, &self.plugin))?;
        if !migrated.applied.is_empty() {
            tracing::info!(plugin = &*self.plugin, applied = ?migrated.applied, "migrated");
        }
        let remembered = remember(inner, (&self.plugin, digest), &*self.database).await;
        remembered.map_err(failed_at(Step::Expand, &self.plugin))
    }

    /// Fills in what the rows of before lack.
    pub(crate) async fn backfill(&self, operation: &Operation) -> Result<(), LoadError> {
        if !self.is_to_fill() {
            return Ok(());
        }
        operation.at(Step::Backfill);
        let filled = self.database.backfill(&self.plan, &Pace::default()).await;
        let filled = filled.map_err(failed_at(Step::Backfill, &self.plugin))?;
        for backfill in filled {
            let (number, n_rows) = (backfill.number, backfill.n_rows);
            tracing::info!(plugin = &*self.plugin, number, n_rows, "filled in");
        }
        Ok(())
    }

    /// Gives up what only the generation before needed.
    pub(crate) async fn contract(&self, operation: &Operation) -> Result<(), LoadError> {
        operation.at(Step::Contract);
        let contracted = self.database.contract(&self.plan).await;
        let contracted = contracted.map_err(failed_at(Step::Contract, &self.plugin))?;
        tracing::info!(plugin = &*self.plugin, applied = ?contracted.applied, "contracted");
        Ok(())
    }
}

/// Under which name the statements of a component are recorded.
pub(crate) fn tag(digest: &Digest) -> Tag {
    let mut beginning = [0; 8];
    beginning.copy_from_slice(&digest.as_bytes()[..8]);
    Tag::of(u64::from_be_bytes(beginning))
}

/// What is said where a version ran more statements than are recorded.
fn unknown_statements() -> Difference {
    let text = "the version that serves ran more different statements than are recorded (2 000, or 2 MiB): \
        those beyond were not tried with the new data";
    Difference { effect: Effect::Breaks, text: text.to_owned() }
}

async fn plan(
    database: &dyn Database,
    migrations: &[Migration],
    beside: Beside,
) -> caplet_store::Result<Plan> {
    match beside {
        Beside::Nothing => database.plan(migrations, None).await,
        Beside::Version(number) => {
            let plan = database.plan(migrations, Some(number)).await?;
            put_off(database, migrations, plan).await
        }
        Beside::Nobody => {
            let at_once = database.plan(migrations, None).await?;
            if at_once.schema_version == 0 {
                return Ok(at_once);
            }
            let in_turn = database.plan(migrations, Some(at_once.schema_version)).await?;
            // Where a later step needs something given up, nobody serves whom that would harm.
            Ok(if in_turn.check().is_ok() { in_turn } else { at_once })
        }
    }
}

/// Leaves what the version that serves gives up itself, and has not yet, to what follows the swap, unless a
/// later step needs it done: until then there is a way back, and older generations may still run.
async fn put_off(
    database: &dyn Database,
    migrations: &[Migration],
    plan: Plan,
) -> caplet_store::Result<Plan> {
    let Some(first) = given_up_at_once(&plan) else { return Ok(plan) };
    let later = database.plan(migrations, Some(first - 1)).await?;
    Ok(if later.check().is_ok() { later } else { plan })
}

/// The first step that gives something up before the swap.
fn given_up_at_once(plan: &Plan) -> Option<u32> {
    let mut early = plan.pending_in(Phase::Expand);
    early.find(|it| it.phase == Phase::Contract).map(|it| it.number)
}

/// What is gone after the migrations, which somebody may miss. What the version that serves knows was agreed
/// to when that one came.
fn losses(trial: &Trial, known: u32) -> Vec<Difference> {
    let lost = trial.steps.iter().filter(|step| step.number > known).flat_map(|step| {
        let tables = step.tables.iter().filter(|table| table.is_destructive());
        tables.map(move |table| format!("migration {} ({}): {table}", step.number, step.name))
    });
    lost.map(|text| Difference { effect: Effect::Breaks, text }).collect()
}

fn failed_at(step: Step, plugin: &str) -> impl Fn(caplet_store::Error) -> LoadError {
    let plugin = plugin.to_owned();
    move |error| step.failed(Some(&plugin), vec![error.to_string()])
}
