//! One outside service, made of its options: all that requests to it share. What happens to a
//! request is in `forward`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use caplet_runtime::Clock;
use caplet_runtime::prometheus::IntGauge;
use http::header::HOST;
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::breaker::{Breaker, Circuit, Outcome, Pass};
use super::client::{self, Client};
use super::counters::Counters;
use super::credentials::{Introduction, Proof};
use super::failure::Failure;
use super::headers::Rules;
use super::health::{Health, Record};
use super::options::{HostHeader, ServiceOptions};
use super::retry::Budget;
use super::target::Target;

/// Why a service cannot be served. The text names the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("services.{service}{}{key}: {reason}", if key.is_empty() { "" } else { "." })]
pub struct Refused {
    /// The service's name.
    pub service: String,
    /// The setting; empty for the name itself.
    pub key: &'static str,
    /// What is wrong with it, and what is expected.
    pub reason: String,
}

/// What services are made with besides their options.
pub(crate) struct Surroundings<'a> {
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) stop: &'a watch::Sender<bool>,
}

/// A service.
pub(crate) struct Service {
    pub(crate) name: String,
    /// Where it lies on this host: `/api/<name>`.
    pub(crate) prefix: String,
    pub(crate) options: ServiceOptions,
    pub(crate) target: Target,
    pub(crate) client: Client,
    pub(crate) request_rules: Rules,
    pub(crate) response_rules: Rules,
    pub(crate) introduction: Option<Introduction>,
    pub(crate) budget: Budget,
    pub(crate) health: Record,
    pub(crate) counters: Counters,
    requests: Arc<Semaphore>,
    upgrades: Arc<Semaphore>,
    proof: Option<Proof>,
    host: Option<HeaderValue>,
    breaker: Breaker,
    /// What was last written of the circuit to the log.
    circuit_logged: Mutex<Circuit>,
    began: Instant,
    stop: watch::Receiver<bool>,
}

impl Service {
    /// # Errors
    /// The setting that is wrong.
    pub(crate) fn new(
        name: &str,
        options: ServiceOptions,
        counters: Counters,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, Refused> {
        let at = |key| move |reason: String| Refused { service: name.to_owned(), key, reason };
        let target = Target::parse(&options.url).map_err(at("url"))?;
        let client = client::new(&options, target.is_encrypted()).map_err(at("tls_ca_file"))?;
        let proof = options.credentials.as_ref().map(Proof::new).transpose();
        let introduction = Introduction::new(&options.identity, name, surroundings.clock.clone());
        check_health_path(&target, options.health.path.as_deref()).map_err(at("health.path"))?;
        check_statuses(&options.failure_statuses).map_err(at("failure_statuses"))?;
        Ok(Self {
            name: name.to_owned(),
            prefix: format!("/api/{name}"),
            client,
            request_rules: Rules::new(&options.request_headers).map_err(at("request_headers"))?,
            response_rules: Rules::new(&options.response_headers)
                .map_err(at("response_headers"))?,
            introduction: introduction.map_err(at("identity"))?,
            proof: proof.map_err(at("credentials"))?,
            host: host_value(&options.host).map_err(at("host"))?,
            breaker: Breaker::new(options.breaker.clone()),
            circuit_logged: Mutex::new(Circuit::Closed),
            budget: Budget::default(),
            health: Record::default(),
            requests: semaphore(options.limits.requests_max),
            upgrades: semaphore(options.limits.upgrades_max),
            began: Instant::now(),
            stop: surroundings.stop.subscribe(),
            counters,
            target,
            options,
        })
    }

    /// A turn for a request, until its answer has been sent.
    ///
    /// # Errors
    /// So many as may be are under way.
    pub(crate) fn turn_to_ask(&self) -> Result<Turn, Failure> {
        Turn::take(&self.requests, &self.counters.running)
    }

    /// A turn for an upgraded connection, until it ends.
    ///
    /// # Errors
    /// So many as may be are open.
    pub(crate) fn turn_to_upgrade(&self) -> Result<Turn, Failure> {
        Turn::take(&self.upgrades, &self.counters.upgrades)
    }

    /// Asks to make an attempt.
    ///
    /// # Errors
    /// The service is being left alone.
    pub(crate) fn admit(&self) -> Result<Attempt<'_>, Failure> {
        let admitted = self.breaker.admit(self.now_ms());
        self.watch_circuit();
        let pass = admitted.map_err(Failure::CircuitOpen)?;
        Ok(Attempt { service: self, pass, outcome: Outcome::Abandoned })
    }

    /// Requests are sent unless the service said that it is not well.
    ///
    /// # Errors
    /// It said so.
    pub(crate) fn check_health(&self) -> Result<(), Failure> {
        match self.health.health() {
            Health::Unhealthy => {
                let pause = Duration::from_millis(self.options.health.interval_ms);
                Err(Failure::Unhealthy(pause))
            }
            Health::Unknown | Health::Healthy => Ok(()),
        }
    }

