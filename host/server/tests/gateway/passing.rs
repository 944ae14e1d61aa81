//! What reaches a service and what comes back, when all is well.

use caplet_server::gateway::options::{HostHeader, Passing};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::place::{Place, expect_answer, in_time};
use crate::upstream::{Upstream, ok};

#[tokio::test]
async fn the_service_sees_what_was_asked_and_who_passed_it_on() {
    let mut upstream = Upstream::answering(ok("hello")).await;
    let place = Place::new(&format!("{}/base", upstream.url()), |_| {}).await;
    let headers = "accept: text/plain\nx-forwarded-for: 6.6.6.6\ncookie: session=1\nte: trailers\nx-request-id: order-7\n\
                   traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = place.ask("GET", "/api/out/a%2Fb/%7Ec?x='1'&y=%2e%2e/", headers).await;
    expect_answer(&answer, 200, "\r\n\r\nhello");
    assert!(answer.contains("x-request-id: order-7\r\n"), "{answer}");
    let request = upstream.request().await;
    let address = upstream.url().replace("http://", "");
    assert!(request.starts_with("GET /base/a%2Fb/~c?x='1'&y=%2e%2e/ HTTP/1.1\r\n"), "{request}");
    for line in [
        "accept: text/plain",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: h",
        "x-forwarded-proto: http",
        "x-forwarded-prefix: /api/out",
        "forwarded: for=127.0.0.1;host=\"h\";proto=http",
        "x-request-id: order-7",
        &format!("host: {address}"),
    ] {
        assert!(request.contains(&format!("\r\n{line}\r\n")), "{line} is not in {request}");
    }
    assert!(request.contains("\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-"), "{request}");
    for absent in ["6.6.6.6", "cookie", "\r\nte:", "b7ad6b7169203331", "connection: close"] {
        assert!(!request.contains(absent), "{absent} is in {request}");
    }
}

#[tokio::test]
async fn methods_statuses_and_bodies_pass() {
    let mut upstream = Upstream::answering(
        "HTTP/1.1 422 Odd\r\nx-own: 1\r\nconnection: x-private\r\nx-private: 1\r\n\
         set-cookie: a=b\r\ncontent-length: 4\r\n\r\nodd!",
    )
    .await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = place.ask(method, "/api/out", "content-type: a/b\n\nthe body").await;
        expect_answer(&answer, 422, "\r\n\r\nodd!");
        assert!(answer.contains("x-own: 1\r\n") && !answer.contains("x-private"), "{answer}");
        assert!(!answer.contains("set-cookie"), "{answer}");
        let request = upstream.request().await;
        assert!(request.starts_with(&format!("{method} / HTTP/1.1\r\n")), "{request}");
        assert!(request.contains("content-type: a/b\r\n"), "{request}");
        assert!(request.contains("content-length: 8\r\n") && request.ends_with("the body"));
    }
    let answer = place.ask("TRACE", "/api/out", "").await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, "), "{answer}");
    assert_eq!(upstream.further_requests(), 0);
}

