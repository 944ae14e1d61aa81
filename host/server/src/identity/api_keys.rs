//! The API keys of a host: made, listed, revoked, and found again when a request brings one. The
//! database holds them all; memory holds those that are alive, so that a request never waits for the
//! database and a revoked key ends with the answer that says so. The text of a key is in
//! [`super::api_key`]; who may manage keys is the admin API's to check.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use caplet_runtime::{HostDatabase, Identity, Kind};
use caplet_store::{Error as StoreError, Rows, Value};

use super::api_key::{NewKey, Presented};
use super::claims;
use crate::token::{Claims, Refused};

/// The most keys that are alive in one host.
pub(crate) const KEYS_MAX: usize = 10_000;

/// How exactly it is known when a key was used last, in milliseconds.
const USED_STEP_MS: u64 = 60_000;

/// How long a key that is revoked or expired stays in lists, in milliseconds: 90 days.
const GONE_KEPT_MS: u64 = 90 * 24 * 3_600 * 1_000;

/// How many rows are read or written in one transaction.
const ROWS_MAX: usize = 100;

/// How often a transaction that the store undid is tried.
const ATTEMPTS_MAX: usize = 3;

/// The keys that are alive.
pub(crate) struct ApiKeys {
    alive: RwLock<HashMap<String, Arc<ApiKey>>>,
    database: HostDatabase,
    /// One change at a time, so that memory and database change in the same order.
    changing: tokio::sync::Mutex<()>,
}

/// A key in memory.
struct ApiKey {
    hash: Vec<u8>,
    identity: Arc<Identity>,
    expires_ms: Option<u64>,
    /// 0: never.
    used_ms: AtomicU64,
    /// What of `used_ms` is in the database.
    used_written_ms: AtomicU64,
}

/// What a key is made for.
pub(crate) struct Order {
    /// For people.
    pub(crate) name: String,
    /// Whom it stands for; an empty subject becomes `key-<id>`.
    pub(crate) claims: Claims,
    pub(crate) expires_ms: Option<u64>,
    pub(crate) created_by: String,
}

