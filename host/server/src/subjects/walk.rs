//! The way of a run through the plugins. Every step is written down when it is committed; a step of
//! which nobody knows whether it was is asked for again, which the plugin's host answers as before.

use std::sync::Arc;
use std::time::Duration;

use caplet_runtime::{About, Erased, ErasureStep, Generation, Refusal, StepKey};
use caplet_store::{Error, Result};

use super::records::{Kind, Part, Records, Run, State};
use crate::host::{Phase, Shared};

/// How often a call is made again that failed for want of room or time on the host's side.
const ATTEMPTS_MAX: u32 = 5;

/// How long the first pause between them is; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How often an export may begin again because the plugin does not know its own cursor.
const RESTARTS_MAX: i64 = 2;

/// What one export may find, in bytes of JSON.
const EXPORT_BYTES_MAX: i64 = 256 << 20;

/// A run that goes on.
struct Walk<'a> {
    host: &'a Arc<Shared>,
    records: Records<'a>,
    run: Run,
    about: About,
}

/// What came of a call: its outcome, or the reason why the plugin's part is over.
type Called<T> = std::result::Result<T, String>;

/// Goes through the plugins that have not ended, and ends the run.
///
/// # Errors
/// Why the run stops here and has to be resumed: the host is stopping, or its own database fails.
pub(super) async fn walk(host: &Arc<Shared>, id: &str) -> Result<()> {
    let records = Records::new(host);
    let Some(run) = records.run(id).await? else { return Ok(()) };
    let Some(subject) = run.subject.clone() else { return Ok(()) };
    let about = About {
        request_id: run.id.as_str().into(),
        trace_id: run.id.replace('-', "").into(),
        tenant: run.tenant.as_str().into(),
        subject: subject.as_str().into(),
    };
    Walk { host, records, run, about }.walk().await
}

impl Walk<'_> {
    async fn walk(mut self) -> Result<()> {
        for mut part in std::mem::take(&mut self.run.plugins) {
            if matches!(part.state, State::Waiting | State::Running) {
                self.take_part(&mut part).await?;
            }
            self.run.plugins.push(part);
        }
        let all_done = self.run.plugins.iter().all(|part| part.state == State::Done);
        let state = if all_done { State::Done } else { State::Incomplete };
        self.records.end(&self.run, state).await?;
        if self.run.kind == Kind::Erasure {
            self.host.runtime.database().overwrite_deleted().await?;
        }
        tracing::info!(run = self.run.id, ?state, "ended what was begun for a data subject");
        Ok(())
    }

    /// Asks one plugin for all that it has to do, and notes how it ended.
    async fn take_part(&self, part: &mut Part) -> Result<()> {
        let (state, reason) = match self.ask(part).await? {
            Ok(state) => (state, None),
            Err(reason) => {
                self.go_on_only_while_serving()?;
                tracing::warn!(run = self.run.id, plugin = part.plugin, reason, "did not answer");
                (State::Failed, Some(reason))
            }
        };
        self.records.settle(&self.run.id, &part.plugin, state, reason.as_deref()).await?;
        (part.state, part.reason) = (state, reason);
        Ok(())
    }

    async fn ask(&self, part: &mut Part) -> Result<Called<State>> {
        let found = self.host.runtime.table().get(&part.plugin).cloned();
        let Some(generation) = found else {
            return Ok(Err("the plugin is not loaded".to_owned()));
        };
        self.records.settle(&self.run.id, &part.plugin, State::Running, None).await?;
        if generation.answers_for_subjects() && !generation.holdings().is_empty() {
            let called = match self.run.kind {
                Kind::Export => self.export(&generation, part).await?,
                Kind::Erasure => self.erase(&generation, part).await?,
            };
            if let Err(reason) = called {
                return Ok(Err(reason));
            }
        }
        if self.run.kind == Kind::Erasure
            && let Err(error) = self.forget(&generation).await
        {
            return Ok(Err(error.to_string()));
        }
        let keeps_data = generation.inspection().asks_for("sql");
        let is_silent = keeps_data && !generation.answers_for_subjects();
        Ok(Ok(if is_silent { State::Silent } else { State::Done }))
    }

    async fn export(&self, generation: &Arc<Generation>, part: &mut Part) -> Result<Called<()>> {
        let mut n_bytes = self.run.n_bytes;
        loop {
            if let Err(reason) = check_calls(generation, part) {
                return Ok(Err(reason));
            }
            let call = || generation.clone().export_subject(self.about.clone(), part.next.clone());
            let page = match attempt(call).await {
                Ok(page) => page,
                Err(Refusal::Cursor) if part.n_restarts < RESTARTS_MAX => {
                    self.records.restart(&self.run.id, &part.plugin).await?;
                    (part.n_restarts, part.n_records, part.next) = (part.n_restarts + 1, 0, None);
                    continue;
                }
                Err(refusal) => return Ok(Err(refusal.to_string())),
            };
            n_bytes = n_bytes.saturating_add(i64::try_from(page.items.len()).unwrap_or(i64::MAX));
            if n_bytes > EXPORT_BYTES_MAX {
                return Ok(Err(format!("the export has more than {EXPORT_BYTES_MAX} bytes")));
            }
            self.records.keep_page(&self.run.id, &part.plugin, &page).await?;
            part.n_calls += 1;
            part.n_records += i64::try_from(page.n_items).unwrap_or(i64::MAX);
            part.next = page.next;
            if part.next.is_none() {
                return Ok(Ok(()));
            }
        }
    }

    async fn erase(&self, generation: &Arc<Generation>, part: &mut Part) -> Result<Called<()>> {
        loop {
            if let Err(reason) = check_calls(generation, part) {
                return Ok(Err(reason));
            }
            let number = u64::try_from(part.n_calls).unwrap_or_default();
            let key = || StepKey { run: self.run.id.clone(), number };
            let call = || generation.clone().erase_subject(self.about.clone(), key());
            let step = match attempt(call).await {
                Ok(step) => step,
                Err(refusal) => return Ok(Err(refusal.to_string())),
            };
            let more = step.more;
            add(part, step);
            self.records.keep_step(&self.run.id, part).await?;
            if !more {
                return Ok(Ok(()));
            }
        }
    }

    /// What the host itself kept of the subject beside the plugin's data.
    async fn forget(&self, generation: &Generation) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS_MAX {
            match generation.forget_subject(&self.about.tenant, &self.about.subject).await {
                Err(Error::Retry(_) | Error::Timeout(_)) => tokio::time::sleep(pause).await,
                outcome => return outcome.map(drop),
            }
            pause *= 2;
        }
        generation.forget_subject(&self.about.tenant, &self.about.subject).await.map(drop)
    }

    /// # Errors
    /// When the host is stopping: then a failure says nothing about the plugin.
    fn go_on_only_while_serving(&self) -> Result<()> {
        match self.host.phase() {
            Phase::Draining => Err(Error::Unavailable("the host is stopping".to_owned())),
            Phase::Starting | Phase::Ready => Ok(()),
        }
    }
}

