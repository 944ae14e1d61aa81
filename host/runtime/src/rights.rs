//! Rights that are taken from a plugin while it serves, and given back. A component was granted what it
//! imports before it was linked; here is the second key: each host function looks whether its right was
//! revoked since, so that a revocation holds for calls that are running.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use caplet_abi::interfaces::{self, RIGHTS};
use caplet_store::{Result, Value};
use serde::Deserialize;
use serde_json::json;

use crate::audit::{Audit, Decision};
use crate::metrics::Denials;
use crate::runtime::Runtime;

/// Denials of one plugin that are written to the audit log in one minute; the rest is counted.
const DENIALS_WRITTEN_MAX: u32 = 60;

const MINUTE_MS: u64 = 60_000;

/// Characters of an origin that are written down: a name has at most 253, and a guest chooses the text.
const ORIGIN_CHARACTERS_MAX: usize = 300;

const REVOKE: &str = "INSERT INTO revocations (plugin, name, revoked_by, revoked_ms) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (plugin, name) DO NOTHING";

const GRANT: &str = "DELETE FROM revocations WHERE plugin = $1 AND name = $2";

const REVOKED: &str = "SELECT plugin, name, revoked_by, revoked_ms FROM revocations \
    WHERE plugin > $1 OR (plugin = $1 AND name > $2) ORDER BY plugin, name";

/// A right that was taken from a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Revocation {
    /// The plugin.
    pub plugin: String,
    /// The right.
    pub name: String,
    /// Who took it.
    pub revoked_by: String,
    /// When, in Unix milliseconds.
    pub revoked_ms: u64,
}

