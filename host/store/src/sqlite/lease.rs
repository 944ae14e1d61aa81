//! The right to use the writing connection, for one transaction.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::batch::Held;
use super::connection::Connection;
use super::fault::Fault;
use super::writer::Writer;
use crate::{Error, Result};

/// The right to use the connection. Dropping it undoes what its holder did and gives it on.
pub(super) struct Lease {
    /// `None` only when it was taken out on purpose.
    held: Option<Box<Held>>,
    writer: Arc<Writer>,
    /// Whether this lease only exists to commit: it must not try again when it is dropped.
    is_committing: bool,
    /// Whether undoing it may take long.
    is_heavy: bool,
}

impl Lease {
    pub(super) fn new(held: Box<Held>, writer: &Arc<Writer>) -> Self {
        Self { held: Some(held), writer: Arc::clone(writer), is_committing: false, is_heavy: false }
    }

    /// As [`Self::commit_later`], on this thread, which may block: other tasks leave it first.
    pub(super) fn commit_here(mut self) {
        self.is_committing = true;
        tokio::task::block_in_place(|| self.commit());
        self.commit_ended();
    }

    /// Commits the batch off the thread, tells its members, and gives the connection on.
    pub(super) fn commit_later(mut self) {
        let runtime = self.writer.runtime().clone();
        self.is_committing = true;
        runtime.spawn_blocking(move || {
            self.commit();
            self.commit_ended();
        });
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("a lease has its connection until it is dropped")
    }

    fn held_mut(&mut self) -> &mut Held {
        self.held.as_mut().expect("a lease has its connection until it is dropped")
    }

    pub(super) fn into_held(mut self) -> Box<Held> {
        self.held.take().expect("a lease has its connection until it is dropped")
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.held().connection
    }

    /// How many transactions would be lost with this one.
    pub(super) fn n_members(&self) -> usize {
        self.held().batch.as_ref().map_or(0, |batch| batch.members.len())
    }

    /// Begins the holder's transaction, and the batch when it is the first.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.held_mut().begin_member().map_err(Fault::into_error)
    }

    /// Notes that the whole batch was rolled back by SQLite: its members may try again.
    pub(super) fn lose_batch(&mut self) {
        let n_members = self.n_members();
        self.writer.counters().retries.add(n_members);
        let error = Error::Retry("a later statement of the same commit failed".to_owned());
        self.held_mut().fail(&error);
    }

    /// Notes that a statement took long, so that undoing it may take long as well.
    pub(super) fn mark_heavy(&mut self) {
        self.is_heavy = true;
    }

    /// Notes that the connection is not sound.
    pub(super) fn mark_broken(&mut self) {
        self.held_mut().is_broken = true;
    }

    /// Ends the holder's transaction well. What comes out of the channel is whether it is durable.
    pub(super) fn finish(mut self) -> Result<oneshot::Receiver<Result<()>>> {
        self.held_mut().finish_member().map_err(Fault::into_error)
    }

    /// Commits what the members before did, so that the connection has no transaction.
    pub(super) async fn settle(mut self) -> Result<Self> {
        if self.held().batch.is_none() {
            return Ok(self);
        }
        self = super::off_thread(move || {
            self.held_mut().undo_member();
            self.commit();
            self
        })
        .await?;
        if self.held().is_broken {
            return Err(Error::Unavailable("a commit failed".to_owned()));
        }
        Ok(self)
    }

    fn commit_ended(&mut self) {
        self.is_committing = false;
    }

    fn commit(&mut self) {
        let counters = Arc::clone(self.writer.counters());
        self.held_mut().commit(&counters);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        let writer = Arc::clone(&self.writer);
        if self.is_heavy && held.has_member {
            let lease = Self::new(held, &writer);
            writer.runtime().spawn_blocking(move || drop(lease));
            return;
        }
        held.undo_member();
        // A commit that was cut short, by a panic or the end of the runtime, is in doubt.
        held.is_broken |= self.is_committing;
        writer.pass_on(held);
    }
}
