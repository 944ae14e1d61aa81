//! `wasi:keyvalue`: keys and values in the plugin's own database, apart by tenant and bucket. Each
//! operation is a transaction of its own, and durable when it returns.

use std::sync::Arc;

use caplet_abi::standard::keyvalue::{Error, Host, HostBucket, KeyResponse};
use caplet_abi::standard::{Bucket, atomics, batch};
use caplet_store::{self as store, Begin, Mode, Transaction, Value};
use futures::future::BoxFuture;
use wasmtime::component::Resource;

use crate::guest::Guest;

/// The longest key and the longest name of a bucket, in bytes.
const KEY_BYTES_MAX: usize = 1_024;

/// Keys in one page of a list.
const PAGE_KEYS: usize = 500;

/// Attempts of an operation that the store rolls back for reasons of its own.
const ATTEMPTS: u32 = 3;

const GET: &str = "SELECT value FROM keyvalue WHERE tenant = $1 AND bucket = $2 AND key = $3";
const SET: &str = "INSERT INTO keyvalue (tenant, bucket, key, value) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (tenant, bucket, key) DO UPDATE SET value = excluded.value";
const DELETE: &str = "DELETE FROM keyvalue WHERE tenant = $1 AND bucket = $2 AND key = $3";
const KEYS: &str = "SELECT key FROM keyvalue WHERE tenant = $1 AND bucket = $2 ORDER BY key \
                    LIMIT $3 OFFSET $4";

type Outcome<T> = wasmtime::Result<Result<T, Error>>;

/// What is done in one transaction.
type Doing<'a, T> = BoxFuture<'a, Result<T, Error>>;

impl Host for Guest {
    async fn open(&mut self, identifier: String) -> Outcome<Resource<Bucket>> {
        self.enter_serving("sql")?;
        if identifier.len() > KEY_BYTES_MAX {
            return Ok(Err(Error::NoSuchStore));
        }
        Ok(Ok(self.table.push(Bucket { name: identifier })?))
    }
}

