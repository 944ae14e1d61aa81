//! What is to be done with a list of migrations, seen from what was applied before and from who serves.
//!
//! Pure: a backend reads its ledger, and does what the plan says.

use crate::{Error, Migration, Phase, Result};

/// What is known of a migration that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The phase it was begun in.
    pub phase: Phase,
    /// What became of it.
    pub state: State,
    /// Rows that a backfill changed so far.
    pub n_rows: u64,
    /// How often a backfill was run.
    pub n_runs: u64,
    /// When this was recorded, in Unix milliseconds.
    pub recorded_at_ms: i64,
    /// Why the last attempt failed, when it did.
    pub failure: Option<String>,
    pub(crate) checksum: Vec<u8>,
}

/// What became of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is done.
    Applied,
    /// A backfill that has not yet run to its end, or must be run to it again.
    Running,
    /// The last attempt failed and left nothing behind.
    Failed,
}

impl State {
    const ALL: [Self; 3] = [Self::Applied, Self::Running, Self::Failed];

    /// Its name: `applied`, `running`, `failed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Running => "running",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A migration that is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The migration.
    pub migration: Migration,
    /// In which phase of the upgrade it runs. A backfill that comes before an expand step runs with
    /// that one, and once more in its own phase.
    pub runs_in: Phase,
}

/// What is to be done with a list of migrations. Whoever carries it out compares it with the ledger
/// again, so that a step that was done meanwhile is not done twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is recorded, in the order of the numbers; also what failed.
    pub recorded: Vec<Recorded>,
    /// The highest number applied so far, 0 when there is none.
    pub schema_version: u32,
    /// What is to be run, in the order of the numbers.
    pub pending: Vec<Pending>,
    /// What was applied by a later version and is not in the list.
    pub ahead: Vec<u32>,
    /// Why the list cannot be carried out: each an [`Error::Migration`]. Nothing runs while there are
    /// any.
    pub faults: Vec<Error>,
    pub(crate) migrations: Vec<Migration>,
    pub(crate) serving: Option<u32>,
}

impl Plan {
    /// What runs in one phase of the upgrade.
    pub fn pending_in(&self, phase: Phase) -> impl Iterator<Item = &Migration> {
        self.pending.iter().filter(move |it| it.runs_in == phase).map(|it| &it.migration)
    }

