//! The folder of the files, and that no other host uses it at the same time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::{Error, Result};

/// The file whose lock stands for the folder; no plugin can have its name.
const LOCK_NAME: &str = "store.lock";

/// How the file ends on which a plugin's migrations are tried; no plugin can have its name.
const COPY_ENDING: &str = ".trial.db";

/// What SQLite puts beside a file.
const COMPANIONS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// A folder that this process uses alone.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Unlocked by the system when the process ends, however it ends.
    lock: File,
    is_released: AtomicBool,
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
        let lock = lock_file(path).map_err(|error| failed("written", error))?;
        match lock.try_lock() {
            Ok(()) => {
                let is_released = AtomicBool::new(false);
                let directory = Self { path: path.to_owned(), lock, is_released, temporary: None };
                directory.remove_left_copies();
                Ok(directory)
            }
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

    /// Lets another host have the folder. Nothing is opened in it here any more.
    pub(super) fn release(&self) -> Result<()> {
        self.is_released.store(true, Ordering::SeqCst);
        self.lock.unlock().map_err(|error| {
            Error::Unavailable(format!("{} cannot be unlocked: {error}", self.path.display()))
        })
    }

    /// # Errors
    /// [`Error::Unavailable`] when the folder is another host's by now.
    pub(super) fn check_held(&self) -> Result<()> {
        if self.is_released.load(Ordering::SeqCst) {
            let path = self.path.display();
            return Err(Error::Unavailable(format!("{path} was given up to another host")));
        }
        Ok(())
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// The file on which a plugin's migrations are tried.
    pub(super) fn copy_of(&self, plugin: &Path) -> PathBuf {
        let name = plugin.file_stem().unwrap_or_default().to_string_lossy();
        self.path.join(format!("{name}{COPY_ENDING}"))
    }

    /// Removes a database with what lies beside it.
    pub(super) fn remove(path: &Path) {
        for companion in COMPANIONS {
            let mut path = path.as_os_str().to_owned();
            path.push(companion);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a copy cannot be removed");
                }
                _ => {}
            }
        }
    }

    /// What a host that crashed has left of its trials.
    fn remove_left_copies(&self) {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let copies = names.filter_map(|name| {
            let stem = name.split_once(COPY_ENDING)?.0.to_owned();
            Some(self.path.join(stem + COPY_ENDING))
        });
        copies.for_each(|copy| Self::remove(&copy));
    }

    /// Bytes that this process may still write to the disk.
    pub(super) fn free_bytes(&self) -> Result<u64> {
        let found = rustix::fs::statvfs(&self.path).map_err(|error| {
            let path = self.path.display();
            Error::Unavailable(format!("the free space of {path} cannot be found out: {error}"))
        })?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// The file of a plugin's database.
    pub(super) fn file(&self, plugin: &str) -> PathBuf {
        self.path.join(format!("{plugin}.db"))
    }
}

/// Waits until no host uses the folder. It blocks the thread.
pub(super) fn wait_until_free(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    let lock = lock_file(path)?;
    lock.lock()?;
    lock.unlock()
}

fn lock_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path.join(LOCK_NAME))
}
