//! `sql`: statements in the invocation's transaction, which begins at the first of them.
//!
//! What the store refuses goes back to the guest as a typed error. When the store rolled back the
//! whole transaction and asks for another run, the guest is ended instead: the runtime runs the
//! invocation again from the beginning.

use std::time::Duration;

use caplet_abi::imports::sql::{Error, Host, JsonPage, Rows, Value};
use caplet_store::{self as store, Begin, Transaction};

use crate::guest::{Guest, Stop};
use crate::invocation::StoreUse;

/// How long past the deadline the store may take to say that it is over.
const GRACE: Duration = Duration::from_millis(200);

type Outcome<T> = wasmtime::Result<Result<T, Error>>;

impl Host for Guest {
    #[tracing::instrument(name = "sql.query", level = "trace", skip_all)]
    async fn query(&mut self, statement: String, parameters: Vec<Value>) -> Outcome<Rows> {
        self.enter()?;
        let deadline = self.invocation.deadline + GRACE;
        let transaction = match self.transaction().await? {
            Ok(transaction) => transaction,
            Err(error) => return Ok(Err(error)),
        };
        let parameters = values(parameters);
        let run = transaction.query(&statement, &parameters);
        settle(tokio::time::timeout_at(deadline.into(), run).await)
    }

    #[tracing::instrument(name = "sql.query-json", level = "trace", skip_all)]
    async fn query_json(
        &mut self,
        statement: String,
        parameters: Vec<Value>,
        limit: u32,
    ) -> Outcome<JsonPage> {
        self.enter()?;
        let deadline = self.invocation.deadline + GRACE;
        let transaction = match self.transaction().await? {
            Ok(transaction) => transaction,
            Err(error) => return Ok(Err(error)),
        };
        let parameters = values(parameters);
        let run = transaction.query_json(&statement, &parameters, limit);
        settle(tokio::time::timeout_at(deadline.into(), run).await)
    }

    #[tracing::instrument(name = "sql.execute", level = "trace", skip_all)]
    async fn execute(&mut self, statement: String, parameters: Vec<Value>) -> Outcome<u64> {
        self.enter()?;
        let deadline = self.invocation.deadline + GRACE;
        let transaction = match self.transaction().await? {
            Ok(transaction) => transaction,
            Err(error) => return Ok(Err(error)),
        };
        let parameters = values(parameters);
        let run = transaction.execute(&statement, &parameters);
        settle(tokio::time::timeout_at(deadline.into(), run).await)
    }
}

impl Guest {
    /// The invocation's transaction, begun now if it is the first use.
    async fn transaction(&mut self) -> Outcome<&mut Box<dyn Transaction>> {
        if self.invocation.transaction.is_none() {
            let mode = match self.invocation.store_use {
                StoreUse::Allowed(mode) => mode,
                StoreUse::Denied(reason) => return Ok(Err(Error::Denied(reason.to_owned()))),
            };
            let Some(database) = &self.context.database else {
                return Ok(Err(Error::Denied("the plugin has no database".to_owned())));
            };
            let tenant = self.invocation.tenant.clone();
            let deadline = self.invocation.deadline;
            match database.begin(Begin { mode, tenant, deadline }).await {
                Ok(transaction) => self.invocation.transaction = Some(transaction),
                Err(error) => return settle(Ok(Err(error))),
            }
        }
        Ok(Ok(self.invocation.transaction.as_mut().expect("it was begun above")))
    }
}

fn values(parameters: Vec<Value>) -> Vec<store::Value> {
    parameters.into_iter().map(Into::into).collect()
}

/// What the store said, as the guest is told it, or as a trap.
fn settle<T, U: From<T>>(
    outcome: Result<store::Result<T>, tokio::time::error::Elapsed>,
) -> Outcome<U> {
    match outcome {
        Ok(Ok(value)) => Ok(Ok(value.into())),
        Ok(Err(error @ store::Error::Retry(_))) => Err(wasmtime::Error::new(Stop::Store(error))),
        Ok(Err(error)) => Ok(Err(error.into())),
        Err(_) => Err(wasmtime::Error::new(Stop::Wall)),
    }
}
