//! Watches a new version while it is rolled out, against the one that serves beside it. One that does
//! worse is taken back, once: then it is gone.
//!
//! The watch keeps no generation alive. It looks at the table, and ends when its candidate is not in it
//! any more, whoever took it out.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::change::{Change, ChangeKind};
use super::judge::{Judge, TIMED_MIN};
use super::operation::{Claim, Operation, Outcome};
use super::rollout::{Rollout, RolloutOrder};
use super::scores::Score;
use crate::generation::Generation;
use crate::runtime::{Inner, Runtime};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(50);

/// Between two attempts to take a candidate back, when that cannot be written down.
const AGAIN: Duration = Duration::from_secs(1);

/// Who takes back.
const WATCH: &str = "watch";

/// Looks at a rollout until it has ended. `operation` began it.
pub(super) fn watch(runtime: &Runtime, operation: &Arc<Operation>, rollout: (String, u32)) {
    let watch = Watch {
        inner: Arc::downgrade(&runtime.inner),
        operation: operation.clone(),
        plugin: rollout.0,
        number: rollout.1,
        judge: Judge::from(Score::default()),
    };
    tokio::spawn(watch.run());
}

struct Watch {
    inner: Weak<Inner>,
    operation: Arc<Operation>,
    plugin: String,
    number: u32,
    judge: Judge,
}

impl Watch {
    async fn run(mut self) {
        let mut reason = None;
        while let Some(runtime) = self.runtime() {
            if !self.goes_on(&runtime) {
                self.operation.has_settled(self.trouble(&runtime, reason));
                return;
            }
            let mut pause = PERIOD;
            if let Some(worse) = self.look(&runtime) {
                if self.take_back(&runtime, &worse).await {
                    reason = Some(worse);
                } else {
                    pause = AGAIN;
                }
            }
            drop(runtime);
            tokio::time::sleep(pause).await;
        }
    }

    fn runtime(&self) -> Option<Runtime> {
        self.inner.upgrade().map(|inner| Runtime { inner })
    }

    fn goes_on(&self, runtime: &Runtime) -> bool {
        let table = runtime.table();
        table.rollout(&self.plugin).is_some_and(|it| it.candidate.number() == self.number)
    }

    /// Why the candidate does worse than what serves, if it does.
    fn look(&mut self, runtime: &Runtime) -> Option<String> {
        let table = runtime.table();
        let (stable, rollout) = (table.get(&self.plugin)?, table.rollout(&self.plugin)?);
        worse(&mut self.judge, rollout, stable)
    }

    /// Returns whether it is taken back. A change that is in the way for a moment is waited for.
    async fn take_back(&self, runtime: &Runtime, reason: &str) -> bool {
        let (plugin, number) = (self.plugin.clone(), self.number);
        tracing::error!(plugin, generation = number, "taking it back: {reason}");
        let kind = ChangeKind::Rollout { plugin, order: RolloutOrder::Abort };
        let by = format!("{WATCH}: {reason}");
        let operation = runtime.begin_as(Change::approved(kind, &by), Claim::Watch(number));
        matches!(operation.outcome().await, Ok(Outcome::TakenBack(_)))
    }

    /// What whoever began the rollout is told when it has ended.
    fn trouble(&self, runtime: &Runtime, reason: Option<String>) -> Option<String> {
        let is_serving =
            runtime.table().get(&self.plugin).is_some_and(|it| it.number() == self.number);
        match reason {
            Some(reason) => Some(format!("taken back: {reason}")),
            None => (!is_serving).then(|| "its rollout was ended before it served all".to_owned()),
        }
    }
}

/// Why a candidate does worse than the generation beside it, if it does. Copies are not held against it:
/// nobody waits for them, and what they come to is reported.
fn worse(judge: &mut Judge, rollout: &Rollout, stable: &Generation) -> Option<String> {
    let candidate = &rollout.candidate;
    let score = candidate.scores.read();
    if rollout.stage.shadow {
        *judge = Judge::from(score);
        return None;
    }
    if candidate.is_failing() {
        return Some("its last invocations all failed by its own fault".to_owned());
    }
    let beside = baseline(rollout, stable);
    if let Some(quarantined) = candidate.quarantined()
        && judge.watched(&score).bad_share() > beside.bad_share()
    {
        return Some(format!("it is in quarantine: {}", quarantined.reason));
    }
    judge.look(&score, &beside)
}

/// What the generation that serves did meanwhile; where that says too little, what it ever did.
fn baseline(rollout: &Rollout, stable: &Generation) -> Score {
    let ever = stable.scores.read();
    let meanwhile = ever.since(&rollout.stable_before);
    if meanwhile.n() >= TIMED_MIN { meanwhile } else { ever }
}
