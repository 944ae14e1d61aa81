//! `sql`: statements in the invocation's transaction, which begins at the first of them.
//!
//! What the store refuses goes back to the guest as a typed error. When the store rolled back the
//! whole transaction and asks for another run, the guest is ended instead: the runtime runs the
//! invocation again from the beginning.

use std::time::{Duration, Instant};

use caplet_abi::imports::sql::{Error, Host, JsonPage, Rows, Value};
use caplet_store::{self as store, Transaction};
use futures::future::BoxFuture;
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;
use tracing::{Instrument, Span};

use crate::guest::{Guest, Stop};
use crate::invocation::StoreUse;
use crate::{spans, transaction};

/// How long past the deadline the store may take to say that it is over.
const GRACE: Duration = Duration::from_millis(200);

type Outcome<T> = wasmtime::Result<Result<T, Error>>;
type Running<'a, T> = BoxFuture<'a, store::Result<T>>;

impl Host for Guest {
    async fn query(&mut self, statement: String, parameters: Vec<Value>) -> Outcome<Rows> {
        self.statement(statement, parameters, |transaction, statement, parameters| {
            transaction.query(statement, parameters)
        })
        .await
    }

    async fn query_json(
        &mut self,
        statement: String,
        parameters: Vec<Value>,
        limit: u32,
    ) -> Outcome<JsonPage> {
        self.statement(statement, parameters, move |transaction, statement, parameters| {
            transaction.query_json(statement, parameters, limit)
        })
        .await
    }

    async fn execute(&mut self, statement: String, parameters: Vec<Value>) -> Outcome<u64> {
        self.statement(statement, parameters, |transaction, statement, parameters| {
            transaction.execute(statement, parameters)
        })
        .await
    }
}

impl Guest {
    /// Runs a statement in the invocation's transaction, within its deadline.
    async fn statement<T: Counted, U: From<T>>(
        &mut self,
        statement: String,
        parameters: Vec<Value>,
        run: impl for<'a> FnOnce(&'a mut dyn Transaction, &'a str, &'a [store::Value]) -> Running<'a, T>,
    ) -> Outcome<U> {
        self.enter()?;
        if self.is_denied("sql") {
            return Ok(Err(Error::Denied("the right to `sql` was revoked".to_owned())));
        }
        if let Err(error) = self.ensure_transaction().await? {
            return Ok(Err(error));
        }
        let span = spans::statement(&self.context, &statement);
        let invocation = &mut self.invocation;
        let transaction = invocation.transaction.as_mut().expect("it was begun above");
        let parameters: Vec<store::Value> = parameters.into_iter().map(Into::into).collect();
        let began = Instant::now();
        let running = run(&mut **transaction, &statement, &parameters).instrument(span.clone());
        let outcome = timeout_at((invocation.deadline + GRACE).into(), running).await;
        invocation.store_usage.statement(began.elapsed(), statement);
        if !span.is_disabled() {
            note(&span, &outcome);
        }
        self.settle(outcome)
    }

    /// Begins the invocation's transaction, if this is the first use of it.
    async fn ensure_transaction(&mut self) -> Outcome<()> {
        if self.invocation.transaction.is_some() {
            return Ok(Ok(()));
        }
        let mode = match self.invocation.store_use {
            StoreUse::Allowed(mode) => mode,
            StoreUse::Denied(reason) => return Ok(Err(Error::Denied(reason.to_owned()))),
        };
        match transaction::begin(&self.context, &mut self.invocation, mode).await {
            Some(Ok(transaction)) => {
                self.invocation.transaction = Some(transaction);
                Ok(Ok(()))
            }
            Some(Err(error)) => self.settle::<(), ()>(Ok(Err(error))),
            None => Ok(Err(Error::Denied("the plugin has no database".to_owned()))),
        }
    }

    /// What the store said, as the guest is told it, or as a trap. A limit is counted.
    fn settle<T, U: From<T>>(&self, outcome: Result<store::Result<T>, Elapsed>) -> Outcome<U> {
        match outcome {
            Ok(Ok(value)) => Ok(Ok(value.into())),
            Ok(Err(error @ store::Error::Retry(_))) => {
                Err(wasmtime::Error::new(Stop::Store(error)))
            }
            Ok(Err(error)) => {
                if let Some(limit) = error.limit() {
                    self.context.metrics.limit_hit(limit);
                }
                Ok(Err(error.into()))
            }
            Err(_) => Err(wasmtime::Error::new(Stop::Wall)),
        }
    }
}

/// Notes in a statement's span what it came to.
fn note<T: Counted>(span: &Span, outcome: &Result<store::Result<T>, Elapsed>) {
    match outcome {
        Ok(Ok(value)) => {
            span.record("db.response.returned_rows", spans::number(value.n_rows()));
        }
        Ok(Err(error)) => spans::failed(span, error),
        Err(_) => spans::failed(span, &store::Error::Timeout(String::new())),
    }
}

/// A result that knows how many rows it brought.
trait Counted {
    fn n_rows(&self) -> u64;
}

impl Counted for store::Rows {
    fn n_rows(&self) -> u64 {
        (self.values.len() / self.columns.len().max(1)) as u64
    }
}

impl Counted for store::JsonPage {
    fn n_rows(&self) -> u64 {
        u64::from(self.count)
    }
}

/// A statement that changes rows brings none.
impl Counted for u64 {
    fn n_rows(&self) -> u64 {
        0
    }
}
