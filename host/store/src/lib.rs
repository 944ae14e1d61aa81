//! The plugin-owned database.
//!
//! Every plugin has one database of its own, which no other plugin can name. This crate opens it,
//! runs its migrations, and gives each invocation one [`Transaction`]. It knows SQL and disks; it
//! knows nothing of WebAssembly, HTTP or identities beyond the tenant's name.
//!
//! The map:
//!
//! - [`Store`], [`Database`], [`Transaction`]: what a backend implements, and nothing of any engine.
//! - [`Migration`], [`Plan`], [`Trial`]: the schema's history, what of it is to be done, and what that
//!   would do.
//! - [`Tag`], [`Statements`]: what a version of the plugin ran.
//! - [`Value`], [`Rows`], [`JsonPage`], [`Error`], [`Limits`]: the same for every backend.
//! - [`gate`]: which statements a plugin may run at all, decided by a parser.
//! - [`json`]: rows as JSON bytes.
//! - [`sqlite`]: the embedded backend, one file a plugin.
//!
//! ```
//! use std::{sync::Arc, time::{Duration, Instant}};
//! use caplet_store::sqlite::{Options, Sqlite};
//! use caplet_store::{Begin, Limits, Migration, Mode, Store, Value};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let store = Sqlite::open(Options::temporary())?;
//! let database = store.open("notes", Limits::default()).await?;
//! database
//!     .migrate(&[Migration::expand(
//!         1,
//!         "notes",
//!         "CREATE TABLE notes (tenant TEXT NOT NULL, body TEXT NOT NULL)",
//!     )])
//!     .await?;
//! let begin = Begin {
//!     mode: Mode::Write,
//!     tenant: Arc::from("acme"),
//!     deadline: Instant::now() + Duration::from_secs(10),
//!     tag: None,
//! };
//! let mut write = database.begin(begin).await?;
//! let sql = "INSERT INTO notes (tenant, body) VALUES ($tenant, $1)";
//! write.execute(sql, &[Value::Text("hello".into())]).await?;
//! let page = write.query_json("SELECT body FROM notes WHERE tenant = $tenant", &[], 20).await?;
//! assert_eq!(page.items, br#"[{"body":"hello"}]"#);
//! write.commit().await?;
//! # caplet_store::Result::<()>::Ok(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]

mod error;
pub mod gate;
pub mod json;
mod limits;
mod migration;
mod pace;
mod plan;
pub mod sqlite;
mod statements;
mod trial;
mod value;

pub use error::{Error, Result};
pub use limits::Limits;
pub use migration::{Backfilled, Migrated, Migration, Phase};
pub use pace::Pace;
pub use plan::{Pending, Plan, Recorded, State};
pub use statements::{Statements, Tag};
pub use trial::{Broken, TableChange, Trial, Tried};
pub use value::{JsonPage, Rows, Value};

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

/// A backend: gives each plugin its own database.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Opens the database of `plugin`, making an empty one when there is none.
    ///
    /// `plugin` is a valid plugin name (`[a-z][a-z0-9-]*`, at most 40 characters). A database that is
    /// already open is shared: both handles are the same database.
    ///
    /// # Errors
    /// [`Error::Newer`] when a later version of the host wrote it, [`Error::Unavailable`] when it is
    /// locked by another process or cannot be read; the text names the place and the remedy.
    async fn open(&self, plugin: &str, limits: Limits) -> Result<Arc<dyn Database>>;

    /// Makes an empty database that belongs to no plugin and is gone with its last handle, to find out what
    /// would become of one that is not there yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is no room for it.
    async fn open_scratch(&self, limits: Limits) -> Result<Arc<dyn Database>>;
}

