//! The connections that read: a few, each with a snapshot of its own.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{Connection, Place};
use super::off_thread;
use crate::{Error, Result};

/// The readers of one database.
pub(super) struct Readers {
    place: Arc<Place>,
    idle: Mutex<Vec<Connection>>,
    /// One permit a reader; waiters get theirs in the order they came.
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(place: Arc<Place>) -> Self {
        let permits = Arc::new(Semaphore::new(place.limits().readers_max.max(1)));
        Self { place, idle: Mutex::new(Vec::new()), permits }
    }

    /// A reader with a transaction, whose snapshot is taken by its first statement.
    pub(super) async fn acquire(self: &Arc<Self>, deadline: Instant) -> Result<Reader> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let waiting = Arc::clone(&self.permits).acquire_owned();
                match tokio::time::timeout_at(deadline.into(), waiting).await {
                    Ok(Ok(permit)) => permit,
                    Ok(Err(_)) => return Err(super::closed()),
                    Err(_) => {
                        return Err(Error::Timeout(
                            "waiting for a reader took too long".to_owned(),
                        ));
                    }
                }
            }
        };
        let known = self.idle.lock().pop();
        let connection = match known {
            Some(connection) => connection,
            None => {
                let place = Arc::clone(&self.place);
                off_thread(move || Connection::open_reader(&place)).await??
            }
        };
        let reader =
            Reader { connection: Some(connection), readers: Arc::clone(self), _permit: permit };
        reader.connection().host("BEGIN", []).map_err(|fault| fault.into_error())?;
        Ok(reader)
    }

    /// Waits for the readers in use, closes all, and lets no one in again.
    pub(super) async fn close(&self) {
        let all = u32::try_from(self.place.limits().readers_max.max(1)).unwrap_or(u32::MAX);
        let held = self.permits.acquire_many(all).await;
        self.permits.close();
        drop(held);
        let connections = std::mem::take(&mut *self.idle.lock());
        // Closing cannot be reported to anyone.
        let _ = off_thread(move || drop(connections)).await;
    }
}

/// A reader in use. Dropping it ends its transaction and gives it back.
pub(super) struct Reader {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    pub(super) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a reader has its connection until it is dropped")
    }

    /// Gives the permit back without the connection, which is not sound.
    pub(super) fn discard(mut self) {
        self.connection = None;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        connection.budget().renew();
        if connection.host("ROLLBACK", []).is_ok() && !self.readers.permits.is_closed() {
            self.readers.idle.lock().push(connection);
        }
    }
}
