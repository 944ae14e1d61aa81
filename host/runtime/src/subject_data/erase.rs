//! One step of erasing what a plugin keeps about a subject.
//!
//! What a step did is kept in the plugin's own database, in the transaction of the step: whoever asks
//! for the same step again, after a crash, is told what it did, and nothing is counted twice or lost.

use std::collections::BTreeSet;

use caplet_abi::exports::subject_data as wire;
use caplet_store::{IdempotencyKey, Mode};
use serde::{Deserialize, Serialize};

use super::{Asked, Refusal, unknown_holding};
use crate::fault::Fault;
use crate::generation::Generation;
use crate::instance::Instance;
use crate::invocation::StoreUse;
use crate::work::{Origin, Work};

/// The operation under which steps are kept. No route can have this name, because of the `/`.
const OPERATION: &str = "subject-data/erase";

/// Which step of which run. It must not tell whom the run is about: it outlives the erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepKey {
    /// The id of the run.
    pub run: String,
    /// The step's number in the run.
    pub number: u64,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// By holding.
    pub holdings: Vec<Erased>,
    /// Whether there is more to do.
    pub more: bool,
}

/// What one step did to a holding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// The holding's name.
    pub holding: String,
    /// Records that were deleted.
    pub deleted: u64,
    /// Records that were made anonymous.
    pub anonymised: u64,
    /// Records that stay; of meaning in the last step.
    pub kept: u64,
}

/// The call for one step.
pub(super) struct Erase {
    pub(super) asked: Asked,
    pub(super) key: StepKey,
}

impl Work for Erase {
    type Outcome = Result<Step, Refusal>;

    fn operation<'a>(&'a self, _generation: &'a Generation) -> &'a str {
        "subject-data.erase"
    }

    fn origin(&self) -> Origin<'_> {
        self.asked.origin()
    }

    fn store_use(&self, _generation: &Generation) -> StoreUse {
        StoreUse::Allowed(Mode::Write)
    }

    async fn serve(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> Result<Self::Outcome, Fault> {
        if generation.context.database.is_none() {
            return self.step(generation, instance).await;
        }
        let key = self.kept_under();
        let transaction = generation.begin(instance).await?;
        if let Some(kept) = transaction.recall(&key).await.map_err(Fault::Store)? {
            let damaged = |_| Fault::Answer("the kept step is damaged".to_owned());
            return serde_json::from_slice(&kept).map_err(damaged).map(Ok);
        }
        let outcome = self.step(generation, instance).await?;
        if let (Ok(step), Some(transaction)) = (&outcome, &mut instance.invocation().transaction) {
            let record = serde_json::to_vec(step).expect("names and numbers can be written");
            transaction.remember(&key, &record).await.map_err(Fault::Store)?;
        }
        Ok(outcome)
    }

    fn commits(outcome: &Self::Outcome) -> bool {
        outcome.is_ok()
    }
}

impl Erase {
    fn kept_under(&self) -> IdempotencyKey {
        IdempotencyKey {
            tenant: self.asked.about.tenant.clone(),
            subject: String::new(),
            operation: OPERATION.to_owned(),
            key: format!("{}/{}", self.key.run, self.key.number),
        }
    }

    async fn step(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> Result<Result<Step, Refusal>, Fault> {
        let exported = generation.subject_data_export().ok_or(Fault::Missing("subject-data"))?;
        let subject = self.asked.about.subject.clone();
        let answered = instance.call(|store, instance| {
            let guest = exported.load(&mut *store, instance);
            Box::pin(async move { guest?.call_erase(store, &subject).await })
        });
        match answered.await? {
            Ok(step) => check(step, generation).map(Ok),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

fn check(step: wire::Step, generation: &Generation) -> Result<Step, Fault> {
    let wire::Step { holdings, more } = step;
    let mut names = BTreeSet::new();
    let mut n_done = 0_u64;
    for erased in &holdings {
        if !generation.holdings().iter().any(|known| known.name == erased.holding) {
            return Err(unknown_holding(&erased.holding));
        }
        if !names.insert(&erased.holding) {
            return Err(Fault::Answer(format!("holding `{}` is there twice", erased.holding)));
        }
        n_done = n_done.saturating_add(erased.deleted).saturating_add(erased.anonymised);
    }
    // Such a step would be asked for again for ever.
    if more && n_done == 0 {
        return Err(Fault::Answer("the step did nothing, and says there is more to do".to_owned()));
    }
    let holdings = holdings.into_iter().map(|erased| {
        let wire::Erased { holding, deleted, anonymised, kept } = erased;
        Erased { holding, deleted, anonymised, kept }
    });
    Ok(Step { holdings: holdings.collect(), more })
}
