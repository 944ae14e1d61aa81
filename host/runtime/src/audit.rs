//! The host's log of decisions: what was changed, granted, revoked and refused, when and by whom. Entries
//! are only added. Each is sealed by a SHA-256 over itself and the seal of the one before, so that an
//! entry that was changed, or taken out of the middle, shows. That the last ones were cut off shows to
//! whoever kept a later seal.

use std::sync::Arc;

use caplet_store::{Result, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Clock;
use crate::host_database::HostDatabase;
use crate::in_flight::{Entered, InFlight};

const LAST: &str = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";

const INSERT: &str = "INSERT INTO audit (number, at_ms, actor, plugin, action, detail, request, hash) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const PAGE: &str = "SELECT number, at_ms, actor, plugin, action, detail, request, hash FROM audit \
    WHERE number > $1 ORDER BY number";

const OF_REQUEST: &str = "SELECT number, at_ms, actor, plugin, action, detail, request, hash \
    FROM audit WHERE request = $1 ORDER BY number";

/// The seal before the first entry.
const NO_SEAL: &str = "";

/// The log of one host. Clones are the same log.
#[derive(Clone)]
pub struct Audit {
    database: HostDatabase,
    clock: Arc<dyn Clock>,
    /// Held while an entry is added, so that each is sealed after the one before.
    adding: Arc<tokio::sync::Mutex<()>>,
    /// The entries that are still to be added.
    expected: InFlight,
}

/// A decision to be written down.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// Who decided.
    pub actor: String,
    /// The plugin that it is about; else empty.
    pub plugin: String,
    /// What was decided, such as `plugin.upgrade`, `right.revoke`, `right.denied`.
    pub action: &'static str,
    /// What else is to be known: a JSON object.
    pub detail: serde_json::Value,
    /// The request in which it came up, or the operation that was refused; else empty.
    pub request: String,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AuditEntry {
    /// Its place, from 1, without gaps.
    pub number: u64,
    /// When it was written, in Unix milliseconds.
    pub at_ms: u64,
    /// Who decided.
    pub actor: String,
    /// The plugin that it is about; else empty.
    pub plugin: String,
    /// What was decided.
    pub action: String,
    /// What else is to be known: a JSON object, as text.
    pub detail: String,
    /// The request in which it came up, or the operation that was refused; else empty.
    pub request: String,
    /// The seal: SHA-256 in hexadecimal digits.
    pub hash: String,
}

/// What came of looking through the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many entries were looked at.
    pub n_entries: u64,
    /// The number of the first one that does not fit, if there is one.
    pub broken_at: Option<u64>,
    /// The seal of the last one; whoever keeps it can tell later that nothing was cut off.
    pub last_hash: String,
}

#[derive(Deserialize)]
struct Last {
    number: u64,
    hash: String,
}

impl Audit {
    pub(crate) fn new(database: HostDatabase, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock, adding: Arc::default(), expected: InFlight::new() }
    }

    /// Adds an entry, durable when this returns. Returns its number.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn add(&self, decision: Decision) -> Result<u64> {
        let _alone = self.adding.lock().await;
        let (last, _): (Vec<Last>, bool) = self.database.rows((LAST, &[])).await?;
        let last = last.into_iter().next();
        let last = last.unwrap_or(Last { number: 0, hash: NO_SEAL.to_owned() });
        let mut entry = AuditEntry {
            number: last.number + 1,
            at_ms: self.clock.now_ms(),
            actor: decision.actor,
            plugin: decision.plugin,
            action: decision.action.to_owned(),
            detail: decision.detail.to_string(),
            request: decision.request,
            hash: String::new(),
        };
        entry.hash = entry.seal(&last.hash);
        self.database.change(&[(INSERT, &entry.row())]).await?;
        Ok(entry.number)
    }

    /// As [`Self::add`], where a failure is told in the log and keeps nobody from what was decided.
    pub async fn note(&self, decision: Decision) {
        let (plugin, action) = (decision.plugin.clone(), decision.action);
        if let Err(error) = self.add(decision).await {
            tracing::error!(plugin, action, %error, "a decision is not in the audit log");
        }
    }

    /// As [`Self::note`], for those who cannot wait for it. A host that ends does.
    pub(crate) fn note_later(&self, decision: Decision) {
        let (audit, expected) = (self.clone(), self.expect());
        tokio::spawn(async move {
            audit.note(decision).await;
            drop(expected);
        });
    }

    /// Tells that an entry will be added, for as long as what is returned lives.
    pub(crate) fn expect(&self) -> Entered {
        self.expected.enter()
    }

    /// Returns when all entries that were expected are added.
    pub(crate) async fn all_added(&self) {
        self.expected.none().await;
    }

    /// The entries after a number, at most 1 000, and whether there are more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn page(&self, after: u64) -> Result<(Vec<AuditEntry>, bool)> {
        self.database.rows((PAGE, &[integer(after)])).await
    }

    /// What was decided in a request, or why an operation was refused.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of_request(&self, request: &str) -> Result<Vec<AuditEntry>> {
        Ok(self.database.rows((OF_REQUEST, &[Value::Text(request.to_owned())])).await?.0)
    }

    /// Looks through the whole log.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn verify(&self) -> Result<Verified> {
        let mut verified =
            Verified { n_entries: 0, broken_at: None, last_hash: NO_SEAL.to_owned() };
        loop {
            let (entries, more) = self.page(verified.n_entries).await?;
            for entry in entries {
                let expected = verified.n_entries + 1;
                if entry.number != expected || entry.seal(&verified.last_hash) != entry.hash {
                    return Ok(Verified { broken_at: Some(expected), ..verified });
                }
                verified.n_entries = entry.number;
                verified.last_hash = entry.hash;
            }
            if !more {
                return Ok(verified);
            }
        }
    }
}

impl AuditEntry {
    /// The hash over all fields and the seal before; each is preceded by its length, so that none can
    /// pass for a part of another.
    fn seal(&self, before: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.number.to_be_bytes());
        hash.update(self.at_ms.to_be_bytes());
        let texts = [&self.actor, &self.plugin, &self.action, &self.detail, &self.request]
            .map(String::as_str);
        for text in texts.into_iter().chain([before]) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }

    fn row(&self) -> [Value; 8] {
        let text = |text: &str| Value::Text(text.to_owned());
        [
            integer(self.number),
            integer(self.at_ms),
            text(&self.actor),
            text(&self.plugin),
            text(&self.action),
            text(&self.detail),
            text(&self.request),
            text(&self.hash),
        ]
    }
}

fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
