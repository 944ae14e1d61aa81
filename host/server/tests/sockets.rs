//! Real connections: both versions of HTTP, clients that misbehave, and the end of a host.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use caplet_server::Config;
use caplet_testing::TestHost;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything here may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host that listens.
struct Listening {
    host: TestHost,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Listening {
    async fn start(plugin: &str, change: impl FnOnce(&mut Config)) -> Self {
        let host = TestHost::builder().plugin(plugin).configure(change).start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or_default() };
        let serving = tokio::spawn(caplet_server::serve(listener, host.host().clone(), stopped));
        Self { host, address, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        in_time(TcpStream::connect(self.address)).await.unwrap()
    }

    /// Waits until the counters have a line.
    async fn until_counted(&self, line: &str) {
        let counted = async {
            let mut pause = tokio::time::interval(Duration::from_millis(20));
            while !self.host.get("/metrics").send().await.text().contains(line) {
                pause.tick().await;
            }
        };
        in_time(counted).await;
    }

    /// Sends bytes on a connection of their own and returns all that comes back until its end.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // A host that has refused already may not read to the end.
        let _ = stream.write_all(bytes.as_ref()).await;
        rest(&mut stream).await
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

/// All that comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _reset = in_time(stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What comes until an answer with that end is complete.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).ends_with(end) {
        assert_ne!(in_time(stream.read_buf(&mut bytes)).await.unwrap(), 0, "closed early");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const CLOSE: &str = "host: h\r\nconnection: close\r\n";

#[tokio::test]
async fn keeps_connections_and_frames_answers() {
    let listening = Listening::start("trap", |_| {}).await;
    let mut stream = listening.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET /api/trap/ok HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        let answer = until(&mut stream, "\r\n\r\nok").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-length: 2\r\n") && answer.contains("date: "), "{answer}");
    }
    let head = listening.exchange(format!("HEAD /api/trap/ok HTTP/1.1\r\n{CLOSE}\r\n")).await;
    assert!(head.contains("content-length: 2\r\n") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn speaks_http_2_with_prior_knowledge() {
    let listening = Listening::start("echo", |_| {}).await;
    let stream = TokioIo::new(listening.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let target = format!("http://{}/api/echo/x", listening.address);
    let request = http::Request::post(target)
        .body(http_body_util::Full::new(bytes::Bytes::from_static(b"over two")))
        .unwrap();
    let answer = in_time(sender.send_request(request)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("over two"));
    drop(sender);
    in_time(driver).await.unwrap().unwrap();
}

#[tokio::test]
async fn refuses_heads_that_are_too_large() {
    let listening = Listening::start("echo", |_| {}).await;
    let fields = |n: usize, value: &str| {
        (0..n).map(|index| format!("x-{index}: {value}\r\n")).collect::<String>()
    };
    let many = format!("GET / HTTP/1.1\r\n{CLOSE}{}\r\n", fields(101, "1"));
    assert!(listening.exchange(many).await.starts_with("HTTP/1.1 431 "));
    let large = format!("GET / HTTP/1.1\r\n{CLOSE}{}\r\n", fields(80, &"a".repeat(1 << 10)));
    assert!(listening.exchange(large).await.starts_with("HTTP/1.1 431 "));
    let long = format!("GET /{} HTTP/1.1\r\n{CLOSE}\r\n", "a".repeat(9 << 10));
    assert!(listening.exchange(long).await.starts_with("HTTP/1.1 414 "));
    assert!(listening.exchange("nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn refuses_messages_whose_length_is_ambiguous() {
    let listening = Listening::start("echo", |_| {}).await;
    for framing in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
        "transfer-encoding: gzip\r\n",
        "content-length: +5\r\n",
    ] {
        let bytes = format!("POST /api/echo/x HTTP/1.1\r\nhost: h\r\n{framing}\r\nhello");
        let answer =
            listening.exchange(format!("{bytes}GET /smuggled HTTP/1.1\r\n{CLOSE}\r\n")).await;
        let smuggled = answer.matches("HTTP/1.1 ").count() > 1 && answer.contains("404");
        assert!(!smuggled, "{framing:?} was answered {answer}");
    }
}

#[tokio::test]
async fn closes_connections_that_ask_for_nothing() {
    let listening = Listening::start("echo", |config| {
        config.http.header_read_ms_max = 100;
        config.http.idle_ms_max = 200;
    })
    .await;
    for beginning in ["", "P", "PRI * HTTP/2", "GET / HTTP/1.1\r\nhost:"] {
        let mut stream = listening.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("200 OK"), "{beginning:?} was answered {answer}");
    }
    // One that has asked is closed, too, when it does not ask again.
    let mut stream = listening.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn gives_up_on_bodies_that_trickle() {
    let listening = Listening::start("echo", |config| config.http.body_grace_ms = 100).await;
    let mut stream = listening.connect().await;
    let head = "POST /api/echo/x HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\nonly this";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body-too-slow"), "{answer}");
}

#[tokio::test]
async fn refuses_a_large_body_before_it_is_sent() {
    let listening = Listening::start("echo", |_| {}).await;
    let mut stream = listening.connect().await;
    let head = "POST /api/echo/small HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\
                expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunked = "POST /api/echo/small HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n\
                   14\r\n01234567890123456789\r\n0\r\n\r\n";
    let mut stream = listening.connect().await;
    stream.write_all(chunked.as_bytes()).await.unwrap();
    assert!(until(&mut stream, "}").await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn drops_clients_that_do_not_read() {
    let listening = Listening::start("huge-body", |config| {
        config.http.write_stall_ms_max = 200;
        config.limits.host_call_bytes_max = 32 << 20;
        config.limits.cpu_ms_max = 10_000;
    })
    .await;
    let mut stream = listening.connect().await;
    let request = "GET /api/huge-body?bytes=30000000 HTTP/1.1\r\nhost: h\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    listening
        .until_counted("caplet_invocations_total{outcome=\"ok\",plugin=\"huge-body\"} 1")
        .await;
    listening.until_counted("caplet_http_connections 0").await;
    assert!(rest(&mut stream).await.len() < 30_000_000);
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_their_turn() {
    let listening = Listening::start("echo", |config| config.http.connections_max = 1).await;
    let ask = b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut first = listening.connect().await;
    first.write_all(ask).await.unwrap();
    until(&mut first, "}").await;
    let mut second = listening.connect().await;
    second.write_all(ask).await.unwrap();
    first.write_all(ask).await.unwrap();
    until(&mut first, "}").await;
    let mut byte = [0];
    assert!(futures::FutureExt::now_or_never(second.read(&mut byte)).is_none());
    drop(first);
    until(&mut second, "}").await;
}

#[tokio::test]
async fn a_stopping_host_answers_what_runs_and_takes_nothing_new() {
    let listening = Listening::start("sleep", |_| {}).await;
    let mut idle = listening.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    until(&mut idle, "}").await;
    let mut busy = listening.connect().await;
    busy.write_all(b"GET /api/sleep/1 HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    listening.until_counted("caplet_instances{plugin=\"sleep\"} 1").await;
    listening.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    in_time(listening.serving).await.unwrap();
    assert!(TcpStream::connect(listening.address).await.is_err());
}

#[tokio::test]
async fn what_outlasts_the_grace_time_is_cut() {
    let listening = Listening::start("sleep", |config| config.http.shutdown_grace_ms = 50).await;
    let mut busy = listening.connect().await;
    busy.write_all(b"GET /api/sleep/3600 HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    listening.until_counted("caplet_instances{plugin=\"sleep\"} 1").await;
    listening.stop.send(()).unwrap();
    in_time(listening.serving).await.unwrap();
    assert_eq!(rest(&mut busy).await, "");
}
