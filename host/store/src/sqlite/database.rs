//! One plugin's file with its writer, its readers and what is known of its statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use tokio::runtime::Handle;

use super::connection::{Connection, Place};
use super::plans::Plans;
use super::read::ReadTransaction;
use super::readers::Readers;
use super::statement::Shape;
use super::statistics::Counters;
use super::watchdog::Watchdog;
use super::write::WriteTransaction;
use super::writer::Writer;
use super::{forget, host_tables, migrate, off_thread, trial};
use crate::{
    Backfilled, Begin, Database, Error, Limits, Migrated, Migration, Mode, Pace, Plan, Result,
    Statements, Tag, Transaction, Trial,
};

/// Every so many kept idempotency keys, expired ones are forgotten.
const KEYS_BETWEEN_PURGES: u64 = 64;

pub(super) struct PluginDatabase {
    pub(super) place: Arc<Place>,
    pub(super) plans: Plans,
    pub(super) readers: Arc<Readers>,
    pub(super) writer: Arc<Writer>,
    pub(super) watchdog: Watchdog,
    pub(super) counters: Arc<Counters>,
    /// Held by the one who tries migrations.
    pub(super) trying: Arc<tokio::sync::Mutex<()>>,
    n_keys: AtomicU64,
    is_closed: AtomicBool,
    /// Held while the files are being closed.
    closing: tokio::sync::Mutex<()>,
}

impl PluginDatabase {
    /// Opens the file and checks its format.
    pub(super) async fn open(place: Place, counters: Arc<Counters>) -> Result<Arc<Self>> {
        let place = Arc::new(place);
        let opened = Arc::clone(&place);
        let connection = off_thread(move || {
            let connection = Connection::open_writer(&opened)?;
            host_tables::prepare(&connection)?;
            Ok::<_, Error>(connection)
        })
        .await??;
        let writer =
            Writer::new(connection, Arc::clone(&place), Arc::clone(&counters), Handle::current());
        Ok(Arc::new(Self {
            plans: Plans::new((*place.limits()).clone()),
            readers: Arc::new(Readers::new(Arc::clone(&place))),
            writer: Arc::new(writer),
            watchdog: Watchdog::start(place.limits().idle_time_max, Arc::clone(&counters)),
            counters,
            trying: Arc::default(),
            n_keys: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            closing: tokio::sync::Mutex::new(()),
            place,
        }))
    }

    /// Whether it was closed; if so, returns when the files are free.
    pub(super) async fn was_closed(&self) -> bool {
        if !self.is_closed.load(Ordering::Acquire) {
            return false;
        }
        drop(self.closing.lock().await);
        true
    }

    pub(super) fn count_statement(&self, n_statements: &mut u32) -> Result<()> {
        let max = self.place.limits().statements_max;
        if *n_statements >= max {
            let reason = format!("more than {max} statements in one transaction");
            return Err(Error::too_large("sql-statements", reason));
        }
        *n_statements += 1;
        Ok(())
    }

    pub(super) fn json_shape(&self, limit: u32) -> Result<Shape> {
        let max = self.place.limits().rows_max;
        match usize::try_from(limit) {
            Ok(limit) if limit <= max => Ok(Shape::Json { limit }),
            _ => {
                let reason = format!("a page of {limit} rows, the limit is {max}");
                Err(Error::too_large("sql-rows", reason))
            }
        }
    }

    pub(super) fn statement_timeout(&self) -> Error {
        let max = self.place.limits().statement_time_max;
        Error::Timeout(format!("the statement ran longer than {max:?}"))
    }

    pub(super) fn is_purge_due(&self) -> bool {
        self.n_keys.fetch_add(1, Ordering::Relaxed).is_multiple_of(KEYS_BETWEEN_PURGES)
    }
}

/// The database as the store gives it out: a handle that shares the one that is open.
pub(super) struct DatabaseHandle(pub(super) Arc<PluginDatabase>);

#[async_trait]
impl Database for DatabaseHandle {
    async fn plan(&self, migrations: &[Migration], serving: Option<u32>) -> Result<Plan> {
        migrate::plan(&self.0, migrations.to_vec(), serving).await
    }

    async fn expand(&self, plan: &Plan) -> Result<Migrated> {
        migrate::expand(&self.0, plan).await
    }

    async fn trial(&self, plan: &Plan, old_statements: &[String]) -> Result<Trial> {
        trial::run(&self.0, plan, old_statements).await
    }

    async fn backfill_step(&self, plan: &Plan, pace: &Pace) -> Result<Option<Backfilled>> {
        migrate::step(&self.0, plan, pace).await
    }

    async fn contract(&self, plan: &Plan) -> Result<Migrated> {
        migrate::contract(&self.0, plan).await
    }

    fn statements_of(&self, tag: Tag) -> Statements {
        self.0.plans.statements_of(tag)
    }

    fn restore_statements(&self, tag: Tag, texts: &[String]) {
        self.0.plans.restore_statements(tag, texts);
    }

    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>> {
        let database = Arc::clone(&self.0);
        Ok(match begin.mode {
            Mode::Read => Box::new(ReadTransaction::begin(database, begin).await?),
            Mode::Write => Box::new(WriteTransaction::begin(database, begin).await?),
        })
    }

    fn system(&self) -> &'static str {
        "sqlite"
    }

    async fn forget(&self, tenant: &str, subject: &str) -> Result<u64> {
        let deadline = Instant::now() + forget::TIME_MAX;
        let lease = self.0.writer.acquire(deadline).await?.settle().await?;
        let (tenant, subject) = (tenant.to_owned(), subject.to_owned());
        off_thread(move || forget::run(lease.connection(), &tenant, &subject)).await?
    }

    fn set_limits(&self, limits: Limits) {
        self.0.place.set_limits(limits);
    }

    fn size_bytes(&self) -> u64 {
        if !self.0.place.is_durable() {
            return 0;
        }
        let path = &self.0.place.path;
        let log = path.with_extension("db-wal");
        [path, &log].iter().filter_map(|path| path.metadata().ok()).map(|data| data.len()).sum()
    }

    async fn close(&self) {
        let _closing = self.0.closing.lock().await;
        self.0.is_closed.store(true, Ordering::Release);
        self.0.readers.close().await;
        self.0.writer.close().await;
    }
}
