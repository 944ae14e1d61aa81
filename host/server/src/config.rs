//! What an operator may set about a host. Where the values come from (file, environment, flags) is
//! the command line's; limits of plugins are defined by the runtime.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use caplet_runtime::{EngineOptions, Limits, PluginOptions, UpgradeOptions};
use serde::Deserialize;

use crate::base::BasePath;
use crate::cors::Cors;
use crate::gateway::{Network, ServiceOptions};
use crate::identity::{DEFAULT_TYPES, Issuer};
use crate::secret::Secret;

/// Everything about a host but where it listens and where it keeps its files.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How callers prove who they are.
    pub auth: Auth,
    /// Limits of connections and requests.
    pub http: Http,
    /// Which pages of other origins may call this host from a browser.
    pub cors: Cors,
    /// What the outside sees of the host itself.
    pub public: Public,
    /// The size of the engine's pool of instances.
    pub engine: EngineOptions,
    /// Limits of every plugin.
    pub limits: Limits,
    /// From role to the permissions it grants: names such as `comments.moderate`, `comments.*` for
    /// all of a plugin's, `*` for all.
    pub roles: BTreeMap<String, Vec<String>>,
    /// How upgrades and rollbacks of plugins are followed up.
    pub upgrade: UpgradeOptions,
    /// What is set for single plugins, by the plugin's name.
    pub plugin: BTreeMap<String, PluginOptions>,
    /// Outside services, by the name under which they are served.
    pub services: BTreeMap<String, ServiceOptions>,
    /// What the log tells of.
    pub log: Log,
}

/// What the log tells of by itself. Where its lines go is decided by whoever sets a subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A call that takes as long, in milliseconds, its wait for a turn included, is told in a line
    /// of its own; 0 tells of none.
    pub slow_call_ms: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self { slow_call_ms: 1_000 }
    }
}

/// How callers prove who they are: with a token of the host's own, a JWT signed with HS256; with one of
/// an issuer that is trusted; or with an API key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The secret that signs tokens, at least 32 bytes. Neither this nor the file given: the host
    /// makes one and keeps it as `token.key` in its data directory.
    pub hs256_secret: Option<Secret>,
    /// A file that holds the secret; a line break at its end is not part of it.
    pub hs256_secret_file: Option<PathBuf>,
    /// The `iss` that tokens must have. Not given: any or none.
    pub issuer: Option<String>,
    /// The `aud` that tokens must have. Not given: tokens that have one are refused, because they
    /// are meant for somebody else.
    pub audience: Option<String>,
    /// The values of `typ` that the host's own tokens may have; they may also have none.
    pub types: Vec<String>,
    /// How far the clocks of an issuer and of the host may be apart, in seconds, at most 300.
    pub clock_skew_s: u64,
    /// How many tokens are remembered as verified, so that their signatures are checked once.
    pub tokens_cached_max: usize,
    /// Whose tokens are taken besides the host's own.
    pub issuers: Vec<Issuer>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            hs256_secret: None,
            hs256_secret_file: None,
            issuer: None,
            audience: None,
            types: DEFAULT_TYPES.map(str::to_owned).to_vec(),
            clock_skew_s: 30,
            tokens_cached_max: 10_000,
            issuers: Vec::new(),
        }
    }
}

/// What the outside sees of the host itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Public {
    /// The path below which the outside sees this host, such as `/capabilities`, when a proxy takes
    /// it away before it passes requests on. It stands before the paths in answers.
    pub base_path: BasePath,
    /// What callers without a valid token may see.
    pub strangers: Strangers,
}

/// What callers without a valid token may see of the host itself. Plugins decide for themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strangers {
    /// What is loaded, which files are not and why, the API's document and reference, the counters.
    #[default]
    Everything,
    /// Whether the host lives and serves. For the rest they need a token.
    Health,
}

