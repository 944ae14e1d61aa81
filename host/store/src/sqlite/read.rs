//! The transaction of an invocation that reads.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::database::PluginDatabase;
use super::fault::Fault;
use super::plans::Prepared;
use super::readers::Reader;
use super::statement::{self, Call, Output, Shape};
use super::{INLINE_TIME, host_tables, moved};
use crate::{Begin, Error, IdempotencyKey, JsonPage, Result, Rows, Transaction, Value};

pub(super) struct ReadTransaction {
    database: Arc<PluginDatabase>,
    begin: Begin,
    /// The snapshot, or why there is none any more.
    reader: Result<Reader>,
    n_statements: u32,
}

impl ReadTransaction {
    pub(super) async fn begin(database: Arc<PluginDatabase>, begin: Begin) -> Result<Self> {
        let reader = Ok(database.readers.acquire(begin.deadline).await?);
        Ok(Self { database, begin, reader, n_statements: 0 })
    }

    async fn run(&mut self, text: &str, parameters: &[Value], shape: Shape) -> Result<Output> {
        self.check_alive()?;
        self.database.count_statement(&mut self.n_statements)?;
        let prepared = self.database.plans.get(text, self.begin.tag).await?;
        if prepared.checked.writes {
            return Err(Error::ReadOnly);
        }
        let call = Call { prepared: &prepared, tenant: &self.begin.tenant, parameters, shape };
        statement::check(&call, &self.database.place.limits())?;
        let begun = Instant::now();
        if !prepared.is_slow() {
            let end = self.begin.deadline.min(begun + INLINE_TIME);
            let connection = self.reader()?.connection();
            let armed = connection.budget().arm_inline(end);
            let result = statement::run(connection, &call);
            drop(armed);
            match result {
                Err(Fault::Interrupted) => prepared.mark_slow(),
                other => return self.settle(other),
            }
        }
        self.run_moved(prepared, parameters, shape, begun).await
    }

    /// Runs the statement where it may block: the snapshot makes a second run give the same.
    async fn run_moved(
        &mut self,
        prepared: Arc<Prepared>,
        parameters: &[Value],
        shape: Shape,
        begun: Instant,
    ) -> Result<Output> {
        self.database.counters.moved_statements.add(1);
        let end = self.begin.deadline.min(begun + self.database.place.limits().statement_time_max);
        let gone = Error::Unavailable("an earlier call was abandoned".to_owned());
        let reader = std::mem::replace(&mut self.reader, Err(gone))?;
        let budget = Arc::clone(reader.connection().budget());
        let (tenant, parameters) = (Arc::clone(&self.begin.tenant), parameters.to_vec());
        let (reader, result) = moved(budget, move || {
            let call =
                Call { prepared: &prepared, tenant: &tenant, parameters: &parameters, shape };
            let started = Instant::now();
            let armed = reader.connection().budget().arm(end);
            let result = statement::run(reader.connection(), &call);
            drop(armed);
            prepared.note_run(started.elapsed());
            (reader, result)
        })
        .await?;
        self.reader = Ok(reader);
        self.settle(result)
    }

    /// Decides what a statement's end means for the transaction.
    fn settle<T>(&mut self, result: Result<T, Fault>) -> Result<T> {
        match result {
            Ok(output) => Ok(output),
            Err(Fault::Statement(error @ Error::Unavailable(_)) | Fault::Connection(error)) => {
                Err(self.end(error))
            }
            Err(Fault::Statement(error)) => Err(error),
            Err(Fault::Interrupted) => {
                self.database.counters.timeouts.add(1);
                if Instant::now() >= self.begin.deadline {
                    return Err(self.end(super::past_deadline()));
                }
                Err(self.database.statement_timeout())
            }
        }
    }

    fn check_alive(&mut self) -> Result<()> {
        self.reader()?;
        if Instant::now() >= self.begin.deadline {
            self.database.counters.timeouts.add(1);
            return Err(self.end(super::past_deadline()));
        }
        Ok(())
    }

    fn reader(&self) -> Result<&Reader> {
        self.reader.as_ref().map_err(Clone::clone)
    }

    /// Gives the reader back; each later call gets `error`.
    fn end(&mut self, error: Error) -> Error {
        let before = std::mem::replace(&mut self.reader, Err(error.clone()));
        if let (Ok(reader), Error::Unavailable(_) | Error::DiskFull) = (before, &error) {
            reader.discard();
        }
        error
    }
}

#[async_trait]
impl Transaction for ReadTransaction {
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
        self.check_alive()?;
        let result = host_tables::recall(self.reader()?.connection(), key);
        self.settle(result)
    }

    async fn remember(&mut self, _key: &IdempotencyKey, _record: &[u8]) -> Result<()> {
        Err(Error::ReadOnly)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.reader.map(drop)
    }

    async fn rollback(self: Box<Self>) {
        drop(self);
    }
}
