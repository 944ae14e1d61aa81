//! How the host proves to a service who it is, and how it tells the service who calls. Secrets are
//! read once, when the host starts, and are in no log.

use std::path::Path;
use std::sync::Arc;

use caplet_runtime::{Clock, Identity, Kind};
use data_encoding::BASE64;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

use super::headers::{IDENTITY, header_name};
use super::options::{Credentials, IdentityOptions, Scheme};
use crate::secret::{SECRET_BYTES_MIN, Secret};

/// Who signs the tokens of callers.
const ISSUER: &str = "caplet";

/// A header that proves who the host is.
#[derive(Clone)]
pub(crate) struct Proof {
    name: HeaderName,
    value: HeaderValue,
}

impl Proof {
    /// # Errors
    /// What of `credentials` is missing or wrong, without the secret.
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, String> {
        let secret = secret_of(credentials)?;
        let text = std::str::from_utf8(secret.expose()).map_err(|_| "the secret is not UTF-8")?;
        let (name, value) = match (credentials.scheme, &credentials.username, &credentials.header) {
            (Scheme::Bearer, None, None) => (AUTHORIZATION, format!("Bearer {text}")),
            (Scheme::Basic, Some(username), None) if !username.contains(':') => {
                let pair = BASE64.encode(format!("{username}:{text}").as_bytes());
                (AUTHORIZATION, format!("Basic {pair}"))
            }
            (Scheme::Header, None, Some(name)) => (header_name(name)?, text.to_owned()),
            (Scheme::Bearer, ..) => {
                return Err("`bearer` takes no `username` or `header`".to_owned());
            }
            (Scheme::Basic, ..) => {
                return Err(
                    "`basic` takes a `username` without a colon, and no `header`".to_owned()
                );
            }
            (Scheme::Header, ..) => {
                return Err("`header` takes the name of a `header`, and no `username`".to_owned());
            }
        };
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| "the secret has characters that no header may have")?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }

    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(self.name.clone(), self.value.clone());
    }
}

fn secret_of(credentials: &Credentials) -> Result<Secret, String> {
    let Credentials { secret, secret_file, secret_env, .. } = credentials;
    match (secret, secret_file, secret_env) {
        (Some(secret), None, None) => Ok(secret.clone()),
        (None, Some(path), None) => read(path),
        (None, None, Some(name)) => std::env::var(name)
            .map(Secret::new)
            .map_err(|_| format!("the environment has no text under `{name}`")),
        (None, None, None) => {
            Err("no secret is given; set `secret`, `secret_file` or `secret_env`".to_owned())
        }
        _ => Err("the secret is given more than once; keep one of `secret`, `secret_file` and \
                  `secret_env`"
            .to_owned()),
    }
}

