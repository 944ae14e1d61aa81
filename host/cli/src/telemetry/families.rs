//! The registry's families in OTLP's terms: counters as monotonic sums, gauges as gauges, histograms
//! with the same bounds. Names stay as `/metrics` has them, so that a dashboard serves both.

use std::time::{SystemTime, UNIX_EPOCH};

use caplet_runtime::prometheus::proto::{self, MetricFamily, MetricType};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
    metric, number_data_point,
};

/// The families that OTLP has a form for: the host has no others.
pub fn metrics(families: &[MetricFamily], began: SystemTime, now: SystemTime) -> Vec<Metric> {
    let times = Times { began: nanoseconds(began), now: nanoseconds(now) };
    families.iter().filter_map(|family| metric(family, times)).collect()
}

/// Since when is counted, and when it was looked, in nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Times {
    began: u64,
    now: u64,
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn metric(family: &MetricFamily, times: Times) -> Option<Metric> {
    let cumulative = AggregationTemporality::Cumulative as i32;
    let series = family.get_metric();
    let data = match family.get_field_type() {
        MetricType::COUNTER => metric::Data::Sum(Sum {
            data_points: numbers(series, times, |series| series.get_counter().get_value()),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        MetricType::GAUGE => metric::Data::Gauge(Gauge {
            data_points: numbers(series, times, |series| series.get_gauge().get_value()),
        }),
        MetricType::HISTOGRAM => metric::Data::Histogram(Histogram {
            data_points: series.iter().map(|series| histogram(series, times)).collect(),
            aggregation_temporality: cumulative,
        }),
        _ => return None,
    };
    Some(Metric {
        name: family.name().to_owned(),
        description: family.help().to_owned(),
        unit: unit(family.name()).to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

fn numbers(
    series: &[proto::Metric],
    times: Times,
    value: impl Fn(&proto::Metric) -> f64,
) -> Vec<NumberDataPoint> {
    let point = |series: &proto::Metric| NumberDataPoint {
        attributes: attributes(series),
        start_time_unix_nano: times.began,
        time_unix_nano: times.now,
        value: Some(number_data_point::Value::AsDouble(value(series))),
        ..NumberDataPoint::default()
    };
    series.iter().map(point).collect()
}

/// The registry counts what is below each bound; OTLP, what is between two.
fn histogram(series: &proto::Metric, times: Times) -> HistogramDataPoint {
    let histogram = series.get_histogram();
    let finite = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    let mut explicit_bounds = Vec::new();
    let mut bucket_counts = Vec::new();
    let mut below = 0;
    for bucket in finite {
        explicit_bounds.push(bucket.upper_bound());
        bucket_counts.push(bucket.cumulative_count().saturating_sub(below));
        below = bucket.cumulative_count();
    }
    let count = histogram.get_sample_count();
    bucket_counts.push(count.saturating_sub(below));
    HistogramDataPoint {
        attributes: attributes(series),
        start_time_unix_nano: times.began,
        time_unix_nano: times.now,
        count,
        sum: Some(histogram.get_sample_sum()),
        bucket_counts,
        explicit_bounds,
        ..HistogramDataPoint::default()
    }
}

fn attributes(series: &proto::Metric) -> Vec<KeyValue> {
    let attribute = |label: &proto::LabelPair| KeyValue {
        key: label.name().to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(label.value().to_owned())),
        }),
        ..KeyValue::default()
    };
    series.get_label().iter().map(attribute).collect()
}

/// The unit that a name ends in, in the form of the Unified Code for Units of Measure.
fn unit(name: &str) -> &'static str {
    let name = name.trim_end_matches("_total");
    if name.ends_with("_seconds") {
        "s"
    } else if name.ends_with("_bytes") {
        "By"
    } else {
        "1"
    }
}

#[cfg(test)]
mod tests {
    use caplet_runtime::prometheus::{
        HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry,
    };

    use super::*;

    fn converted(registry: &Registry) -> Vec<Metric> {
        metrics(&registry.gather(), UNIX_EPOCH, SystemTime::now())
    }

    #[test]
    fn a_counter_is_a_monotonic_sum_with_its_labels() {
        let registry = Registry::new();
        let counter = IntCounterVec::new(Opts::new("a_total", "Help."), &["plugin"]).unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.with_label_values(&["comments"]).inc_by(3);
        let metric = converted(&registry).remove(0);
        assert_eq!((metric.name.as_str(), metric.description.as_str()), ("a_total", "Help."));
        let Some(metric::Data::Sum(sum)) = metric.data else { panic!("it is a sum") };
        assert!(sum.is_monotonic);
        assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsDouble(3.0)));
        assert_eq!(sum.data_points[0].attributes[0].key, "plugin");
    }

    #[test]
    fn a_histogram_counts_between_its_bounds() {
        let registry = Registry::new();
        let options = HistogramOpts::new("a_seconds", "Help.").buckets(vec![0.1, 1.0]);
        let histogram = HistogramVec::new(options, &[]).unwrap();
        registry.register(Box::new(histogram.clone())).unwrap();
        for value in [0.05, 0.5, 0.6, 7.0] {
            histogram.with_label_values::<&str>(&[]).observe(value);
        }
        let metric = converted(&registry).remove(0);
        assert_eq!(metric.unit, "s");
        let Some(metric::Data::Histogram(histogram)) = metric.data else { panic!("it is one") };
        let point = &histogram.data_points[0];
        assert_eq!(point.explicit_bounds, [0.1, 1.0]);
        assert_eq!(point.bucket_counts, [1, 2, 1]);
        assert_eq!(point.count, 4);
    }

    #[test]
    fn a_gauge_stays_one() {
        let registry = Registry::new();
        let gauge = IntGauge::new("a_bytes", "Help.").unwrap();
        registry.register(Box::new(gauge.clone())).unwrap();
        gauge.set(5);
        let metric = converted(&registry).remove(0);
        assert_eq!(metric.unit, "By");
        assert!(
            matches!(metric.data, Some(metric::Data::Gauge(gauge)) if gauge.data_points.len() == 1)
        );
    }
}
