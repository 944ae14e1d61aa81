//! `wasi:keyvalue` 0.2.0-draft as a form of the version after it: its cursors and what it counts are whole
//! numbers without a sign, keys without a value have no name in a batch, and nothing is compared and swapped.

use caplet_abi::standard::older_keyvalue::{atomics, batch, store};
use caplet_abi::standard::{self as newest, Bucket, keyvalue};
use wasmtime::component::Resource;

use super::Keys;
use crate::guest::Guest;

type Outcome<T> = wasmtime::Result<Result<T, store::Error>>;

fn older(error: keyvalue::Error) -> store::Error {
    match error {
        keyvalue::Error::NoSuchStore => store::Error::NoSuchStore,
        keyvalue::Error::AccessDenied => store::Error::AccessDenied,
        keyvalue::Error::Other(reason) => store::Error::Other(reason),
    }
}

impl store::Host for Guest {
    async fn open(&mut self, identifier: String) -> Outcome<Resource<Bucket>> {
        Ok(keyvalue::Host::open(self, identifier).await?.map_err(older))
    }
}

impl store::HostBucket for Guest {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Outcome<Option<Vec<u8>>> {
        Ok(keyvalue::HostBucket::get(self, bucket, key).await?.map_err(older))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Outcome<()> {
        Ok(keyvalue::HostBucket::set(self, bucket, key, value).await?.map_err(older))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Outcome<()> {
        Ok(keyvalue::HostBucket::delete(self, bucket, key).await?.map_err(older))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Outcome<bool> {
        Ok(keyvalue::HostBucket::exists(self, bucket, key).await?.map_err(older))
    }

    /// A cursor is how many keys came before.
    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Outcome<store::KeyResponse> {
        let before = cursor.unwrap_or(0);
        let page = self.keys(&bucket, String::new(), before).await?;
        let response = page.map(|Keys { keys, next }| store::KeyResponse {
            cursor: next.map(|_| before + keys.len() as u64),
            keys,
        });
        Ok(response.map_err(older))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        keyvalue::HostBucket::drop(self, bucket).await
    }
}

impl atomics::Host for Guest {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Outcome<u64> {
        Ok(self.add(&bucket, key, delta).await?.map_err(older))
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Outcome<Vec<Option<(String, Vec<u8>)>>> {
        let found = newest::batch::Host::get_many(self, bucket, keys).await?;
        let named = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
        Ok(found.map(|all| all.into_iter().map(named).collect()).map_err(older))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Outcome<()> {
        Ok(newest::batch::Host::set_many(self, bucket, key_values).await?.map_err(older))
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Outcome<()> {
        Ok(newest::batch::Host::delete_many(self, bucket, keys).await?.map_err(older))
    }
}
