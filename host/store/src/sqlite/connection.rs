//! One hardened connection to one file.
//!
//! Everything SQLite offers to keep a statement within bounds is switched on here, once.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{OpenFlags, Params};

use super::authorizer::{Assumed, CurrentRole, Role};
use super::budget::Budget;
use super::directory::Directory;
use super::fault::Fault;
use crate::{Limits, Result};

/// Prepared statements a connection keeps.
const PREPARED_MAX: usize = 256;

/// How long a call waits inside SQLite for a lock of another process. It blocks the thread, and no
/// other process has business here.
const BUSY_TIMEOUT: Duration = Duration::from_millis(20);

/// Pages that a connection keeps in memory: 1 MiB, reached only by what is read.
const CACHE_KIBIBYTES: i64 = 1024;

/// Pages in the log at which a commit puts them back into the database, 16 MiB, and not SQLite's
/// 1 000. It halts the writer; a page that changed many times meanwhile is put back only once.
const LOG_PAGES_MAX: i64 = 4_000;

/// The log file is cut to this after a checkpoint that emptied it.
const LOG_BYTES_MAX: i64 = 16 << 20;

/// The longest host value: a record of an idempotency key may exceed what a plugin may store.
const HOST_VALUE_BYTES_MAX: i32 = 64 << 20;

/// Where a database is and how it is opened.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Kept locked, or kept at all, as long as anyone uses the file.
    pub(super) directory: Arc<Directory>,
    /// Those that hold now; statements that run keep the ones they began with.
    limits: RwLock<Arc<Limits>>,
    /// Whether it is a copy that nobody will miss.
    pub(super) is_copy: bool,
}

/// A connection with its role and its budget.
pub(super) struct Connection {
    raw: rusqlite::Connection,
    role: Arc<CurrentRole>,
    budget: Arc<Budget>,
    place: Arc<Place>,
    /// How large the database may grow by what was last said.
    quota_bytes: Cell<u64>,
}

impl Place {
    pub(super) fn new(
        path: PathBuf,
        directory: Arc<Directory>,
        limits: Limits,
        is_copy: bool,
    ) -> Self {
        Self { path, directory, limits: RwLock::new(Arc::new(limits)), is_copy }
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.read())
    }

    /// Holds what begins from now on to other limits.
    pub(super) fn set_limits(&self, limits: Limits) {
        *self.limits.write() = Arc::new(limits);
    }

    /// Whether commits must survive a power cut.
    pub(super) fn is_durable(&self) -> bool {
        !self.is_copy && !self.directory.is_temporary()
    }
}

