//! Whether a service is asked: retries, the circuit breaker, health, and turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use caplet_server::gateway::options::{BreakerOptions, Retry};
use caplet_server::gateway::{Circuit, Health};

use crate::place::{Place, expect_answer, expect_problem};
use crate::upstream::{Upstream, ok};

const BAD: &str =
    "HTTP/1.1 503 Service Unavailable\r\nretry-after: 9\r\ncontent-length: 3\r\n\r\nbad";

fn at_once(retries_max: u32) -> Retry {
    Retry { retries_max, backoff_ms: 0, ..Retry::default() }
}

fn never() -> BreakerOptions {
    BreakerOptions { failure_percent: 101, ..BreakerOptions::default() }
}

/// Hangs up on the first `n` requests, or answers them with `BAD`, and is well then.
async fn recovering(n: usize, hangs_up: bool) -> Upstream {
    let asked = Arc::new(AtomicUsize::new(0));
    Upstream::start(move |mut connection| {
        let asked = asked.clone();
        async move {
            while connection.request().await.is_some() {
                match (asked.fetch_add(1, Ordering::SeqCst) < n, hangs_up) {
                    (true, true) => return,
                    (true, false) => connection.send(BAD).await,
                    (false, _) => connection.send(ok("well")).await,
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn idempotent_requests_are_sent_again_as_often_as_allowed() {
    for hangs_up in [true, false] {
        for (method, body) in [("GET", ""), ("PUT", "\n\nbody"), ("DELETE", ""), ("OPTIONS", "")] {
            let mut upstream = recovering(2, hangs_up).await;
            let place = Place::new(&upstream.url(), |options| options.retry = at_once(2)).await;
            expect_answer(&place.ask(method, "/api/out/x", body).await, 200, "well");
            let bodies =
                [upstream.request().await, upstream.request().await, upstream.request().await];
            assert!(bodies.iter().all(|request| request.ends_with(body.trim_start())));
            assert_eq!(upstream.further_requests(), 0);
            assert_eq!(place.host.host().services()[0].retries, 2);
        }
    }
}

#[tokio::test]
async fn after_the_last_attempt_its_outcome_counts() {
    let mut upstream = recovering(100, true).await;
    let place = Place::new(&upstream.url(), |options| options.retry = at_once(3)).await;
    expect_problem(&place.get("/api/out/x").await, 502, "upstream-reset");
    assert_eq!(upstream.further_requests(), 4);
    let mut upstream = recovering(100, false).await;
    let place = Place::new(&upstream.url(), |options| options.retry = at_once(3)).await;
    let answer = place.get("/api/out/x").await;
    expect_answer(&answer, 503, "\r\n\r\nbad");
    assert!(answer.contains("retry-after: 9\r\n"), "{answer}");
    assert_eq!(upstream.further_requests(), 4);
}

#[tokio::test]
async fn others_are_sent_once() {
    for hangs_up in [true, false] {
        for method in ["POST", "PATCH"] {
            let mut upstream = recovering(1, hangs_up).await;
            let place = Place::new(&upstream.url(), |options| options.retry = at_once(5)).await;
            let answer = place.ask(method, "/api/out/x", "\n\nbody").await;
            assert!(!answer.contains("well"), "{answer}");
            assert_eq!(upstream.further_requests(), 1);
        }
    }
    let mut upstream = recovering(1, true).await;
    let place = Place::new(&upstream.url(), |options| {
        options.retry = Retry { body_bytes_max: 3, ..at_once(5) };
    })
    .await;
    expect_problem(&place.ask("PUT", "/api/out/x", "\n\nbody").await, 502, "upstream-reset");
    assert_eq!(upstream.further_requests(), 1);
}

#[tokio::test]
async fn further_attempts_have_a_budget() {
    let mut upstream = recovering(1_000, true).await;
    let place = Place::new(&upstream.url(), |options| {
        options.retry = Retry { budget_percent: 10, ..at_once(10) };
        options.breaker = never();
    })
    .await;
    for _ in 0..31 {
        expect_problem(&place.get("/api/out/x").await, 502, "upstream-reset");
    }
    // Ten are saved up, and the thirty requests after the first bring in three.
    assert_eq!(upstream.further_requests(), 31 + 10 + 3);
}

#[tokio::test]
async fn a_failing_service_is_left_alone_and_tried_again() {
    let well = Arc::new(AtomicBool::new(false));
    let state = well.clone();
    let mut upstream = Upstream::start(move |mut connection| {
        let well = state.clone();
        async move {
            while connection.request().await.is_some() {
                let answer = if well.load(Ordering::SeqCst) { ok("well") } else { BAD.to_owned() };
                connection.send(answer).await;
            }
        }
    })
    .await;
    let place = Place::new(&upstream.url(), |options| {
        options.retry = at_once(0);
        options.breaker = BreakerOptions {
            attempts_min: 4,
            open_ms: 1_000,
            probes: 1,
            ..BreakerOptions::default()
        };
    })
    .await;
    for _ in 0..4 {
        expect_answer(&place.get("/api/out/x").await, 503, "bad");
    }
    let answer = place.get("/api/out/x").await;
    expect_problem(&answer, 503, "upstream-circuit-open");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    assert_eq!((upstream.further_requests(), circuit(&place)), (4, Circuit::Open));
    place.until_counted("caplet_service_circuit{service=\"out\"} 2").await;
    well.store(true, Ordering::SeqCst);
    let recovered = async {
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(20));
        while !place.get("/api/out/x").await.ends_with("well") {
            pause.tick().await;
        }
    };
    crate::place::in_time(recovered).await;
    assert_eq!((upstream.further_requests(), circuit(&place)), (1, Circuit::Closed));
    place.until_counted("caplet_service_circuit{service=\"out\"} 0").await;
}

fn circuit(place: &Place) -> Circuit {
    place.host.host().services()[0].circuit
}

#[tokio::test]
async fn faults_of_callers_do_not_open_the_circuit() {
    let upstream = Upstream::answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let place = Place::new(&upstream.url(), |options| {
        options.breaker = BreakerOptions { attempts_min: 1, ..BreakerOptions::default() };
        options.limits.request_bytes_max = 2;
    })
    .await;
    for _ in 0..3 {
        expect_answer(&place.get("/api/out/x").await, 404, "\r\n\r\n");
        let chunked = "transfer-encoding: chunked\n\n";
        assert!(place.ask("POST", "/api/out/x", "\n\nlarge").await.contains(" 413 "), "{chunked}");
    }
    assert_eq!(circuit(&place), Circuit::Closed);
}

#[tokio::test]
async fn one_that_is_not_well_is_sent_nothing_until_it_is() {
    let well = Arc::new(AtomicBool::new(true));
    let state = well.clone();
    let upstream = Upstream::start(move |mut connection| {
        let well = state.clone();
        async move {
            while let Some(request) = connection.request().await {
                let asks = request.starts_with("GET /status?deep HTTP/1.1");
                let unwell = asks && !well.load(Ordering::SeqCst);
                let answer = if unwell { BAD.to_owned() } else { ok("well") };
                connection.send(answer).await;
            }
        }
    })
    .await;
    let place = Place::new(&upstream.url(), |options| {
        options.health.path = Some("/status?deep".into());
        options.health.interval_ms = 20;
    })
    .await;
    until_health(&place, Health::Healthy).await;
    expect_answer(&place.get("/api/out/x").await, 200, "well");
    well.store(false, Ordering::SeqCst);
    until_health(&place, Health::Unhealthy).await;
    let answer = place.get("/api/out/x").await;
    expect_problem(&answer, 503, "upstream-unhealthy");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    place.until_counted("caplet_service_healthy{service=\"out\"} 0").await;
    well.store(true, Ordering::SeqCst);
    until_health(&place, Health::Healthy).await;
    expect_answer(&place.get("/api/out/x").await, 200, "well");
}

async fn until_health(place: &Place, health: Health) {
    let reached = async {
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(5));
        while place.host.host().services()[0].health != health {
            pause.tick().await;
        }
    };
    crate::place::in_time(reached).await;
}

#[tokio::test]
async fn more_than_may_run_are_told_to_come_back() {
    let upstream = Upstream::start(|mut connection| async move {
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npa").await;
        connection.until_closed().await;
    })
    .await;
    let place = Place::new(&upstream.url(), |options| options.limits.requests_max = 1).await;
    let mut first = place.connect().await;
    first.get("/api/out/x").await;
    // Its answer has begun and is being sent.
    first.until("\r\n\r\npa").await;
    let answer = place.get("/api/out/x").await;
    expect_problem(&answer, 503, "upstream-busy");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    assert_eq!(place.host.host().services()[0].requests_running, 1);
    // A caller who hangs up makes room.
    drop(first);
    place.until_counted("caplet_service_requests_running{service=\"out\"} 0").await;
    let mut third = place.connect().await;
    third.get("/api/out/x").await;
    third.until("\r\n\r\npa").await;
}
