//! `wasi:keyvalue`: keys and values in the plugin's own database, apart by tenant and bucket. Each
//! operation is a transaction of its own, and durable when it returns. What is done in one is in `rows`.
//!
//! This is the newest version; `older` has those before as forms of it.

mod older;
mod rows;

use std::sync::Arc;

use caplet_abi::standard::keyvalue::{Error, Host, HostBucket, KeyResponse};
use caplet_abi::standard::{Bucket, Cas, atomics, batch};
use caplet_store::{self as store, Mode};
use futures::future::BoxFuture;
use wasmtime::component::Resource;

use self::rows::{Failure, Keys, Place, Rows, Swapped, seen};
use crate::guest::Guest;
use crate::transaction;

/// The longest key and the longest name of a bucket, in bytes.
const KEY_BYTES_MAX: usize = 1_024;

/// Attempts of an operation that the store rolls back for reasons of its own.
const ATTEMPTS: u32 = 3;

type Outcome<T> = wasmtime::Result<Result<T, Error>>;
type SwapOutcome = wasmtime::Result<Result<(), atomics::CasError>>;

/// What is done in one transaction.
type Doing<'a, T> = BoxFuture<'a, Result<T, Failure>>;

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
        self.value_at(place).await
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

    /// A cursor is the first key of its page, so that keys that come or go before it shift nothing.
    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Outcome<KeyResponse> {
        let page = self.keys(&bucket, cursor.unwrap_or_default(), 0).await?;
        Ok(page.map(|Keys { keys, next }| KeyResponse { keys, cursor: next }))
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
        delta: i64,
    ) -> Outcome<i64> {
        self.add(&bucket, key, delta).await
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> SwapOutcome {
        let cas = self.table.delete(cas)?;
        let place = self.place_in(cas.bucket.clone(), cas.key.clone());
        let (before, value): (_, Arc<[u8]>) = (cas.seen, value.into());
        let swapped = self.operate(Mode::Write, move |rows| {
            let (place, value) = (place.clone(), value.clone());
            Box::pin(async move { rows.swap(&place?, before, value.to_vec()).await })
        });
        let swapped = swapped.await?;
        Ok(match swapped {
            Ok(Swapped::Done) => Ok(()),
            Ok(Swapped::Changed(seen)) => {
                let again = self.table.push(Cas { seen, ..cas })?;
                Err(atomics::CasError::CasFailed(again))
            }
            Err(error) => Err(atomics::CasError::StoreError(error)),
        })
    }
}

impl atomics::HostCas for Guest {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Outcome<Resource<Cas>> {
        let bucket = self.table.get(&bucket)?.name.clone();
        let place = self.place_in(bucket.clone(), key.clone());
        Ok(match self.value_at(place).await? {
            Ok(value) => Ok(self.table.push(Cas { bucket, key, seen: seen(value.as_deref()) })?),
            Err(error) => Err(error),
        })
    }

    /// What is returned is what a swap from now on replaces.
    async fn current(&mut self, cas: Resource<Cas>) -> Outcome<Option<Vec<u8>>> {
        let Cas { bucket, key, .. } = self.table.get(&cas)?.clone();
        let value = self.value_at(self.place_in(bucket, key)).await?;
        if let Ok(value) = &value {
            self.table.get_mut(&cas)?.seen = seen(value.as_deref());
        }
        Ok(value)
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Outcome<Vec<(String, Option<Vec<u8>>)>> {
        let places = self.places(&bucket, keys)?;
        self.operate(Mode::Read, move |rows| {
            let places = places.clone();
            Box::pin(async move {
                let mut found = Vec::new();
                for place in places? {
                    let value = rows.get(&place).await?;
                    found.push((place.key, value));
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
        Ok(self.place_in(self.table.get(bucket)?.name.clone(), key))
    }

    fn place_in(&self, bucket: String, key: String) -> Result<Place, Error> {
        if key.len() > KEY_BYTES_MAX {
            let has = key.len();
            let reason = format!("the key has {has} bytes, at most {KEY_BYTES_MAX} are allowed");
            return Err(Error::Other(reason));
        }
        Ok(Place { tenant: self.invocation.tenant.clone(), bucket, key })
    }

    fn places(&self, bucket: &Resource<Bucket>, keys: Vec<String>) -> Outcome<Vec<Place>> {
        keys.into_iter().map(|key| self.place(bucket, key)).collect()
    }

    async fn value_at(&mut self, place: Result<Place, Error>) -> Outcome<Option<Vec<u8>>> {
        self.operate(Mode::Read, move |rows| {
            let place = place.clone();
            Box::pin(async move { rows.get(&place?).await })
        })
        .await
    }

    async fn keys(
        &mut self,
        bucket: &Resource<Bucket>,
        from: String,
        n_skipped: u64,
    ) -> Outcome<Keys> {
        let from = self.place(bucket, from)?;
        self.operate(Mode::Read, move |rows| {
            let from = from.clone();
            Box::pin(async move { rows.keys(&from?, n_skipped).await })
        })
        .await
    }

    async fn add<N>(&mut self, bucket: &Resource<Bucket>, key: String, delta: N) -> Outcome<N>
    where
        N: Into<i128> + TryFrom<i128> + Copy + Send + Sync + 'static,
    {
        let place = self.place(bucket, key)?;
        self.operate(Mode::Write, move |rows| {
            let place = place.clone();
            Box::pin(async move { rows.increment(&place?, delta).await })
        })
        .await
    }

    /// Does something in a transaction of its own; again, when the store asks for that.
    async fn operate<T, D>(&mut self, mode: Mode, operation: D) -> Outcome<T>
    where
        D: for<'a> Fn(&'a mut Rows) -> Doing<'a, T>,
    {
        self.enter_serving("sql")?;
        let mut last = Error::Other("the storage did not answer in time".to_owned());
        for _ in 0..ATTEMPTS {
            match self.attempt(mode, &operation).await {
                Ok(outcome) => return Ok(Ok(outcome)),
                Err(failure @ Failure::Store(store::Error::Retry(_))) => last = failure.into(),
                Err(failure) => {
                    self.count_limit(&failure);
                    return Ok(Err(failure.into()));
                }
            }
        }
        Ok(Err(last))
    }

    async fn attempt<T, D>(&mut self, mode: Mode, operation: &D) -> Result<T, Failure>
    where
        D: for<'a> Fn(&'a mut Rows) -> Doing<'a, T>,
    {
        let begun = transaction::begin(&self.context, &mut self.invocation, mode).await;
        let transaction = begun.ok_or(Error::AccessDenied)??;
        let mut rows = Rows::new(transaction, self.context.clone());
        let outcome = operation(&mut rows).await;
        let (outcome, usage) = rows.end(outcome).await;
        self.invocation.store_usage.add(usage);
        outcome
    }

    fn count_limit(&self, failure: &Failure) {
        if let Failure::Store(error) = failure
            && let Some(limit) = error.limit()
        {
            self.context.metrics.limit_hit(limit);
        }
    }
}