#[tokio::test]
async fn answers_without_a_body_keep_their_headers() {
    let upstream = Upstream::start(|mut connection| async move {
        while let Some(request) = connection.request().await {
            let answer = match request.split(' ').next() {
                Some("HEAD") => "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n",
                Some("DELETE") => "HTTP/1.1 204 No Content\r\n\r\n",
                _ => "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n",
            };
            connection.send(answer).await;
        }
    })
    .await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let head = place.ask("HEAD", "/api/out/x", "").await;
    assert!(head.contains("content-length: 1234\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    expect_answer(&place.ask("DELETE", "/api/out/x", "").await, 204, "\r\n\r\n");
    let fresh = place.get("/api/out/x").await;
    assert!(fresh.starts_with("HTTP/1.1 304 ") && fresh.contains("etag: \"a\""), "{fresh}");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn redirects_are_passed_to_the_caller() {
    let mut upstream = Upstream::start(|mut connection| async move {
        while let Some(request) = connection.request().await {
            let location = request.split(' ').nth(1).unwrap_or_default().replace("/go", "");
            let head = "HTTP/1.1 307 Temporary Redirect\r\ncontent-length: 0\r\n";
            connection.send(format!("{head}location: {location}\r\n\r\n")).await;
        }
    })
    .await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let answer = place.get("/api/out/go/there?x=1").await;
    assert!(answer.starts_with("HTTP/1.1 307 "), "{answer}");
    assert!(answer.contains("location: /api/out/there?x=1\r\n"), "{answer}");
    upstream.request().await;
    assert_eq!(upstream.further_requests(), 0);
}

#[tokio::test]
async fn rules_change_paths_hosts_and_headers() {
    let mut upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\nserver: old\r\ncontent-length: 0\r\n\r\n").await;
    let place = Place::new(&upstream.url(), |options| {
        options.strip_prefix = false;
        options.host = HostHeader::Client;
        options.cookies = Passing::Pass;
        options.request_headers.remove = vec!["accept".into()];
        options.request_headers.set.insert("x-from".into(), "caplet".into());
        options.response_headers.remove = vec!["server".into()];
        options.response_headers.set.insert("x-by".into(), "out".into());
    })
    .await;
    let answer = place.ask("GET", "/api/out/a", "accept: a/b\ncookie: a=b").await;
    assert!(answer.contains("x-by: out\r\n") && !answer.contains("server"), "{answer}");
    let request = upstream.request().await;
    assert!(request.starts_with("GET /api/out/a HTTP/1.1\r\n"), "{request}");
    for line in ["host: h", "cookie: a=b", "x-from: caplet"] {
        assert!(request.contains(&format!("\r\n{line}\r\n")), "{line} is not in {request}");
    }
    assert!(!request.contains("accept") && !request.contains("x-forwarded-prefix"), "{request}");
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::answering(ok("hello")).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let mut client = place.connect().await;
    for _ in 0..5 {
        client.get("/api/out/x").await;
        let answer = client.until("\r\n\r\nhello").await;
        assert!(answer.contains("content-length: 5\r\n"), "{answer}");
    }
    assert_eq!(upstream.connections(), 1);
    place.until_counted("caplet_service_requests_total{class=\"2xx\",service=\"out\"} 5").await;
    assert_eq!(place.host.host().services()[0].requests, 5);
}

#[tokio::test]
async fn callers_may_speak_http_2() {
    let mut upstream = Upstream::answering(ok("over one")).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let stream = TokioIo::new(place.connect().await.0);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = http::Request::post(format!("http://{}/api/out/x", place.address))
        .body(http_body_util::Full::new(bytes::Bytes::from_static(b"over two")))
        .unwrap();
    let answer = in_time(sender.send_request(request)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "over one");
    let request = upstream.request().await;
    assert!(request.contains(&format!("x-forwarded-host: {}\r\n", place.address)), "{request}");
    assert!(request.ends_with("over two"), "{request}");
    drop(sender);
    in_time(driver).await.unwrap().unwrap();
}

#[tokio::test]
async fn paths_that_could_lead_elsewhere_are_refused() {
    let mut upstream = Upstream::answering(ok("")).await;
    let place = Place::new(&format!("{}/base", upstream.url()), |_| {}).await;
    for path in
        ["/api/out/../x", "/api/out/%2e%2e/x", "/api/out/..%2fx", "/api/out/..;/x", "/api/out//x"]
    {
        let answer = place.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
        assert!(answer.contains("\"code\":\"path-malformed\""), "{path}: {answer}");
    }
    assert_eq!(upstream.further_requests(), 0);
    expect_answer(&place.get("/api/out").await, 200, "\r\n\r\n");
    assert!(upstream.request().await.starts_with("GET /base HTTP/1.1"));
    expect_answer(&place.get("/api/out/").await, 200, "\r\n\r\n");
    assert!(upstream.request().await.starts_with("GET /base/ HTTP/1.1"));
    let answer = place.get("/api/outer/x").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}
