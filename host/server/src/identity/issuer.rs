//! One issuer of tokens at work: its keys and its rules, put together from what is said of it in
//! [`super::options`].

use std::time::Duration;

use caplet_runtime::Identity;

use super::claims::{Claims, Names, Times};
use super::jws::{Jws, Types};
use super::keeper::{Keeper, Rules, Wait};
use super::metrics::KeyMetrics;
use super::options::{Issuer as Options, Unfit};
use super::{fetch, key_set};
use crate::token::Refused;

/// An issuer.
pub(crate) struct Issuer {
    options: Options,
    names: Names,
    types: Types,
    keeper: Keeper,
}

/// Why the bearer of a token is not known.
pub(crate) enum Unknown {
    /// The token is not one to be taken.
    Refused(Refused),
    /// The keys that the issuer has now do not verify it; a look at its newest is under way.
    Waiting { wait: Wait, has_keys: bool },
    /// The issuer's keys cannot be had.
    Unavailable,
}

impl From<Refused> for Unknown {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// When a token is checked, and how far clocks may be apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) ms: u64,
    pub(crate) skew_s: u64,
}

impl Issuer {
    /// Begins to keep the keys of an issuer. A file must be readable now; an address need not be.
    pub(crate) fn start(
        options: Options,
        key: &str,
        client: &reqwest::Client,
        metrics: KeyMetrics,
    ) -> Result<Self, Unfit> {
        let rules = Rules {
            issuer: options.issuer.clone(),
            algorithms: options.algorithms.clone(),
            stale_time_max: options.stale_time_max(),
        };
        let (fetch, first) = match (&options.key_file, &options.jwks_url) {
            (Some(path), _) => {
                let unfit = |reason: String| Unfit::new(format!("{key}.key_file"), reason);
                let text = fetch::read_file(path).map_err(|error| unfit(error.to_string()))?;
                let keys = key_set::parse(&text, &options.algorithms)
                    .map_err(|error| unfit(format!("{}: {error}", path.display())))?;
                (fetch::from_file(path.clone()), Some(keys))
            }
            (None, url) => {
                let age_max = Duration::from_secs(options.jwks_age_s_max);
                let url = url.clone().unwrap_or_default();
                (fetch::from_url(client.clone(), url, age_max), None)
            }
        };
        Ok(Self {
            names: options.names(),
            types: Types::new(&options.types, options.type_required),
            keeper: Keeper::start(rules, fetch, first, metrics),
            options,
        })
    }

    /// The version of the keys that may be used.
    pub(crate) fn key_version(&self) -> Option<u64> {
        self.keeper.current().map(|set| set.version)
    }

    /// Who the bearer is, until when, and by which version of the keys. What costs nothing is checked
    /// first, so that a token that would be refused anyway has nobody asked for keys.
    pub(crate) fn verify(
        &self,
        jws: &Jws<'_>,
        claims: &Claims,
        now: Now,
    ) -> Result<(Identity, Times, u64), Unknown> {
        if !self.options.algorithms.contains(&jws.header.algorithm) {
            return Err(Refused::Signature.into());
        }
        jws.header.check(&self.types, &self.options.ignored_headers)?;
        claims.check_issuer(Some(&self.options.issuer))?;
        claims.check_audience(&self.options.audiences)?;
        let times = claims.times()?;
        times.check(now.ms, now.skew_s)?;
        let identity = self.identity(claims)?;
        let version = self.check_signature(jws)?;
        Ok((identity, times, version))
    }

    fn identity(&self, claims: &Claims) -> Result<Identity, Refused> {
        let Options { tenant, tenants, subject_prefix, .. } = &self.options;
        let identity = claims.identity(&self.names, tenant.as_deref(), subject_prefix)?;
        let may_speak = tenants.is_empty() || tenants.iter().any(|name| **name == *identity.tenant);
        if may_speak { Ok(identity) } else { Err(Refused::Claim("tenant")) }
    }

    /// The version of the keys of which one verifies the signature.
    fn check_signature(&self, jws: &Jws<'_>) -> Result<u64, Unknown> {
        let (algorithm, id) = (jws.header.algorithm, jws.header.key_id.as_deref());
        let Some(set) = self.keeper.current() else {
            return match self.keeper.ask(None) {
                Some(wait) => Err(Unknown::Waiting { wait, has_keys: false }),
                None => Err(Unknown::Unavailable),
            };
        };
        let mut is_named = false;
        for key in set.candidates(algorithm, id) {
            if key.verifies(jws.signed.as_bytes(), &jws.signature) {
                return Ok(set.version);
            }
            is_named |= id.is_some() && key.id.as_deref() == id;
        }
        // The key that the token names is there, and did not sign it: no other one has.
        if is_named {
            return Err(Refused::Signature.into());
        }
        match self.keeper.ask(Some(set.version)) {
            Some(wait) => Err(Unknown::Waiting { wait, has_keys: true }),
            None => Err(Refused::UnknownKey.into()),
        }
    }
}
