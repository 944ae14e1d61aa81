//! The host's settings, from four sources: defaults, file, environment, flags, each over the one
//! before. A value that does not fit is refused with its key, its source and the form expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use caplet_runtime::interfaces::RIGHTS;
use caplet_runtime::{EngineOptions, Limits, PluginOptions, UpgradeOptions};
use caplet_server::Config;
use caplet_server::config::{Auth, Http, Public};
use caplet_server::cors::Cors;
use caplet_server::gateway::ServiceOptions;
use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Deserializer};

use crate::arguments::Common;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::logging::Log;
use crate::telemetry::Telemetry;

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "caplet.toml";

/// All settings of a host, in the form of the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address to listen on, `host:port`.
    pub listen: Listen,
    /// The directory of the host's files.
    pub data: PathBuf,
    /// The folder of the plugins.
    pub plugins: PathBuf,
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
    /// How upgrades and rollbacks of plugins are followed up.
    pub upgrade: UpgradeOptions,
    /// From role to permissions.
    pub roles: BTreeMap<String, Vec<String>>,
    /// What is set for single plugins, by name.
    pub plugin: BTreeMap<String, PluginOptions>,
    /// What the log has, and how it looks.
    pub log: Log,
    /// Where traces and metrics are sent.
    pub telemetry: Telemetry,
    /// Outside services, by the name under which they are served.
    pub services: BTreeMap<String, ServiceOptions>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Listen("127.0.0.1:8080".to_owned()),
            data: "data".into(),
            plugins: "plugins".into(),
            auth: Auth::default(),
            http: Http::default(),
            cors: Cors::default(),
            public: Public::default(),
            engine: EngineOptions::default(),
            limits: Limits::default(),
            upgrade: UpgradeOptions::default(),
            roles: BTreeMap::new(),
            plugin: BTreeMap::new(),
            log: Log::default(),
            telemetry: Telemetry::default(),
            services: BTreeMap::new(),
        }
    }
}

/// `host:port`, where the host is an address or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen(pub String);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
            Some(_) => Ok(Self(text)),
            None => Err(serde::de::Error::invalid_value(
                serde::de::Unexpected::Str(&text),
                &"an address and a port, such as 127.0.0.1:8080",
            )),
        }
    }
}

impl Settings {
    /// Reads all sources.
    ///
    /// # Errors
    /// Every value that does not fit.
    pub fn load(common: &Common, listen: Option<&str>) -> Result<Self, Failure> {
        let environment = Environment::of_process();
        let file = file(common.config.as_deref(), &environment)?;
        Self::merge(file.as_deref(), environment, Flags::new(common, listen))
    }

    fn merge(file: Option<&Path>, environment: Environment, flags: Flags) -> Result<Self, Failure> {
        let mut figment = Figment::new();
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let settings: Self =
            figment.merge(environment).merge(flags).extract().map_err(|errors| {
                let lines: Vec<String> = errors.into_iter().map(|error| explain(&error)).collect();
                Failure::usage(lines.join("\n"))
            })?;
        settings.check_plugins()?;
        Ok(settings)
    }

    /// What is set for single plugins has a form of its own, which the sources do not know.
    fn check_plugins(&self) -> Result<(), Failure> {
        for (name, options) in &self.plugin {
            let refused = |key: &str, reason: String| {
                Failure::usage(format!("plugin.{name}.{key}: {reason}"))
            };
            if !caplet_runtime::is_plugin_name(name) {
                let reason = "expected a plugin's name: a-z, 0-9 and single hyphens";
                return Err(Failure::usage(format!("plugin.{name}: {reason}")));
            }
            options.limits(&self.limits).map_err(|reason| refused("limits", reason))?;
            let known: Vec<&str> = RIGHTS.iter().map(|right| right.name).collect();
            for grant in options.grants.iter().flatten() {
                if !known.contains(&grant.as_str()) {
                    let reason =
                        format!("there is no right `{grant}`; there are {}", known.join(", "));
                    return Err(refused("grants", reason));
                }
            }
        }
        Ok(())
    }

    /// What of it is the host's own.
    pub fn config(self) -> Config {
        let log = caplet_server::config::Log { slow_call_ms: self.log.slow_call_ms };
        Config {
            auth: self.auth,
            http: self.http,
            cors: self.cors,
            public: self.public,
            engine: self.engine,
            limits: self.limits,
            roles: self.roles,
            upgrade: self.upgrade,
            plugin: self.plugin,
            services: self.services,
            log,
        }
    }
}

/// The file to read, which must be there when it was named.
fn file(named: Option<&Path>, environment: &Environment) -> Result<Option<PathBuf>, Failure> {
    let by_variable = || environment.config_file();
    let Some(path) = named.map(Path::to_owned).or_else(by_variable) else {
        let path = PathBuf::from(DEFAULT_FILE);
        return Ok(path.is_file().then_some(path));
    };
    match std::fs::File::open(&path) {
        Ok(_) => Ok(Some(path)),
        Err(reason) => Err(Failure::usage(format!(
            "the configuration file {} cannot be read: {reason}",
            path.display()
        ))),
    }
}

/// One line for one wrong value.
fn explain(error: &figment::Error) -> String {
    let mut path = error.path.clone();
    let problem = match &error.kind {
        Kind::UnknownField(name, known) => {
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            format!("there is no such setting; there are {}", known.join(", "))
        }
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected)
            if path.iter().any(|part| part.contains("secret") || part == "headers") =>
        {
            format!("expected {}", form(expected))
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("found {found}, expected {}", form(expected))
        }
        Kind::UnknownVariant(found, known) => {
            format!("found `{found}`, expected one of {}", known.join(", "))
        }
        other => other.to_string(),
    };
    let key = if path.is_empty() { String::new() } else { format!("{}: ", path.join(".")) };
    format!("{key}{problem}{}", source(error, &path))
}

/// What a type's name means to a person.
fn form(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, zero or more".to_owned(),
        "a string" | "string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list, such as [\"a\", \"b\"]".to_owned(),
        "a map" => "a table of keys and values".to_owned(),
        other => other
            .strip_prefix("struct ")
            .map_or_else(|| other.to_owned(), |_| "a table of keys and values".to_owned()),
    }
}

fn source(error: &figment::Error, path: &[String]) -> String {
    let Some(metadata) = &error.metadata else { return String::new() };
    match metadata.source.as_ref().and_then(|source| source.file_path()) {
        Some(file) => format!(" (in {})", file.display()),
        None => {
            let key = metadata.interpolate(&Profile::Default, path);
            format!(" (from the {} {key})", metadata.name)
        }
    }
}

/// The settings that have flags.
struct Flags {
    given: Dict,
}

impl Flags {
    fn new(common: &Common, listen: Option<&str>) -> Self {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let given = [
            ("listen", listen.map(str::to_owned)),
            ("data", path(&common.data)),
            ("plugins", path(&common.plugins)),
        ];
        let given =
            given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
        Self { given: given.collect() }
    }
}

impl Provider for Flags {
    fn metadata(&self) -> Metadata {
        Metadata::named("flag")
            .interpolater(|_: &Profile, path: &[&str]| format!("--{}", path.join("-")))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.given.clone()))
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
