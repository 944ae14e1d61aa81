//! Tokens that were verified a moment ago, so that a caller who sends one with every request has its
//! signature checked once. Nothing is kept longer than it is true: each look asks the clock, and whether
//! the issuer still has the keys that it had.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use caplet_runtime::Identity;
use ring::digest::{SHA256, digest};

use super::claims::Times;

/// Parts with a lock each, so that requests rarely wait for each other.
const SHARDS: usize = 16;

/// The SHA-256 of a token: two that are different never meet, and the token itself is not kept.
type Fingerprint = [u8; 32];

/// What is remembered of a token.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) identity: Arc<Identity>,
    pub(crate) times: Times,
    pub(crate) proof: Proof,
}

/// Whose keys verified it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The host's secret, which does not change while the host runs.
    Own,
    /// Those of an issuer, by its place in the configuration and the version of its keys.
    Issuer { index: usize, version: u64 },
}

/// The tokens, bounded in number.
pub(crate) struct Verified {
    shards: [Mutex<Shard>; SHARDS],
    /// How many entries a half of a shard may have.
    half_max: usize,
}

/// The entries of late and those of before. When there are too many of late, those of before go.
#[derive(Default)]
struct Shard {
    recent: HashMap<Fingerprint, Entry>,
    before: HashMap<Fingerprint, Entry>,
}

impl Verified {
    /// Keeps about `tokens_max`; 0 keeps none.
    pub(crate) fn new(tokens_max: usize) -> Self {
        Self { shards: Default::default(), half_max: tokens_max.div_ceil(SHARDS * 2) }
    }

    pub(crate) fn fingerprint(token: &str) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        bytes
    }

    pub(crate) fn get(&self, token: &Fingerprint) -> Option<Entry> {
        let mut shard = self.shard(token);
        if let Some(entry) = shard.recent.get(token) {
            return Some(entry.clone());
        }
        let entry = shard.before.remove(token)?;
        shard.add(*token, entry.clone(), self.half_max);
        Some(entry)
    }

    pub(crate) fn add(&self, token: Fingerprint, entry: Entry) {
        if self.half_max > 0 {
            self.shard(&token).add(token, entry, self.half_max);
        }
    }

    pub(crate) fn remove(&self, token: &Fingerprint) {
        let mut shard = self.shard(token);
        shard.recent.remove(token);
        shard.before.remove(token);
    }

    fn shard(&self, token: &Fingerprint) -> std::sync::MutexGuard<'_, Shard> {
        // Nothing in here panics; a map that was left half-way would still be a map.
        self.shards[usize::from(token[0]) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn add(&mut self, token: Fingerprint, entry: Entry, half_max: usize) {
        if self.recent.len() >= half_max {
            self.before = std::mem::take(&mut self.recent);
        }
        self.recent.insert(token, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Claims;
    use crate::identity::claims;

    fn entry(subject: &str) -> Entry {
        let payload = claims::Claims::parse(br#"{"exp":9}"#).unwrap();
        Entry {
            identity: Arc::new(Claims::user(subject).identity()),
            times: payload.times().unwrap(),
            proof: Proof::Own,
        }
    }

    #[test]
    fn remembers_what_is_used_and_forgets_the_rest() {
        let verified = Verified::new(SHARDS * 2 * 4);
        let kept = Verified::fingerprint("kept");
        verified.add(kept, entry("ada"));
        for number in 0..10_000 {
            verified.add(Verified::fingerprint(&number.to_string()), entry("x"));
            assert_eq!(verified.get(&kept).unwrap().identity.subject, "ada");
        }
        let size = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            shard.recent.len() + shard.before.len()
        };
        assert!(verified.shards.iter().map(size).sum::<usize>() <= SHARDS * 2 * 4);
        assert!(verified.get(&Verified::fingerprint("0")).is_none());
        verified.remove(&kept);
        assert!(verified.get(&kept).is_none());
    }

    #[test]
    fn zero_keeps_none() {
        let verified = Verified::new(0);
        verified.add(Verified::fingerprint("a"), entry("a"));
        assert!(verified.get(&Verified::fingerprint("a")).is_none());
    }
}
