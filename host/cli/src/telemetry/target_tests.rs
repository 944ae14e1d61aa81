//! Which source of an endpoint wins, and what is said of one that does not fit.

use caplet_server::secret::Secret;

use super::*;

fn standard(list: &[(&str, &str)]) -> Standard {
    Standard::new(list.iter().map(|(name, value)| ((*name).into(), (*value).into())))
}

fn url(settings: &Telemetry, variables: &[(&str, &str)], signal: Signal) -> Option<String> {
    find(settings, &standard(variables), signal).unwrap().map(|target| target.url)
}

fn refusal(settings: &Telemetry, variables: &[(&str, &str)]) -> String {
    find(settings, &standard(variables), Signal::Traces).unwrap_err().text().to_owned()
}

fn at(endpoint: &str) -> Telemetry {
    Telemetry { endpoint: Some(endpoint.to_owned()), ..Telemetry::default() }
}

#[test]
fn nothing_is_sent_unless_somebody_says_where() {
    assert_eq!(url(&Telemetry::default(), &[], Signal::Traces), None);
    let empty = [("OTEL_EXPORTER_OTLP_ENDPOINT", "")];
    assert_eq!(url(&Telemetry::default(), &empty, Signal::Metrics), None);
}

#[test]
fn the_settings_win_over_the_variable_of_the_signal_over_the_one_for_all() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318/"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:1/in"),
    ];
    let unset = Telemetry::default();
    assert_eq!(url(&unset, &variables, Signal::Traces).unwrap(), "http://traces:1/in");
    assert_eq!(url(&unset, &variables, Signal::Metrics).unwrap(), "http://all:4318/v1/metrics");
    let set = at("https://own:2");
    assert_eq!(url(&set, &variables, Signal::Traces).unwrap(), "https://own:2/v1/traces");
}

#[test]
fn a_signal_can_be_switched_off() {
    let off = [("OTEL_METRICS_EXPORTER", "none")];
    assert_eq!(url(&at("http://a:1"), &off, Signal::Metrics), None);
    assert!(url(&at("http://a:1"), &off, Signal::Traces).is_some());
    assert_eq!(url(&at("http://a:1"), &[("OTEL_SDK_DISABLED", "TRUE")], Signal::Traces), None);
}

#[test]
fn headers_come_from_everywhere_and_are_never_shown() {
    let mut settings = at("http://a:1");
    settings.headers.insert("X-Key".to_owned(), Secret::new("own"));
    let variables = [("OTEL_EXPORTER_OTLP_HEADERS", "x-key=theirs, authorization=Basic%20YTpi,")];
    let target = find(&settings, &standard(&variables), Signal::Traces).unwrap().unwrap();
    assert_eq!(target.headers["x-key"], "own");
    assert_eq!(target.headers["authorization"], "Basic YTpi");
    let text = refusal(&settings, &[("OTEL_EXPORTER_OTLP_HEADERS", "a=hidden%0Ax")]);
    assert!(text.contains("`a`") && !text.contains("hidden"), "{text}");
    let text = refusal(&settings, &[("OTEL_EXPORTER_OTLP_HEADERS", "hidden")]);
    assert!(text.contains("name=value") && !text.contains("hidden"), "{text}");
}

#[test]
fn names_what_does_not_fit() {
    let text = refusal(&at("collector:4318"), &[]);
    assert!(text.starts_with("telemetry.endpoint: ") && text.contains("http://"), "{text}");
    let text = refusal(&at("http://a:1"), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert!(text.starts_with("OTEL_EXPORTER_OTLP_PROTOCOL: ") && text.contains("4318"), "{text}");
    let text = refusal(&at("http://a:1"), &[("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")]);
    assert!(text.starts_with("OTEL_EXPORTER_OTLP_TIMEOUT: "), "{text}");
}

#[test]
fn the_time_for_the_collector_is_set_or_standard() {
    let timeout = |settings: &Telemetry, variables: &[(&str, &str)]| {
        find(settings, &standard(variables), Signal::Traces).unwrap().unwrap().timeout.as_millis()
    };
    let variable = [("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "70")];
    assert_eq!(timeout(&at("http://a:1"), &[]), 10_000);
    assert_eq!(timeout(&at("http://a:1"), &variable), 70);
    let set = Telemetry { timeout_ms: Some(5), ..at("http://a:1") };
    assert_eq!(timeout(&set, &variable), 5);
}

#[test]
fn knows_whether_the_service_is_named() {
    assert!(standard(&[("OTEL_SERVICE_NAME", "shop")]).names_the_service());
    assert!(standard(&[("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=x")]).names_the_service());
    assert!(!standard(&[("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=x")]).names_the_service());
}

#[test]
fn undoes_percent_escapes_that_are_well_formed() {
    assert_eq!(decode("a%20b%3D"), "a b=");
    assert_eq!(decode("100%"), "100%");
    assert_eq!(decode("%zz%C3%A4"), "%zzä");
}
