//! The transaction of an invocation that writes.
//!
//! SQLite rolls a whole transaction back, and with it the batch, when a statement that writes is
//! interrupted; or it does not, when the interruption came at the statement's very end, and then the
//! changes are made. Neither can be continued. So a writing statement that proves slow on the calling
//! thread costs another try: its text is remembered, and the next time it runs where it may block.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::database::PluginDatabase;
use super::fault::Fault;
use super::lease::Lease;
use super::plans::Prepared;
use super::statement::{self, Call, Output, Shape};
use super::watchdog::Holding;
use super::{INLINE_TIME, host_tables, moved};
use crate::{Begin, Error, IdempotencyKey, JsonPage, Result, Rows, Transaction, Value};

pub(super) struct WriteTransaction {
    database: Arc<PluginDatabase>,
    begin: Begin,
    holding: Arc<Holding>,
    n_statements: u32,
    /// Whether a statement ran: until then the batch may still be committed before it.
    has_begun: bool,
}

impl WriteTransaction {
    pub(super) async fn begin(database: Arc<PluginDatabase>, begin: Begin) -> Result<Self> {
        let mut lease = database.writer.acquire(begin.deadline).await?;
        lease.connection().keep_quota().map_err(Fault::into_error)?;
        lease.begin()?;
        let holding = Arc::new(Holding::new(lease));
        database.watchdog.watch(&holding);
        Ok(Self { database, begin, holding, n_statements: 0, has_begun: false })
    }

    async fn run(&mut self, text: &str, parameters: &[Value], shape: Shape) -> Result<Output> {
        self.database.count_statement(&mut self.n_statements)?;
        self.holding.put(self.take()?);
        let prepared = self.database.plans.get(text, self.begin.tag).await?;
        let call = Call { prepared: &prepared, tenant: &self.begin.tenant, parameters, shape };
        statement::check(&call, &self.database.place.limits())?;
        let lease = self.take()?;
        let begun = Instant::now();
        if prepared.is_slow() {
            return self.run_moved(lease, prepared, (parameters, shape), begun).await;
        }
        self.has_begun = true;
        let end = self.begin.deadline.min(begun + INLINE_TIME);
        let armed = lease.connection().budget().arm_inline(end);
        let result = statement::run(lease.connection(), &call);
        drop(armed);
        if !matches!(result, Err(Fault::Interrupted)) {
            return self.settle(lease, result);
        }
        prepared.mark_slow();
        if !prepared.checked.writes {
            return self.run_moved(lease, prepared, (parameters, shape), begun).await;
        }
        if Instant::now() >= self.begin.deadline {
            self.database.counters.timeouts.add(1);
            return Err(self.end(lease, super::past_deadline()));
        }
        self.database.counters.retries.add(1);
        let error = Error::Retry("a statement needs more time than is given at first".to_owned());
        Err(self.end(lease, error))
    }

    /// Runs the statement where it may block.
    async fn run_moved(
        &mut self,
        mut lease: Lease,
        prepared: Arc<Prepared>,
        (parameters, shape): (&[Value], Shape),
        begun: Instant,
    ) -> Result<Output> {
        self.database.counters.moved_statements.add(1);
        if !self.has_begun && lease.n_members() > 0 {
            // Those who are done must not wait for this one, nor fall with it.
            let alone = lease.settle().await.and_then(|mut lease| lease.begin().map(|()| lease));
            lease = alone.inspect_err(|error| self.holding.end(error.clone()))?;
        }
        lease.mark_heavy();
        self.has_begun = true;
        let end = self.begin.deadline.min(begun + self.database.place.limits().statement_time_max);
        let budget = Arc::clone(lease.connection().budget());
        let (tenant, parameters) = (Arc::clone(&self.begin.tenant), parameters.to_vec());
        let writes = prepared.checked.writes;
        let (lease, result) = moved(budget, move || {
            let call =
                Call { prepared: &prepared, tenant: &tenant, parameters: &parameters, shape };
            let started = Instant::now();
            let armed = lease.connection().budget().arm(end);
            let result = statement::run(lease.connection(), &call);
            drop(armed);
            prepared.note_run(started.elapsed());
            (lease, result)
        })
        .await?;
        if writes && matches!(result, Err(Fault::Interrupted)) {
            self.database.counters.timeouts.add(1);
            let is_past = Instant::now() >= self.begin.deadline;
            let statement = self.database.statement_timeout();
            return Err(self.end(lease, if is_past { super::past_deadline() } else { statement }));
        }
        self.settle(lease, result)
    }

