//! Who is asking. A caller proves it with a token of the host's own ([`crate::token`]), a token of an
//! issuer that the operator trusts, or an API key; this module finds out which, and says who it is or
//! refuses it. Every refusal looks the same from outside, whatever the reason.
//!
//! - `options`: what is said of issuers; `issuer`: one of them at work; `verified`: tokens that were
//!   verified a moment ago.
//! - `jws`, `json`, `claims`: a token's form, and what it says.
//! - `key`, `key_set`, `fetch`, `keeper`: public keys, where they come from, and how they stay fresh.
//! - `api_key`, `api_keys`: keys of the host's own making.
//! - `credential`: what a request brings; `metrics`: what is counted.
//!
//! What an identity may do is decided elsewhere, by an [`caplet_runtime::Authorizer`].

pub(crate) mod api_key;
pub(crate) mod api_keys;
pub(crate) mod claims;
pub(crate) mod credential;
mod fetch;
mod issuer;
mod json;
pub(crate) mod jws;
mod keeper;
mod key;
mod key_set;
pub(crate) mod metrics;
mod options;
mod verified;

use std::sync::Arc;

use caplet_runtime::{Clock, Identity};

pub use jws::Algorithm;
pub(crate) use options::DEFAULT_TYPES;
pub use options::{Issuer, Unfit};

pub(crate) use issuer::Unknown;
pub(crate) use keeper::Patience;

use self::claims::Claims;
use self::issuer::{Issuer as Trusted, Now};
use self::jws::Jws;
use self::metrics::Metrics;
use self::verified::{Entry, Proof, Verified};
use crate::config::Auth;
use crate::token::{Refused, TOKEN_BYTES_MAX, Tokens};

/// The most that clocks may be said to be apart, in seconds.
const CLOCK_SKEW_S_MAX: u64 = 300;

/// Everybody whose tokens are taken.
pub(crate) struct Issuers {
    own: Arc<Tokens>,
    trusted: Vec<Trusted>,
    names: Vec<String>,
    verified: Verified,
    skew_s: u64,
    clock: Arc<dyn Clock>,
}

impl Issuers {
    /// Begins to keep the keys of all issuers.
    ///
    /// # Errors
    /// The setting that does not fit.
    pub(crate) fn start(
        own: Arc<Tokens>,
        auth: &Auth,
        metrics: &Metrics,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Unfit> {
        check(auth)?;
        let client = fetch::client().map_err(|reason| Unfit::new("auth.issuers", reason))?;
        let mut trusted = Vec::new();
        for (index, options) in auth.issuers.iter().enumerate() {
            let key = format!("auth.issuers[{index}]");
            let metrics = metrics.issuer(&options.issuer);
            trusted.push(Trusted::start(options.clone(), &key, &client, metrics)?);
        }
        Ok(Self {
            own,
            trusted,
            names: auth.issuers.iter().map(|issuer| issuer.issuer.clone()).collect(),
            verified: Verified::new(auth.tokens_cached_max),
            skew_s: auth.clock_skew_s,
            clock,
        })
    }

    /// Who the bearer of a token is.
    pub(crate) fn verify(&self, token: &str) -> Result<Arc<Identity>, Unknown> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::TooLong.into());
        }
        let fingerprint = Verified::fingerprint(token);
        let now = Now { ms: self.clock.now_ms(), skew_s: self.skew_s };
        if let Some(entry) = self.verified.get(&fingerprint) {
            if self.still_holds(entry.proof) {
                entry.times.check(now.ms, now.skew_s)?;
                return Ok(entry.identity);
            }
            self.verified.remove(&fingerprint);
        }
        let (identity, times, proof) = self.verify_anew(token, now)?;
        let identity = Arc::new(identity);
        self.verified.add(fingerprint, Entry { identity: identity.clone(), times, proof });
        Ok(identity)
    }

    fn still_holds(&self, proof: Proof) -> bool {
        match proof {
            Proof::Own => true,
            Proof::Issuer { index, version } => self.trusted[index].key_version() == Some(version),
        }
    }

    /// The algorithm says whose token it is: HS256 is the host's own, all others are issuers'. So no
    /// key is ever used for another algorithm than its own.
    fn verify_anew(
        &self,
        token: &str,
        now: Now,
    ) -> Result<(Identity, claims::Times, Proof), Unknown> {
        let jws = Jws::parse(token)?;
        if jws.header.algorithm == Algorithm::Hs256 {
            let (identity, times) =
                self.own.verify_parsed(&jws, |name| self.find(name).is_some())?;
            return Ok((identity, times, Proof::Own));
        }
        let claims = Claims::parse(&jws.payload)?;
        let index =
            claims.issuer().and_then(|name| self.find(name)).ok_or(Refused::Claim("iss"))?;
        let (identity, times, version) = self.trusted[index].verify(&jws, &claims, now)?;
        Ok((identity, times, Proof::Issuer { index, version }))
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own == name)
    }
}

/// Checks what an operator says about identity, before anything is begun.
///
/// # Errors
/// The setting that does not fit.
pub fn check(auth: &Auth) -> Result<(), Unfit> {
    if auth.clock_skew_s > CLOCK_SKEW_S_MAX {
        let reason = format!("{} is more than {CLOCK_SKEW_S_MAX} seconds", auth.clock_skew_s);
        return Err(Unfit::new("auth.clock_skew_s", reason));
    }
    options::check(&auth.issuers, auth.issuer.as_deref())
}

#[cfg(test)]
#[path = "issuers_tests.rs"]
mod tests;
