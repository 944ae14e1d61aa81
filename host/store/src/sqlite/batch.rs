//! One SQLite transaction that several of the store's transactions share, and its connection.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::connection::Connection;
use super::fault::Fault;
use super::statistics::Counters;
use crate::{Error, Result};

/// Transactions in one batch: with 64 writers the gain of a larger batch is no longer measurable.
const MEMBERS_MAX: usize = 256;

/// How long the first member of a batch waits for others at most, while they keep coming.
const BATCH_TIME_MAX: Duration = Duration::from_millis(5);

/// The connection and the state of its transaction.
pub(super) struct Held {
    pub(super) connection: Connection,
    pub(super) batch: Option<Batch>,
    /// Whether a member's savepoint is open.
    pub(super) has_member: bool,
    /// Whether the connection must be opened again before anyone uses it.
    pub(super) is_broken: bool,
}

pub(super) struct Batch {
    began: Instant,
    changes_before: u64,
    pub(super) members: Vec<oneshot::Sender<Result<()>>>,
}

impl Batch {
    pub(super) fn has_room(&self) -> bool {
        self.members.len() < MEMBERS_MAX && self.began.elapsed() < BATCH_TIME_MAX
    }
}

impl Held {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, batch: None, has_member: false, is_broken: false }
    }

    pub(super) fn has_changes(&self) -> bool {
        let now = self.connection.raw().total_changes();
        self.batch.as_ref().is_some_and(|batch| batch.changes_before != now)
    }

    /// Begins a member, and the batch when it is the first.
    pub(super) fn begin_member(&mut self) -> Result<(), Fault> {
        self.connection.budget().renew();
        let result = self.begin_batch().and_then(|()| self.connection.host("SAVEPOINT member", []));
        self.has_member = result.is_ok();
        self.is_broken |= matches!(result, Err(Fault::Connection(_)));
        result.map(|_| ())
    }

    fn begin_batch(&mut self) -> Result<(), Fault> {
        if self.batch.is_none() {
            self.connection.host("BEGIN IMMEDIATE", [])?;
            let changes_before = self.connection.raw().total_changes();
            self.batch = Some(Batch { began: Instant::now(), changes_before, members: Vec::new() });
        }
        Ok(())
    }

    /// Ends the member well. What comes out of the channel is whether it is durable.
    pub(super) fn finish_member(&mut self) -> Result<oneshot::Receiver<Result<()>>, Fault> {
        self.connection.host("RELEASE member", [])?;
        self.has_member = false;
        let (sender, receiver) = oneshot::channel();
        if let Some(batch) = &mut self.batch {
            batch.members.push(sender);
        }
        Ok(receiver)
    }

    /// Undoes the member, when there is one.
    pub(super) fn undo_member(&mut self) {
        if !std::mem::take(&mut self.has_member) {
            return;
        }
        self.connection.budget().renew();
        let undone = self
            .connection
            .host("ROLLBACK TO member", [])
            .and_then(|_| self.connection.host("RELEASE member", []));
        self.is_broken |= undone.is_err();
    }

    /// Tells all members that their batch is gone.
    pub(super) fn fail(&mut self, error: &Error) {
        self.has_member = false;
        for member in self.batch.take().into_iter().flat_map(|batch| batch.members) {
            // A member that no longer listens needs no answer.
            let _ = member.send(Err(error.clone()));
        }
    }

    /// Ends a batch of which nothing is to be kept.
    pub(super) fn abandon(&mut self) {
        self.batch = None;
        self.is_broken |= self.connection.host("ROLLBACK", []).is_err();
    }

    /// Makes the batch durable and tells its members.
    pub(super) fn commit(&mut self, counters: &Counters) {
        if self.batch.is_none() {
            return;
        }
        let has_changes = self.has_changes();
        match self.connection.host("COMMIT", []) {
            Ok(_) => {
                let members = self.batch.take().map(|batch| batch.members).unwrap_or_default();
                counters.commits.add(usize::from(has_changes));
                counters.transactions.add(members.len());
                for member in members {
                    let _ = member.send(Ok(()));
                }
            }
            Err(fault) => self.commit_failed(fault, counters),
        }
    }

    fn commit_failed(&mut self, fault: Fault, counters: &Counters) {
        // After a failed write SQLite's own view of the log is in doubt as well.
        self.is_broken |= matches!(fault, Fault::Connection(_));
        let error = fault.into_error();
        tracing::error!(path = %self.connection.path().display(), %error, "a commit failed");
        self.is_broken |=
            self.connection.is_in_transaction() && self.connection.host("ROLLBACK", []).is_err();
        let error = match error {
            Error::DiskFull | Error::Unavailable(_) => error,
            other => {
                counters.retries.add(self.batch.as_ref().map_or(0, |batch| batch.members.len()));
                Error::Retry(other.to_string())
            }
        };
        self.fail(&error);
    }
}
