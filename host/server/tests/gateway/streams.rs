//! Bodies that come while they are sent on, both ways.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::place::{Place, expect_answer, in_time};
use crate::upstream::{Upstream, ok};

const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                      transfer-encoding: chunked\r\n\r\n";

/// Sends an event whenever it is told to.
async fn events(go: Arc<Notify>) -> Upstream {
    Upstream::start(move |mut connection| {
        let go = go.clone();
        async move {
            connection.request().await;
            connection.send(EVENTS).await;
            for number in 0..9 {
                go.notified().await;
                connection.send(format!("9\r\ndata: {number}\n\n\r\n")).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn events_pass_one_by_one() {
    let go = Arc::new(Notify::new());
    let upstream = events(go.clone()).await;
    // What bounds other answers does not bound event streams.
    let place = Place::new(&upstream.url(), |options| {
        options.timeouts.idle_ms_max = 1;
        options.limits.answer_bytes_max = 10;
    })
    .await;
    let mut client = place.connect().await;
    client.get("/api/out/events").await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
    for number in 0..5 {
        go.notify_one();
        assert_eq!(client.until("\n\n\r\n").await, format!("9\r\ndata: {number}\n\n\r\n"));
    }
}

#[tokio::test]
async fn a_stopping_host_ends_event_streams_whole() {
    let go = Arc::new(Notify::new());
    let upstream = events(go.clone()).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = place.connect().await;
    client.get("/api/out/events").await;
    go.notify_one();
    client.until("data: 0\n\n\r\n").await;
    place.stop.send(()).unwrap();
    assert_eq!(client.rest().await, "0\r\n\r\n");
    in_time(place.serving).await.unwrap();
}

#[tokio::test]
async fn quiet_connections_with_an_answer_under_way_stay_open() {
    let go = Arc::new(Notify::new());
    let upstream = events(go.clone()).await;
    let out = crate::place::service(&upstream.url(), |_| {});
    let place = Place::with(move |config| {
        config.http.header_read_ms_max = 300;
        config.services.insert("out".to_owned(), out);
    })
    .await;
    let mut client = place.connect().await;
    client.get("/api/out/events").await;
    client.until("\r\n\r\n").await;
    // Several times the time after which a connection that asks for nothing is closed.
    let mut idle = place.connect().await;
    for _ in 0..3 {
        assert_eq!(idle.rest().await, "");
        idle = place.connect().await;
    }
    go.notify_one();
    client.until("data: 0\n\n\r\n").await;
}

#[tokio::test]
async fn silent_event_streams_end_after_their_own_time() {
    let upstream = events(Arc::new(Notify::new())).await;
    let place =
        Place::new(&upstream.url(), |options| options.timeouts.stream_idle_ms_max = 50).await;
    let answer = place.get("/api/out/events").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    place.expect_failures("answer-timeout", 1);
}

/// Tells when a part of a body has come.
async fn receiving(came: Arc<Notify>) -> Upstream {
    Upstream::start(move |mut connection| {
        let came = came.clone();
        async move {
            let mut text = connection.request().await.unwrap_or_default();
            let mut part = Vec::new();
            while !text.ends_with("0\r\n\r\n") {
                if text.contains("part") {
                    came.notify_one();
                }
                part.clear();
                let read = tokio::io::AsyncReadExt::read_buf(&mut connection.stream, &mut part);
                if read.await.unwrap_or(0) == 0 {
                    return;
                }
                text.push_str(&String::from_utf8_lossy(&part));
            }
            connection.send(ok("received")).await;
        }
    })
    .await
}

#[tokio::test]
async fn uploads_pass_part_by_part() {
    let came = Arc::new(Notify::new());
    let upstream = receiving(came.clone()).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = place.connect().await;
    client
        .send("POST /api/out/x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n")
        .await;
    in_time(came.notified()).await;
    client.send("0\r\n\r\n").await;
    client.until("\r\n\r\nreceived").await;
}

#[tokio::test]
async fn uploads_are_bounded_in_size_and_pace() {
    let came = Arc::new(Notify::new());
    let upstream = receiving(came.clone()).await;
    let out =
        crate::place::service(&upstream.url(), |options| options.limits.request_bytes_max = 10);
    let place = Place::with(move |config| {
        config.http.body_grace_ms = 200;
        config.services.insert("out".to_owned(), out);
    })
    .await;
    let head = "POST /api/out/x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n";
    let mut announced = place.connect().await;
    announced.send(format!("{head}content-length: 11\r\n\r\n")).await;
    assert!(announced.rest().await.starts_with("HTTP/1.1 413 "));
    let mut large = place.connect().await;
    large.send(format!("{head}transfer-encoding: chunked\r\n\r\n")).await;
    large.send("b\r\nhello world\r\n").await;
    let answer = large.rest().await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body-too-large"), "{answer}");
    let mut slow = place.connect().await;
    slow.send(format!("{head}transfer-encoding: chunked\r\n\r\n4\r\npart\r\n")).await;
    let answer = slow.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body-too-slow"), "{answer}");
    place.expect_failures("caller", 2);
}

#[tokio::test]
async fn a_caller_who_is_slow_is_not_taken_for_a_service_that_is() {
    let came = Arc::new(Notify::new());
    let upstream = receiving(came.clone()).await;
    let place =
        Place::new(&upstream.url(), |options| options.timeouts.first_byte_ms_max = 500).await;
    let mut client = place.connect().await;
    client
        .send("POST /api/out/x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n")
        .await;
    in_time(came.notified()).await;
    // Meanwhile a request that the service does not answer runs into its time.
    let other =
        Upstream::start(|mut connection| async move { connection.until_closed().await }).await;
    let slow = Place::new(&other.url(), |options| options.timeouts.first_byte_ms_max = 1_500).await;
    crate::place::expect_problem(&slow.get("/api/out/x").await, 504, "upstream-timeout");
    client.send("0\r\n\r\n").await;
    client.until("\r\n\r\nreceived").await;
}

#[tokio::test]
async fn an_early_answer_passes_before_the_body_is_whole() {
    let upstream = Upstream::answering_once(
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno",
    )
    .await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = place.connect().await;
    client
        .send("POST /api/out/x HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    expect_answer(&client.rest().await.replace("HTTP/1.1 100 Continue\r\n\r\n", ""), 401, "no");
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_request_to_the_service() {
    let closed = Arc::new(Notify::new());
    let told = closed.clone();
    let mut upstream = Upstream::start(move |mut connection| {
        let told = told.clone();
        async move {
            connection.request().await;
            connection.until_closed().await;
            told.notify_one();
        }
    })
    .await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = place.connect().await;
    client.get("/api/out/x").await;
    upstream.request().await;
    drop(client);
    in_time(closed.notified()).await;
}

#[tokio::test]
async fn large_bodies_pass_whole_both_ways() {
    let upstream = Upstream::start(|mut connection| async move {
        let request = connection.request().await.unwrap_or_default();
        let (_, body) = request.split_once("\r\n\r\n").unwrap_or_default();
        connection.send(ok(body)).await;
    })
    .await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let body = "0123456789abcdef".repeat(1 << 16);
    let answer = place.ask("POST", "/api/out/x", &format!("\n\n{body}")).await;
    assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{} bytes came", answer.len());
}