    /// Refuses a plan with faults.
    ///
    /// # Errors
    /// The first of [`Plan::faults`].
    pub fn check(&self) -> Result<()> {
        self.faults.first().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Makes the plan for `migrations`. `checksum` and `check` say of one what the backend makes of it.
    pub(crate) fn draw(
        migrations: &[Migration],
        serving: Option<u32>,
        recorded: Vec<Recorded>,
        rules: &Rules<'_>,
    ) -> Self {
        let schema_version =
            recorded.iter().filter(|it| it.is_begun()).map(|it| it.number).max().unwrap_or(0);
        let mut plan = Self {
            recorded,
            schema_version,
            pending: Vec::new(),
            ahead: Vec::new(),
            faults: Vec::new(),
            migrations: migrations.to_vec(),
            serving,
        };
        plan.check_order();
        if plan.faults.is_empty() {
            plan.look_ahead();
            plan.compare(rules);
            plan.assign_phases();
            plan.check_contracts();
        }
        plan
    }

    fn check_order(&mut self) {
        let mut previous = 0;
        for migration in &self.migrations {
            if migration.number <= previous {
                let reason =
                    "the numbers must begin at 1 or later and grow from one migration to the next";
                self.faults.push(fault(migration.number, reason));
            }
            previous = previous.max(migration.number);
        }
    }

    /// What is applied and not in the list: of a later version, when it comes after all of the list.
    fn look_ahead(&mut self) {
        let last = self.migrations.last().map_or(0, |migration| migration.number);
        for applied in self.recorded.iter().filter(|it| it.is_begun()) {
            let (number, name) = (applied.number, &applied.name);
            if self.migrations.iter().any(|migration| migration.number == number) {
                continue;
            }
            if number < last {
                let reason = format!(
                    "it ({name}) is applied, but this version of the plugin does not know it and \
                     goes on to {last}: put it back into the list"
                );
                self.faults.push(fault(number, reason));
            } else if applied.phase == Phase::Contract {
                let reason = format!(
                    "it ({name}) is a contract step of a later version and is applied, so that this \
                     version can no longer work: use the later version that brought it"
                );
                self.faults.push(fault(number, reason));
            } else {
                self.ahead.push(number);
            }
        }
    }

    fn compare(&mut self, rules: &Rules<'_>) {
        for migration in &self.migrations {
            let number = migration.number;
            let known = self.recorded.iter().find(|it| it.number == number && it.is_begun());
            let found = match known {
                Some(known) if known.state == State::Applied => applied_as(migration, known, rules),
                None if number < self.schema_version => Some(format!(
                    "it comes before {}, which is already applied: give it a higher number",
                    self.schema_version
                )),
                _ => {
                    let runs_in = migration.phase;
                    self.pending.push(Pending { migration: migration.clone(), runs_in });
                    (rules.check)(migration).err().map(|error| error.to_string())
                }
            };
            self.faults.extend(found.map(|reason| fault(number, reason)));
        }
    }

    /// Everything up to the last step that must be done before the new version serves runs then.
    fn assign_phases(&mut self) {
        let serving = self.serving;
        let is_early = |pending: &Pending| match (serving, pending.migration.phase) {
            (None, _) | (_, Phase::Expand) => true,
            (Some(known), Phase::Contract) => pending.migration.number <= known,
            (_, Phase::Backfill) => false,
        };
        let n_early = self.pending.iter().rposition(is_early).map_or(0, |last| last + 1);
        for pending in &mut self.pending[..n_early] {
            pending.runs_in = Phase::Expand;
        }
    }

    /// A contract step that the serving version does not know waits until that one is gone, and so
    /// does all that comes after it.
    fn check_contracts(&mut self) {
        let Some(known) = self.serving else { return };
        let is_unknown_contract = |pending: &&Pending| {
            pending.migration.phase == Phase::Contract && pending.migration.number > known
        };
        let Some(contract) = self.pending.iter().find(is_unknown_contract) else { return };
        let number = contract.migration.number;
        let later = self.pending.iter().map(|pending| &pending.migration);
        if let Some(later) =
            later.filter(|it| it.phase != Phase::Contract).find(|it| it.number > number)
        {
            let reason = format!(
                "it ({}) is a contract step that the serving version does not know, and the {} step \
                 {} ({}) comes after it: install the version in between first, which ends with \
                 {number}, or disable the plugin while it is upgraded",
                contract.migration.name, later.phase, later.number, later.name
            );
            self.faults.push(fault(number, reason));
        }
    }
}

impl Recorded {
    /// Whether it left something behind.
    pub(crate) fn is_begun(&self) -> bool {
        self.state != State::Failed
    }
}

/// What a backend says of a migration.
pub(crate) struct Rules<'a> {
    /// Over what it applies of it.
    pub(crate) checksum: &'a dyn Fn(&Migration) -> Vec<u8>,
    /// Whether it would run it at all.
    pub(crate) check: &'a dyn Fn(&Migration) -> Result<()>,
}

/// What is wrong with one that is applied.
fn applied_as(migration: &Migration, known: &Recorded, rules: &Rules<'_>) -> Option<String> {
    if (rules.checksum)(migration) != known.checksum {
        return Some(
            "it was applied with another text: put the old text back and add a new migration instead"
                .to_owned(),
        );
    }
    (migration.phase != known.phase).then(|| {
        format!("it was applied as {} and is {} now: put it back", known.phase, migration.phase)
    })
}

pub(crate) fn fault(number: u32, reason: impl Into<String>) -> Error {
    Error::Migration { number, reason: reason.into() }
}

#[cfg(test)]
mod tests;
