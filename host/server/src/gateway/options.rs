//! What an operator sets about an outside service. What the values mean together is checked where a
//! service is made of them (`service`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::secret::Secret;

/// One outside service, served below `/api/<name>`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceOptions {
    /// Where it is: `http` or `https`, a host, and perhaps a path that all requests are put below.
    /// Required.
    pub url: String,
    /// Its name for people. Not given: the name.
    pub title: Option<String>,
    /// Whether `/api/<name>` is left out of the paths that the service sees.
    pub strip_prefix: bool,
    /// Who may call it.
    pub access: ServiceAccess,
    /// Whether the caller's `Authorization` and `X-Api-Key` are passed on.
    pub authorization: Passing,
    /// Whether cookies are passed on, both ways.
    pub cookies: Passing,
    /// The `Host` that the service sees.
    pub host: HostHeader,
    /// Whether `Location` is turned from an address of the service into one of this host.
    pub rewrite_location: bool,
    /// The statuses by which the service says that it is failing: they are tried again and counted
    /// by the circuit breaker.
    pub failure_statuses: Vec<u16>,
    /// A file of certificates (PEM) that sign the service's own, instead of those that the operating
    /// system trusts.
    pub tls_ca_file: Option<PathBuf>,
    /// How much at once, and how large.
    pub limits: ServiceLimits,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// When a request is sent again.
    pub retry: Retry,
    /// How the service is asked whether it is well.
    pub health: HealthCheck,
    /// When the service is left alone for a while.
    pub breaker: BreakerOptions,
    /// Which headers of a request reach the service.
    pub request_headers: HeaderRules,
    /// Which headers of an answer reach the caller.
    pub response_headers: HeaderRules,
    /// How the host proves to the service who it is.
    pub credentials: Option<Credentials>,
    /// How the service is told who calls.
    pub identity: IdentityOptions,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            title: None,
            strip_prefix: true,
            access: ServiceAccess::default(),
            authorization: Passing::Drop,
            cookies: Passing::Drop,
            host: HostHeader::default(),
            rewrite_location: true,
            failure_statuses: vec![502, 503, 504],
            tls_ca_file: None,
            limits: ServiceLimits::default(),
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            health: HealthCheck::default(),
            breaker: BreakerOptions::default(),
            request_headers: HeaderRules::default(),
            response_headers: HeaderRules::default(),
            credentials: None,
            identity: IdentityOptions::default(),
        }
    }
}

/// Who may call a service. Written as `public`, `signed-in` or the name of a permission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ServiceAccess {
    /// Everybody.
    Public,
    /// Who has a token of this host.
    #[default]
    SignedIn,
    /// Who holds the permission, a name with a dot such as `billing.use`.
    Permission(String),
}

impl TryFrom<String> for ServiceAccess {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "public" => Ok(Self::Public),
            "signed-in" => Ok(Self::SignedIn),
            name if is_permission(name) => Ok(Self::Permission(text)),
            _ => Err(format!(
                "found `{text}`, expected `public`, `signed-in` or a permission such as `billing.use`"
            )),
        }
    }
}

fn is_permission(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.contains('.') && name.split('.').all(|word| !word.is_empty() && word.bytes().all(plain))
}

/// Whether something of the caller reaches the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Passing {
    /// It ends at the host.
    Drop,
    /// It is passed on as it is.
    Pass,
}

/// The `Host` that a service sees. Written as `upstream`, `client` or a host's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum HostHeader {
    /// That of the service's URL.
    #[default]
    Upstream,
    /// That which the caller sent.
    Client,
    /// This one.
    Fixed(String),
}

impl From<String> for HostHeader {
    fn from(text: String) -> Self {
        match text.as_str() {
            "upstream" => Self::Upstream,
            "client" => Self::Client,
            _ => Self::Fixed(text),
        }
    }
}

/// How much of a service at once, and how large its messages may be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceLimits {
    /// Requests under way at once, answers that are still being sent included; more are answered 503.
    pub requests_max: usize,
    /// Upgraded connections (WebSocket) at once; more are answered 503.
    pub upgrades_max: usize,
    /// The body of a request, in bytes; more is answered 413.
    pub request_bytes_max: u64,
    /// The body of an answer, in bytes. More is answered 502 when it is announced, and cut off when
    /// it is not. Event streams have no such limit.
    pub answer_bytes_max: u64,
    /// The head of an answer, in bytes, at least 8 192; more is answered 502.
    pub head_bytes_max: usize,
    /// Connections to the service that are kept open while nothing is asked.
    pub idle_connections_max: usize,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            requests_max: 256,
            upgrades_max: 1_000,
            request_bytes_max: 64 << 20,
            answer_bytes_max: 1 << 30,
            head_bytes_max: 64 << 10,
            idle_connections_max: 32,
        }
    }
}

/// How long the parts of an exchange with a service may take, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Until there is a connection, its encryption included; more is answered 504.
    pub connect_ms_max: u64,
    /// From the last part of the request that the service took to the head of its answer; more is
    /// answered 504.
    pub first_byte_ms_max: u64,
    /// Between two parts of an answer; then it is cut off.
    pub idle_ms_max: u64,
    /// Between two parts of an event stream, and for an upgraded connection on which nothing moves
    /// either way; then it is ended.
    pub stream_idle_ms_max: u64,
    /// The whole exchange with all its attempts, but for event streams and upgraded connections.
    pub total_ms_max: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms_max: 2_000,
            first_byte_ms_max: 30_000,
            idle_ms_max: 60_000,
            stream_idle_ms_max: 600_000,
            total_ms_max: 600_000,
        }
    }
}

