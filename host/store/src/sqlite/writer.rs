//! The one connection that writes, handed from one transaction to the next.
//!
//! A transaction is a savepoint in a batch: one SQLite transaction that is committed, with one write
//! to the disk, for all who took part. Whoever is done hands the connection to the next who waits;
//! when no one waits, or the batch is full or old enough, it is committed off the thread, and only
//! then are its members told. Those who come meanwhile form the next batch.
//!
//! The connection is held through a [`Lease`], whose drop gives it on, so that it cannot be lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::connection::{Connection, Place};
use super::fault::Fault;
use super::statistics::Counters;
use crate::{Error, Result};

/// Transactions in one batch: with 64 writers the gain of a larger batch is no longer measurable.
const MEMBERS_MAX: usize = 256;

/// How long the first member of a batch waits for others at most, while they keep coming.
const BATCH_TIME_MAX: Duration = Duration::from_millis(5);

/// The writer of one database.
pub(super) struct Writer {
    place: Arc<Place>,
    counters: Arc<Counters>,
    runtime: Handle,
    queue: Mutex<Queue>,
}

struct Queue {
    seat: Seat,
    waiting: VecDeque<oneshot::Sender<Lease>>,
}

/// Where the connection is.
enum Seat {
    /// Nobody has it and nobody waits.
    Free(Box<Held>),
    /// A lease has it.
    Taken,
    /// It could not be opened again after a fault; the next who asks tries again.
    Lost(Error),
    Closed,
}

/// The connection and the state of its transaction.
struct Held {
    connection: Connection,
    batch: Option<Batch>,
    /// Whether a member's savepoint is open.
    has_member: bool,
    /// Whether the connection must be opened again before anyone uses it.
    is_broken: bool,
}

struct Batch {
    began: Instant,
    changes_before: u64,
    members: Vec<oneshot::Sender<Result<()>>>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        place: Arc<Place>,
        counters: Arc<Counters>,
        runtime: Handle,
    ) -> Self {
        let seat = Seat::Free(Box::new(Held::new(connection)));
        let queue = Mutex::new(Queue { seat, waiting: VecDeque::new() });
        Self { place, counters, runtime, queue }
    }

    /// Takes the connection, after all who asked before.
    pub(super) async fn acquire(self: &Arc<Self>, deadline: Instant) -> Result<Lease> {
        let receiver = match self.take_or_wait()? {
            Turn::Now(held) => return Ok(Lease::new(held, self)),
            Turn::Later(receiver) => receiver,
        };
        match tokio::time::timeout_at(deadline.into(), receiver).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(_)) => Err(match &self.queue.lock().seat {
                Seat::Lost(error) => error.clone(),
                _ => super::closed(),
            }),
            Err(_) => {
                self.counters.timeouts.add(1);
                Err(Error::Timeout("waiting for the writer took too long".to_owned()))
            }
        }
    }

    fn take_or_wait(self: &Arc<Self>) -> Result<Turn> {
        let mut queue = self.queue.lock();
        match std::mem::replace(&mut queue.seat, Seat::Taken) {
            Seat::Free(held) => return Ok(Turn::Now(held)),
            Seat::Taken => {}
            Seat::Lost(_) => self.reopen(),
            Seat::Closed => {
                queue.seat = Seat::Closed;
                return Err(super::closed());
            }
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiting.push_back(sender);
        Ok(Turn::Later(receiver))
    }

    /// Waits for the transactions before this call, closes the connection and refuses all later ones.
    pub(super) async fn close(self: &Arc<Self>) {
        let far = Instant::now() + Duration::from_secs(3600);
        let lease = match self.acquire(far).await {
            Ok(lease) => lease.settle().await.ok(),
            Err(_) => None,
        };
        let waiting = {
            let mut queue = self.queue.lock();
            queue.seat = Seat::Closed;
            std::mem::take(&mut queue.waiting)
        };
        drop(waiting);
        // Closing cannot be reported to anyone.
        let _ = super::off_thread(move || drop(lease.map(Lease::into_held))).await;
    }

    /// Gives the connection to the next who waits, or ends the batch.
    fn pass_on(self: &Arc<Self>, mut held: Box<Held>) {
        if held.is_broken {
            held.fail(&Error::Unavailable("the database had to be opened again".to_owned()));
            drop(held);
            return self.reopen();
        }
        if held.batch.as_ref().is_none_or(Batch::has_room) {
            match self.give_to_next(held) {
                None => return,
                Some(left) => held = left,
            }
        }
        match &held.batch {
            None => {}
            Some(batch) if batch.members.is_empty() => {
                held.abandon();
                self.pass_on(held);
            }
            Some(_) => self.commit_later(held),
        }
    }

    /// Returns the connection when there is a batch to be committed first.
    fn give_to_next(self: &Arc<Self>, mut held: Box<Held>) -> Option<Box<Held>> {
        loop {
            let next = {
                let mut queue = self.queue.lock();
                match queue.waiting.pop_front() {
                    Some(next) => next,
                    None if held.batch.is_some() => return Some(held),
                    None => {
                        if !matches!(queue.seat, Seat::Closed) {
                            queue.seat = Seat::Free(held);
                        }
                        return None;
                    }
                }
            };
            match next.send(Lease::new(held, self)) {
                Ok(()) => return None,
                // The one who waited is gone.
                Err(lease) => held = lease.into_held(),
            }
        }
    }

    fn commit_later(self: &Arc<Self>, mut held: Box<Held>) {
        if !held.has_changes() {
            // Nothing to write, so nothing to wait for.
            held.commit(&self.counters);
            return self.pass_on(held);
        }
        let mut lease = Lease::new(held, self);
        lease.is_committing = true;
        self.runtime.spawn_blocking(move || {
            lease.commit();
            lease.commit_ended();
        });
    }

    /// Opens the connection again off the thread and gives it to the next who waits.
    fn reopen(self: &Arc<Self>) {
        let writer = Arc::clone(self);
        self.runtime.spawn_blocking(move || match Connection::open_writer(&writer.place) {
            Ok(connection) => writer.pass_on(Box::new(Held::new(connection))),
            Err(error) => {
                tracing::error!(path = %writer.place.path.display(), %error, "the writer is lost");
                let mut queue = writer.queue.lock();
                queue.seat = Seat::Lost(error);
                queue.waiting.clear();
            }
        });
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Closing the file may write the log back. Without a runtime it happens here.
        let seat = std::mem::replace(&mut self.queue.get_mut().seat, Seat::Closed);
        self.runtime.spawn_blocking(move || drop(seat));
    }
}

