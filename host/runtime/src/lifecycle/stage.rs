//! Which requests a new version gets while it is rolled out beside the one that serves. Knows rules and
//! callers; what becomes of the chosen requests is the rollout's.

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Headers, and tenants, that one stage may name.
const RULES_MAX: usize = 64;

/// Bytes of a header's value, and of a tenant's name, in a stage.
const RULE_BYTES_MAX: usize = 256;

/// Headers that would write credentials into the history.
const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Callers are dealt into so many places.
const PLACES: u64 = 10_000;

/// The requests that a new version gets: those that at least one of the rules takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stage {
    /// Of 100 callers so many, 0 to 100. Who is in at one number is in at every higher one.
    pub percent: u8,
    /// Requests with one of these headers.
    pub headers: Vec<HeaderRule>,
    /// Callers of one of these tenants.
    pub tenants: Vec<String>,
    /// Whether the new version only gets copies: the version before answers, the answers are compared.
    pub shadow: bool,
}

/// A header that a request has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HeaderRule {
    name: HeaderName,
    /// Any, when not given.
    value: Option<String>,
}

/// What of a request decides whether a stage takes it.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The verified caller's tenant, or the default one.
    pub tenant: &'a str,
    /// Who it is, if that is known.
    pub subject: Option<&'a str>,
    /// By what a caller is known again who does not say who it is.
    pub key: &'a str,
    /// The request's headers.
    pub headers: &'a HeaderMap,
}

impl Stage {
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn check(&self) -> Result<(), String> {
        if self.percent > 100 {
            return Err(format!("{} percent are too many; 100 are all callers", self.percent));
        }
        if self.headers.len() > RULES_MAX || self.tenants.len() > RULES_MAX {
            return Err(format!("a stage may name {RULES_MAX} headers and {RULES_MAX} tenants"));
        }
        let fits = |tenant: &String| (1..=RULE_BYTES_MAX).contains(&tenant.len());
        match self.tenants.iter().find(|tenant| !fits(tenant)) {
            Some(tenant) => Err(format!(
                "`{tenant}` is no name of a tenant; it has 1 to {RULE_BYTES_MAX} bytes"
            )),
            None => Ok(()),
        }
    }

    /// The headers that its rules look at.
    pub fn header_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|rule| &rule.name)
    }

    /// Whether it matters to it who calls.
    #[must_use]
    pub fn tells_callers_apart(&self) -> bool {
        !self.tenants.is_empty() || (1..100).contains(&self.percent)
    }

    /// Whether it takes a request. `salt` keeps one rollout's callers from being the next one's.
    pub(crate) fn takes(&self, salt: &str, caller: &Caller<'_>) -> bool {
        self.tenants.iter().any(|tenant| tenant == caller.tenant)
            || self.headers.iter().any(|rule| rule.fits(caller.headers))
            || place(salt, caller) < u64::from(self.percent) * PLACES / 100
    }
}

/// The place of a caller, from 0 to [`PLACES`] - 1: always the same one.
fn place(salt: &str, caller: &Caller<'_>) -> u64 {
    let (kind, name) = match caller.subject {
        Some(subject) => ("subject", subject),
        None => ("key", caller.key),
    };
    let mut hash = Sha256::new();
    for part in [salt, caller.tenant, kind, name] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_le_bytes(first) % PLACES
}

impl HeaderRule {
    fn fits(&self, headers: &HeaderMap) -> bool {
        match &self.value {
            None => headers.contains_key(&self.name),
            Some(value) => headers.get_all(&self.name).iter().any(|it| it == value.as_str()),
        }
    }
}

impl TryFrom<String> for HeaderRule {
    type Error = String;

    /// Takes `name`, or `name: value`.
    fn try_from(text: String) -> Result<Self, String> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
            None => (text.trim(), None),
        };
        let refused = || format!("`{text}` is no header; write `x-canary`, or `x-canary: yes`");
        let name: HeaderName = name.parse().map_err(|_| refused())?;
        if SECRET_HEADERS.contains(&name.as_str()) {
            return Err(format!("`{name}` carries credentials; choose by a header of its own"));
        }
        let is_value = |value: &String| {
            (1..=RULE_BYTES_MAX).contains(&value.len())
                && http::HeaderValue::from_str(value).is_ok()
        };
        if value.as_ref().is_some_and(|value| !is_value(value)) {
            return Err(refused());
        }
        Ok(Self { name, value })
    }
}

impl From<HeaderRule> for String {
    fn from(rule: HeaderRule) -> Self {
        rule.to_string()
    }
}

impl std::fmt::Display for HeaderRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            None => write!(f, "{}", self.name),
            Some(value) => write!(f, "{}: {value}", self.name),
        }
    }
}

