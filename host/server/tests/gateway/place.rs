//! A host that listens, with one outside service.

use std::net::SocketAddr;
use std::time::Duration;

use caplet_server::Config;
use caplet_server::gateway::ServiceOptions;
use caplet_server::gateway::options::ServiceAccess;
use caplet_testing::TestHost;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything may take that is expected to happen.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Place {
    pub host: TestHost,
    pub address: SocketAddr,
    pub stop: oneshot::Sender<()>,
    pub serving: JoinHandle<()>,
}

/// A service for everybody at `url`, changed by `change`.
pub fn service(url: &str, change: impl FnOnce(&mut ServiceOptions)) -> ServiceOptions {
    let mut options = ServiceOptions {
        url: url.to_owned(),
        access: ServiceAccess::Public,
        ..ServiceOptions::default()
    };
    change(&mut options);
    options
}

impl Place {
    /// A host with the service `out` at `url`, open to everybody.
    pub async fn new(url: &str, change: impl FnOnce(&mut ServiceOptions)) -> Self {
        let out = service(url, change);
        Self::with(move |config| drop(config.services.insert("out".to_owned(), out))).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let host = TestHost::builder().configure(change).start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or_default() };
        let serving = tokio::spawn(caplet_server::serve(listener, host.host().clone(), stopped));
        Self { host, address, stop, serving }
    }

    pub async fn connect(&self) -> Client {
        Client(in_time(TcpStream::connect(self.address)).await.unwrap())
    }

    /// Sends a request on a connection of its own and returns all that comes until its end.
    pub async fn ask(&self, method: &str, path: &str, rest: &str) -> String {
        let mut client = self.connect().await;
        let (headers, body) = rest.split_once("\n\n").unwrap_or((rest, ""));
        let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
        let length = match body.len() {
            0 => String::new(),
            n_bytes => format!("content-length: {n_bytes}\r\n"),
        };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n");
        client.send(format!("{head}{headers}{length}\r\n{body}")).await;
        client.rest().await
    }

    pub async fn get(&self, path: &str) -> String {
        self.ask("GET", path, "").await
    }

    /// Waits until the counters have a line.
    pub async fn until_counted(&self, line: &str) {
        let counted = async {
            let mut pause = tokio::time::interval(Duration::from_millis(10));
            while !self.counted(line).await {
                pause.tick().await;
            }
        };
        in_time(counted).await;
    }

    pub async fn counted(&self, line: &str) -> bool {
        self.host.get("/metrics").send().await.text().contains(line)
    }

    /// Expects that as many requests to the service failed for this reason.
    #[track_caller]
    pub fn expect_failures(&self, reason: &str, n: u64) {
        let services = self.host.host().services();
        assert_eq!(services[0].failures.get(reason), Some(&n), "{:?}", services[0].failures);
    }
}

/// A caller's connection.
pub struct Client(pub TcpStream);

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A host that has refused already may not read to the end.
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    pub async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
    }

    /// What comes until it ends like this.
    pub async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).ends_with(end) {
            let n_bytes = in_time(self.0.read_buf(&mut bytes)).await.unwrap();
            assert_ne!(n_bytes, 0, "closed after {}", String::from_utf8_lossy(&bytes));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All that comes until the other side closes.
    pub async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _reset = in_time(self.0.read_to_end(&mut bytes)).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

/// Expects a problem document of that status and code, about the service `out`.
#[track_caller]
pub fn expect_problem(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    assert!(answer.contains("The service out "), "{answer}");
}

/// Expects an answer of that status that ends so.
#[track_caller]
pub fn expect_answer(answer: &str, status: u16, end: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.ends_with(end), "{answer}");
}
