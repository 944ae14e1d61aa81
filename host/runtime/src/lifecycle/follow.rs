//! What follows a swap: the old generation is drained, the new one is watched against it, and when it
//! has proved itself the data are given their new shape. A new generation that does worse is rolled
//! back, once.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::aftermath::{Order, Phase};
use super::change::{Change, ChangeKind};
use super::judge::Judge;
use super::operation::{Claim, Operation, Outcome};
use super::replaced::Replaced;
use super::schema::Schema;
use super::watched::{self, Watched};
use crate::generation::Generation;
use crate::load::{LoadError, Step};
use crate::runtime::{Inner, Runtime};

/// Between two looks at a generation.
const PERIOD: Duration = Duration::from_millis(50);

/// Who rolls back.
const WATCH: &str = "watch";

/// One aftermath on its way.
pub(super) struct Follow {
    pub(super) inner: Weak<Inner>,
    pub(super) operation: Arc<Operation>,
    pub(super) orders: watch::Receiver<Order>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) began: Instant,
    pub(super) options: super::UpgradeOptions,
    /// The generation that was replaced, until it is drained.
    pub(super) old: Option<Weak<Generation>>,
    pub(super) replaced: Arc<Replaced>,
    pub(super) new: Option<Arc<Generation>>,
    pub(super) schema: Option<Schema>,
    pub(super) watched: Option<Watched>,
    pub(super) judge: Judge,
}

/// Why an aftermath does not come to its good end.
enum End {
    /// It is held, or abandoned.
    Stopped,
    /// The new generation does worse than the old one.
    Worse(String),
    /// The data could not be given their new shape.
    Failed(LoadError),
}

impl Follow {
    pub(super) async fn run(mut self) {
        let trouble = loop {
            match self.prove().await {
                Ok(()) => {
                    self.has_proved().await;
                    break None;
                }
                Err(End::Stopped) if self.may_go_on().await => {}
                Err(End::Stopped) => break None,
                Err(End::Worse(reason)) => break Some(self.roll_back(reason).await),
                Err(End::Failed(error)) => break Some(error.to_string()),
            }
        };
        if let Some(trouble) = &trouble {
            tracing::error!(plugin = self.plugin(), operation = self.operation.id(), "{trouble}");
        }
        self.operation.has_settled(trouble);
        self.phase.send_replace(Phase::Ended);
    }

    /// Drains the old generation, fills in the data, watches the new one, and gives up the old shape of
    /// the data.
    async fn prove(&mut self) -> Result<(), End> {
        self.look()?;
        self.drain().await?;
        let Some(schema) = self.schema.clone() else {
            return self.watch().await;
        };
        if schema.is_to_fill() || schema.is_to_contract() {
            self.wait_for_older(schema.is_to_contract()).await?;
        }
        let operation = self.operation.clone();
        let filled = {
            let filling = schema.backfill(&operation);
            tokio::select! {
                filled = filling => filled,
                end = self.guard() => return Err(end),
            }
        };
        // The new version serves, whatever became of the rows of before: it is judged all the same.
        self.watch().await?;
        filled.map_err(End::Failed)?;
        if schema.is_to_contract() {
            self.wait_until_well().await?;
            schema.contract(&operation).await.map_err(End::Failed)?;
            self.note_contract().await;
        }
        Ok(())
    }

    /// Waits until nobody uses the old generation any more, or its time is over.
    async fn drain(&mut self) -> Result<(), End> {
        let Some(old) = self.old.clone() else { return Ok(()) };
        self.operation.at(Step::Drain);
        while old.strong_count() > 0 && !self.is_drain_over() {
            self.look()?;
            self.rest().await;
        }
        if old.strong_count() > 0 {
            let plugin = self.plugin();
            tracing::warn!(
                plugin,
                "invocations of the old version outlast the time they are given"
            );
        }
        self.old = None;
        Ok(())
    }

    fn is_drain_over(&self) -> bool {
        self.began.elapsed() >= self.options.drain_time_max()
    }

    /// Waits until no older generation works with the data. Calls that have not begun in time are sent away
    /// only where what they need is to be given up.
    async fn wait_for_older(&mut self, contracts: bool) -> Result<(), End> {
        while !self.replaced.are_gone() {
            self.look()?;
            if self.is_drain_over() && contracts {
                self.replaced.close();
            }
            if self.is_drain_over() && self.order() == Order::Conclude {
                return Err(self.keeps_shape("invocations of an older version still run"));
            }
            self.rest().await;
        }
        Ok(())
    }

    /// Watches the new generation until it has proved itself, or there is no time for that.
    async fn watch(&mut self) -> Result<(), End> {
        let contracts = self.schema.as_ref().is_some_and(Schema::is_to_contract);
        if self.watched.is_none() && !contracts {
            return Ok(());
        }
        self.operation.at(Step::Watch);
        while self.began.elapsed() < self.watch_time() && self.order() == Order::Watch {
            self.look()?;
            self.rest().await;
        }
        self.look()
    }

