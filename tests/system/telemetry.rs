//! A collector that is gone, or takes everything and answers nothing, harms no request and does not
//! keep the host from ending.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use caplet_tests::{Place, Server};

/// How long the host may wait for the collector: far longer than the whole test takes when no
/// request waits for it.
const COLLECTOR_MS: &str = "60000";

async fn start(place: &Place, endpoint: &str) -> Server {
    place.install("echo", "echo.wasm");
    let settings = [
        ("CAPLET_TELEMETRY__ENDPOINT", endpoint),
        ("CAPLET_TELEMETRY__TIMEOUT_MS", COLLECTOR_MS),
        ("CAPLET_TELEMETRY__SPANS_DELAY_MS", "1"),
        ("CAPLET_TELEMETRY__METRICS_INTERVAL_MS", "10"),
        ("CAPLET_TELEMETRY__SPANS_QUEUE_MAX", "16"),
        ("CAPLET_TELEMETRY__FLUSH_MS_MAX", "300"),
    ];
    place.start(&settings).await
}

/// Asks often, and returns how many spans were dropped.
async fn ask_often(server: &Server) -> u64 {
    let began = Instant::now();
    for _ in 0..500 {
        assert_eq!(server.get("/api/echo/x").await.0, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let (_, metrics) = server.get("/metrics").await;
    let dropped = "caplet_telemetry_spans_total{outcome=\"dropped\"} ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(dropped));
    line.expect("it is counted").parse().expect("a number")
}

async fn ends_in_time(server: Server) {
    let began = Instant::now();
    assert_eq!(server.stop().await, 0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_collector_that_never_answers_costs_spans_and_no_request() {
    let collector = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = collector.local_addr().expect("it has an address");
    let place = Place::new();
    let server = start(&place, &format!("http://{address}")).await;
    // Two spans a request, of which the queue and the batch under way hold some.
    assert!(ask_often(&server).await > 0);
    ends_in_time(server).await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_no_request() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = port.local_addr().expect("it has an address");
    drop(port);
    let place = Place::new();
    let server = start(&place, &format!("http://{address}")).await;
    ask_often(&server).await;
    ends_in_time(server).await;
}
