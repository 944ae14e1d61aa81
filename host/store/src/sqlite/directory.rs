//! The folder of the files, and that no other host uses it at the same time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Error, Result};

/// The file whose lock stands for the folder; no plugin can have its name.
const LOCK_NAME: &str = "store.lock";

/// A folder that this process uses alone.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Unlocked by the system when the process ends, however it ends.
    _lock: File,
    /// Removed with everything in it on drop; after the lock.
    temporary: Option<TempDir>,
}

impl Directory {
    /// Makes the folder when it is missing, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |what: &str, error: std::io::Error| {
            Error::Unavailable(format!(
                "{} cannot be {what}: {error}; check the path and its permissions",
                path.display()
            ))
        };
        std::fs::create_dir_all(path).map_err(|error| failed("made", error))?;
        let lock_path = path.join(LOCK_NAME);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| failed("written", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock, temporary: None }),
            Err(TryLockError::WouldBlock) => Err(Error::Unavailable(format!(
                "{} is in use by another host, which holds {LOCK_NAME} in it: stop that host or \
                 choose another data directory",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(failed("locked", error)),
        }
    }

    /// A private folder that vanishes on drop.
    pub(super) fn temporary() -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("caplet-store-").tempdir();
        let temporary = temporary.map_err(|error| {
            Error::Unavailable(format!("no temporary directory can be made: {error}"))
        })?;
        let mut directory = Self::open(temporary.path())?;
        directory.temporary = Some(temporary);
        Ok(directory)
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// The file of a plugin's database.
    pub(super) fn file(&self, plugin: &str) -> PathBuf {
        self.path.join(format!("{plugin}.db"))
    }
}