/// Why a key was not made, found or revoked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Claims(Refused),
    #[error("there are {KEYS_MAX} keys already")]
    TooMany,
    #[error("no random numbers from the operating system: {0}")]
    Random(getrandom::Error),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl ApiKeys {
    /// Reads the keys that are alive.
    pub(crate) async fn open(database: HostDatabase) -> Result<Self, StoreError> {
        let mut alive = HashMap::new();
        let mut after = String::new();
        loop {
            let rows = read_alive(&database, &after).await?;
            for row in rows.values.chunks(rows.columns.len().max(1)) {
                let (id, key) = key_of(row)?;
                after.clone_from(&id);
                alive.insert(id, Arc::new(key));
            }
            if rows.values.len() < ROWS_MAX * rows.columns.len().max(1) {
                break;
            }
        }
        Ok(Self { alive: RwLock::new(alive), database, changing: tokio::sync::Mutex::default() })
    }

    /// Who the bearer of a key is.
    pub(crate) fn verify(&self, text: &str, now_ms: u64) -> Result<Arc<Identity>, Refused> {
        let presented = Presented::parse(text).ok_or(Refused::Malformed("it is no API key"))?;
        let key = self.find(presented.id).ok_or(Refused::UnknownKey)?;
        if !presented.matches(&key.hash) {
            return Err(Refused::Signature);
        }
        if key.expires_ms.is_some_and(|expires_ms| now_ms >= expires_ms) {
            return Err(Refused::Expired);
        }
        key.used_ms.fetch_max(now_ms - now_ms % USED_STEP_MS, Ordering::Relaxed);
        Ok(key.identity.clone())
    }

    fn find(&self, id: &str) -> Option<Arc<ApiKey>> {
        self.alive.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Makes a key, and returns its id and its text, which is nowhere else.
    pub(crate) async fn create(
        &self,
        mut order: Order,
        now_ms: u64,
    ) -> Result<(String, String), Error> {
        let _alone = self.changing.lock().await;
        if self.alive.read().unwrap_or_else(PoisonError::into_inner).len() >= KEYS_MAX {
            return Err(Error::TooMany);
        }
        let new = NewKey::random().map_err(Error::Random)?;
        if order.claims.subject.is_empty() {
            order.claims.subject = format!("key-{}", new.id);
        }
        order.claims.kind = Kind::Service;
        let identity = claims::checked(order.claims.identity()).map_err(Error::Claims)?;
        self.write(INSERT, &row_of(&new, &order, now_ms)).await?;
        let gone_ms = integer(now_ms.saturating_sub(GONE_KEPT_MS));
        self.write(PRUNE, &[gone_ms]).await?;
        let key = ApiKey {
            hash: new.hash,
            identity: Arc::new(identity),
            expires_ms: order.expires_ms,
            used_ms: AtomicU64::new(0),
            used_written_ms: AtomicU64::new(0),
        };
        let mut alive = self.alive.write().unwrap_or_else(PoisonError::into_inner);
        alive.insert(new.id.clone(), Arc::new(key));
        Ok((new.id, new.text))
    }

    /// Ends a key; false when there is none of this id. Once this has returned, no request is
    /// accepted by it.
    pub(crate) async fn revoke(&self, id: &str, now_ms: u64) -> Result<bool, StoreError> {
        let _alone = self.changing.lock().await;
        let revoked = self.write(REVOKE, &[Value::Text(id.to_owned()), integer(now_ms)]).await?;
        self.alive.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(revoked > 0)
    }

    /// A page of all keys in the order of their ids, as JSON, and whether there are more.
    pub(crate) async fn list(
        &self,
        after: &str,
        limit: u32,
    ) -> Result<(Vec<u8>, bool), StoreError> {
        self.flush().await?;
        let mut snapshot = self.database.read().await?;
        let after = Value::Text(after.to_owned());
        let page = snapshot.query_json(LIST, &[after], limit).await?;
        Ok((page.items, page.more))
    }

    /// Writes down when keys were used last, as far as it has changed.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let changed: Vec<_> = {
            let alive = self.alive.read().unwrap_or_else(PoisonError::into_inner);
            let used = alive.iter().map(|(id, key)| {
                let used_ms = key.used_ms.load(Ordering::Relaxed);
                let is_new = key.used_written_ms.swap(used_ms, Ordering::Relaxed) != used_ms;
                is_new.then(|| (id.clone(), used_ms))
            });
            used.flatten().collect()
        };
        for part in changed.chunks(ROWS_MAX) {
            let mut transaction = self.database.write().await?;
            for (id, used_ms) in part {
                transaction.execute(USED, &[Value::Text(id.clone()), integer(*used_ms)]).await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    /// One statement in a transaction of its own; how many rows it changed.
    async fn write(&self, statement: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        let mut attempt = 1;
        loop {
            let outcome = async {
                let mut transaction = self.database.write().await?;
                let changed = transaction.execute(statement, parameters).await?;
                transaction.commit().await?;
                Ok(changed)
            };
            match outcome.await {
                Err(StoreError::Retry(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
                outcome => return outcome,
            }
        }
    }
}

const INSERT: &str = "INSERT INTO api_keys (id, secret_sha256, name, tenant, subject, roles, teams, \
    scopes, created_by, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

const REVOKE: &str = "UPDATE api_keys SET revoked_ms = $2 WHERE id = $1 AND revoked_ms IS NULL";

const PRUNE: &str = "DELETE FROM api_keys WHERE revoked_ms < $1 OR expires_ms < $1";

const USED: &str = "UPDATE api_keys SET used_ms = $2 WHERE id = $1";

const ALIVE: &str = "SELECT id, secret_sha256, tenant, subject, roles, teams, scopes, expires_ms, \
    used_ms FROM api_keys WHERE id > $1 AND revoked_ms IS NULL ORDER BY id LIMIT $2";

const LIST: &str = "SELECT id, name, tenant, subject, roles AS \"roles:json\", \
    teams AS \"teams:json\", scopes AS \"scopes:json\", created_by, \
    created_ms AS \"created_at:time\", expires_ms AS \"expires_at:time\", \
    used_ms AS \"last_used_at:time\", revoked_ms AS \"revoked_at:time\" \
    FROM api_keys WHERE id > $1 ORDER BY id";

async fn read_alive(database: &HostDatabase, after: &str) -> Result<Rows, StoreError> {
    let limit = Value::Integer(ROWS_MAX as i64);
    database.read().await?.query(ALIVE, &[Value::Text(after.to_owned()), limit]).await
}

fn row_of(new: &NewKey, order: &Order, now_ms: u64) -> [Value; 11] {
    let text = |text: &str| Value::Text(text.to_owned());
    let list = |list: &[String]| Value::Text(serde_json::Value::from(list).to_string());
    let Claims { subject, tenant, roles, teams, scopes, .. } = &order.claims;
    [
        text(&new.id),
        Value::Blob(new.hash.clone()),
        text(&order.name),
        text(tenant),
        text(subject),
        list(roles),
        list(teams),
        list(scopes),
        text(&order.created_by),
        integer(now_ms),
        order.expires_ms.map_or(Value::Null, integer),
    ]
}

/// A row of [`ALIVE`].
fn key_of(row: &[Value]) -> Result<(String, ApiKey), StoreError> {
    let broken = || StoreError::Unavailable("a row of api_keys cannot be read".to_owned());
    let [
        Value::Text(id),
        Value::Blob(hash),
        Value::Text(tenant),
        Value::Text(subject),
        Value::Text(roles),
        Value::Text(teams),
        Value::Text(scopes),
        expires,
        used,
    ] = row
    else {
        return Err(broken());
    };
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).map_err(|_| broken());
    let time = |value: &Value| match value {
        Value::Integer(ms) => u64::try_from(*ms).ok(),
        _ => None,
    };
    let used_ms = time(used).unwrap_or_default();
    let identity = Identity {
        subject: subject.clone(),
        kind: Kind::Service,
        tenant: Arc::from(tenant.as_str()),
        roles: list(roles)?,
        teams: list(teams)?,
        scopes: list(scopes)?,
    };
    let key = ApiKey {
        hash: hash.clone(),
        identity: Arc::new(identity),
        expires_ms: time(expires),
        used_ms: AtomicU64::new(used_ms),
        used_written_ms: AtomicU64::new(used_ms),
    };
    Ok((id.clone(), key))
}

fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
