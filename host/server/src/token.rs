//! The host's own tokens: JWTs signed with HS256 by the host's secret, turned into identities, and
//! issued for the command line and for tests. Where the secret comes from is in [`crate::secret`];
//! tokens of others are in [`crate::identity`].

use std::sync::Arc;
use std::time::Duration;

use caplet_runtime::{Clock, DEFAULT_TENANT, Identity, Kind};
use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use serde::Serialize;

use crate::config::Auth;
use crate::identity::claims::{self, Claims as Payload, Names, Times};
use crate::identity::jws::{Algorithm, Jws, Types};
use crate::secret::Secret;

/// The longest token taken, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// The header of every token that the host issues.
const HEADER: &[u8] = br#"{"typ":"JWT","alg":"HS256"}"#;

/// Why a token was refused: for logs, never for callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Over [`TOKEN_BYTES_MAX`].
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not in the form of a token that could be taken.
    #[error("{0}")]
    Malformed(&'static str),
    /// A part of it is no JSON, or ambiguous.
    #[error("{0}")]
    Unverified(String),
    /// Nobody who is trusted signed it.
    #[error("its signature is not that of its issuer")]
    Signature,
    /// Its issuer has no key of that id and algorithm.
    #[error("its issuer has no such key")]
    UnknownKey,
    /// `exp` has passed.
    #[error("it has expired")]
    Expired,
    /// `nbf` or `iat` has not come.
    #[error("it is not valid yet")]
    TooEarly,
    /// A claim is missing, or has a value that is not allowed.
    #[error("the claim `{0}` is not allowed")]
    Claim(&'static str),
}

/// Whom a new token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The caller's stable id, 1 to 255 characters.
    pub subject: String,
    /// Person or program.
    pub kind: Kind,
    /// The tenant, 1 to 64 characters of `A-Z a-z 0-9 _ . -`.
    pub tenant: String,
    /// Roles within the tenant.
    pub roles: Vec<String>,
    /// Teams within the tenant.
    pub teams: Vec<String>,
    /// What the token is limited to; a scope that equals a permission's name grants it.
    pub scopes: Vec<String>,
}

impl Claims {
    /// A person of the default tenant, without roles, teams or scopes.
    #[must_use]
    pub fn user(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            kind: Kind::User,
            tenant: DEFAULT_TENANT.to_owned(),
            roles: Vec::new(),
            teams: Vec::new(),
            scopes: Vec::new(),
        }
    }

    /// The identity that a token with these claims proves.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            subject: self.subject.clone(),
            kind: self.kind,
            tenant: Arc::from(self.tenant.as_str()),
            roles: self.roles.clone(),
            teams: self.teams.clone(),
            scopes: self.scopes.clone(),
        }
    }
}

/// Checks and issues tokens with one secret.
pub struct Tokens {
    key: hmac::Key,
    types: Types,
    names: Names,
    issuer: Option<String>,
    /// None or one.
    audiences: Vec<String>,
    skew_s: u64,
    clock: Arc<dyn Clock>,
}

/// The claims of a token that goes out.
#[derive(Serialize)]
struct Issued<'a> {
    sub: &'a str,
    exp: u64,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    kind: &'static str,
    tenant: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    teams: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes: &'a [String],
}

impl Tokens {
    /// Takes tokens that `secret` signed and that meet `auth`, at the time `clock` shows.
    #[must_use]
    pub fn new(secret: &Secret, auth: &Auth, clock: Arc<dyn Clock>) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose()),
            types: Types::new(&auth.types, false),
            names: Names::default(),
            issuer: auth.issuer.clone(),
            audiences: auth.audience.iter().cloned().collect(),
            skew_s: auth.clock_skew_s,
            clock,
        }
    }

    /// Who the bearer of `token` is.
    ///
    /// # Errors
    /// Why the token is refused.
    pub fn verify(&self, token: &str) -> Result<Identity, Refused> {
        let (identity, _) = self.verify_parsed(&Jws::parse(token)?, |_| false)?;
        Ok(identity)
    }

    /// The same for a token that was taken apart. Tokens of an issuer that `is_foreign` knows are
    /// for that issuer alone to sign.
    pub(crate) fn verify_parsed(
        &self,
        jws: &Jws<'_>,
        is_foreign: impl Fn(&str) -> bool,
    ) -> Result<(Identity, Times), Refused> {
        if jws.header.algorithm != Algorithm::Hs256 {
            return Err(Refused::Signature);
        }
        hmac::verify(&self.key, jws.signed.as_bytes(), &jws.signature)
            .map_err(|_| Refused::Signature)?;
        jws.header.check(&self.types, &[])?;
        let payload = Payload::parse(&jws.payload)?;
        if payload.issuer().is_some_and(is_foreign) {
            return Err(Refused::Claim("iss"));
        }
        payload.check_issuer(self.issuer.as_deref())?;
        payload.check_audience(&self.audiences)?;
        let times = payload.times()?;
        times.check(self.clock.now_ms(), self.skew_s)?;
        Ok((payload.identity(&self.names, None, "")?, times))
    }

    /// A new token, valid for `ttl` from now, in whole seconds.
    ///
    /// # Errors
    /// [`Refused::Claim`] when [`Tokens::verify`] would refuse it.
    pub fn issue(&self, claims: &Claims, ttl: Duration) -> Result<String, Refused> {
        claims::checked(claims.identity())?;
        let issued_s = self.clock.now_ms() / 1_000;
        let issued = Issued {
            sub: &claims.subject,
            exp: issued_s.saturating_add(ttl.as_secs()),
            iat: issued_s,
            iss: self.issuer.as_deref(),
            aud: self.audiences.first().map(String::as_str),
            kind: match claims.kind {
                Kind::User => "user",
                Kind::Service => "service",
            },
            tenant: &claims.tenant,
            roles: &claims.roles,
            teams: &claims.teams,
            scopes: &claims.scopes,
        };
        let payload =
            serde_json::to_vec(&issued).map_err(|error| Refused::Unverified(error.to_string()))?;
        let mut token = BASE64URL_NOPAD.encode(HEADER);
        token.push('.');
        BASE64URL_NOPAD.encode_append(&payload, &mut token);
        let signature = hmac::sign(&self.key, token.as_bytes());
        token.push('.');
        BASE64URL_NOPAD.encode_append(signature.as_ref(), &mut token);
        self.verify(&token).map(|_| token)
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
