//! The embedded backend: one SQLite file a plugin, through the bundled engine.
//!
//! Nothing outside this folder knows the engine. The map:
//!
//! - `directory`, `connection`: the files, and the hardened connections to them;
//! - `authorizer`, `budget`, `fault`: what SQLite may do, for how long, and what went wrong;
//! - `statement`, `plans`: running one statement, and what is remembered of its text;
//! - `readers`, `read`: snapshots; `writer`, `lease`, `batch`, `write`, `watchdog`: group commit;
//! - `host_tables`, `ledger`, `forget`: the host's own tables;
//! - `migrate`, `trial`: the plugin's schema.
//!
//! Statements run on the calling thread, because a list of twenty rows is done in the time a change
//! of threads takes. None may stay there longer than `INLINE_TIME`; see `read` and `write` for
//! what becomes of the longer ones.

mod authorizer;
mod batch;
mod budget;
mod connection;
mod database;
mod directory;
mod fault;
mod forget;
mod host_tables;
mod lease;
mod ledger;
mod migrate;
mod plans;
mod read;
mod readers;
mod statement;
mod statistics;
mod trial;
mod watchdog;
mod write;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{Database, Error, Limits, Result, Store};

use budget::Budget;
use connection::Place;
use database::{DatabaseHandle, PluginDatabase};
use directory::Directory;
use statistics::Counters;

pub use statistics::Statistics;

/// How long a statement may hold up the thread that called.
const INLINE_TIME: Duration = Duration::from_millis(5);

/// Where the databases are.
#[derive(Debug, Clone)]
pub struct Options {
    /// `None` for a temporary directory.
    directory: Option<PathBuf>,
}

impl Options {
    /// One file a plugin in `path`, which is made when it is missing. Every commit is durable.
    #[must_use]
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self { directory: Some(path.into()) }
    }

    /// Databases that vanish with the [`Sqlite`], for tests. They are files in a private temporary
    /// directory that are never synchronised to the disk.
    ///
    /// They are no databases in memory, because those of SQLite have no snapshots: a reader would
    /// wait for the writer, and the writer for each reader.
    #[must_use]
    pub fn temporary() -> Self {
        Self { directory: None }
    }
}

/// The databases of one host. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Sqlite {
    shared: Arc<Shared>,
}

struct Shared {
    directory: Arc<Directory>,
    counters: Arc<Counters>,
    /// One entry a plugin; its lock is held while the file is opened.
    databases: Mutex<HashMap<String, Arc<Entry>>>,
}

type Entry = tokio::sync::Mutex<Weak<PluginDatabase>>;

impl Sqlite {
    /// Opens the store and locks its directory against other hosts.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the directory cannot be made or another process uses it; the text
    /// names the path and the remedy.
    pub fn open(options: Options) -> Result<Self> {
        let directory = match &options.directory {
            Some(path) => Directory::open(path)?,
            None => Directory::temporary()?,
        };
        let shared = Shared {
            directory: Arc::new(directory),
            counters: Arc::new(Counters::default()),
            databases: Mutex::new(HashMap::new()),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Waits until no other host uses the directory. Somebody else may have taken it by the time this
    /// store is opened, which [`Self::open`] then says.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the directory cannot be made or its lock cannot be had.
    pub async fn wait_until_free(directory: &Path) -> Result<()> {
        let path = directory.to_owned();
        let waited = off_thread(move || directory::wait_until_free(&path)).await?;
        waited.map_err(|error| {
            let path = directory.display();
            Error::Unavailable(format!("{path} cannot be locked: {error}; check its permissions"))
        })
    }

    /// Gives the directory up to another host, while this process lives on. All databases must have
    /// been closed before; no further one can be opened.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the lock cannot be given back.
    pub fn release(&self) -> Result<()> {
        self.shared.directory.release()
    }

    /// What all databases did since the store was opened.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.counters.read()
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn open(&self, plugin: &str, limits: Limits) -> Result<Arc<dyn Database>> {
        check_name(plugin)?;
        self.shared.directory.check_held()?;
        let entry = Arc::clone(self.shared.databases.lock().entry(plugin.to_owned()).or_default());
        let mut known = entry.lock().await;
        if let Some(database) = known.upgrade()
            && !database.was_closed().await
        {
            return Ok(Arc::new(DatabaseHandle(database)));
        }
        let directory = &self.shared.directory;
        let place = Place::new(directory.file(plugin), Arc::clone(directory), limits, false);
        let database = PluginDatabase::open(place, Arc::clone(&self.shared.counters)).await?;
        *known = Arc::downgrade(&database);
        Ok(Arc::new(DatabaseHandle(database)))
    }

    async fn open_scratch(&self, limits: Limits) -> Result<Arc<dyn Database>> {
        // The database keeps its folder, which is removed with it.
        let alone = Sqlite::open(Options::temporary())?;
        Store::open(&alone, "scratch", limits).await
    }
}

/// The name becomes a file's, so it is checked once more.
fn check_name(plugin: &str) -> Result<()> {
    let mut characters = plugin.chars();
    let is_valid = plugin.len() <= 40
        && characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if is_valid { Ok(()) } else { Err(Error::Invalid(format!("{plugin:?} is no plugin name"))) }
}

/// Runs `work` where it may block.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Unavailable(format!("the work was not done: {error}")))
}

/// As [`off_thread`], for a statement: when the caller goes away, the statement is interrupted.
async fn moved<T: Send + 'static>(
    budget: Arc<Budget>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    budget.renew();
    let task = tokio::task::spawn_blocking(work);
    // Dropped before the task, which has the connection: none other can be hit.
    let mut guard = CancelOnDrop(Some(budget));
    let result = task.await;
    guard.0 = None;
    result.map_err(|error| Error::Unavailable(format!("the statement was not run: {error}")))
}

struct CancelOnDrop(Option<Arc<Budget>>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(budget) = &self.0 {
            budget.cancel();
        }
    }
}

fn closed() -> Error {
    Error::Unavailable("the database is closed".to_owned())
}

fn past_deadline() -> Error {
    Error::Timeout("the transaction ran past its deadline".to_owned())
}

#[cfg(test)]
mod tests;