    /// Takes the lease for one call, unless the transaction is over.
    fn take(&self) -> Result<Lease> {
        let lease = self.holding.take()?;
        if Instant::now() >= self.begin.deadline {
            self.database.counters.timeouts.add(1);
            return Err(self.end(lease, super::past_deadline()));
        }
        Ok(lease)
    }

    /// Decides what a statement's end means for the transaction and for its batch, unless the
    /// statement writes and was interrupted.
    fn settle<T>(&self, mut lease: Lease, result: Result<T, Fault>) -> Result<T> {
        let is_past = Instant::now() >= self.begin.deadline;
        let is_lost = !lease.connection().is_in_transaction();
        let error = match result {
            Ok(output) => {
                self.holding.put(lease);
                return Ok(output);
            }
            Err(Fault::Statement(error)) => error,
            Err(Fault::Connection(error)) => {
                lease.mark_broken();
                return Err(self.end(lease, error));
            }
            Err(Fault::Interrupted) => {
                self.database.counters.timeouts.add(1);
                if is_past {
                    return Err(self.end(lease, super::past_deadline()));
                }
                self.database.statement_timeout()
            }
        };
        if is_lost || matches!(error, Error::Unavailable(_)) {
            return Err(self.end(lease, error));
        }
        self.holding.put(lease);
        Err(error)
    }

    /// Rolls back and gives the writer on; each later call gets `error`.
    fn end(&self, mut lease: Lease, error: Error) -> Error {
        self.holding.end(error.clone());
        if !lease.connection().is_in_transaction() {
            lease.lose_batch();
        }
        error
    }
}

#[async_trait]
impl Transaction for WriteTransaction {
    async fn query(&mut self, statement: &str, parameters: &[Value]) -> Result<Rows> {
        self.run(statement, parameters, Shape::Rows).await.map(Output::into_rows)
    }

    async fn query_json(
        &mut self,
        statement: &str,
        parameters: &[Value],
        limit: u32,
    ) -> Result<JsonPage> {
        let shape = self.database.json_shape(limit)?;
        self.run(statement, parameters, shape).await.map(Output::into_json)
    }

    async fn execute(&mut self, statement: &str, parameters: &[Value]) -> Result<u64> {
        self.run(statement, parameters, Shape::Changes).await.map(Output::into_changes)
    }

    async fn recall(&mut self, key: &IdempotencyKey) -> Result<Option<Vec<u8>>> {
        let lease = self.take()?;
        let result = host_tables::recall(lease.connection(), key);
        self.settle(lease, result)
    }

    async fn remember(&mut self, key: &IdempotencyKey, record: &[u8]) -> Result<()> {
        let max = self.database.place.limits().result_bytes_max;
        if record.len() > max {
            let reason = format!("a record of more than {max} bytes");
            return Err(Error::too_large("sql-result-bytes", reason));
        }
        let lease = self.take()?;
        self.has_begun = true;
        let purge = self.database.is_purge_due();
        let result = host_tables::remember(lease.connection(), key, record, purge);
        self.settle(lease, result)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let lease = self.holding.take()?;
        let durable = lease.finish()?;
        // The answer does not depend on who else is still in the batch, but it waits for them.
        durable.await.unwrap_or_else(|_| Err(super::closed()))
    }

    async fn rollback(self: Box<Self>) {
        drop(self);
    }
}
