//! The rows that keys and values are, within one transaction.

use std::sync::Arc;
use std::time::Instant;

use caplet_abi::standard::keyvalue::Error;
use caplet_store::{self as store, Transaction, Value};
use sha2::{Digest as _, Sha256};
use tracing::Instrument;

use crate::guest::Context;
use crate::usage::StoreUsage;
use crate::{spans, transaction};

/// Keys in one page of a list.
const PAGE_KEYS: usize = 500;

const GET: &str = "SELECT value FROM keyvalue WHERE tenant = $1 AND bucket = $2 AND key = $3";
const SET: &str = "INSERT INTO keyvalue (tenant, bucket, key, value) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (tenant, bucket, key) DO UPDATE SET value = excluded.value";
const DELETE: &str = "DELETE FROM keyvalue WHERE tenant = $1 AND bucket = $2 AND key = $3";
const KEYS: &str = "SELECT key FROM keyvalue WHERE tenant = $1 AND bucket = $2 AND key >= $3 \
                    ORDER BY key LIMIT $4 OFFSET $5";

const TOO_LARGE: &str = "the number would be larger than 64 bits hold";

/// Why something was not done.
pub(super) enum Failure {
    /// The store did not do it.
    Store(store::Error),
    /// It cannot be done.
    Told(Error),
}

/// Where a value lies.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) tenant: Arc<str>,
    pub(super) bucket: String,
    pub(super) key: String,
}

/// What a guest has seen of a value: its digest, or that there is none.
pub(super) type Seen = Option<[u8; 32]>;

/// What came of an attempt to replace a value.
pub(super) enum Swapped {
    Done,
    /// It was changed meanwhile, to this.
    Changed(Seen),
}

/// A page of a bucket's keys in their order.
pub(super) struct Keys {
    pub(super) keys: Vec<String>,
    /// The first key of the next page, if there is one.
    pub(super) next: Option<String>,
}

/// A transaction on the rows.
pub(super) struct Rows {
    transaction: Box<dyn Transaction>,
    context: Arc<Context>,
    usage: StoreUsage,
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => Self::Other(error.to_string()),
            Failure::Told(error) => error,
        }
    }
}

impl Place {
    fn values(&self) -> Vec<Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        vec![text(&self.tenant), text(&self.bucket), text(&self.key)]
    }
}

impl Rows {
    pub(super) fn new(transaction: Box<dyn Transaction>, context: Arc<Context>) -> Self {
        Self { transaction, context, usage: StoreUsage::default() }
    }

    /// Commits what was done, or takes it back where it failed. Returns what came of both, and what all of
    /// it took.
    pub(super) async fn end<T>(
        mut self,
        outcome: Result<T, Failure>,
    ) -> (Result<T, Failure>, StoreUsage) {
        let ended = if outcome.is_ok() {
            transaction::commit(&self.context, self.transaction, &mut self.usage).await
        } else {
            self.transaction.rollback().await;
            Ok(())
        };
        (ended.map_err(Failure::from).and(outcome), self.usage)
    }

    pub(super) async fn get(&mut self, place: &Place) -> Result<Option<Vec<u8>>, Failure> {
        let rows = self.query(GET, &place.values()).await?;
        Ok(rows.values.into_iter().next().and_then(|value| match value {
            Value::Blob(bytes) => Some(bytes),
            Value::Text(text) => Some(text.into_bytes()),
            _ => None,
        }))
    }

    pub(super) async fn set(&mut self, place: &Place, value: Vec<u8>) -> Result<(), Failure> {
        let mut values = place.values();
        values.push(Value::Blob(value));
        self.execute(SET, &values).await
    }

    pub(super) async fn delete(&mut self, place: &Place) -> Result<(), Failure> {
        self.execute(DELETE, &place.values()).await
    }

    /// Numbers are kept as decimal texts, so that a guest can also set and get them.
    pub(super) async fn increment<N>(&mut self, place: &Place, delta: N) -> Result<N, Failure>
    where
        N: Into<i128> + TryFrom<i128>,
    {
        let before = match self.get(place).await? {
            None => 0,
            Some(bytes) => {
                let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
                number.ok_or_else(|| told("the value is not a number"))?
            }
        };
        let sum = delta.into().checked_add(before);
        let sum = sum.ok_or_else(|| told(TOO_LARGE))?;
        let after = N::try_from(sum).map_err(|_| told(TOO_LARGE))?;
        self.set(place, sum.to_string().into_bytes()).await?;
        Ok(after)
    }

    /// Sets a value that is still as it was seen.
    pub(super) async fn swap(
        &mut self,
        place: &Place,
        before: Seen,
        value: Vec<u8>,
    ) -> Result<Swapped, Failure> {
        let present = seen(self.get(place).await?.as_deref());
        if present != before {
            return Ok(Swapped::Changed(present));
        }
        self.set(place, value).await.map(|()| Swapped::Done)
    }

    /// The keys from that of `from` on, without the first `n_skipped`.
    pub(super) async fn keys(&mut self, from: &Place, n_skipped: u64) -> Result<Keys, Failure> {
        let offset = i64::try_from(n_skipped).unwrap_or(i64::MAX);
        let limit = i64::try_from(PAGE_KEYS + 1).unwrap_or(i64::MAX);
        let mut values = from.values();
        values.extend([Value::Integer(limit), Value::Integer(offset)]);
        let rows = self.query(KEYS, &values).await?;
        let key = |value| match value {
            Value::Text(key) => Some(key),
            _ => None,
        };
        let mut keys: Vec<String> = rows.values.into_iter().filter_map(key).collect();
        let next = if keys.len() > PAGE_KEYS { keys.pop() } else { None };
        Ok(Keys { keys, next })
    }

    async fn query(&mut self, text: &str, values: &[Value]) -> Result<store::Rows, Failure> {
        let running = self.transaction.query(text, values);
        statement(&self.context, &mut self.usage, text, running).await
    }

    async fn execute(&mut self, text: &str, values: &[Value]) -> Result<(), Failure> {
        let running = self.transaction.execute(text, values);
        statement(&self.context, &mut self.usage, text, running).await.map(drop)
    }
}

/// Runs a statement, and tells of it as of those of plugins.
async fn statement<T>(
    context: &Context,
    usage: &mut StoreUsage,
    text: &str,
    running: impl Future<Output = store::Result<T>>,
) -> Result<T, Failure> {
    let span = spans::statement(context, text);
    let began = Instant::now();
    let outcome = running.instrument(span.clone()).await;
    usage.statement(began.elapsed(), text.to_owned());
    outcome.map_err(|error| {
        spans::failed(&span, &error);
        Failure::Store(error)
    })
}

/// What is remembered of a value: a guest may hold many, so not the value itself.
pub(super) fn seen(value: Option<&[u8]>) -> Seen {
    value.map(|value| Sha256::digest(value).into())
}

fn told(reason: &str) -> Failure {
    Failure::Told(Error::Other(reason.to_owned()))
}
