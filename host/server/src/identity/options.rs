//! What an operator says of an issuer: whom it signs for, where its keys are, and under which names its
//! tokens say what they say.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::claims::{self, Names};
use super::jws::Algorithm;

/// The types of tokens that are taken when nothing else is said: JWTs and access tokens (RFC 9068).
pub(crate) const DEFAULT_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// The most issuers of one host.
const ISSUERS_MAX: usize = 50;

/// Who signs tokens that this host takes besides its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` of its tokens, letter for letter.
    pub issuer: String,
    /// The values of `aud` that mean this host; a token must have one of them.
    pub audiences: Vec<String>,
    /// How it signs. A key is for the algorithm that its kind has, and for no other.
    pub algorithms: Vec<Algorithm>,
    /// A file with its public keys: PEM, a JWK, or a set of them. Read again every minute.
    pub key_file: Option<PathBuf>,
    /// The address of its set of keys.
    pub jwks_url: Option<String>,
    /// Whether that address may be plain HTTP elsewhere than on this machine.
    pub jwks_http: bool,
    /// How long a fetched set is fresh at most, in seconds, at least 60; the issuer may say less.
    pub jwks_age_s_max: u64,
    /// How long keys are used after that while the issuer cannot be reached, in seconds.
    pub jwks_stale_s_max: u64,
    /// The values of `typ` that are taken.
    pub types: Vec<String>,
    /// Whether a token must have a `typ`.
    pub type_required: bool,
    /// Members of headers that bring keys (`jku`, `jwk`, `x5u`, `x5c`) and that this issuer sends:
    /// they are overlooked, where others are a reason to refuse the token.
    pub ignored_headers: Vec<String>,
    /// The tenant of all its callers, whatever their tokens say.
    pub tenant: Option<String>,
    /// The tenants that it may speak for; empty: all.
    pub tenants: Vec<String>,
    /// What is put before `sub`, so that ids of two issuers never meet in one tenant.
    pub subject_prefix: String,
    /// The claim that names the tenant. Dots lead through objects.
    pub tenant_claim: String,
    /// The claim that lists the roles.
    pub roles_claim: String,
    /// The claim that lists the teams.
    pub teams_claim: String,
    /// The claim that has the scopes, instead of `scope`, `scopes` and `scp` together.
    pub scopes_claim: Option<String>,
    /// The claim that says `user` or `service`. Not given: a token whose `client_id` is its `sub` is
    /// a service's.
    pub kind_claim: Option<String>,
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audiences: Vec::new(),
            algorithms: Algorithm::OF_ISSUERS.to_vec(),
            key_file: None,
            jwks_url: None,
            jwks_http: false,
            jwks_age_s_max: 3_600,
            jwks_stale_s_max: 14_400,
            types: DEFAULT_TYPES.map(str::to_owned).to_vec(),
            type_required: false,
            ignored_headers: Vec::new(),
            tenant: None,
            tenants: Vec::new(),
            subject_prefix: String::new(),
            tenant_claim: "tenant".to_owned(),
            roles_claim: "roles".to_owned(),
            teams_claim: "teams".to_owned(),
            scopes_claim: None,
            kind_claim: None,
        }
    }
}

/// A setting that does not fit: its key, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct Unfit {
    /// The key in the configuration.
    pub key: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl Unfit {
    pub(crate) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }
}

/// Checks what is said of all issuers; `own` is the issuer of the host's own tokens.
pub(crate) fn check(issuers: &[Issuer], own: Option<&str>) -> Result<(), Unfit> {
    if issuers.len() > ISSUERS_MAX {
        let reason = format!("there are {}, more than {ISSUERS_MAX}", issuers.len());
        return Err(Unfit::new("auth.issuers", reason));
    }
    for (index, issuer) in issuers.iter().enumerate() {
        let unfit = |(key, reason): (&str, String)| {
            Unfit::new(format!("auth.issuers[{index}].{key}"), reason)
        };
        issuer.check().map_err(unfit)?;
        let is_before = issuers[..index].iter().any(|before| before.issuer == issuer.issuer);
        if is_before || own == Some(&issuer.issuer) {
            let reason = format!("`{}` is given twice; an issuer has one entry", issuer.issuer);
            return Err(unfit(("issuer", reason)));
        }
    }
    Ok(())
}

