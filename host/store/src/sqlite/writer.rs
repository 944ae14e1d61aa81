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
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use super::batch::{Batch, Held};
use super::connection::{Connection, Place};
use super::lease::Lease;
use super::statistics::Counters;
use crate::{Error, Result};

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

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.counters
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
    pub(super) fn pass_on(self: &Arc<Self>, mut held: Box<Held>) {
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
        let is_alone = held.batch.as_ref().is_some_and(|batch| batch.members.len() == 1);
        let lease = Lease::new(held, self);
        // A change of threads there and back costs a single writer a tenth of its time.
        if is_alone && can_block_here() { lease.commit_here() } else { lease.commit_later() }
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

/// Whether another thread can take over the tasks of this one.
fn can_block_here() -> bool {
    Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread)
}

enum Turn {
    Now(Box<Held>),
    Later(oneshot::Receiver<Lease>),
}