impl Connection {
    /// Opens the one connection that writes, making the file when there is none.
    pub(super) fn open_writer(place: &Arc<Place>) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        Self::open(place, flags).map_err(|error| Fault::new(error, &place.path).into_error())
    }

    /// Opens a connection that cannot write.
    pub(super) fn open_reader(place: &Arc<Place>) -> Result<Self> {
        Self::open(place, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|error| Fault::new(error, &place.path).into_error())
    }

    fn open(place: &Arc<Place>, flags: OpenFlags) -> rusqlite::Result<Self> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
        let mut raw = rusqlite::Connection::open_with_flags(&place.path, flags)?;
        raw.busy_timeout(BUSY_TIMEOUT)?;
        raw.set_prepared_statement_cache_capacity(PREPARED_MAX);
        let quota_bytes = Cell::new(place.limits().database_bytes_max);
        set_pragmas(&raw, place, flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        set_configuration(&raw)?;
        set_limits(&raw, &place.limits())?;
        let budget = Budget::install(&mut raw)?;
        let role = CurrentRole::install(&mut raw)?;
        Ok(Self { raw, role, budget, place: Arc::clone(place), quota_bytes })
    }

    pub(super) fn raw(&self) -> &rusqlite::Connection {
        &self.raw
    }

    #[cfg(test)]
    pub(super) fn raw_mut(&mut self) -> &mut rusqlite::Connection {
        &mut self.raw
    }

    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        self.place.limits()
    }

    /// Lets the database grow as far as the limits say that hold now. One that is larger already stays as
    /// it is.
    pub(super) fn keep_quota(&self) -> Result<(), Fault> {
        let bytes_max = self.limits().database_bytes_max;
        if self.quota_bytes.get() != bytes_max {
            set_quota(&self.raw, bytes_max).map_err(|error| self.fault(error))?;
            self.quota_bytes.set(bytes_max);
        }
        Ok(())
    }

    /// What is prepared and run while the guard lives is on behalf of `role`.
    #[must_use]
    pub(super) fn assume(&self, role: Role) -> Assumed<'_> {
        self.role.assume(role)
    }

    /// Whether a transaction is open.
    pub(super) fn is_in_transaction(&self) -> bool {
        !self.raw.is_autocommit()
    }

    /// Runs one of the host's own statements and returns how many rows it changed.
    pub(super) fn host<P: Params>(&self, sql: &str, parameters: P) -> Result<usize, Fault> {
        self.raw
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map_err(|error| self.fault(error))
    }

    /// Runs `work` with the limit of the host's own values.
    pub(super) fn with_long_values<T>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let limit = Limit::SQLITE_LIMIT_LENGTH;
        let before =
            self.raw.set_limit(limit, HOST_VALUE_BYTES_MAX).map_err(|error| self.fault(error))?;
        let result = work(&self.raw);
        let after = self.raw.set_limit(limit, before);
        result.and_then(|value| after.map(|_| value)).map_err(|error| self.fault(error))
    }

    pub(super) fn fault(&self, error: rusqlite::Error) -> Fault {
        Fault::new(error, &self.place.path)
    }
}

fn set_pragmas(raw: &rusqlite::Connection, place: &Place, is_reader: bool) -> rusqlite::Result<()> {
    if is_reader {
        raw.pragma_update(None, "query_only", true)?;
    } else {
        raw.pragma_update(None, "journal_mode", "WAL")?;
        raw.pragma_update(None, "synchronous", if place.is_durable() { "FULL" } else { "OFF" })?;
        raw.pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES_MAX, |_| Ok(()))?;
        raw.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        // What is deleted is overwritten, so that an erased person is not found in a copy of the file.
        raw.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        set_quota(raw, place.limits().database_bytes_max)?;
    }
    raw.pragma_update(None, "foreign_keys", true)?;
    raw.pragma_update(None, "cell_size_check", true)?;
    // As in PostgreSQL.
    raw.pragma_update(None, "case_sensitive_like", true)?;
    // A damaged or shortened file would kill the host by SIGBUS if it were mapped.
    raw.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    raw.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)
}

fn set_quota(raw: &rusqlite::Connection, bytes_max: u64) -> rusqlite::Result<()> {
    let page_bytes: i64 = raw.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages_max = bytes_max / u64::try_from(page_bytes).unwrap_or(4096);
    let pages_max = i64::try_from(pages_max.max(1)).unwrap_or(i64::MAX).min(0xffff_fffe);
    raw.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()))
}

fn set_configuration(raw: &rusqlite::Connection) -> rusqlite::Result<()> {
    for (option, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
        // A plan that depends on the values bound is thrown away whenever they are cleared, and each
        // call would prepare its statement again.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        // A misspelt column in double quotes is an error and no text.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        raw.set_db_config(option, value)?;
    }
    Ok(())
}

fn set_limits(raw: &rusqlite::Connection, limits: &Limits) -> rusqlite::Result<()> {
    let as_limit = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, as_limit(limits.value_bytes_max)),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, as_limit(limits.statement_bytes_max)),
        // `$tenant` takes a number too.
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, as_limit(limits.parameters_max.saturating_add(1))),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 50),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        raw.set_limit(limit, value)?;
    }
    Ok(())
}