impl Timeouts {
    pub(crate) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms_max)
    }

    pub(crate) fn first_byte(&self) -> Duration {
        Duration::from_millis(self.first_byte_ms_max)
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms_max)
    }

    pub(crate) fn stream_idle(&self) -> Duration {
        Duration::from_millis(self.stream_idle_ms_max)
    }

    pub(crate) fn total(&self) -> Duration {
        Duration::from_millis(self.total_ms_max)
    }
}

/// When a request is sent again: only with a method that is idempotent (RFC 9110, section 9.2.2),
/// when no answer came, or one of [`ServiceOptions::failure_statuses`]. A service that is slow to
/// answer is not asked again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Attempts after the first; 0 for none.
    pub retries_max: u32,
    /// How long to wait before the first of them, in milliseconds; twice as long before each
    /// further one. The real time is chosen by chance between 0 and this.
    pub backoff_ms: u64,
    /// The longest wait, in milliseconds.
    pub backoff_ms_max: u64,
    /// The largest body that is kept in memory for it, in bytes; a request with a larger one, or one
    /// of unknown length, is sent once.
    pub body_bytes_max: u64,
    /// How many attempts may be further ones, in percent of the requests, so that a service that is
    /// down is not asked many times as often.
    pub budget_percent: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries_max: 2,
            backoff_ms: 50,
            backoff_ms_max: 1_000,
            body_bytes_max: 64 << 10,
            budget_percent: 20,
        }
    }
}

/// How a service is asked whether it is well. One that is not is sent no requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthCheck {
    /// The path that is asked for, below the service's URL; 200 to 399 means well. Not given: the
    /// service is not asked.
    pub path: Option<String>,
    /// How often, in milliseconds.
    pub interval_ms: u64,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms_max: u64,
    /// Good answers in a row after which it is well again.
    pub healthy_after: u32,
    /// Bad ones in a row after which it is not.
    pub unhealthy_after: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: None,
            interval_ms: 10_000,
            timeout_ms_max: 2_000,
            healthy_after: 2,
            unhealthy_after: 3,
        }
    }
}

/// When a service is left alone: once enough requests of a window failed, the circuit opens and
/// requests are answered 503 at once; after a while some are let through to see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerOptions {
    /// The time that is looked back, in milliseconds.
    pub window_ms: u64,
    /// The fewest attempts in the window by which anything is judged.
    pub attempts_min: u32,
    /// How many of them must have failed, in percent; over 100 it never opens.
    pub failure_percent: u32,
    /// How long the circuit stays open, in milliseconds.
    pub open_ms: u64,
    /// Requests that are let through at once afterwards, and that have to succeed for it to close.
    pub probes: u32,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { window_ms: 10_000, attempts_min: 10, failure_percent: 50, open_ms: 5_000, probes: 2 }
    }
}

/// Which headers pass. Those that belong to one connection never do, and those by which the host
/// speaks are its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderRules {
    /// Only these. Not given: all.
    pub pass: Option<Vec<String>>,
    /// Not these.
    pub remove: Vec<String>,
    /// These, whatever came.
    pub set: BTreeMap<String, String>,
}

/// How the host proves to a service who it is. The secret is given in one of three ways.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The form in which it is sent.
    pub scheme: Scheme,
    /// The name of the user, for `basic`.
    pub username: Option<String>,
    /// The name of the header, for `header`.
    pub header: Option<String>,
    /// The secret.
    pub secret: Option<Secret>,
    /// A file that holds it; a line break at its end is not part of it.
    pub secret_file: Option<PathBuf>,
    /// A variable of the environment that holds it.
    pub secret_env: Option<String>,
}

/// The form in which credentials are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `Authorization: Bearer <secret>`.
    Bearer,
    /// `Authorization: Basic`, the secret being the password.
    Basic,
    /// A header of its own, whose value is the secret.
    Header,
}

/// How a service is told who calls: by a token that the host signs for this service and this request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityOptions {
    /// The secret that signs it (HS256), at least 32 bytes, shared with the service. Neither this nor
    /// the file given: the service is told nothing.
    pub secret: Option<Secret>,
    /// A file that holds it; a line break at its end is not part of it.
    pub secret_file: Option<PathBuf>,
    /// How long the token is valid, in seconds.
    pub ttl_s: u64,
}

impl Default for IdentityOptions {
    fn default() -> Self {
        Self { secret: None, secret_file: None, ttl_s: 60 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ServiceOptions, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_words_and_names() {
        let options =
            read(r#"{"url":"http://h","access":"billing.use","host":"client","cookies":"pass"}"#)
                .unwrap();
        assert_eq!(options.access, ServiceAccess::Permission("billing.use".into()));
        assert_eq!(options.host, HostHeader::Client);
        assert_eq!(options.cookies, Passing::Pass);
        let fixed = read(r#"{"host":"internal.example"}"#).unwrap();
        assert_eq!(fixed.host, HostHeader::Fixed("internal.example".into()));
    }

    #[test]
    fn refuses_what_it_does_not_know_by_name() {
        let error = read(r#"{"access":"everybody"}"#).unwrap_err();
        assert!(error.contains("everybody") && error.contains("signed-in"), "{error}");
        let error = read(r#"{"retry":{"forever":true}}"#).unwrap_err();
        assert!(error.contains("forever"), "{error}");
        assert!(read(r#"{"credentials":{"scheme":"digest"}}"#).is_err());
    }
}