fn read(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|reason| format!("{} cannot be read: {reason}", path.display()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// Signs who calls, for one service.
pub(crate) struct Introduction {
    key: EncodingKey,
    service: String,
    ttl_s: u64,
    clock: Arc<dyn Clock>,
}

/// The claims of the token; those of a token that the host takes, with the service as the audience.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'a str,
    sub: &'a str,
    kind: &'static str,
    tenant: &'a str,
    roles: &'a [String],
    teams: &'a [String],
    scopes: &'a [String],
    iat: u64,
    exp: u64,
    /// The id of the request.
    jti: &'a str,
}

impl Introduction {
    /// None when the service shall be told nothing.
    ///
    /// # Errors
    /// What is wrong with the secret.
    pub(crate) fn new(
        options: &IdentityOptions,
        service: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, String> {
        let secret = match (&options.secret, &options.secret_file) {
            (None, None) => return Ok(None),
            (Some(secret), None) => secret.clone(),
            (None, Some(path)) => read(path)?,
            (Some(_), Some(_)) => {
                return Err(
                    "`secret` and `secret_file` are both given; keep one of them".to_owned()
                );
            }
        };
        let n_bytes = secret.expose().len();
        if n_bytes < SECRET_BYTES_MIN {
            return Err(format!(
                "the secret has {n_bytes} bytes, but HS256 needs at least {SECRET_BYTES_MIN}"
            ));
        }
        let key = EncodingKey::from_secret(secret.expose());
        Ok(Some(Self { key, service: service.to_owned(), ttl_s: options.ttl_s.max(1), clock }))
    }

    pub(crate) fn write(&self, headers: &mut HeaderMap, who: &Identity, request_id: &str) {
        let now_s = self.clock.now_ms() / 1_000;
        let claims = Claims {
            iss: ISSUER,
            aud: &self.service,
            sub: &who.subject,
            kind: match who.kind {
                Kind::User => "user",
                Kind::Service => "service",
            },
            tenant: &who.tenant,
            roles: &who.roles,
            teams: &who.teams,
            scopes: &who.scopes,
            iat: now_s,
            exp: now_s.saturating_add(self.ttl_s),
            jti: request_id,
        };
        let token = jsonwebtoken::encode(&Header::default(), &claims, &self.key);
        // Claims are texts and numbers, and a token is made of letters, digits and dots.
        let value = token.ok().and_then(|token| HeaderValue::try_from(token).ok());
        if let Some(mut value) = value {
            value.set_sensitive(true);
            headers.insert(IDENTITY, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(json: &str) -> Result<(String, String), String> {
        let proof = Proof::new(&serde_json::from_str(json).unwrap())?;
        assert!(proof.value.is_sensitive());
        Ok((proof.name.to_string(), String::from_utf8_lossy(proof.value.as_bytes()).into_owned()))
    }

    #[test]
    fn writes_each_scheme() {
        let bearer = proof(r#"{"scheme":"bearer","secret":"s3"}"#).unwrap();
        assert_eq!(bearer, ("authorization".into(), "Bearer s3".into()));
        let basic = proof(r#"{"scheme":"basic","username":"ada","secret":"s3"}"#).unwrap();
        assert_eq!(basic, ("authorization".into(), "Basic YWRhOnMz".into()));
        let header = proof(r#"{"scheme":"header","header":"X-Api-Key","secret":"s3"}"#).unwrap();
        assert_eq!(header, ("x-api-key".into(), "s3".into()));
    }

    #[test]
    fn takes_the_secret_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from-file\n").unwrap();
        let json = format!(r#"{{"scheme":"bearer","secret_file":"{}"}}"#, file.path().display());
        assert_eq!(proof(&json).unwrap().1, "Bearer from-file");
    }

    #[test]
    fn refuses_without_telling_the_secret() {
        for (json, wrong) in [
            (r#"{"scheme":"bearer"}"#, "no secret is given"),
            (r#"{"scheme":"bearer","secret":"hunter2","secret_env":"X"}"#, "more than once"),
            (r#"{"scheme":"bearer","secret_env":"NO_SUCH_VARIABLE"}"#, "NO_SUCH_VARIABLE"),
            (r#"{"scheme":"bearer","secret_file":"/nowhere"}"#, "/nowhere"),
            (r#"{"scheme":"basic","secret":"hunter2"}"#, "`username`"),
            (r#"{"scheme":"header","secret":"hunter2"}"#, "`header`"),
            (r#"{"scheme":"header","header":"a b","secret":"hunter2"}"#, "`a b`"),
            (r#"{"scheme":"bearer","secret":"hunter2\n"}"#, "characters"),
        ] {
            let reason = proof(json).unwrap_err();
            assert!(reason.contains(wrong) && !reason.contains("hunter2"), "{json}: {reason}");
        }
    }

    #[test]
    fn short_secrets_sign_nothing() {
        let clock = Arc::new(caplet_runtime::SystemClock);
        let short = serde_json::from_str(r#"{"secret":"short"}"#).unwrap();
        let reason = Introduction::new(&short, "billing", clock.clone()).err().unwrap();
        assert!(reason.contains("at least 32"), "{reason}");
        let none = Introduction::new(&IdentityOptions::default(), "billing", clock).unwrap();
        assert!(none.is_none());
    }
}
