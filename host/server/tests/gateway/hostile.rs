//! Services that are down, slow, wrong or hostile: every way is bounded and has a name, and what is
//! not a whole answer never looks like one.

use crate::place::{Place, expect_answer, expect_problem};
use crate::upstream::{Upstream, ok};

/// A service that nobody is: its port was free a moment ago.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn one_that_is_down_is_unreachable() {
    let place = Place::new(&nobody().await, |_| {}).await;
    expect_problem(&place.ask("POST", "/api/out/x", "").await, 502, "upstream-unreachable");
    place.expect_failures("unreachable", 1);
}

#[tokio::test]
async fn one_that_accepts_and_says_nothing_is_given_up() {
    let upstream =
        Upstream::start(|mut connection| async move { connection.until_closed().await }).await;
    let place =
        Place::new(&upstream.url(), |options| options.timeouts.first_byte_ms_max = 100).await;
    expect_problem(&place.get("/api/out/x").await, 504, "upstream-timeout");
    // What timed out is not tried again.
    assert_eq!(upstream.connections(), 1);
    place.expect_failures("timeout", 1);
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let upstream = Upstream::start(|mut connection| async move {
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\nx-never").await;
        connection.until_closed().await;
    })
    .await;
    let place =
        Place::new(&upstream.url(), |options| options.timeouts.first_byte_ms_max = 100).await;
    expect_problem(&place.get("/api/out/x").await, 504, "upstream-timeout");
}

#[tokio::test]
async fn connecting_includes_the_encryption() {
    let upstream =
        Upstream::start(|mut connection| async move { connection.until_closed().await }).await;
    let url = upstream.url().replace("http://", "https://");
    let place = Place::new(&url, |options| options.timeouts.connect_ms_max = 100).await;
    expect_problem(&place.ask("POST", "/api/out", "").await, 504, "upstream-timeout");
    let plain = Upstream::start(|mut connection| async move {
        connection.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        connection.until_closed().await;
    })
    .await;
    let place = Place::new(&plain.url().replace("http://", "https://"), |_| {}).await;
    expect_problem(&place.ask("POST", "/api/out", "").await, 502, "upstream-unreachable");
}

#[tokio::test]
async fn one_that_hangs_up_has_broken_off() {
    for said in ["", "HTTP/1.1 200 O"] {
        let upstream = Upstream::answering_once(said).await;
        let place = Place::new(&upstream.url(), |_| {}).await;
        expect_problem(&place.ask("POST", "/api/out/x", "").await, 502, "upstream-reset");
        place.expect_failures("reset", 1);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_malformed() {
    let huge = format!("HTTP/1.1 200 OK\r\nx-huge: {}\r\n\r\n", "a".repeat(100_000));
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    for said in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
        &huge,
        &format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
    ] {
        let upstream = Upstream::answering_once(said).await;
        let place = Place::new(&upstream.url(), |_| {}).await;
        let answer = place.ask("POST", "/api/out/x", "").await;
        assert!(answer.contains("\"code\":\"upstream-malformed\""), "{said:.80}: {answer}");
        expect_problem(&answer, 502, "upstream-malformed");
        place.expect_failures("malformed", 1);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_visibly_not_whole() {
    for (said, came) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart", "content-length: 100\r\n"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n", "chunked\r\n"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n", "chunked\r\n"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n-1\r\n", "chunked\r\n"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npartX\r\n0\r\n\r\n",
            "chunked\r\n",
        ),
    ] {
        let upstream = Upstream::answering_once(said).await;
        let place = Place::new(&upstream.url(), |_| {}).await;
        let mut client = place.connect().await;
        client.get("/api/out/x").await;
        client.get("/healthz").await;
        let answer = client.rest().await;
        assert!(answer.contains(came), "{said}: {answer}");
        let whole = answer.ends_with("0\r\n\r\n") || answer.matches("HTTP/1.1").count() > 1;
        assert!(!whole, "{said}: {answer}");
        place.expect_failures("answer-reset", 1);
    }
}

#[tokio::test]
async fn a_silent_body_is_cut_off() {
    let upstream = Upstream::start(|mut connection| async move {
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart").await;
        connection.until_closed().await;
    })
    .await;
    let place = Place::new(&upstream.url(), |options| options.timeouts.idle_ms_max = 100).await;
    expect_answer(&place.get("/api/out/x").await, 200, "\r\n\r\npart");
    place.expect_failures("answer-timeout", 1);
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off_as_a_whole() {
    let upstream = Upstream::start(|mut connection| async move {
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(20));
        for _ in 0..1_000 {
            pause.tick().await;
            connection.send("x").await;
        }
    })
    .await;
    let place = Place::new(&upstream.url(), |options| options.timeouts.total_ms_max = 1_000).await;
    let answer = place.get("/api/out/x").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.len() < 2_000, "{answer}");
    place.expect_failures("answer-timeout", 1);
}

#[tokio::test]
async fn an_answer_is_as_large_as_it_may_be() {
    let upstream = Upstream::start(|mut connection| async move {
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\n\r\n").await;
        for _ in 0..1_000 {
            connection.send([b'x'; 1_000]).await;
        }
    })
    .await;
    let place =
        Place::new(&upstream.url(), |options| options.limits.answer_bytes_max = 100_000).await;
    let answer = place.get("/api/out/x").await;
    assert!(!answer.ends_with("0\r\n\r\n") && answer.len() < 200_000, "{}", answer.len());
    place.expect_failures("answer-too-large", 1);
    let announced =
        Upstream::answering_once("HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n").await;
    let place =
        Place::new(&announced.url(), |options| options.limits.answer_bytes_max = 100_000).await;
    expect_problem(&place.get("/api/out/x").await, 502, "upstream-too-large");
}

/// The rest of one answer must not become the answer to somebody else's request.
#[tokio::test]
async fn what_is_longer_than_it_says_reaches_nobody() {
    let smuggled = format!("{}{}", ok("hello"), ok("evil"));
    let upstream = Upstream::start(move |mut connection| {
        let smuggled = smuggled.clone();
        async move {
            while connection.request().await.is_some() {
                let answer = if connection.number == 0 { smuggled.clone() } else { ok("good") };
                connection.send(answer).await;
            }
        }
    })
    .await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    expect_answer(&place.get("/api/out/x").await, 200, "\r\n\r\nhello");
    for _ in 0..5 {
        expect_answer(&place.get("/api/out/x").await, 200, "\r\n\r\ngood");
    }
}

#[tokio::test]
async fn answers_without_a_request_reach_nobody() {
    let upstream = Upstream::start(|mut connection| async move {
        connection.request().await;
        connection.send(ok("hello")).await;
        if connection.number == 0 {
            // The answer has been read to its end by the time that the next request comes.
            connection.send(ok("evil")).await;
        }
        while connection.request().await.is_some() {
            connection.send(ok("hello")).await;
        }
    })
    .await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    for _ in 0..10 {
        expect_answer(&place.get("/api/out/x").await, 200, "\r\n\r\nhello");
    }
}

#[tokio::test]
async fn informational_answers_are_not_the_answer() {
    let early = format!("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n{}", ok("hello"));
    let upstream = Upstream::answering_once(early).await;
    let place = Place::new(&upstream.url(), |_| {}).await;
    let answer = place.get("/api/out/x").await;
    expect_answer(&answer, 200, "\r\n\r\nhello");
    assert!(!answer.contains("link"), "{answer}");
}