impl Issuer {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let say = |key, reason: &str| Err((key, reason.to_owned()));
        if self.issuer.is_empty() {
            return say(
                "issuer",
                "expected the `iss` of its tokens, such as https://id.example.org",
            );
        }
        if self.audiences.iter().all(String::is_empty) {
            return say(
                "audiences",
                "expected at least one: what `aud` says when this host is meant",
            );
        }
        if self.algorithms.is_empty() {
            return say("algorithms", "expected at least one of RS256, ES256, EdDSA");
        }
        match (&self.key_file, &self.jwks_url) {
            (Some(_), None) => {}
            (None, Some(url)) => check_url(url, self.jwks_http)?,
            _ => return say("jwks_url", "expected either this or key_file"),
        }
        let tenants = self.tenants.iter().chain(&self.tenant);
        if let Some(tenant) = tenants.into_iter().find(|tenant| !claims::is_tenant(tenant)) {
            let reason = format!("`{tenant}` is no tenant: 1 to 64 of A-Z a-z 0-9 _ . -");
            return Err(("tenants", reason));
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> Names {
        let scopes = self.scopes_claim.iter().cloned().collect();
        Names {
            tenant: self.tenant_claim.clone(),
            roles: self.roles_claim.clone(),
            teams: self.teams_claim.clone(),
            scopes: if self.scopes_claim.is_some() { scopes } else { Names::default().scopes },
            kind: self.kind_claim.clone(),
        }
    }

    pub(crate) fn stale_time_max(&self) -> Duration {
        Duration::from_secs(self.jwks_stale_s_max)
    }
}

/// Who answers plain HTTP cannot be known, except on this machine.
fn check_url(url: &str, http_allowed: bool) -> Result<(), (&'static str, String)> {
    let say = |reason: String| Err(("jwks_url", reason));
    let Ok(parsed) = reqwest::Url::parse(url) else {
        return say(format!("`{url}` is no address; expected https://…"));
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return say("it has a user name or password in it".to_owned());
    }
    let host = parsed.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_here || http_allowed => Ok(()),
        _ => say(format!("`{url}` is not https; with jwks_http = true plain http is taken, too")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer() -> Issuer {
        Issuer {
            issuer: "https://id.example".into(),
            audiences: vec!["caplet".into()],
            jwks_url: Some("https://id.example/keys".into()),
            ..Issuer::default()
        }
    }

    fn refused(change: impl FnOnce(&mut Issuer)) -> String {
        let mut issuer = issuer();
        change(&mut issuer);
        check(&[issuer], None).unwrap_err().to_string()
    }

    #[test]
    fn names_the_setting_that_does_not_fit() {
        assert_eq!(check(&[issuer()], Some("another")), Ok(()));
        assert!(refused(|issuer| issuer.issuer.clear()).starts_with("auth.issuers[0].issuer: "));
        assert!(refused(|issuer| issuer.audiences.clear()).contains("].audiences: "));
        assert!(refused(|issuer| issuer.algorithms.clear()).contains("].algorithms: "));
        assert!(refused(|issuer| issuer.jwks_url = None).contains("either this or key_file"));
        assert!(refused(|issuer| issuer.key_file = Some("a".into())).contains("either this or"));
        assert!(refused(|issuer| issuer.tenants = vec!["a/b".into()]).contains("`a/b`"));
    }

    #[test]
    fn an_issuer_stands_there_once() {
        let error = check(&[issuer(), issuer()], None).unwrap_err();
        assert_eq!(error.key, "auth.issuers[1].issuer");
        assert!(check(&[issuer()], Some("https://id.example")).is_err());
        assert!(check(&vec![issuer(); 51], None).unwrap_err().reason.contains("51"));
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for (url, taken) in [
            ("https://id.example/keys", true),
            ("http://127.0.0.1:9/keys", true),
            ("http://[::1]:9/keys", true),
            ("http://localhost/keys", true),
            ("http://id.example/keys", false),
            ("http://127.0.0.1.example/keys", false),
            ("https://user:word@id.example/keys", false),
            ("file:///etc/passwd", false),
            ("keys.json", false),
        ] {
            assert_eq!(check_url(url, false).is_ok(), taken, "{url}");
        }
        assert!(check_url("http://id.example/keys", true).is_ok());
    }

    #[test]
    fn algorithms_are_read_by_their_names_and_hs256_is_none_of_them() {
        let read = |text: &str| serde_json::from_str::<Issuer>(text);
        let issuer = read(r#"{"algorithms":["ES256","EdDSA"]}"#).unwrap();
        assert_eq!(issuer.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
        for name in ["HS256", "none", "RS1"] {
            assert!(read(&format!(r#"{{"algorithms":["{name}"]}}"#)).is_err(), "{name}");
        }
    }
}
