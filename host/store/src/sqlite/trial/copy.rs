//! A copy of a database, made while others use it, and gone when it is dropped.

use std::path::Path;
use std::sync::Arc;

use rusqlite::backup::{Backup, StepResult};

use super::Bounds;
use crate::sqlite::connection::{Connection, Place};
use crate::sqlite::directory::Directory;
use crate::sqlite::fault::Fault;
use crate::sqlite::readers::Reader;
use crate::{Error, Limits, Result};

/// Pages that are copied between two looks at the clock: 1 MiB.
const PAGES_AT_ONCE: i32 = 256;

/// What stays free on the disk for all others, in bytes.
const RESERVE_BYTES: u64 = 64 << 20;

pub(super) struct Copy {
    /// `None` only while it is dropped: the file is removed after it is closed.
    connection: Option<Connection>,
    place: Arc<Place>,
    n_bytes: u64,
}

impl Copy {
    /// Copies the reader's snapshot, page by page. Writers go on; only their log grows meanwhile.
    pub(super) fn make(reader: Reader, place: &Place, bounds: &Bounds) -> Result<Self> {
        let migration_time_max =
            place.limits().migration_time_max.min(place.limits().trial_time_max);
        let limits = Limits { migration_time_max, ..(*place.limits()).clone() };
        let (path, directory) = (place.directory.copy_of(&place.path), &place.directory);
        let copied = Arc::new(Place::new(path, Arc::clone(directory), limits, true));
        Directory::remove(&copied.path);
        // From here on the files go with it, also when it is not finished.
        let mut copy = Self { connection: None, place: copied, n_bytes: 0 };
        copy.n_bytes = snapshot_bytes(reader.connection())?;
        check_room(copy.n_bytes, copy.place.directory.free_bytes()?)?;
        copy_pages(reader.connection(), &copy.place.path, bounds)?;
        // The snapshot keeps the log of the others from being emptied.
        drop(reader);
        copy.connection = Some(Connection::open_writer(&copy.place)?);
        Ok(copy)
    }

    pub(super) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a copy has its connection until it is dropped")
    }

    /// Its size when it was made.
    pub(super) fn bytes(&self) -> u64 {
        self.n_bytes
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.connection = None;
        Directory::remove(&self.place.path);
    }
}

/// Takes the snapshot, and says how large it is.
fn snapshot_bytes(connection: &Connection) -> Result<u64> {
    let pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size,
        (SELECT count(*) FROM caplet_meta)";
    let n_bytes = connection.raw().query_row(pages, [], |row| row.get::<_, i64>(0));
    let n_bytes = n_bytes.map_err(|error| connection.fault(error).into_error())?;
    Ok(u64::try_from(n_bytes).unwrap_or_default())
}

/// The copy needs its own size, and as much again for what the migrations write.
fn check_room(n_bytes: u64, free: u64) -> Result<()> {
    let needed = n_bytes.saturating_mul(2).saturating_add(RESERVE_BYTES);
    if free >= needed {
        return Ok(());
    }
    Err(Error::Unavailable(format!(
        "there is no room for a copy to try the migrations on: {needed} bytes are needed, {free} are \
         free; make room on the disk of the data directory"
    )))
}

fn copy_pages(from: &Connection, to: &Path, bounds: &Bounds) -> Result<()> {
    let failed = |error| Fault::new(error, to).into_error();
    let mut target = rusqlite::Connection::open(to).map_err(failed)?;
    target.pragma_update(None, "journal_mode", "OFF").map_err(failed)?;
    target.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
    let backup = Backup::new(from.raw(), &mut target).map_err(failed)?;
    loop {
        bounds.check()?;
        match backup.step(PAGES_AT_ONCE).map_err(failed)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            other => {
                let path = to.display();
                return Err(Error::Unavailable(format!("{path} cannot be written: {other:?}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_leaves_room_for_others() {
        let needed = 2 * 1000 + RESERVE_BYTES;
        assert_eq!(check_room(1000, needed), Ok(()));
        let refused = check_room(1000, needed - 1).unwrap_err().to_string();
        assert!(
            refused.contains("make room") && refused.contains(&needed.to_string()),
            "{refused}"
        );
        assert!(check_room(u64::MAX, u64::MAX - 1).is_err());
    }
}
