//! The embedded backend: one SQLite file a plugin.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Database, Error, Limits, Result, Store};

/// Where the databases are.
#[derive(Debug, Clone)]
pub struct Options {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Directory(PathBuf),
    Temporary,
}

impl Options {
    /// One file a plugin in `path`, which is made when it is missing. Every commit is durable.
    #[must_use]
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::Directory(path.into()) }
    }

    /// Databases that vanish with the [`Sqlite`]: for tests. They are files in a private temporary
    /// directory, never synchronised to the disk.
    #[must_use]
    pub fn temporary() -> Self {
        Self { place: Place::Temporary }
    }
}

/// The databases of one host. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Sqlite {
    options: Arc<Options>,
}

/// What all databases of a store did since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Write transactions that ended well.
    pub transactions: u64,
    /// Commits that reached the disk: each made one group of transactions durable.
    pub commits: u64,
    /// Transactions that were rolled back with [`Error::Retry`].
    pub retries: u64,
    /// Statements that left the calling thread because they took longer than the inline budget.
    pub moved_statements: u64,
    /// Statements that were ended because they took longer than their limit.
    pub timeouts: u64,
}

impl Sqlite {
    /// Opens the store and locks its directory against other hosts.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the directory cannot be made or another process uses it; the text
    /// names the path and the remedy.
    pub fn open(options: Options) -> Result<Self> {
        Ok(Self { options: Arc::new(options) })
    }

    /// What all databases did since the store was opened.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics::default()
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn open(&self, plugin: &str, _limits: Limits) -> Result<Arc<dyn Database>> {
        match &self.options.place {
            Place::Directory(path) => {
                Err(Error::Unavailable(format!("{}: no {plugin}", path.display())))
            }
            Place::Temporary => Err(Error::Unavailable(plugin.to_owned())),
        }
    }
}
