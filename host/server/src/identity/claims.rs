//! What a verified payload says: for how long it holds, for whom it is meant, and who its bearer is.
//! The same rules hold for the host's own tokens and those of other issuers, which may have other
//! names for the same things.

use std::sync::Arc;

use caplet_runtime::{DEFAULT_TENANT, Identity, Kind};
use serde_json::{Map, Value};

use super::json;
use crate::token::Refused;

/// The most roles, teams or scopes of one caller.
const LIST_MAX: usize = 100;

/// The longest subject, role, team or scope, in characters.
const NAME_CHARACTERS_MAX: usize = 255;

/// The longest tenant, in characters.
const TENANT_CHARACTERS_MAX: usize = 64;

/// The members of a payload.
pub(crate) struct Claims {
    members: Map<String, Value>,
}

/// The names under which an issuer says what its tokens say. One with dots leads through objects,
/// unless there is a claim of just that name.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) tenant: String,
    pub(crate) roles: String,
    pub(crate) teams: String,
    /// All are read, and what they say is put together.
    pub(crate) scopes: Vec<String>,
    pub(crate) kind: Option<String>,
}

/// From when to when a token holds, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Times {
    begin_s: Option<f64>,
    end_s: f64,
    issued_s: Option<f64>,
}

impl Claims {
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Refused> {
        let members = json::object(payload)
            .map_err(|error| Refused::Unverified(format!("its claims: {error}")))?;
        Ok(Self { members })
    }

    /// `iss`, when it is a text.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.members.get("iss").and_then(Value::as_str)
    }

    /// Whether `iss` is `issuer`; any or none fits when no one is expected.
    pub(crate) fn check_issuer(&self, issuer: Option<&str>) -> Result<(), Refused> {
        let fits = match (issuer, self.members.get("iss")) {
            (None, None | Some(Value::String(_))) => true,
            (Some(issuer), Some(Value::String(own))) => own == issuer,
            _ => false,
        };
        if fits { Ok(()) } else { Err(Refused::Claim("iss")) }
    }

    /// Whether `aud` names one of `audiences`. Without any, it must not be there: the token is then
    /// meant for somebody else.
    pub(crate) fn check_audience(&self, audiences: &[String]) -> Result<(), Refused> {
        let is_ours = |value: &Value| match value {
            Value::String(own) => audiences.contains(own),
            _ => false,
        };
        let fits = match self.members.get("aud") {
            None => audiences.is_empty(),
            Some(Value::Array(list)) => {
                list.iter().all(Value::is_string) && list.iter().any(is_ours)
            }
            Some(value) => is_ours(value),
        };
        if fits { Ok(()) } else { Err(Refused::Claim("aud")) }
    }

    /// `exp`, which must be there, `nbf` and `iat`: numbers all of them, never texts.
    pub(crate) fn times(&self) -> Result<Times, Refused> {
        let number = |name: &'static str| match self.members.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(_) => Err(Refused::Claim(name)),
        };
        Ok(Times {
            begin_s: number("nbf")?,
            end_s: number("exp")?.ok_or(Refused::Claim("exp"))?,
            issued_s: number("iat")?,
        })
    }

    /// Who the bearer is. `tenant` and `prefix` are what the issuer's configuration says of it.
    pub(crate) fn identity(
        &self,
        names: &Names,
        tenant: Option<&str>,
        prefix: &str,
    ) -> Result<Identity, Refused> {
        let subject = match self.members.get("sub") {
            Some(Value::String(own)) if !own.is_empty() => format!("{prefix}{own}"),
            _ => return Err(Refused::Claim("sub")),
        };
        let tenant = match tenant {
            Some(tenant) => tenant,
            None => self.text(&names.tenant, "tenant")?.unwrap_or(DEFAULT_TENANT),
        };
        let mut scopes = Vec::new();
        for name in &names.scopes {
            scopes.extend(self.words(name)?);
        }
        let kind = self.kind(names)?;
        let roles = self.list(&names.roles, "roles")?;
        let teams = self.list(&names.teams, "teams")?;
        checked(Identity { subject, kind, tenant: Arc::from(tenant), roles, teams, scopes })
    }

    /// A person or a program. A token that a program got for itself has the program as its subject
    /// (RFC 9068, section 2.2).
    fn kind(&self, names: &Names) -> Result<Kind, Refused> {
        let told = match &names.kind {
            Some(name) => self.text(name, "kind")?,
            None => None,
        };
        match told {
            Some("user") => Ok(Kind::User),
            Some("service") => Ok(Kind::Service),
            Some(_) => Err(Refused::Claim("kind")),
            None => {
                let client = self.members.get("client_id").filter(|client| client.is_string());
                let is_own = client.is_some() && client == self.members.get("sub");
                Ok(if is_own { Kind::Service } else { Kind::User })
            }
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        let along = || {
            let mut steps = name.split('.');
            let first = self.members.get(steps.next()?)?;
            steps.try_fold(first, |value, step| value.get(step))
        };
        self.members.get(name).or_else(along)
    }

    fn text(&self, name: &str, what: &'static str) -> Result<Option<&str>, Refused> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refused::Claim(what)),
        }
    }

    /// A list of texts; a text alone is a list of one.
    fn list(&self, name: &str, what: &'static str) -> Result<Vec<String>, Refused> {
        match self.find(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(Value::Array(list)) if list.len() <= LIST_MAX => {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                list.iter().map(text).collect::<Option<_>>().ok_or(Refused::Claim(what))
            }
            Some(_) => Err(Refused::Claim(what)),
        }
    }

    /// A list of texts, or one text with spaces between.
    fn words(&self, name: &str) -> Result<Vec<String>, Refused> {
        match self.find(name) {
            Some(Value::String(text)) => {
                let words = text.split(' ').filter(|word| !word.is_empty());
                Ok(words.map(str::to_owned).collect())
            }
            _ => self.list(name, "scopes"),
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self {
            tenant: "tenant".to_owned(),
            roles: "roles".to_owned(),
            teams: "teams".to_owned(),
            scopes: ["scopes", "scope", "scp"].map(str::to_owned).to_vec(),
            kind: Some("kind".to_owned()),
        }
    }
}

