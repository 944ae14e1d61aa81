//! One look at a host: the counters of each plugin, as they stood then.

use std::collections::BTreeMap;
use std::time::Instant;

use super::exposition::Series;

/// The counters of a host at one moment.
#[derive(Debug, Clone)]
pub struct Sample {
    pub at: Instant,
    pub connections: f64,
    /// By name; the empty name stands for what the host serves itself.
    pub plugins: BTreeMap<String, Counts>,
}

/// One plugin's counters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    pub requests: f64,
    pub errors: f64,
    /// Requests that took at most so many seconds, by the bound.
    pub buckets: Vec<(f64, f64)>,
    pub cpu_seconds: f64,
    pub memory_bytes: f64,
    pub running: f64,
    pub waiting: f64,
    pub limit_hits: f64,
}

impl Sample {
    /// Sorts the numbers by plugin; none when they are no host's.
    pub fn of(all: &[Series]) -> Option<Self> {
        all.iter().find(|series| series.name == "caplet_http_connections")?;
        let mut sample = Self { at: Instant::now(), connections: 0.0, plugins: BTreeMap::new() };
        for series in all {
            if series.name == "caplet_http_connections" {
                sample.connections = series.value;
            } else if series.name.starts_with("caplet_") && has_plugin(series) {
                let plugin = series.label("plugin").to_owned();
                sample.plugins.entry(plugin).or_default().add(series);
            }
        }
        for counts in sample.plugins.values_mut() {
            counts.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        }
        Some(sample)
    }

    /// All requests, whosever they were.
    pub fn requests(&self) -> f64 {
        self.plugins.values().map(|counts| counts.requests).sum()
    }
}

/// Whether it is about a plugin, or about the host, which has an empty name. What has brackets is a
/// component that has not said its name yet.
fn has_plugin(series: &Series) -> bool {
    series.labels.iter().any(|(name, value)| name == "plugin" && !value.starts_with('('))
}

impl Counts {
    fn add(&mut self, series: &Series) {
        let value = series.value;
        match series.name.as_str() {
            "caplet_http_requests_total" => {
                self.requests += value;
                if series.label("class") == "5xx" {
                    self.errors += value;
                }
            }
            "caplet_http_request_seconds_bucket" => {
                if let Ok(bound) = series.label("le").parse() {
                    self.buckets.push((bound, value));
                }
            }
            "caplet_invocation_cpu_seconds_total" => self.cpu_seconds = value,
            "caplet_plugin_memory_bytes" => self.memory_bytes = value,
            "caplet_invocations_running" => self.running = value,
            "caplet_invocations_waiting" => self.waiting = value,
            "caplet_limit_hits_total" => self.limit_hits += value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::exposition::parse;
    use super::*;

    #[test]
    fn sorts_numbers_by_plugin() {
        let text = "caplet_http_connections 4\n\
            caplet_http_requests_total{class=\"2xx\",plugin=\"a\"} 7\n\
            caplet_http_requests_total{class=\"5xx\",plugin=\"a\"} 2\n\
            caplet_http_requests_total{class=\"4xx\",plugin=\"\"} 1\n\
            caplet_http_request_seconds_bucket{plugin=\"a\",le=\"+Inf\"} 9\n\
            caplet_http_request_seconds_bucket{plugin=\"a\",le=\"0.1\"} 8\n\
            caplet_limit_hits_total{plugin=\"a\",limit=\"queue\"} 1\n\
            caplet_limit_hits_total{plugin=\"a\",limit=\"retry\"} 2\n\
            caplet_instances{plugin=\"(describing)\"} 0\n\
            caplet_loads_total{outcome=\"ok\"} 2\n";
        let sample = Sample::of(&parse(text)).unwrap();
        assert_eq!((sample.connections, sample.requests()), (4.0, 10.0));
        let counts = &sample.plugins["a"];
        assert_eq!((counts.requests, counts.errors, counts.limit_hits), (9.0, 2.0, 3.0));
        assert_eq!(counts.buckets, [(0.1, 8.0), (f64::INFINITY, 9.0)]);
        assert_eq!(sample.plugins.len(), 2);
    }

    #[test]
    fn other_programs_metrics_are_no_sample() {
        assert!(Sample::of(&parse("go_goroutines 7\n")).is_none());
        assert!(Sample::of(&parse("<html></html>")).is_none());
    }
}