/// Makes a call again that failed for reasons that pass.
async fn attempt<T, F>(call: impl Fn() -> F) -> std::result::Result<T, Refusal>
where
    F: Future<Output = std::result::Result<T, Refusal>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS_MAX {
        match call().await {
            Err(Refusal::Fault(fault)) if fault.retry_after_s().is_some() => {
                tokio::time::sleep(pause).await;
            }
            outcome => return outcome,
        }
        pause *= 2;
    }
    call().await
}

/// A plugin that always has more comes to an end here.
fn check_calls(generation: &Generation, part: &Part) -> Called<()> {
    let calls_max = generation.limits().subject_calls_max;
    if u64::try_from(part.n_calls).unwrap_or_default() < calls_max {
        return Ok(());
    }
    Err(format!("had more to do after {calls_max} calls"))
}

/// Adds what a step did; what is kept is what the last step says.
fn add(part: &mut Part, step: ErasureStep) {
    part.n_calls += 1;
    for Erased { holding, deleted, anonymised, kept } in step.holdings {
        let n_done = deleted.saturating_add(anonymised);
        part.n_records = part.n_records.saturating_add(i64::try_from(n_done).unwrap_or(i64::MAX));
        match part.erased.iter_mut().find(|known| known.holding == holding) {
            Some(known) => {
                known.deleted = known.deleted.saturating_add(deleted);
                known.anonymised = known.anonymised.saturating_add(anonymised);
                known.kept = kept;
            }
            None => part.erased.push(Erased { holding, deleted, anonymised, kept }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(deleted: u64, kept: u64) -> ErasureStep {
        let erased = Erased { holding: "notes".to_owned(), deleted, anonymised: 1, kept };
        ErasureStep { holdings: vec![erased], more: true }
    }

    #[test]
    fn steps_add_up_and_the_last_says_what_is_kept() {
        let mut part = Part {
            plugin: "notes".to_owned(),
            state: State::Running,
            reason: None,
            n_calls: 0,
            n_records: 0,
            erased: Vec::new(),
            n_restarts: 0,
            next: None,
        };
        for step in [step(2, 7), step(3, 5)] {
            add(&mut part, step);
        }
        let sum = Erased { holding: "notes".to_owned(), deleted: 5, anonymised: 2, kept: 5 };
        assert_eq!((part.n_calls, part.n_records, part.erased), (2, 7, vec![sum]));
    }
}