impl Times {
    /// Whether it is the time, when clocks may be `skew_s` apart.
    pub(crate) fn check(&self, now_ms: u64, skew_s: u64) -> Result<(), Refused> {
        let now_s = now_ms as f64 / 1_000.0;
        let skew_s = skew_s as f64;
        if now_s > self.end_s + skew_s {
            return Err(Refused::Expired);
        }
        let is_ahead = |time_s: Option<f64>| time_s.is_some_and(|time_s| now_s + skew_s < time_s);
        if is_ahead(self.begin_s) || is_ahead(self.issued_s) {
            return Err(Refused::TooEarly);
        }
        Ok(())
    }
}

/// The same identity, when everything in it is within its bounds.
///
/// # Errors
/// What is not.
pub(crate) fn checked(identity: Identity) -> Result<Identity, Refused> {
    if !is_name(&identity.subject) {
        return Err(Refused::Claim("sub"));
    }
    if !is_tenant(&identity.tenant) {
        return Err(Refused::Claim("tenant"));
    }
    let lists =
        [("roles", &identity.roles), ("teams", &identity.teams), ("scopes", &identity.scopes)];
    let unfit = lists.into_iter().find(|(_, list)| !is_list(list)).map(|(what, _)| what);
    unfit.map_or(Ok(identity), |what| Err(Refused::Claim(what)))
}

fn is_list(list: &[String]) -> bool {
    list.len() <= LIST_MAX && list.iter().all(|name| is_name(name))
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Whether a text may be the name of a tenant.
pub(crate) fn is_tenant(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=TENANT_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        Claims::parse(value.to_string().as_bytes()).unwrap()
    }

    fn identity(value: Value, names: &Names) -> Result<Identity, Refused> {
        claims(value).identity(names, None, "")
    }

    #[test]
    fn finds_claims_by_name_and_through_objects() {
        let names = Names {
            roles: "realm_access.roles".into(),
            tenant: "https://shop.example/tenant".into(),
            teams: "groups".into(),
            scopes: vec!["scp".into()],
            kind: None,
        };
        let found = identity(
            json!({
                "sub": "7",
                "realm_access": {"roles": ["editor"]},
                "https://shop.example/tenant": "acme",
                "groups": "staff",
                "scp": "a  b",
                "kind": 3,
            }),
            &names,
        )
        .unwrap();
        assert_eq!((&*found.tenant, found.roles), ("acme", vec!["editor".to_owned()]));
        assert_eq!(
            (found.teams, found.scopes),
            (vec!["staff".into()], vec!["a".into(), "b".into()])
        );
    }

    #[test]
    fn a_program_that_signed_in_by_itself_is_a_service() {
        let kind = |value| identity(value, &Names::default()).unwrap().kind;
        assert_eq!(kind(json!({"sub": "robot", "client_id": "robot"})), Kind::Service);
        assert_eq!(kind(json!({"sub": "ada", "client_id": "robot"})), Kind::User);
        assert_eq!(kind(json!({"sub": "a", "client_id": "a", "kind": "user"})), Kind::User);
        assert!(identity(json!({"sub": "a", "kind": "root"}), &Names::default()).is_err());
    }

    #[test]
    fn what_the_configuration_says_of_an_issuer_wins() {
        let claims = claims(json!({"sub": "7", "tenant": "evil"}));
        let identity = claims.identity(&Names::default(), Some("acme"), "shop|").unwrap();
        assert_eq!((identity.subject.as_str(), &*identity.tenant), ("shop|7", "acme"));
    }

    #[test]
    fn an_audience_must_be_ours_and_well_formed() {
        let check = |value: Value, audiences: &[&str]| {
            let audiences: Vec<String> = audiences.iter().map(ToString::to_string).collect();
            claims(value).check_audience(&audiences).is_ok()
        };
        assert!(check(json!({"aud": "a"}), &["a", "b"]));
        assert!(check(json!({"aud": ["x", "b"]}), &["a", "b"]));
        assert!(check(json!({}), &[]));
        for value in [json!({}), json!({"aud": []}), json!({"aud": ["a", 1]}), json!({"aud": {}})] {
            assert!(!check(value.clone(), &["a"]), "{value}");
        }
        assert!(!check(json!({"aud": "a"}), &[]));
        assert!(!check(json!({"aud": "A"}), &["a"]));
    }

    #[test]
    fn times_are_numbers() {
        for value in [json!({"exp": "9"}), json!({}), json!({"exp": null}), json!({"exp": [9]})] {
            assert!(claims(value.clone()).times().is_err(), "{value}");
        }
        let times = claims(json!({"exp": 100, "nbf": 50, "iat": 60})).times().unwrap();
        assert_eq!(times.check(50_000, 10), Ok(()));
        assert_eq!(times.check(49_000, 10), Err(Refused::TooEarly));
        assert_eq!(times.check(110_000, 10), Ok(()));
        assert_eq!(times.check(110_001, 10), Err(Refused::Expired));
    }
}
