//! Settings from the environment: `CAPLET_LIMITS__CPU_MS_MAX=50` is `limits.cpu_ms_max = 50`. Two
//! underscores go one level down; what follows `CAPLET_PLUGIN__` or `CAPLET_SERVICES__` is a name, in
//! which an underscore stands for a hyphen, as it does in the name of a header.

use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

const PREFIX: &str = "CAPLET_";

/// The first parts of the keys that exist.
const TABLES: [&str; 12] = [
    "auth",
    "http",
    "cors",
    "public",
    "engine",
    "limits",
    "upgrade",
    "roles",
    "plugin",
    "services",
    "log",
    "telemetry",
];
const SINGLE: [&str; 3] = ["listen", "data", "plugins"];

/// Keys whose values are texts, whatever they look like: `1234` is a secret, too.
const TEXTS: [&str; 11] = [
    "listen",
    "data",
    "plugins",
    "auth.hs256_secret",
    "auth.hs256_secret_file",
    "auth.issuer",
    "auth.audience",
    "log.filter",
    "log.format",
    "telemetry.endpoint",
    "telemetry.service_name",
];

/// The same for what is set of a service, wherever it stands there.
const TEXTS_OF_SERVICES: [&str; 9] = [
    "url",
    "title",
    "host",
    "username",
    "header",
    "secret",
    "secret_file",
    "secret_env",
    "tls_ca_file",
];

/// Variables of the same prefix that are no settings, but known: the log's filter, the file, and what
/// the tools and documents around the host use.
const NOT_SETTINGS: [&str; 8] =
    ["log", "config", "guests", "outside", "token", "admin_token", "url", "target_dir"];

/// The variables that may be settings, as (name, value).
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: Vec<(String, String)>,
}

impl Environment {
    /// Those of this process.
    pub fn of_process() -> Self {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::new(texts)
    }

    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX));
        Self { variables: ours.collect() }
    }

    /// The configuration file that is named by `CAPLET_CONFIG`.
    pub fn config_file(&self) -> Option<PathBuf> {
        let named = self.variables.iter().find(|(name, _)| name == "CAPLET_CONFIG");
        named.map(|(_, value)| value.into())
    }

    fn unknown(&self) -> Vec<&str> {
        let is_known = |name: &str| {
            let first = key(name).into_iter().next().unwrap_or_default();
            is_setting(name) || NOT_SETTINGS.contains(&first.as_str())
        };
        let names = self.variables.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !is_known(name)).collect()
    }
}

/// Names variables that look like settings and are none. They are no errors: a program that starts
/// the host may well set `CAPLET_` variables of its own, as container platforms do.
pub fn warn_of_unknown() {
    for name in Environment::of_process().unknown() {
        tracing::warn!("{name} is set, but there is no such setting");
    }
}

fn is_setting(name: &str) -> bool {
    let key = key(name);
    let first = key[0].as_str();
    if key.len() == 1 { SINGLE.contains(&first) } else { TABLES.contains(&first) }
}

/// The parts of the key that a variable sets.
fn key(name: &str) -> Vec<String> {
    let name = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
    let mut parts: Vec<String> = name.split("__").map(str::to_owned).collect();
    match parts.as_mut_slice() {
        [first, name, ..] if ["plugin", "services"].contains(&first.as_str()) => {
            *name = name.replace('_', "-");
        }
        [first, second, name] if is_header(first, second) => *name = name.replace('_', "-"),
        _ => {}
    }
    parts
}

fn is_header(first: &str, second: &str) -> bool {
    first == "telemetry" && second == "headers"
}

fn variable(path: &[&str]) -> String {
    format!("{PREFIX}{}", path.join("__").replace('-', "_").to_ascii_uppercase())
}

/// A value in the notation of the configuration file; what is none of its notations is a text.
fn value(key: &[String], text: &str) -> Value {
    let is_header = matches!(key, [first, second, _] if is_header(first, second));
    if is_header || is_text(key) {
        return Value::from(text);
    }
    text.parse().unwrap_or_else(|_| Value::from(text))
}

fn is_text(key: &[String]) -> bool {
    match key {
        [first, .., last] if first == "services" => TEXTS_OF_SERVICES.contains(&last.as_str()),
        key => TEXTS.contains(&key.join(".").as_str()),
    }
}

fn insert(table: &mut Dict, key: &[String], value: Value) {
    let Some((first, rest)) = key.split_first() else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let below = table.entry(first.clone()).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, below) = below {
        insert(below, rest, value);
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment variable")
            .interpolater(|_: &Profile, path: &[&str]| variable(path))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut table = Dict::new();
        for (name, text) in self.variables.iter().filter(|(name, _)| is_setting(name)) {
            let key = key(name);
            insert(&mut table, &key, value(&key, text));
        }
        Ok(Profile::Default.collect(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(list: &[(&str, &str)]) -> Environment {
        Environment::new(list.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn two_underscores_go_one_level_down() {
        let environment = environment(&[
            ("CAPLET_LISTEN", "0.0.0.0:80"),
            ("CAPLET_LIMITS__CPU_MS_MAX", "50"),
            ("CAPLET_PLUGIN__RATE_LIMIT__SETTINGS__WINDOW_S", "7"),
            ("CAPLET_AUTH__HS256_SECRET", "0123"),
            ("CAPLET_SERVICES__OLD_SHOP__CREDENTIALS__SECRET", "0123"),
            ("CAPLET_SERVICES__OLD_SHOP__RETRY__RETRIES_MAX", "1"),
            ("HOME", "/root"),
        ]);
        let data = environment.data().unwrap();
        let table = &data[&Profile::Default];
        let at = |path: &str| Value::from(table.clone()).find(path).unwrap();
        assert_eq!(at("listen").as_str(), Some("0.0.0.0:80"));
        assert_eq!(at("limits.cpu_ms_max").to_u128(), Some(50));
        assert_eq!(at("plugin.rate-limit.settings.window_s").to_u128(), Some(7));
        assert_eq!(at("auth.hs256_secret").as_str(), Some("0123"));
        assert_eq!(at("services.old-shop.credentials.secret").as_str(), Some("0123"));
        assert_eq!(at("services.old-shop.retry.retries_max").to_u128(), Some(1));
        assert_eq!(table.len(), 5);
    }

    #[test]
    fn names_what_is_no_setting() {
        let environment = environment(&[
            ("CAPLET_LISTN", "x"),
            ("CAPLET_PORT_8080_TCP", "x"),
            ("CAPLET_LOG", "debug"),
            ("CAPLET_GUESTS", "x"),
            ("CAPLET_LIMITS__NO_SUCH", "1"),
        ]);
        // An unknown key of a table is refused where the table is read.
        assert_eq!(environment.unknown(), ["CAPLET_LISTN", "CAPLET_PORT_8080_TCP"]);
    }
}
