//! What identity counts: credentials by what became of them, and the keys of each issuer.

use caplet_runtime::prometheus::{
    self, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// The families, and the counters that every request needs.
pub(crate) struct Metrics {
    pub(crate) tokens: Outcomes,
    pub(crate) api_keys: Outcomes,
    fetches: IntCounterVec,
    keys: IntGaugeVec,
}

/// What became of credentials of one kind.
pub(crate) struct Outcomes {
    pub(crate) accepted: IntCounter,
    pub(crate) refused: IntCounter,
    /// It could not be told, because its issuer's keys cannot be had.
    pub(crate) unavailable: IntCounter,
}

/// The counters of one issuer.
pub(crate) struct KeyMetrics {
    /// Keys that may be used.
    pub(crate) keys: IntGauge,
    pub(crate) fetched: IntCounter,
    pub(crate) failed: IntCounter,
}

impl Metrics {
    /// Adds the families to `registry`.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let credentials = IntCounterVec::new(
            Opts::new(
                "caplet_credentials_total",
                "Tokens and API keys by outcome: accepted, refused, unavailable.",
            ),
            &["kind", "outcome"],
        )?;
        let fetches = IntCounterVec::new(
            Opts::new("caplet_issuer_fetches_total", "Fetches of issuers' keys by outcome."),
            &["issuer", "outcome"],
        )?;
        let keys = IntGaugeVec::new(
            Opts::new("caplet_issuer_keys", "Keys of issuers that were fetched last."),
            &["issuer"],
        )?;
        registry.register(Box::new(credentials.clone()))?;
        registry.register(Box::new(fetches.clone()))?;
        registry.register(Box::new(keys.clone()))?;
        Ok(Self {
            tokens: Outcomes::new(&credentials, "token"),
            api_keys: Outcomes::new(&credentials, "key"),
            fetches,
            keys,
        })
    }

    /// The counters of an issuer in the configuration.
    pub(crate) fn issuer(&self, issuer: &str) -> KeyMetrics {
        KeyMetrics {
            keys: self.keys.with_label_values(&[issuer]),
            fetched: self.fetches.with_label_values(&[issuer, "ok"]),
            failed: self.fetches.with_label_values(&[issuer, "failed"]),
        }
    }
}

impl Outcomes {
    fn new(credentials: &IntCounterVec, kind: &str) -> Self {
        let outcome = |outcome| credentials.with_label_values(&[kind, outcome]);
        Self {
            accepted: outcome("accepted"),
            refused: outcome("refused"),
            unavailable: outcome("unavailable"),
        }
    }
}

#[cfg(test)]
impl KeyMetrics {
    /// Counters that nobody reads.
    pub(crate) fn unregistered() -> Self {
        Metrics::new(&Registry::new()).expect("an empty registry takes them").issuer("test")
    }
}
