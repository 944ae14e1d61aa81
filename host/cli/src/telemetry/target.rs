//! Where a signal is sent: from the settings, or from the variables that OpenTelemetry defines for
//! every program. What is set for the host wins.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use crate::failure::Failure;
use crate::telemetry::Telemetry;

/// How long a collector may take when nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// The counters of `/metrics`.
    Metrics,
}

impl Signal {
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }
}

/// Where a signal is sent, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub url: String,
    pub headers: HashMap<String, String>,
    pub timeout: Duration,
}

/// The variables that OpenTelemetry defines.
#[derive(Debug, Default)]
pub struct Standard(BTreeMap<String, String>);

impl Standard {
    /// Those of this process. An empty one counts as not set, as the definition asks.
    pub fn of_process() -> Self {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::new(texts)
    }

    fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter(|(name, _)| name.starts_with("OTEL_"));
        Self(ours.filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim())
    }

    /// The variable of a signal, or else the one for all signals, with its name.
    fn of_signal(&self, signal: Signal, what: &str) -> Option<(String, &str)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.variable());
        let all = format!("OTEL_EXPORTER_OTLP_{what}");
        [own, all].into_iter().find_map(|name| {
            let value = self.get(&name)?;
            Some((name, value))
        })
    }

    /// Whether they say what this service is called.
    pub fn names_the_service(&self) -> bool {
        let attributes = self.get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let named = attributes.split(',').any(|pair| pair.trim().starts_with("service.name="));
        named || self.get("OTEL_SERVICE_NAME").is_some()
    }

    fn switches_off(&self, signal: Signal) -> bool {
        let exporter = self.get(&format!("OTEL_{}_EXPORTER", signal.variable()));
        let disabled = self.get("OTEL_SDK_DISABLED");
        exporter == Some("none") || disabled.is_some_and(|it| it.eq_ignore_ascii_case("true"))
    }
}

/// Where a signal is sent; none when nobody asked for it.
///
/// # Errors
/// A setting or variable that does not fit, by its name.
pub fn find(
    settings: &Telemetry,
    standard: &Standard,
    signal: Signal,
) -> Result<Option<Target>, Failure> {
    if standard.switches_off(signal) {
        return Ok(None);
    }
    let Some((place, url)) = endpoint(settings, standard, signal) else { return Ok(None) };
    let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if parsed.is_none() {
        let form = "expected an address such as http://127.0.0.1:4318";
        return Err(Failure::usage(format!("{place}: found `{url}`, {form}")));
    }
    check_protocol(standard, signal)?;
    let headers = headers(settings, standard, signal)?;
    Ok(Some(Target { url, headers, timeout: timeout(settings, standard, signal)? }))
}

/// The address, and who says so.
fn endpoint(settings: &Telemetry, standard: &Standard, signal: Signal) -> Option<(String, String)> {
    let below = |base: &str| format!("{}{}", base.trim_end_matches('/'), signal.path());
    if let Some(base) = &settings.endpoint {
        return Some(("telemetry.endpoint".to_owned(), below(base)));
    }
    let (name, value) = standard.of_signal(signal, "ENDPOINT")?;
    let is_for_all = name == "OTEL_EXPORTER_OTLP_ENDPOINT";
    let url = if is_for_all { below(value) } else { value.to_owned() };
    Some((name, url))
}

fn check_protocol(standard: &Standard, signal: Signal) -> Result<(), Failure> {
    match standard.of_signal(signal, "PROTOCOL") {
        Some((name, protocol)) if protocol != "http/protobuf" => Err(Failure::usage(format!(
            "{name}: found `{protocol}`, expected http/protobuf, which collectors take on port 4318"
        ))),
        _ => Ok(()),
    }
}

fn timeout(settings: &Telemetry, standard: &Standard, signal: Signal) -> Result<Duration, Failure> {
    if let Some(timeout_ms) = settings.timeout_ms {
        return Ok(Duration::from_millis(timeout_ms));
    }
    let Some((name, text)) = standard.of_signal(signal, "TIMEOUT") else { return Ok(TIMEOUT) };
    text.parse().map(Duration::from_millis).map_err(|_| {
        Failure::usage(format!("{name}: found `{text}`, expected a number of milliseconds"))
    })
}

/// The headers of all sources; those of the settings win. Values are secrets: no error shows one.
fn headers(
    settings: &Telemetry,
    standard: &Standard,
    signal: Signal,
) -> Result<HashMap<String, String>, Failure> {
    let mut all = HashMap::new();
    if let Some((place, list)) = standard.of_signal(signal, "HEADERS") {
        for pair in list.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Failure::usage(format!("{place}: expected pairs such as name=value,other=value"))
            })?;
            insert(&mut all, &place, name.trim(), &decode(value.trim()))?;
        }
    }
    for (name, value) in &settings.headers {
        let value = String::from_utf8_lossy(value.expose()).into_owned();
        insert(&mut all, "telemetry.headers", name, &value)?;
    }
    Ok(all)
}

fn insert(
    headers: &mut HashMap<String, String>,
    place: &str,
    name: &str,
    value: &str,
) -> Result<(), Failure> {
    if HeaderName::try_from(name).is_err() {
        return Err(Failure::usage(format!("{place}: `{name}` is no name of a header")));
    }
    if HeaderValue::try_from(value).is_err() {
        let reason = "is no value of a header";
        return Err(Failure::usage(format!("{place}: what is given for `{name}` {reason}")));
    }
    headers.insert(name.to_ascii_lowercase(), value.to_owned());
    Ok(())
}

/// A value with its percent escapes undone, where they are well-formed.
fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = (first == b'%').then(|| after.get(..2)).flatten();
        let decoded = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