/// Why a right cannot be given or taken.
#[derive(Debug, thiserror::Error)]
pub enum RightError {
    /// There is no such right.
    #[error("there is no right `{name}`; there are {known}")]
    Unknown {
        /// What was named.
        name: String,
        /// All there are.
        known: String,
    },
    /// The host's database.
    #[error("it cannot be written down: {0}")]
    Store(#[from] caplet_store::Error),
}

/// The rights of one plugin that are revoked, a bit each, shared by all its generations.
pub(crate) struct Revoked {
    rights: AtomicU64,
    audit: Audit,
    denials: Denials,
    plugin: Arc<str>,
    minute: AtomicU64,
    n_written: AtomicU32,
    /// Held while a right is taken or given: what is written down last holds.
    changing: tokio::sync::Mutex<()>,
}

impl Revoked {
    pub(crate) fn new(plugin: Arc<str>, audit: Audit, denials: Denials) -> Self {
        Self {
            rights: AtomicU64::new(0),
            audit,
            denials,
            plugin,
            minute: AtomicU64::new(0),
            n_written: AtomicU32::new(0),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// Whether the right was revoked. One look at a shared number when none was.
    pub(crate) fn has(&self, right: &str) -> bool {
        let rights = self.rights.load(Relaxed);
        rights != 0 && bit(right).is_some_and(|bit| rights & bit != 0)
    }

    fn set(&self, right: &str, is_revoked: bool) {
        let Some(bit) = bit(right) else { return };
        if is_revoked {
            self.rights.fetch_or(bit, Relaxed);
        } else {
            self.rights.fetch_and(!bit, Relaxed);
        }
    }

    /// Counts that a call was denied, and writes it down as long as there are not too many.
    pub(crate) fn denied(&self, right: &str, request: &str, now_ms: u64) {
        self.denials.count(right);
        if !self.may_write(now_ms) {
            return;
        }
        tracing::warn!(
            plugin = &*self.plugin,
            right,
            request_id = request,
            "denied: it was revoked"
        );
        self.write("right.denied", json!({ "right": right }), request);
    }

    /// Writes down that a request to an origin was denied which the operator has not named for the plugin,
    /// as long as there are not too many.
    pub(crate) fn denied_origin(&self, origin: &str, request: &str, now_ms: u64) {
        if !self.may_write(now_ms) {
            return;
        }
        tracing::warn!(
            plugin = &*self.plugin,
            request_id = request,
            "it may not send a request to `{origin}`; name the origin in `outbound_origins` of the plugin to \
             allow it"
        );
        let origin: String = origin.chars().take(ORIGIN_CHARACTERS_MAX).collect();
        self.write("outbound.denied", json!({ "origin": origin }), request);
    }

    fn may_write(&self, now_ms: u64) -> bool {
        let minute = now_ms / MINUTE_MS;
        if self.minute.swap(minute, Relaxed) != minute {
            self.n_written.store(0, Relaxed);
        }
        self.n_written.fetch_add(1, Relaxed) < DENIALS_WRITTEN_MAX
    }

    fn write(&self, action: &'static str, detail: serde_json::Value, request: &str) {
        let (actor, plugin) = ("host".to_owned(), self.plugin.to_string());
        let request = request.to_owned();
        let decision = Decision { actor, plugin, action, detail, request };
        self.audit.note_later(decision);
    }
}

/// The place of a right in the number, by its place in the contract.
fn bit(right: &str) -> Option<u64> {
    RIGHTS.iter().position(|known| known.name == right).map(|place| 1 << place)
}

impl Runtime {
    /// The log of decisions.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.inner.audit
    }

    /// Takes a right from a plugin, with effect on calls that are running, and after a restart.
    ///
    /// # Errors
    /// There is no such right, or it cannot be written down; then it is not taken.
    pub async fn revoke(
        &self,
        plugin: &str,
        right: &str,
        by: &str,
    ) -> std::result::Result<(), RightError> {
        let known = known(right)?;
        let now = Value::Integer(i64::try_from(self.inner.clock.now_ms()).unwrap_or(i64::MAX));
        let row = [text(plugin), text(known.name), text(by), now];
        let revoked = self.inner.revoked(plugin);
        let _alone = revoked.changing.lock().await;
        self.inner.database.change(&[(REVOKE, &row)]).await?;
        revoked.set(known.name, true);
        self.decided((plugin, by), "right.revoke", known).await;
        Ok(())
    }

    /// Gives a right back that was taken.
    ///
    /// # Errors
    /// There is no such right, or it cannot be written down; then it is not given.
    pub async fn grant(
        &self,
        plugin: &str,
        right: &str,
        by: &str,
    ) -> std::result::Result<(), RightError> {
        let known = known(right)?;
        let revoked = self.inner.revoked(plugin);
        let _alone = revoked.changing.lock().await;
        self.inner.database.change(&[(GRANT, &[text(plugin), text(known.name)])]).await?;
        revoked.set(known.name, false);
        self.decided((plugin, by), "right.grant", known).await;
        Ok(())
    }

    /// All rights that are revoked, by plugin.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn revocations(&self) -> Result<Vec<Revocation>> {
        let mut revocations: Vec<Revocation> = Vec::new();
        loop {
            let after = revocations.last().map(|last| (&*last.plugin, &*last.name));
            let (plugin, name) = after.unwrap_or_default();
            let parameters = [text(plugin), text(name)];
            let (page, more) = self.inner.database.rows((REVOKED, &parameters)).await?;
            revocations.extend(page);
            if !more {
                return Ok(revocations);
            }
        }
    }

    /// Takes again what was taken before the host ended.
    pub(crate) async fn revoke_again(&self) -> Result<()> {
        for revocation in self.revocations().await? {
            self.inner.revoked(&revocation.plugin).set(&revocation.name, true);
        }
        Ok(())
    }

    async fn decided(
        &self,
        (plugin, by): (&str, &str),
        action: &'static str,
        right: interfaces::Right,
    ) {
        let detail = json!({ "right": right.name, "meaning": right.meaning });
        let (actor, plugin) = (by.to_owned(), plugin.to_owned());
        let decision = Decision { actor, plugin, action, detail, request: String::new() };
        self.inner.audit.note(decision).await;
    }
}

fn known(right: &str) -> std::result::Result<interfaces::Right, RightError> {
    RIGHTS.iter().copied().find(|known| known.name == right).ok_or_else(|| {
        let all: Vec<&str> = RIGHTS.iter().map(|right| right.name).collect();
        RightError::Unknown { name: right.to_owned(), known: all.join(", ") }
    })
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