enum Turn {
    Now(Box<Held>),
    Later(oneshot::Receiver<Lease>),
}

impl Batch {
    fn has_room(&self) -> bool {
        self.members.len() < MEMBERS_MAX && self.began.elapsed() < BATCH_TIME_MAX
    }
}

impl Held {
    fn new(connection: Connection) -> Self {
        Self { connection, batch: None, has_member: false, is_broken: false }
    }

    fn has_changes(&self) -> bool {
        let now = self.connection.raw().total_changes();
        self.batch.as_ref().is_some_and(|batch| batch.changes_before != now)
    }

    /// Tells all members that their batch is gone.
    fn fail(&mut self, error: &Error) {
        self.has_member = false;
        for member in self.batch.take().into_iter().flat_map(|batch| batch.members) {
            // A member that no longer listens needs no answer.
            let _ = member.send(Err(error.clone()));
        }
    }

    /// Ends a batch of which nothing is to be kept.
    fn abandon(&mut self) {
        self.batch = None;
        self.is_broken |= self.connection.host("ROLLBACK", []).is_err();
    }

    /// Makes the batch durable and tells its members.
    fn commit(&mut self, counters: &Counters) {
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

/// The right to use the connection. Dropping it undoes what its holder did and gives it on.
pub(super) struct Lease {
    /// `None` only when it was taken out on purpose.
    held: Option<Box<Held>>,
    writer: Arc<Writer>,
    /// Whether this lease only exists to commit: it must not try again when it is dropped.
    is_committing: bool,
}

impl Lease {
    fn new(held: Box<Held>, writer: &Arc<Writer>) -> Self {
        Self { held: Some(held), writer: Arc::clone(writer), is_committing: false }
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("a lease has its connection until it is dropped")
    }

    fn held_mut(&mut self) -> &mut Held {
        self.held.as_mut().expect("a lease has its connection until it is dropped")
    }

    fn into_held(mut self) -> Box<Held> {
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
        let held = self.held_mut();
        held.connection.budget().renew();
        let began = match held.batch {
            Some(_) => Ok(0),
            None => held.connection.host("BEGIN IMMEDIATE", []),
        };
        if held.batch.is_none() && began.is_ok() {
            let changes_before = held.connection.raw().total_changes();
            held.batch = Some(Batch { began: Instant::now(), changes_before, members: Vec::new() });
        }
        let result = began.and_then(|_| held.connection.host("SAVEPOINT member", []));
        held.has_member = result.is_ok();
        held.is_broken |= matches!(result, Err(Fault::Connection(_)));
        result.map(|_| ()).map_err(Fault::into_error)
    }

    /// Notes that the whole batch was rolled back by SQLite: its members may try again.
    pub(super) fn lose_batch(&mut self) {
        let n_members = self.n_members();
        self.writer.counters.retries.add(n_members);
        let error = Error::Retry("a later statement of the same commit failed".to_owned());
        self.held_mut().fail(&error);
    }

    /// Notes that the connection is not sound.
    pub(super) fn mark_broken(&mut self) {
        self.held_mut().is_broken = true;
    }

    /// Ends the holder's transaction well. What comes out of the channel is whether it is durable.
    pub(super) fn finish(mut self) -> Result<oneshot::Receiver<Result<()>>> {
        let held = self.held_mut();
        held.connection.host("RELEASE member", []).map_err(Fault::into_error)?;
        held.has_member = false;
        let (sender, receiver) = oneshot::channel();
        if let Some(batch) = &mut held.batch {
            batch.members.push(sender);
        }
        Ok(receiver)
    }

    /// Commits what the members before did, so that the connection has no transaction.
    pub(super) async fn settle(mut self) -> Result<Self> {
        if self.held().batch.is_none() {
            return Ok(self);
        }
        self = super::off_thread(move || {
            self.undo();
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
        let counters = Arc::clone(&self.writer.counters);
        self.held_mut().commit(&counters);
    }

    /// Undoes the holder's transaction.
    fn undo(&mut self) {
        let held = self.held_mut();
        if !std::mem::take(&mut held.has_member) {
            return;
        }
        held.connection.budget().renew();
        let undone = held
            .connection
            .host("ROLLBACK TO member", [])
            .and_then(|_| held.connection.host("RELEASE member", []));
        if undone.is_err() {
            held.is_broken = true;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.held.is_none() {
            return;
        }
        self.undo();
        if self.is_committing {
            // The runtime is shutting down: nobody is left to be told.
            self.held_mut().is_broken = true;
        }
        let writer = Arc::clone(&self.writer);
        if let Some(held) = self.held.take() {
            writer.pass_on(held);
        }
    }
}
