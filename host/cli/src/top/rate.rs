//! The difference of two looks: how much of what happened in a second, and how long it took.

use super::sample::{Counts, Sample};

/// What one plugin did between two looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Empty for what the host serves itself.
    pub plugin: String,
    pub requests_per_second: f64,
    pub errors_per_second: f64,
    /// The times, in seconds, within which half, 95 and 99 of 100 requests were answered; none when
    /// there were none.
    pub percentiles: Option<[f64; 3]>,
    /// Of one core.
    pub cpu_percent: f64,
    pub memory_bytes: f64,
    pub running: f64,
    pub waiting: f64,
    /// Since the host was started.
    pub limit_hits: f64,
    /// Between the two looks.
    pub new_limit_hits: f64,
}

/// The rows of all plugins that are there now. A host that was started anew between the looks has
/// counted from zero, which is no difference: then there are none.
pub fn rows(before: &Sample, after: &Sample) -> Vec<Row> {
    let seconds = (after.at - before.at).as_secs_f64().max(0.001);
    if after.requests() < before.requests() {
        return Vec::new();
    }
    let row = |(plugin, counts): (&String, &Counts)| {
        let nothing = Counts::default();
        let before = before.plugins.get(plugin).unwrap_or(&nothing);
        row(plugin, before, counts, seconds)
    };
    after.plugins.iter().map(row).collect()
}

fn row(plugin: &str, before: &Counts, after: &Counts, seconds: f64) -> Row {
    let per_second = |before: f64, after: f64| (after - before).max(0.0) / seconds;
    Row {
        plugin: plugin.to_owned(),
        requests_per_second: per_second(before.requests, after.requests),
        errors_per_second: per_second(before.errors, after.errors),
        percentiles: percentiles(&new_in_buckets(before, after)),
        cpu_percent: per_second(before.cpu_seconds, after.cpu_seconds) * 100.0,
        memory_bytes: after.memory_bytes,
        running: after.running,
        waiting: after.waiting,
        limit_hits: after.limit_hits,
        new_limit_hits: (after.limit_hits - before.limit_hits).max(0.0),
    }
}

/// How many requests took at most so long, of those between the looks.
fn new_in_buckets(before: &Counts, after: &Counts) -> Vec<(f64, f64)> {
    let known = |bound: f64| {
        let same = before.buckets.iter().find(|(known, _)| known.total_cmp(&bound).is_eq());
        same.map_or(0.0, |(_, count)| *count)
    };
    after.buckets.iter().map(|(bound, count)| (*bound, (count - known(*bound)).max(0.0))).collect()
}

fn percentiles(buckets: &[(f64, f64)]) -> Option<[f64; 3]> {
    let total = buckets.last()?.1;
    (total > 0.0).then(|| [0.5, 0.95, 0.99].map(|part| percentile(buckets, part * total)))
}

/// Within its bucket a request is as likely here as there. Beyond the last bound all that is known
/// is the bound.
fn percentile(buckets: &[(f64, f64)], rank: f64) -> f64 {
    let (mut lower, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= rank {
            let inside = count - below;
            let part = if inside > 0.0 { (rank - below) / inside } else { 1.0 };
            return if bound.is_finite() { lower + (bound - lower) * part } else { lower };
        }
        (lower, below) = (*bound, *count);
    }
    lower
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use super::*;

    fn sample(after: Duration, counts: Counts) -> Sample {
        Sample {
            at: Instant::now() + after,
            connections: 0.0,
            plugins: BTreeMap::from([("a".to_owned(), counts)]),
        }
    }

    fn counts(requests: f64, buckets: &[(f64, f64)]) -> Counts {
        Counts { requests, buckets: buckets.to_vec(), ..Counts::default() }
    }

    #[test]
    fn tells_what_happened_in_a_second() {
        let before = sample(Duration::ZERO, Counts { errors: 1.0, ..counts(10.0, &[]) });
        let mut more = counts(30.0, &[]);
        more.errors = 5.0;
        more.cpu_seconds = 1.0;
        more.limit_hits = 3.0;
        let row = rows(&before, &sample(Duration::from_secs(2), more)).remove(0);
        assert!((row.requests_per_second - 10.0).abs() < 0.01);
        assert!((row.errors_per_second - 2.0).abs() < 0.01);
        assert!((row.cpu_percent - 50.0).abs() < 0.1);
        assert_eq!((row.limit_hits, row.new_limit_hits), (3.0, 3.0));
        assert_eq!(row.percentiles, None);
    }

    #[test]
    fn percentiles_are_those_of_the_time_between() {
        let slow = [(0.1, 0.0), (1.0, 100.0), (f64::INFINITY, 100.0)];
        let quick = [(0.1, 100.0), (1.0, 200.0), (f64::INFINITY, 200.0)];
        let before = sample(Duration::ZERO, counts(100.0, &slow));
        let row = rows(&before, &sample(Duration::from_secs(1), counts(200.0, &quick))).remove(0);
        let [p50, p95, p99] = row.percentiles.unwrap();
        assert!((p50 - 0.05).abs() < 1e-9 && (p95 - 0.095).abs() < 1e-9, "{p50} {p95}");
        assert!((p99 - 0.099).abs() < 1e-9);
    }

    #[test]
    fn beyond_the_last_bound_the_bound_is_all_that_is_known() {
        let buckets = [(0.1, 0.0), (10.0, 1.0), (f64::INFINITY, 4.0)];
        assert_eq!(percentiles(&buckets).unwrap(), [10.0; 3]);
        assert_eq!(percentiles(&[]), None);
    }

    #[test]
    fn a_host_that_was_started_anew_has_no_past() {
        let before = sample(Duration::ZERO, counts(10.0, &[]));
        let after = sample(Duration::from_secs(1), counts(3.0, &[]));
        assert!(rows(&before, &after).is_empty());
    }
}