/// One plugin's database.
#[async_trait]
pub trait Database: Send + Sync + 'static {
    /// Compares `migrations` with what was applied, and says what is to be done in which phase. Changes
    /// nothing and waits for no writer.
    ///
    /// `serving` is the highest number that the oldest version knows which serves now, 0 when it has
    /// no migrations; none when no version serves, and then everything runs in the expand phase. What
    /// does not fit is in [`Plan::faults`].
    ///
    /// # Errors
    /// [`Error::Timeout`] and [`Error::Unavailable`] when the ledger cannot be read.
    async fn plan(&self, migrations: &[Migration], serving: Option<u32>) -> Result<Plan>;

    /// Runs all of the plan on a copy of the database, which is made while others read and write, and
    /// removed afterwards. Says what each step did, and which of `old_statements`, those of the
    /// version that serves, would fail after the expand phase. The database itself stays as it is.
    ///
    /// A step that fails is no error of this call: it is in [`Trial::failure`].
    ///
    /// # Errors
    /// The first of [`Plan::faults`]; [`Error::Unavailable`] when there is no room for the copy;
    /// [`Error::Timeout`] when making it took longer than [`Limits::trial_time_max`].
    async fn trial(&self, plan: &Plan, old_statements: &[String]) -> Result<Trial>;

    /// Runs what must be done before the new version serves. Steps that follow each other are one
    /// transaction: when one fails, the schema is what it was, and the ledger says why. Without a
    /// serving version each step is a transaction of its own, and those before a failed one stay.
    ///
    /// It must also be called before a version serves that is older than the schema: backfills which
    /// that version does not know are then noted to run again when a later one comes.
    ///
    /// # Errors
    /// [`Error::Migration`] with the number and the reason; [`Error::DiskFull`],
    /// [`Error::Unavailable`], [`Error::Timeout`].
    async fn expand(&self, plan: &Plan) -> Result<Migrated>;

    /// Runs the first backfill that is not done once more, in a transaction of its own, and records
    /// how far it is; none when all are done. The old version must have ended: what it writes later is
    /// not filled.
    ///
    /// # Errors
    /// As [`Self::expand`]; [`Error::Migration`] also when it was run [`Pace::runs_max`] times.
    async fn backfill_step(&self, plan: &Plan, pace: &Pace) -> Result<Option<Backfilled>>;

    /// Runs all backfills to their end, with pauses. Goes on where an earlier call was ended.
    ///
    /// # Errors
    /// As [`Self::backfill_step`]; [`Error::Migration`] also when it took longer than
    /// [`Pace::time_max`].
    async fn backfill(&self, plan: &Plan, pace: &Pace) -> Result<Vec<Backfilled>> {
        let end = Instant::now() + pace.time_max;
        let mut found: Vec<Backfilled> = Vec::new();
        while let Some(step) = self.backfill_step(plan, pace).await? {
            let (number, is_done) = (step.number, step.is_done);
            match found.last_mut().filter(|last| last.number == number) {
                Some(last) => *last = step,
                None => found.push(step),
            }
            if !is_done && Instant::now() >= end {
                let max = pace.time_max;
                let reason =
                    format!("it was not done within {max:?}, and goes on when it is asked to");
                return Err(plan::fault(number, reason));
            }
            tokio::time::sleep(if is_done { Duration::ZERO } else { pace.pause }).await;
        }
        Ok(found)
    }

    /// Runs the contract steps, all in one transaction. No version may serve any more that does not
    /// know them.
    ///
    /// # Errors
    /// As [`Self::expand`]; [`Error::Migration`] also when the phases before have not ended.
    async fn contract(&self, plan: &Plan) -> Result<Migrated>;

    /// Brings the schema up to date at once, for a plugin that serves nobody: applies those of
    /// `migrations` that have not been applied, in ascending order, each in a transaction of its own
    /// together with its record, whatever its phase.
    ///
    /// # Errors
    /// [`Error::Migration`] with the migration's number and reason: one that was applied before has
    /// another text now, is missing from the list, or comes before an applied one; a contract step of
    /// a later version was applied; or a statement failed, in which case that migration left nothing
    /// behind and earlier ones remain applied.
    async fn migrate(&self, migrations: &[Migration]) -> Result<Migrated> {
        let plan = self.plan(migrations, None).await?;
        self.expand(&plan).await
    }

    /// The statements recorded under a tag: those that transactions with [`Begin::tag`] ran.
    fn statements_of(&self, tag: Tag) -> Statements;

    /// Records statements that were recorded before, such as before a restart.
    fn restore_statements(&self, tag: Tag, texts: &[String]);

    /// Begins the transaction of one invocation.
    ///
    /// [`Mode::Read`] takes a snapshot and never waits for writers. [`Mode::Write`] waits, in the
    /// order of the calls, until the earlier writer is done; it is then alone until it ends.
    ///
    /// # Errors
    /// [`Error::Timeout`] when `deadline` passed while waiting; [`Error::Unavailable`].
    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>>;

    /// The engine, as OpenTelemetry's `db.system.name` has it: `sqlite`, `postgresql`.
    fn system(&self) -> &'static str;

    /// Forgets a subject: the records kept for its idempotency keys and those that have its name in
    /// them; then sees to it that the files hold nothing any more of what was deleted before. Returns
    /// how many records were forgotten. Waits for the writers before it, and for snapshots.
    ///
    /// # Errors
    /// [`Error::Timeout`] when others did not end in time, [`Error::Unavailable`]. What was deleted
    /// stays deleted; the call may be made again.
    async fn forget(&self, tenant: &str, subject: &str) -> Result<u64>;

    /// Holds statements and transactions that begin from now on to other limits, of which these change:
    /// statements in a transaction, their time, rows and bytes of a result, and how large the database
    /// may grow. One that is larger already only grows no more.
    fn set_limits(&self, limits: Limits);

    /// Bytes the database takes on disk, logs included; 0 for one in memory.
    fn size_bytes(&self) -> u64;

    /// Waits for what is running, writes back and closes the files. Later calls fail with
    /// [`Error::Unavailable`]. Dropping the last handle does the same without waiting.
    async fn close(&self);
}

