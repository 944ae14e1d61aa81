//! The host's own database: what a host must remember that belongs to no plugin. It is a database like
//! those of the plugins, of the same store, under a name that no plugin can have. What is in it is
//! said by the migrations; who reads and writes a table is the module that owns the table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_store::{
    Begin, Database, Error, Limits, Migration, Mode, Result, Store, Transaction, Value,
};
use serde::de::DeserializeOwned;

use crate::identity::DEFAULT_TENANT;

/// The name of the host's database in its store; [`crate::is_plugin_name`] refuses it.
pub const HOST_DATABASE: &str = "host";

/// How long the host waits for its own database and works in one transaction.
const TIME_MAX: Duration = Duration::from_secs(10);

/// The tables of the host, in the order they came.
const MIGRATIONS: &[(u32, &str, &str)] = &[
    (1, "API keys", include_str!("../migrations/1-api-keys.sql")),
    (2, "subject runs", include_str!("../migrations/2-subject-runs.sql")),
    (3, "generations", include_str!("../migrations/3-generations.sql")),
    (4, "statements", include_str!("../migrations/4-statements.sql")),
    (6, "audit", include_str!("../migrations/6-audit.sql")),
    (7, "stages", include_str!("../migrations/7-stages.sql")),
    (8, "settings", include_str!("../migrations/8-settings.sql")),
    (9, "component statements", include_str!("../migrations/9-component-statements.sql")),
    (10, "watches", include_str!("../migrations/10-watches.sql")),
    (11, "descriptions", include_str!("../migrations/11-descriptions.sql")),
];

/// How often a change is tried that the store rolls back for reasons of its own.
const ATTEMPTS_MAX: u32 = 5;

/// The most rows in one answer.
pub(crate) const ROWS_MAX: u32 = 1_000;

/// A statement and its parameters.
pub(crate) type Statement<'a> = (&'static str, &'a [Value]);

/// A page of an export, with what is said of it, is one row.
const VALUE_BYTES_MAX: usize = 4 << 20;

/// One row fits, whatever is in it.
const RESULT_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX;

/// The host's own database. Clones are the same database.
#[derive(Clone)]
pub struct HostDatabase {
    database: Arc<dyn Database>,
}

impl HostDatabase {
    /// Opens it in `store` and brings its schema up to date.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Database::migrate`].
    pub async fn open(store: &dyn Store) -> Result<Self> {
        let limits = Limits {
            value_bytes_max: VALUE_BYTES_MAX,
            result_bytes_max: RESULT_BYTES_MAX,
            ..Limits::default()
        };
        let database = store.open(HOST_DATABASE, limits).await?;
        let migrations =
            MIGRATIONS.iter().map(|&(number, name, sql)| Migration::expand(number, name, sql));
        database.migrate(&migrations.collect::<Vec<_>>()).await?;
        Ok(Self { database })
    }

    /// Begins a transaction that reads a snapshot.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub async fn read(&self) -> Result<Box<dyn Transaction>> {
        self.begin(Mode::Read).await
    }

    /// Begins a transaction that writes; it waits for earlier writers. What is not committed is
    /// undone. [`caplet_store::Error::Retry`] asks to begin again.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub async fn write(&self) -> Result<Box<dyn Transaction>> {
        self.begin(Mode::Write).await
    }

    /// Sees to it that the files hold nothing any more of what was deleted before.
    ///
    /// # Errors
    /// As [`Database::forget`].
    pub async fn overwrite_deleted(&self) -> Result<()> {
        // The host sends itself no requests, so there are no answers to forget.
        self.database.forget(DEFAULT_TENANT, "").await.map(drop)
    }

    /// Waits for what is running and closes the database.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Statements in one transaction, durable when this returns; tried again when the store asks for
    /// it. Gives the first value that one of them returned.
    ///
    /// # Errors
    /// As those of [`Transaction`].
    pub(crate) async fn change(&self, statements: &[Statement<'_>]) -> Result<Option<Value>> {
        let mut attempt = 1;
        loop {
            match self.try_change(statements).await {
                Err(Error::Retry(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_change(&self, statements: &[Statement<'_>]) -> Result<Option<Value>> {
        let mut transaction = self.write().await?;
        let mut returned = None;
        for (statement, parameters) in statements {
            let rows = transaction.query(statement, parameters).await?;
            returned = returned.or(rows.values.into_iter().next());
        }
        transaction.commit().await?;
        Ok(returned)
    }

    /// The rows of a statement, and whether there are more than one answer may have: the first 1 000,
    /// and fewer where they would be too large together.
    ///
    /// # Errors
    /// As those of [`Transaction`], and [`Error::Unavailable`] when a row has another form.
    pub(crate) async fn rows<T: DeserializeOwned>(
        &self,
        (statement, parameters): Statement<'_>,
    ) -> Result<(Vec<T>, bool)> {
        let mut rows_max = ROWS_MAX;
        let page = loop {
            let mut snapshot = self.read().await?;
            match snapshot.query_json(statement, parameters, rows_max).await {
                Err(Error::TooLarge { .. }) if rows_max > 1 => rows_max /= 2,
                page => break page?,
            }
        };
        let rows = serde_json::from_slice(&page.items)
            .map_err(|error| Error::Unavailable(format!("the host's database: {error}")))?;
        Ok((rows, page.more))
    }

    async fn begin(&self, mode: Mode) -> Result<Box<dyn Transaction>> {
        // The rows of the host name their tenants themselves.
        let tenant = Arc::from(DEFAULT_TENANT);
        self.database
            .begin(Begin { mode, tenant, deadline: Instant::now() + TIME_MAX, tag: None })
            .await
    }
}
