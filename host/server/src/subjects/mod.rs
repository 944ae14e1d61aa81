//! Exports and erasures of data subjects: one run walks all plugins, one after the other, and writes
//! down how far it is after each step, so that it goes on where it was after a crash.
//!
//! `records` are its tables in the host's own database, `walk` goes through the plugins, and here is
//! which runs there are and when they begin. What a plugin answers is checked by the runtime; who may
//! ask is checked by the admin API.

mod records;
mod walk;

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use caplet_store as store;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::host::Shared;
use crate::problem::Problem;
use records::{Records, State};

pub(crate) use records::{ExportedPage, Kind, Run};

/// Runs that walk the plugins at once; further ones wait.
const RUNS_AT_ONCE_MAX: usize = 4;

/// Runs that have begun and not ended; further ones are refused.
const RUNS_UNFINISHED_MAX: usize = 100;

/// How long what an export found is kept.
const EXPORT_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The longest subject, in characters, as in tokens.
const SUBJECT_CHARACTERS_MAX: usize = 255;

/// The longest tenant, in characters, as in tokens.
const TENANT_CHARACTERS_MAX: usize = 64;

/// Whom a run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) tenant: String,
    pub(crate) subject: String,
}

impl Person {
    /// # Errors
    /// 404 for what no token can say.
    pub(crate) fn new(tenant: String, subject: String) -> Result<Self, Problem> {
        let fits = |text: &str, max| (1..=max).contains(&text.chars().count());
        if fits(&tenant, TENANT_CHARACTERS_MAX) && fits(&subject, SUBJECT_CHARACTERS_MAX) {
            Ok(Self { tenant, subject })
        } else {
            Err(Problem::not_found())
        }
    }

    /// What is kept of the person when nothing else may be.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.tenant, &self.subject] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }
}

/// The runs of a host.
pub(crate) struct Subjects {
    host: Weak<Shared>,
    /// The runs that this process works on.
    active: Mutex<HashSet<String>>,
    turns: Arc<Semaphore>,
    /// Held while it is decided whether a run begins.
    beginning: tokio::sync::Mutex<()>,
}

impl Subjects {
    pub(crate) fn new(host: Weak<Shared>) -> Self {
        Self {
            host,
            active: Mutex::default(),
            turns: Arc::new(Semaphore::new(RUNS_AT_ONCE_MAX)),
            beginning: tokio::sync::Mutex::default(),
        }
    }

    /// Goes on with the runs that an earlier process did not end, and forgets old exports.
    pub(crate) async fn resume(&self, host: &Arc<Shared>) -> store::Result<()> {
        let records = Records::new(host);
        records.forget_exports_before(expiry(host)).await?;
        host.runtime.database().overwrite_deleted().await?;
        for run in records.unfinished(RUNS_UNFINISHED_MAX).await? {
            tracing::info!(run, "going on with what was begun for a data subject");
            self.go_on(run);
        }
        Ok(())
    }

    /// Begins a run, or returns the one of that kind that has not ended.
    ///
    /// # Errors
    /// 409 when a run of the other kind has not ended, 503 when there are too many.
    pub(crate) async fn begin(
        &self,
        host: &Arc<Shared>,
        kind: Kind,
        person: &Person,
    ) -> Result<Run, Problem> {
        let _beginning = self.beginning.lock().await;
        let records = Records::new(host);
        for other in [Kind::Export, Kind::Erasure] {
            match records.latest(other, &person.digest()).await? {
                Some(run) if run.state == State::Running && other == kind => {
                    self.go_on(run.id.clone());
                    return Ok(run);
                }
                Some(run) if run.state == State::Running => return Err(busy(other)),
                _ => {}
            }
        }
        if records.unfinished(RUNS_UNFINISHED_MAX).await?.len() >= RUNS_UNFINISHED_MAX {
            return Err(too_many());
        }
        records.forget_exports_before(expiry(host)).await?;
        let plugins: Vec<String> =
            host.runtime.table().iter().map(|generation| generation.name().to_owned()).collect();
        let id = uuid::Uuid::now_v7().to_string();
        records.begin(&id, kind, person, &plugins).await?;
        self.go_on(id.clone());
        records.run(&id).await?.ok_or_else(Problem::internal)
    }

    /// The latest run of a kind.
    ///
    /// # Errors
    /// 404 when there is none.
    pub(crate) async fn latest(
        &self,
        host: &Arc<Shared>,
        kind: Kind,
        person: &Person,
    ) -> Result<Run, Problem> {
        let run = Records::new(host).latest(kind, &person.digest()).await?;
        run.ok_or_else(Problem::not_found)
    }

    /// A page of what the latest export found; pages count from 1.
    ///
    /// # Errors
    /// 404 when there is no such page, 409 when the export has not ended.
    pub(crate) async fn page(
        &self,
        host: &Arc<Shared>,
        person: &Person,
        number: i64,
    ) -> Result<ExportedPage, Problem> {
        let run = self.latest(host, Kind::Export, person).await?;
        if run.state == State::Running {
            return Err(busy(Kind::Export));
        }
        Records::new(host).page(&run.id, number).await?.ok_or_else(Problem::not_found)
    }

    /// Works on a run in a task of its own, unless one does already.
    fn go_on(&self, run: String) {
        if !self.active.lock().insert(run.clone()) {
            return;
        }
        let (host, turns) = (self.host.clone(), self.turns.clone());
        tokio::spawn(async move {
            // The semaphore is never closed.
            let _turn = turns.acquire_owned().await;
            let Some(host) = host.upgrade() else { return };
            if let Err(stopped) = walk::walk(&host, &run).await {
                tracing::warn!(run, reason = %stopped, "a data subject's run waits to be resumed");
            }
            host.subjects.active.lock().remove(&run);
        });
    }
}

fn expiry(host: &Shared) -> i64 {
    let kept_ms = i64::try_from(EXPORT_KEPT.as_millis()).unwrap_or(i64::MAX);
    now_ms(host).saturating_sub(kept_ms)
}

fn now_ms(host: &Shared) -> i64 {
    i64::try_from(host.clock.now_ms()).unwrap_or(i64::MAX)
}

fn busy(kind: Kind) -> Problem {
    let detail = format!("An {} of this subject has not ended yet.", kind.name());
    Problem::new(StatusCode::CONFLICT, "subject-busy", detail)
}

fn too_many() -> Problem {
    let detail = format!("{RUNS_UNFINISHED_MAX} exports and erasures have not ended yet.");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "subject-runs-busy", detail)
        .with_header(RETRY_AFTER, HeaderValue::from_static("10"))
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        tracing::error!(%error, "the host's own database failed");
        Self::from(&caplet_runtime::Fault::Store(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(tenant: &str, subject: &str) -> Result<Person, Problem> {
        Person::new(tenant.to_owned(), subject.to_owned())
    }

    #[test]
    fn persons_of_different_tenants_are_different() {
        let digest = |tenant, subject| person(tenant, subject).unwrap().digest();
        assert_ne!(digest("a", "bc"), digest("ab", "c"));
        assert_eq!(digest("a", "b"), digest("a", "b"));
    }

    #[test]
    fn nobody_has_a_name_that_no_token_can_say() {
        for (tenant, subject) in
            [("", "a"), ("a", ""), (&*"a".repeat(65), "a"), ("a", &*"a".repeat(256))]
        {
            assert!(person(tenant, subject).is_err());
        }
    }
}