    /// An answer that had begun was cut off.
    pub(crate) fn cut_off(&self, reason: &'static str) {
        self.counters.failed(reason);
        self.breaker.settle(self.now_ms(), Pass::Ordinary, Outcome::Failed);
        self.watch_circuit();
        tracing::warn!(service = self.name, reason, "an answer of the service was cut off");
    }

    /// Writes what proves to the service who the host is, and the `Host` that it shall see.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) {
        if let Some(host) = &self.host {
            headers.insert(HOST, host.clone());
        }
        if let Some(proof) = &self.proof {
            proof.write(headers);
        }
    }

    /// Ready once the host stops.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.clone();
        async move {
            // The sender is gone only when the host is.
            let _ = stop.wait_for(|stopped| *stopped).await;
        }
    }

    /// What operators see of it.
    pub(crate) fn status(&self) -> ServiceStatus {
        let counters = &self.counters;
        ServiceStatus {
            name: self.name.clone(),
            title: self.options.title.clone().unwrap_or_else(|| self.name.clone()),
            path: self.prefix.clone(),
            url: self.target.to_string(),
            health: self.health.health(),
            circuit: self.breaker.circuit(),
            requests_running: gauge(&counters.running),
            upgrades_open: gauge(&counters.upgrades),
            requests: counters.requests.count(),
            retries: counters.retries.get(),
            failures: counters.failures().map(|(reason, n)| (reason.to_owned(), n)).collect(),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn watch_circuit(&self) {
        let circuit = self.breaker.circuit();
        let mut logged = self.circuit_logged.lock();
        if *logged == circuit {
            return;
        }
        *logged = circuit;
        self.counters.circuit.set(match circuit {
            Circuit::Closed => 0,
            Circuit::HalfOpen => 1,
            Circuit::Open => 2,
        });
        match circuit {
            Circuit::Open => tracing::warn!(service = self.name, "the service is left alone"),
            Circuit::HalfOpen => tracing::info!(service = self.name, "the service is tried again"),
            Circuit::Closed => tracing::info!(service = self.name, "the service is back"),
        }
    }
}

/// A place among those that are under way at once; given back when dropped.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    gauge: IntGauge,
}

impl Turn {
    fn take(turns: &Arc<Semaphore>, gauge: &IntGauge) -> Result<Self, Failure> {
        let permit = turns.clone().try_acquire_owned().map_err(|_| Failure::Busy)?;
        gauge.inc();
        Ok(Self { _permit: permit, gauge: gauge.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// One attempt that was let through. Dropped before its outcome is known, it was given up.
pub(crate) struct Attempt<'a> {
    service: &'a Service,
    pass: Pass,
    outcome: Outcome,
}

impl Attempt<'_> {
    pub(crate) fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.service.breaker.settle(self.service.now_ms(), self.pass, self.outcome);
        self.service.watch_circuit();
    }
}

/// What operators see of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceStatus {
    /// The name, which is also the first segment of its paths below `/api`.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// Where it lies on this host.
    pub path: String,
    /// Where it is.
    pub url: String,
    /// What it says of itself.
    pub health: Health,
    /// Whether requests reach it.
    pub circuit: Circuit,
    /// Requests under way.
    pub requests_running: u64,
    /// Upgraded connections that are open.
    pub upgrades_open: u64,
    /// Requests since the host started.
    pub requests: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// From the reason to how many requests failed for it, where any did.
    pub failures: BTreeMap<String, u64>,
}

fn gauge(gauge: &IntGauge) -> u64 {
    u64::try_from(gauge.get()).unwrap_or_default()
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

/// None for the one that the client writes by itself, or that of each caller.
fn host_value(host: &HostHeader) -> Result<Option<HeaderValue>, String> {
    let HostHeader::Fixed(name) = host else { return Ok(None) };
    let is_host = name.parse::<http::uri::Authority>().is_ok() && !name.contains('@');
    match HeaderValue::from_str(name) {
        Ok(value) if is_host => Ok(Some(value)),
        _ => Err(format!("found `{name}`, expected `upstream`, `client` or the name of a host")),
    }
}

fn check_health_path(target: &Target, path: Option<&str>) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    let plain = path.split('?').next().unwrap_or_default();
    let is_fine = plain.starts_with('/') && target.uri(plain, None).is_ok();
    if is_fine {
        Ok(())
    } else {
        Err(format!("found `{path}`, expected a path such as `/healthz`"))
    }
}

fn check_statuses(statuses: &[u16]) -> Result<(), String> {
    match statuses.iter().find(|status| !(400..600).contains(*status)) {
        Some(status) => Err(format!("found {status}, expected statuses from 400 to 599")),
        None => Ok(()),
    }
}
