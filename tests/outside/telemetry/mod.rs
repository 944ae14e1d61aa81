//! Traces and metrics, as a collector sees them that decodes them with OpenTelemetry's own package.

use std::collections::BTreeMap;
use std::process::Stdio;

use caplet_tests::outside::python;
use caplet_tests::{PATIENCE, Place, Server};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A collector that ends with the test.
struct Collector {
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
    _process: Child,
}

impl Collector {
    async fn start() -> Self {
        let mut command = python("telemetry/collector.py");
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the collector starts");
        let output = process.stdout.take().expect("its output is piped");
        let mut collector = Self {
            lines: BufReader::new(output).lines(),
            address: String::new(),
            _process: process,
        };
        let listening = collector.next().await;
        collector.address = text(&listening["address"]).to_owned();
        collector
    }

    /// What it was sent next.
    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("it is sent something in time").expect("its output is text");
        serde_json::from_str(&line.expect("it lives")).expect("a line is JSON")
    }

    /// What it is sent until it is enough.
    async fn until(&mut self, mut is_enough: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
        let mut all = Vec::new();
        while !is_enough(&all) {
            all.push(self.next().await);
        }
        all
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn has_span(all: &[Value], name: &str) -> bool {
    all.iter().any(|it| it["signal"] == "span" && it["name"] == name)
}

async fn host(place: &Place, collector: &Collector, more: &[(&str, &str)]) -> Server {
    let mut settings = vec![
        ("CAPLET_TELEMETRY__ENDPOINT", collector.address.as_str()),
        ("CAPLET_TELEMETRY__HEADERS__X_KEY", "open sesame"),
        ("CAPLET_TELEMETRY__SPANS_DELAY_MS", "20"),
        ("CAPLET_TELEMETRY__METRICS_INTERVAL_MS", "200"),
    ];
    settings.extend_from_slice(more);
    place.start(&settings).await
}

async fn comment(server: &Server, trace_flags: &str) {
    let token = server.token(&["--subject", "ada"]).await;
    let answer = server
        .client()
        .post(server.url("/api/comments"))
        .bearer_auth(token)
        .header("traceparent", format!("00-{TRACE_ID}-{CALLER}-{trace_flags}"))
        .header("tracestate", "shop=17")
        .json(&serde_json::json!({ "target": "post:1", "body": "A body to hide." }))
        .send()
        .await
        .expect("the host answers");
    assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
}

#[tokio::test]
async fn one_trace_goes_through_host_plugin_and_sql() {
    let mut collector = Collector::start().await;
    let place = Place::new();
    place.install("comments", "comments.wasm");
    let server = host(&place, &collector, &[]).await;
    comment(&server, "01").await;
    let all = collector.until(|all| has_span(all, "POST /api/comments")).await;
    let spans: Vec<&Value> =
        all.iter().filter(|it| it["signal"] == "span" && it["trace_id"] == TRACE_ID).collect();
    let by_id: BTreeMap<&str, &Value> =
        spans.iter().map(|span| (text(&span["span_id"]), *span)).collect();
    let find = |name: &str| {
        let found = spans.iter().find(|span| text(&span["name"]).starts_with(name));
        *found.unwrap_or_else(|| panic!("{name} is not in {spans:#?}"))
    };

    let request = find("POST /api/comments");
    assert_eq!(request["parent"], CALLER);
    assert_eq!(request["kind"], "SPAN_KIND_SERVER");
    assert_eq!(request["trace_state"], "shop=17");
    assert_eq!(request["attributes"]["http.response.status_code"], 201);
    assert_eq!(request["attributes"]["http.route"], "/api/comments");

    let invocation = find("comments.create_comment");
    assert_eq!(invocation["parent"], request["span_id"]);
    assert_eq!(invocation["attributes"]["caplet.plugin"], "comments");

    let statements: Vec<_> =
        spans.iter().filter(|span| span["kind"] == "SPAN_KIND_CLIENT").collect();
    assert!(statements.iter().all(|span| span["parent"] == invocation["span_id"]));
    let insert = find("INSERT comments");
    assert_eq!(insert["attributes"]["db.system.name"], "sqlite");
    assert!(text(&insert["attributes"]["db.query.text"]).contains("INSERT INTO"));
    find("BEGIN comments");
    find("COMMIT comments");

    assert!(by_id.len() >= 5 && spans.iter().all(|span| span["service"] == "caplet"));
    assert!(spans.iter().all(|span| span["key"] == "open sesame"), "{spans:#?}");
    let everything = serde_json::to_string(&spans).expect("JSON");
    assert!(!everything.contains("A body to hide"));
}

#[tokio::test]
async fn a_caller_who_does_not_sample_is_heeded_and_the_rest_is_sent() {
    let mut collector = Collector::start().await;
    let place = Place::new();
    place.install("comments", "comments.wasm");
    let more = [("OTEL_SERVICE_NAME", "shop")];
    let server = host(&place, &collector, &more).await;
    comment(&server, "00").await;
    let answer = server.client().get(server.url("/api/comments?target=post:1")).send().await;
    assert_eq!(answer.expect("the host answers").status(), 200);
    let all = collector.until(|all| has_span(all, "GET /api/comments")).await;
    assert!(all.iter().all(|it| it["trace_id"] != TRACE_ID), "{all:#?}");
    assert!(all.iter().all(|it| it["service"] == "shop"), "{all:#?}");
}

#[tokio::test]
async fn the_metrics_are_those_of_the_host() {
    let mut collector = Collector::start().await;
    let place = Place::new();
    place.install("comments", "comments.wasm");
    let server = host(&place, &collector, &[]).await;
    comment(&server, "01").await;
    let is_counted = |it: &Value, name: &str, kind: &str| {
        it["name"] == name
            && it["kind"] == kind
            && it["attributes"]["plugin"] == "comments"
            && it["value"].as_f64() > Some(0.0)
    };
    let wanted = [
        ("caplet_http_requests_total", "sum"),
        ("caplet_invocations_total", "sum"),
        ("caplet_invocation_seconds", "histogram"),
        ("caplet_invocation_cpu_seconds_total", "sum"),
        ("caplet_plugin_memory_bytes", "gauge"),
        ("caplet_sql_statements_total", "sum"),
    ];
    collector
        .until(|all| {
            wanted.iter().all(|(name, kind)| all.iter().any(|it| is_counted(it, name, kind)))
        })
        .await;
}

#[tokio::test]
async fn what_is_left_is_sent_at_the_end() {
    let mut collector = Collector::start().await;
    let place = Place::new();
    place.install("comments", "comments.wasm");
    let more = [("CAPLET_TELEMETRY__SPANS_DELAY_MS", "3600000")];
    let server = host(&place, &collector, &more).await;
    comment(&server, "01").await;
    assert_eq!(server.stop().await, 0);
    collector.until(|all| has_span(all, "POST /api/comments")).await;
}