impl HostBucket for Guest {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Outcome<Option<Vec<u8>>> {
        let place = self.place(&bucket, key)?;
        self.operate(Mode::Read, move |rows| {
            let place = place.clone();
            Box::pin(async move { rows.get(&place?).await })
        })
        .await
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Outcome<()> {
        let place = self.place(&bucket, key)?;
        let value: Arc<[u8]> = value.into();
        self.operate(Mode::Write, move |rows| {
            let (place, value) = (place.clone(), value.clone());
            Box::pin(async move { rows.set(&place?, value.to_vec()).await })
        })
        .await
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Outcome<()> {
        let place = self.place(&bucket, key)?;
        self.operate(Mode::Write, move |rows| {
            let place = place.clone();
            Box::pin(async move { rows.delete(&place?).await })
        })
        .await
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Outcome<bool> {
        Ok(self.get(bucket, key).await?.map(|value| value.is_some()))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Outcome<KeyResponse> {
        let place = self.place(&bucket, String::new())?;
        self.operate(Mode::Read, move |rows| {
            let place = place.clone();
            Box::pin(async move { rows.keys(&place?, cursor.unwrap_or(0)).await })
        })
        .await
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Guest {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Outcome<u64> {
        let place = self.place(&bucket, key)?;
        self.operate(Mode::Write, move |rows| {
            let place = place.clone();
            Box::pin(async move { rows.increment(&place?, delta).await })
        })
        .await
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Outcome<Vec<Option<(String, Vec<u8>)>>> {
        let places = self.places(&bucket, keys)?;
        self.operate(Mode::Read, move |rows| {
            let places = places.clone();
            Box::pin(async move {
                let mut found = Vec::new();
                for place in places? {
                    let value = rows.get(&place).await?;
                    found.push(value.map(|value| (place.key, value)));
                }
                Ok(found)
            })
        })
        .await
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Outcome<()> {
        let (keys, values): (Vec<_>, Vec<_>) = key_values.into_iter().unzip();
        let (places, values) = (self.places(&bucket, keys)?, Arc::new(values));
        self.operate(Mode::Write, move |rows| {
            let (places, values) = (places.clone(), values.clone());
            Box::pin(async move {
                for (place, value) in places?.iter().zip(values.iter()) {
                    rows.set(place, value.clone()).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Outcome<()> {
        let places = self.places(&bucket, keys)?;
        self.operate(Mode::Write, move |rows| {
            let places = places.clone();
            Box::pin(async move {
                for place in places? {
                    rows.delete(&place).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

impl Guest {
    fn place(&self, bucket: &Resource<Bucket>, key: String) -> Outcome<Place> {
        let bucket = self.table.get(bucket)?.name.clone();
        if key.len() > KEY_BYTES_MAX {
            let has = key.len();
            let reason = format!("the key has {has} bytes, at most {KEY_BYTES_MAX} are allowed");
            return Ok(Err(Error::Other(reason)));
        }
        Ok(Ok(Place { tenant: self.invocation.tenant.clone(), bucket, key }))
    }

    fn places(&self, bucket: &Resource<Bucket>, keys: Vec<String>) -> Outcome<Vec<Place>> {
        keys.into_iter().map(|key| self.place(bucket, key)).collect()
    }

    /// Does something in a transaction of its own; again, when the store asks for that.
    async fn operate<T, D>(&mut self, mode: Mode, operation: D) -> Outcome<T>
    where
        D: for<'a> Fn(&'a mut Rows) -> Doing<'a, T>,
    {
        self.enter_serving("sql")?;
        let Some(database) = self.context.database.clone() else {
            return Ok(Err(Error::AccessDenied));
        };
        let mut last = Error::Other("the storage did not answer in time".to_owned());
        for _ in 0..ATTEMPTS {
            let begin = Begin {
                mode,
                tenant: self.invocation.tenant.clone(),
                deadline: self.invocation.deadline,
                tag: None,
            };
            let mut rows = match database.begin(begin).await {
                Ok(transaction) => Rows(transaction),
                Err(error) => return Ok(Err(refused(&error))),
            };
            match operation(&mut rows).await {
                Ok(outcome) => match rows.0.commit().await {
                    Ok(()) => return Ok(Ok(outcome)),
                    Err(error @ store::Error::Retry(_)) => last = refused(&error),
                    Err(error) => return Ok(Err(refused(&error))),
                },
                Err(error) => {
                    rows.0.rollback().await;
                    return Ok(Err(error));
                }
            }
        }
        Ok(Err(last))
    }
}

fn refused(error: &store::Error) -> Error {
    Error::Other(error.to_string())
}

/// Where a value lies.
#[derive(Debug, Clone)]
struct Place {
    tenant: Arc<str>,
    bucket: String,
    key: String,
}

impl Place {
    fn values(&self) -> Vec<Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        vec![text(&self.tenant), text(&self.bucket), text(&self.key)]
    }
}

/// The rows within a transaction.
struct Rows(Box<dyn Transaction>);

impl Rows {
    async fn get(&mut self, place: &Place) -> Result<Option<Vec<u8>>, Error> {
        let rows = self.0.query(GET, &place.values()).await.map_err(|error| refused(&error))?;
        Ok(rows.values.into_iter().next().and_then(|value| match value {
            Value::Blob(bytes) => Some(bytes),
            Value::Text(text) => Some(text.into_bytes()),
            _ => None,
        }))
    }

    async fn set(&mut self, place: &Place, value: Vec<u8>) -> Result<(), Error> {
        let mut values = place.values();
        values.push(Value::Blob(value));
        self.execute(SET, &values).await
    }

    async fn delete(&mut self, place: &Place) -> Result<(), Error> {
        self.execute(DELETE, &place.values()).await
    }

    /// Numbers are kept as decimal texts, so that a guest can also set and get them.
    async fn increment(&mut self, place: &Place, delta: u64) -> Result<u64, Error> {
        let before = match self.get(place).await? {
            None => 0,
            Some(bytes) => {
                let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
                number.ok_or_else(|| Error::Other("the value is not a number".to_owned()))?
            }
        };
        let after = delta.checked_add(before).ok_or_else(|| {
            Error::Other("the number would be larger than 64 bits hold".to_owned())
        })?;
        self.set(place, after.to_string().into_bytes()).await?;
        Ok(after)
    }

    /// A page of a bucket's keys in their order. The cursor is how many came before.
    async fn keys(&mut self, place: &Place, before: u64) -> Result<KeyResponse, Error> {
        let offset = i64::try_from(before).unwrap_or(i64::MAX);
        let number = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let mut values = place.values();
        values.truncate(2);
        values.extend([number(PAGE_KEYS + 1), Value::Integer(offset)]);
        let rows = self.0.query(KEYS, &values).await.map_err(|error| refused(&error))?;
        let mut keys: Vec<String> = rows
            .values
            .into_iter()
            .filter_map(|value| match value {
                Value::Text(key) => Some(key),
                _ => None,
            })
            .collect();
        let has_more = keys.len() > PAGE_KEYS;
        keys.truncate(PAGE_KEYS);
        Ok(KeyResponse { keys, cursor: has_more.then(|| before + PAGE_KEYS as u64) })
    }

    async fn execute(&mut self, statement: &str, values: &[Value]) -> Result<(), Error> {
        self.0.execute(statement, values).await.map(drop).map_err(|error| refused(&error))
    }
}
