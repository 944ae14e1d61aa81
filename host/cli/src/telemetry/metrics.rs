//! Sends the counters of `/metrics` to the collector, again and again. They are read from the
//! registry that `/metrics` is written from: there is one truth.

use std::time::{Duration, SystemTime};

use caplet_server::Host;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use prost::Message;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::Counters;
use super::client::Client;
use super::families;
use super::spans::tell_of_change;
use super::target::Target;

/// The task that sends the metrics.
#[derive(Clone)]
pub struct Pusher {
    pub client: Client,
    pub target: Target,
    pub resource: Resource,
    pub interval: Duration,
    pub stopped: watch::Receiver<bool>,
    pub counters: Counters,
}

impl Pusher {
    /// Sends at each interval, and once more at the end.
    pub async fn run(mut self, host: Host) {
        let began = SystemTime::now();
        let mut is_taken = true;
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            let is_last = tokio::select! {
                _ = ticks.tick() => false,
                _ = self.stopped.wait_for(|is_stopped| *is_stopped) => true,
            };
            let sent = self.push(&host, began).await;
            self.counters.push("metrics", sent.is_ok());
            tell_of_change(&mut is_taken, "metrics", sent);
            if is_last {
                return;
            }
        }
    }

    async fn push(&self, host: &Host, began: SystemTime) -> Result<(), String> {
        let body = self.message(host, began).encode_to_vec();
        let Target { url, headers, timeout } = &self.target;
        let mut request = self.client.0.post(url).timeout(*timeout).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let sent = request.header(CONTENT_TYPE, "application/x-protobuf").send().await;
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn message(&self, host: &Host, began: SystemTime) -> ExportMetricsServiceRequest {
        let registered = host.runtime().metrics().gather();
        let ResourceAttributesWithSchema { attributes, .. } = (&self.resource).into();
        let scope = InstrumentationScope {
            name: "caplet".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let metrics = families::metrics(&registered, began, SystemTime::now());
        let resource = opentelemetry_proto::tonic::resource::v1::Resource {
            attributes: attributes.0,
            ..Default::default()
        };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope),
                    metrics,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        }
    }
}
