//! Bearer tokens: JWTs signed with HS256, turned into identities, and issued for the command line
//! and for tests. Where the secret comes from is in [`crate::secret`]; other kinds of keys are not
//! taken.

use std::sync::Arc;
use std::time::Duration;

use caplet_runtime::{Clock, DEFAULT_TENANT, Identity, Kind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::config::Auth;
use crate::secret::Secret;

/// The longest token taken, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// How far the clocks of issuer and host may be apart, in seconds.
pub const CLOCK_SKEW_S: u64 = 30;

/// The most roles, teams or scopes of one token.
const LIST_MAX: usize = 100;

/// The longest subject, role, team or scope, in characters.
const NAME_CHARACTERS_MAX: usize = 255;

/// The longest tenant, in characters.
const TENANT_CHARACTERS_MAX: usize = 64;

/// Why a token was refused: for logs, never for callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Over [`TOKEN_BYTES_MAX`].
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not a JWT, another algorithm, a wrong signature, issuer or audience.
    #[error("{0}")]
    Unverified(String),
    /// `exp` has passed.
    #[error("it has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("it is not valid yet")]
    TooEarly,
    /// A claim has a value that is not allowed.
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
}

/// Checks and issues tokens with one secret.
pub struct Tokens {
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
    issuer: Option<String>,
    audience: Option<String>,
    clock: Arc<dyn Clock>,
}

/// The claims of a token that came in.
#[derive(Debug, Deserialize)]
struct Payload {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    tenant: Option<String>,
    kind: Option<KindClaim>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    teams: Vec<String>,
    scope: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
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
    kind: KindClaim,
    tenant: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    teams: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes: &'a [String],
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindClaim {
    User,
    Service,
}

impl Tokens {
    /// Takes tokens that `secret` signed and that meet `auth`, at the time `clock` shows.
    #[must_use]
    pub fn new(secret: &Secret, auth: &Auth, clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        let mut required = vec!["exp", "sub"];
        // The library asks the machine's clock; the host's own is asked in `check_times`.
        validation.validate_exp = false;
        if let Some(issuer) = &auth.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &auth.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Self {
            decoding: DecodingKey::from_secret(secret.expose()),
            encoding: EncodingKey::from_secret(secret.expose()),
            validation,
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            clock,
        }
    }

    /// Who the bearer of `token` is.
    ///
    /// # Errors
    /// Why the token is refused.
    pub fn verify(&self, token: &str) -> Result<Identity, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        let data = jsonwebtoken::decode::<Payload>(token, &self.decoding, &self.validation)
            .map_err(|error| Refused::Unverified(error.to_string()))?;
        if data.header.crit.is_some() {
            return Err(Refused::Unverified("it has critical extensions".to_owned()));
        }
        self.check_times(&data.claims)?;
        identity(data.claims)
    }

    /// A new token, valid for `ttl` from now, in whole seconds.
    ///
    /// # Errors
    /// [`Refused::Claim`] when [`Tokens::verify`] would refuse it.
    pub fn issue(&self, claims: &Claims, ttl: Duration) -> Result<String, Refused> {
        let issued_s = self.clock.now_ms() / 1_000;
        let issued = Issued {
            sub: &claims.subject,
            exp: issued_s.saturating_add(ttl.as_secs()),
            iat: issued_s,
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
            kind: claims.kind.into(),
            tenant: &claims.tenant,
            roles: &claims.roles,
            teams: &claims.teams,
            scopes: &claims.scopes,
        };
        let unverified =
            |error: jsonwebtoken::errors::Error| Refused::Unverified(error.to_string());
        let token = jsonwebtoken::encode(&Header::default(), &issued, &self.encoding)
            .map_err(unverified)?;
        self.verify(&token).map(|_| token)
    }

    fn check_times(&self, claims: &Payload) -> Result<(), Refused> {
        let now_s = self.clock.now_ms() as f64 / 1_000.0;
        let skew_s = CLOCK_SKEW_S as f64;
        if now_s > claims.exp + skew_s {
            return Err(Refused::Expired);
        }
        match claims.nbf {
            Some(begin_s) if now_s + skew_s < begin_s => Err(Refused::TooEarly),
            _ => Ok(()),
        }
    }
}

fn identity(claims: Payload) -> Result<Identity, Refused> {
    if !is_name(&claims.sub) {
        return Err(Refused::Claim("sub"));
    }
    let tenant = claims.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
    if !is_tenant(tenant) {
        return Err(Refused::Claim("tenant"));
    }
    let mut scopes = claims.scopes;
    if let Some(scope) = &claims.scope {
        scopes.extend(scope.split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
    }
    Ok(Identity {
        subject: claims.sub,
        kind: claims.kind.map_or(Kind::User, Kind::from),
        tenant: Arc::from(tenant),
        roles: names("roles", claims.roles)?,
        teams: names("teams", claims.teams)?,
        scopes: names("scopes", scopes)?,
    })
}

fn names(claim: &'static str, list: Vec<String>) -> Result<Vec<String>, Refused> {
    let fits = list.len() <= LIST_MAX && list.iter().all(|name| is_name(name));
    if fits { Ok(list) } else { Err(Refused::Claim(claim)) }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_tenant(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=TENANT_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

impl From<KindClaim> for Kind {
    fn from(claim: KindClaim) -> Self {
        match claim {
            KindClaim::User => Self::User,
            KindClaim::Service => Self::Service,
        }
    }
}

impl From<Kind> for KindClaim {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::User => Self::User,
            Kind::Service => Self::Service,
        }
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