/// In words, such as `10 % of the callers, header x-canary: yes`.
impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let copies = if self.shadow { "copies of the requests of " } else { "" };
        write!(f, "{copies}{} % of the callers", self.percent)?;
        self.headers.iter().try_for_each(|header| write!(f, ", header {header}"))?;
        self.tenants.iter().try_for_each(|tenant| write!(f, ", tenant {tenant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller<'a>(tenant: &'a str, subject: Option<&'a str>, headers: &'a HeaderMap) -> Caller<'a> {
        Caller { tenant, subject, key: "203.0.113.7", headers }
    }

    fn percent(percent: u8) -> Stage {
        Stage { percent, ..Stage::default() }
    }

    #[test]
    fn percent_is_what_was_said_within_one_in_a_hundred() {
        let headers = HeaderMap::new();
        for asked in [0, 1, 10, 50, 99, 100] {
            let n = (0..20_000)
                .filter(|n| {
                    let subject = format!("user-{n}");
                    percent(asked).takes("notes 1", &caller("acme", Some(&subject), &headers))
                })
                .count();
            let got = n as f64 / 200.0;
            assert!((got - f64::from(asked)).abs() < 1.0, "{asked} % became {got} %");
        }
    }

    #[test]
    fn a_caller_stays_where_it_was_as_the_percent_grows() {
        let headers = HeaderMap::new();
        for n in 0..500 {
            let subject = format!("user-{n}");
            let caller = caller("acme", Some(&subject), &headers);
            let taken: Vec<bool> =
                (0..=100).map(|asked| percent(asked).takes("notes 1", &caller)).collect();
            assert!(taken.is_sorted() && !taken[0] && taken[100], "{subject} came and went");
            assert_eq!(percent(30).takes("notes 1", &caller), taken[30]);
        }
    }

    #[test]
    fn tenants_and_rollouts_and_strangers_are_dealt_apart() {
        let headers = HeaderMap::new();
        let stage = percent(50);
        let differ = |a: &dyn Fn(&str) -> bool, b: &dyn Fn(&str) -> bool| {
            (0..200).map(|n| n.to_string()).any(|it| a(&it) != b(&it))
        };
        let takes = |salt: &str, tenant: &str, subject: Option<&str>, key: &str| {
            stage.takes(salt, &Caller { tenant, subject, key, headers: &headers })
        };
        assert!(differ(&|it| takes("a", "t", Some(it), ""), &|it| takes("a", "u", Some(it), "")));
        assert!(differ(&|it| takes("a", "t", Some(it), ""), &|it| takes("b", "t", Some(it), "")));
        assert!(differ(&|it| takes("a", "t", Some(it), ""), &|it| takes("a", "t", None, it)));
        assert!((0..50).all(|_| takes("a", "t", None, "x") == takes("a", "t", None, "x")));
    }

    #[test]
    fn headers_and_tenants_take_whoever_has_them() {
        let rule = |text: &str| HeaderRule::try_from(text.to_owned()).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-canary", "no".parse().unwrap());
        headers.append("x-canary", "yes".parse().unwrap());
        let named = |rules: &[&str], tenants: &[&str]| Stage {
            headers: rules.iter().map(|text| rule(text)).collect(),
            tenants: tenants.iter().map(ToString::to_string).collect(),
            ..Stage::default()
        };
        let acme = caller("acme", None, &headers);
        for (stage, is_taken) in [
            (named(&[], &[]), false),
            (named(&["X-Canary"], &[]), true),
            (named(&["x-canary: yes"], &[]), true),
            (named(&["x-canary: YES"], &[]), false),
            (named(&["x-other", "x-canary:no"], &[]), true),
            (named(&["x-other"], &["acme"]), true),
            (named(&[], &["acm", "acme2"]), false),
        ] {
            assert_eq!(stage.takes("notes 1", &acme), is_taken, "{stage}");
        }
    }

    #[test]
    fn refuses_rules_that_cannot_be() {
        for text in ["", ": yes", "a b", "x-canary:", "x: \u{1}", "Cookie: a", "authorization"] {
            assert!(HeaderRule::try_from(text.to_owned()).is_err(), "{text} was taken");
        }
        assert!(percent(101).check().unwrap_err().contains("101"));
        let nameless = Stage { tenants: vec![String::new()], ..Stage::default() };
        assert!(nameless.check().is_err() && percent(100).check().is_ok());
        let many = Stage { tenants: vec!["a".to_owned(); RULES_MAX + 1], ..Stage::default() };
        assert!(many.check().is_err());
    }

    #[test]
    fn is_the_same_after_it_was_written_down() {
        let json =
            r#"{"percent":5,"headers":["x-canary: yes","x-b"],"tenants":["acme"],"shadow":false}"#;
        let stage: Stage = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&stage).unwrap(), json);
        assert_eq!(
            stage.to_string(),
            "5 % of the callers, header x-canary: yes, header x-b, tenant acme"
        );
    }
}
