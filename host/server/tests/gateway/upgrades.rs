//! Upgraded connections: what passes, what does not, and how they end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::place::{Client, Place, expect_problem, in_time};
use crate::upstream::{Connection, Upstream, ok};

const ASK: &str = "GET /api/out/socket HTTP/1.1\r\nhost: h\r\nconnection: keep-alive, Upgrade\r\n\
                   upgrade: WebSocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: chat\r\n\r\n";

const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                     sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                     sec-websocket-protocol: chat\r\n\r\n";

async fn agree(connection: &mut Connection) {
    connection.request().await;
    connection.send(AGREE).await;
}

/// Sends back what it gets, until the other side says that there is no more.
async fn echo(mut connection: Connection) {
    agree(&mut connection).await;
    let (mut read, mut write) = connection.stream.split();
    let _reset = tokio::io::copy(&mut read, &mut write).await;
    let _closed = write.write_all(b"bye").await;
    let _closed = write.shutdown().await;
}

async fn upgraded(place: &Place) -> Client {
    let mut client = place.connect().await;
    client.send(ASK).await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for line in [
        "upgrade: websocket",
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "sec-websocket-protocol: chat",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} is not in {head}");
    }
    client
}

#[tokio::test]
async fn bytes_pass_both_ways_until_both_sides_have_closed() {
    let mut upstream = Upstream::start(echo).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = upgraded(&place).await;
    let request = upstream.request().await;
    assert!(request.contains("\r\nupgrade: websocket\r\n"), "{request}");
    assert!(request.contains("\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "{request}");
    client.send([0x81, 0x02, b'h', b'i']).await;
    let mut frame = [0; 4];
    in_time(client.0.read_exact(&mut frame)).await.unwrap();
    assert_eq!(&frame, b"\x81\x02hi");
    assert_eq!(place.host.host().services()[0].upgrades_open, 1);
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "bye");
    place.until_counted("caplet_service_upgrades_open{service=\"out\"} 0").await;
    for line in [
        "caplet_service_upgraded_bytes_total{direction=\"in\",service=\"out\"} 4",
        "caplet_service_upgraded_bytes_total{direction=\"out\",service=\"out\"} 7",
    ] {
        assert!(place.counted(line).await, "{line}");
    }
    place.until_counted("caplet_http_connections 0").await;
}

#[tokio::test]
async fn when_the_service_closes_the_caller_is_told() {
    let upstream =
        Upstream::start(|mut connection| async move { agree(&mut connection).await }).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = upgraded(&place).await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_silent_connection_ends_after_its_time() {
    let upstream = Upstream::start(echo).await;
    let place =
        Place::new(&upstream.url(), |options| options.timeouts.stream_idle_ms_max = 50).await;
    let mut client = upgraded(&place).await;
    assert_eq!(client.rest().await, "");
    place.until_counted("caplet_service_upgrades_open{service=\"out\"} 0").await;
}

#[tokio::test]
async fn a_stopping_host_ends_them_at_once() {
    let upstream = Upstream::start(echo).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = upgraded(&place).await;
    place.stop.send(()).unwrap();
    assert_eq!(client.rest().await, "");
    in_time(place.serving).await.unwrap();
}

#[tokio::test]
async fn they_count_as_connections_and_have_a_limit_of_their_own() {
    let upstream = Upstream::start(echo).await;
    let place = Place::new(&upstream.url(), |options| options.limits.upgrades_max = 1).await;
    let first = upgraded(&place).await;
    place.until_counted("caplet_http_connections 1").await;
    let mut second = place.connect().await;
    second.send(ASK.replace("keep-alive, ", "close, ")).await;
    expect_problem(&second.rest().await, 503, "upstream-busy");
    drop(first);
    place.until_counted("caplet_service_upgrades_open{service=\"out\"} 0").await;
    upgraded(&place).await;
}

#[tokio::test]
async fn a_service_may_refuse() {
    let upstream =
        Upstream::answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = place.connect().await;
    client.send(ASK).await;
    let answer = client.until("\r\n\r\nno").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    // The connection is still one of HTTP.
    client.get("/healthz").await;
    assert!(client.until("}").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn other_protocols_are_not_passed_through() {
    let mut upstream = Upstream::answering(ok("plain")).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = place.connect().await;
    client.send(ASK.replace("WebSocket", "h2c")).await;
    client.until("\r\n\r\nplain").await;
    let request = upstream.request().await;
    assert!(!request.contains("h2c") && !request.contains("upgrade"), "{request}");
    let other = Upstream::answering_once(AGREE.replace("websocket", "h2c")).await;
    let place = Place::new(&other.url(), |_| {}).await;
    let mut client = place.connect().await;
    client.send(ASK).await;
    expect_problem(&client.until("}").await, 502, "upstream-malformed");
}