/// Limits of connections and requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// HTTP/2 streams at once on one connection.
    pub streams_max: u32,
    /// How long a connection may take to send the head of its first request, in milliseconds; then it is
    /// closed. It is looked at four times in that time, so that it may take half as much again.
    pub header_read_ms_max: u64,
    /// How long it may be idle after a request, in milliseconds; never shorter than `header_read_ms_max`.
    /// Clients that keep connections for longer may send a request just when it is closed.
    pub idle_ms_max: u64,
    /// The head of a request, in bytes, at least 8 192; more is answered 431.
    pub header_bytes_max: usize,
    /// Path and query together, in bytes; more is answered 414.
    pub url_bytes_max: usize,
    /// Parameters in a query; more is answered 400.
    pub query_parameters_max: usize,
    /// How long a body may take whatever its rate, in milliseconds.
    pub body_grace_ms: u64,
    /// The rate that a body must hold after the grace, in bytes a second; slower is answered 408.
    pub body_bytes_per_second_min: u64,
    /// How long a client may leave an answer unread, in milliseconds; then the connection is closed.
    pub write_stall_ms_max: u64,
    /// How long requests in flight may go on once the host is told to stop, in milliseconds.
    pub shutdown_grace_ms: u64,
    /// How long a connection must have asked for nothing, once the host is told to stop, before it is
    /// closed, in milliseconds. Until then a next request is answered, with `connection: close`.
    pub shutdown_quiet_ms: u64,
    /// The proxies in front of this host: what they say in `X-Forwarded-*` and `Forwarded` about the
    /// callers behind them is passed on to services. Of others it is replaced.
    pub trusted_proxies: Vec<Network>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            connections_max: 8_192,
            streams_max: 128,
            header_read_ms_max: 10_000,
            idle_ms_max: 75_000,
            header_bytes_max: 64 << 10,
            url_bytes_max: 8 << 10,
            query_parameters_max: 100,
            body_grace_ms: 5_000,
            body_bytes_per_second_min: 1_024,
            write_stall_ms_max: 30_000,
            shutdown_grace_ms: 30_000,
            shutdown_quiet_ms: 500,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Http {
    /// How long a connection may take to send the head of a request.
    #[must_use]
    pub fn header_read_time(&self) -> Duration {
        Duration::from_millis(self.header_read_ms_max)
    }

    /// How long a connection may be idle after a request.
    #[must_use]
    pub fn idle_time(&self) -> Duration {
        Duration::from_millis(self.idle_ms_max)
    }

    /// How long a client may leave an answer unread.
    #[must_use]
    pub fn write_stall_time(&self) -> Duration {
        Duration::from_millis(self.write_stall_ms_max)
    }

    /// How long requests in flight may go on once the host is told to stop.
    #[must_use]
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }

    /// How long a connection must have asked for nothing before it is closed.
    #[must_use]
    pub fn shutdown_quiet_time(&self) -> Duration {
        Duration::from_millis(self.shutdown_quiet_ms)
    }

    /// How long after its beginning a body of which `received_bytes` have come may take to go on.
    #[must_use]
    pub fn body_time(&self, received_bytes: usize) -> Duration {
        let received_bytes = u64::try_from(received_bytes).unwrap_or(u64::MAX);
        let earned_ms =
            received_bytes.saturating_mul(1_000) / self.body_bytes_per_second_min.max(1);
        Duration::from_millis(self.body_grace_ms.saturating_add(earned_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_earns_time_with_every_byte() {
        let http = Http::default();
        assert_eq!(http.body_time(0), Duration::from_secs(5));
        assert_eq!(http.body_time(10 * 1_024), Duration::from_secs(15));
        let unlimited = Http { body_bytes_per_second_min: 0, ..http };
        assert_eq!(unlimited.body_time(1), Duration::from_millis(6_000));
    }

    #[test]
    fn refuses_keys_it_does_not_know() {
        let error = serde_json::from_str::<Config>(r#"{"http":{"colour":1}}"#).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
    }
}