/// What a transaction is begun with.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Whether it may write.
    pub mode: Mode,
    /// What `$tenant` is bound to.
    pub tenant: Arc<str>,
    /// When it must have ended: no statement runs beyond this, and no wait lasts longer.
    pub deadline: Instant,
    /// Under which its statements are recorded; none: they are not.
    pub tag: Option<Tag>,
}

/// Whether a transaction may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A snapshot, as of the first statement.
    Read,
    /// Exclusive among the writers of this database.
    Write,
}

/// The transaction of one invocation. Dropping it rolls it back.
///
/// A statement that fails has no effect and leaves the transaction usable, except after
/// [`Error::Retry`], [`Error::Unavailable`], [`Error::Timeout`] of a whole transaction or of a
/// statement that writes, and [`Error::DiskFull`] when the engine had to undo more than the
/// statement: then everything was rolled back and each further call returns the same error.
#[async_trait]
pub trait Transaction: Send {
    /// Runs one statement and returns its rows. Limits: [`Limits::rows_max`], [`Limits::result_bytes_max`].
    async fn query(&mut self, statement: &str, parameters: &[Value]) -> Result<Rows>;

    /// Runs one `SELECT` and returns its first `limit` rows as JSON; see [`json`] for the form.
    async fn query_json(
        &mut self,
        statement: &str,
        parameters: &[Value],
        limit: u32,
    ) -> Result<JsonPage>;

    /// Runs one statement and returns how many rows it changed.
    async fn execute(&mut self, statement: &str, parameters: &[Value]) -> Result<u64>;

    /// The record kept for an idempotency key, if there is one that has not expired.
    async fn recall(&mut self, key: &IdempotencyKey) -> Result<Option<Vec<u8>>>;

    /// Keeps `record` for `key` until [`Limits::idempotency_ttl`] has passed, in this transaction.
    /// A key that is already kept is replaced.
    async fn remember(&mut self, key: &IdempotencyKey, record: &[u8]) -> Result<()>;

    /// Makes the transaction durable. Returns only when the writes would survive a power cut.
    ///
    /// # Errors
    /// [`Error::Retry`] when the transaction was rolled back for a reason of the store's own and
    /// running the invocation again is right; [`Error::DiskFull`], [`Error::Unavailable`] when it was
    /// rolled back and another attempt will hardly do better.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Undoes the transaction.
    async fn rollback(self: Box<Self>);
}

/// Who used which idempotency key for what: keys of different callers never meet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The caller's subject, empty for a caller without identity.
    pub subject: String,
    /// The plugin's operation.
    pub operation: String,
    /// The key as the caller sent it, 1 to 255 characters.
    pub key: String,
}
