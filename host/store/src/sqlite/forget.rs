//! Forgetting a subject: what the host itself keeps of it in a plugin's file, and what the log still
//! has of rows that are deleted.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::fault::Fault;
use super::host_tables;
use crate::{Error, Result};

/// How long forgetting may hold up those who want to write.
pub(super) const TIME_MAX: Duration = Duration::from_secs(5);

/// Between two looks at whether the snapshots that keep the log are gone.
const PAUSE: Duration = Duration::from_millis(10);

/// Forgets the subject and empties the log. No transaction is open on the connection.
pub(super) fn run(connection: &Connection, tenant: &str, subject: &str) -> Result<u64> {
    let end = Instant::now() + TIME_MAX;
    connection.budget().renew();
    let armed = connection.budget().arm(end);
    let forgotten = host_tables::forget(connection, tenant, subject).map_err(Fault::into_error)?;
    while !host_tables::empty_log(connection).map_err(Fault::into_error)? {
        if Instant::now() >= end {
            let reason = "snapshots that are being read keep the log from being emptied";
            return Err(Error::Timeout(reason.to_owned()));
        }
        std::thread::sleep(PAUSE);
    }
    drop(armed);
    Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
}