    fn watch_time(&self) -> Duration {
        self.watched.as_ref().map_or(self.options.watch_time(), |watched| watched.time)
    }

    /// Waits while the new generation fails: there is a way back as long as the data keep their old shape.
    /// It is given as much time for that as it was watched.
    async fn wait_until_well(&mut self) -> Result<(), End> {
        let end = Instant::now() + self.watch_time();
        while self.new.as_ref().is_some_and(|new| new.is_failing() || new.quarantined().is_some()) {
            self.look()?;
            if Instant::now() >= end || self.order() == Order::Conclude {
                return Err(self.keeps_shape("it fails"));
            }
            self.rest().await;
        }
        Ok(())
    }

    fn keeps_shape(&self, because: &str) -> End {
        let kept = format!(
            "{because}, so that its data keep their old shape until the next change or start"
        );
        End::Failed(Step::Contract.failed(Some(&self.plugin()), vec![kept]))
    }

    /// Returns when the new generation does worse, or everything is to be left as it is.
    async fn guard(&mut self) -> End {
        loop {
            if let Err(end) = self.look() {
                return end;
            }
            self.rest().await;
        }
    }

    fn look(&mut self) -> Result<(), End> {
        if matches!(self.order(), Order::Hold | Order::Abandon) {
            return Err(End::Stopped);
        }
        self.verdict().map_or(Ok(()), |reason| Err(End::Worse(reason)))
    }

    fn order(&self) -> Order {
        // Whoever gives orders is gone with the host.
        if self.orders.has_changed().is_err() { Order::Abandon } else { *self.orders.borrow() }
    }

    async fn rest(&mut self) {
        let _ = tokio::time::timeout(PERIOD, self.orders.changed()).await;
    }

    /// Leaves everything as it is while it is held. Returns whether it goes on then.
    async fn may_go_on(&mut self) -> bool {
        self.phase.send_replace(Phase::Resting);
        let _ = self.orders.wait_for(|order| *order != Order::Hold).await;
        self.phase.send_replace(Phase::Going);
        self.order() != Order::Abandon
    }

    fn plugin(&self) -> String {
        self.operation.progress().plugin.unwrap_or_default()
    }

    async fn note_contract(&self) {
        let (Some(inner), Some(new)) = (self.inner.upgrade(), &self.new) else { return };
        let noted = inner.lifecycle.ledger.contracted(new.name(), new.number()).await;
        if let Err(error) = noted {
            // The plugin's own database knows it, and that is what a rollback is held against.
            tracing::warn!(plugin = new.name(), %error, "a contract step is not in the history");
        }
    }

    async fn has_proved(&self) {
        let (Some(inner), Some(new)) = (self.inner.upgrade(), &self.new) else { return };
        if let Err(error) = watched::forget(&inner, new.name(), new.number()).await {
            tracing::warn!(plugin = new.name(), %error, "the end of a watch is not written down");
        }
    }

    /// Why the new generation does worse than the old one, if it does.
    fn verdict(&mut self) -> Option<String> {
        let (new, before) = (self.new.as_ref()?, &self.watched.as_ref()?.before);
        if new.is_failing() {
            return Some("its last invocations all failed by its own fault".to_owned());
        }
        let score = new.scores.read();
        // In quarantine it is not called, so that no further invocation would tell more.
        if let Some(quarantined) = new.quarantined()
            && self.judge.watched(&score).bad_share() > before.bad_share()
        {
            return Some(format!("it is in quarantine: {}", quarantined.reason));
        }
        self.judge.look(&score, before)
    }

    /// Brings the generation before back. The rollback waits for its turn, which a change gives up that only
    /// waits for this aftermath. Returns what came of it.
    async fn roll_back(&mut self, reason: String) -> String {
        let (new, to) = (self.new.take(), self.watched.as_ref().map(|it| it.against));
        let (Some(inner), Some(new)) = (self.inner.upgrade(), new) else { return reason };
        let (plugin, number) = (new.name().to_owned(), new.number());
        tracing::error!(plugin, version = new.version(), "rolling back: {reason}");
        drop(new);
        self.phase.send_replace(Phase::Undoing);
        let change =
            Change::approved(ChangeKind::Rollback { plugin, to }, &format!("{WATCH}: {reason}"));
        let operation = Runtime { inner }.begin_as(change, Claim::Watch(number));
        match operation.outcome().await {
            Ok(Outcome::Unchanged) => format!("replaced before it was rolled back: {reason}"),
            Ok(_) => format!("rolled back: {reason}"),
            Err(error) => format!("could not be rolled back: {reason}; {error}"),
        }
    }
}
