//! Services made by hand: what they say is written byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::place::in_time;

/// A service that listens until it is dropped.
pub struct Upstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: mpsc::UnboundedReceiver<String>,
    accepting: JoinHandle<()>,
}

/// One connection to a service.
pub struct Connection {
    pub stream: TcpStream,
    /// Counted from 0.
    pub number: usize,
    requests: mpsc::UnboundedSender<String>,
}

impl Upstream {
    /// Hands each connection to `serve`.
    pub async fn start<F, Fut>(serve: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (sender, requests) = mpsc::unbounded_channel();
        let counted = connections.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(Connection { stream, number, requests: sender.clone() }));
            }
        });
        Self { address, connections, requests, accepting }
    }

    /// Answers each request on each connection with the same bytes, and closes when they say so.
    pub async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        let closes = String::from_utf8_lossy(&answer).contains("onnection: close");
        Self::start(move |mut connection| {
            let answer = answer.clone();
            async move {
                while connection.request().await.is_some() {
                    connection.send(&answer).await;
                    if closes {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Answers with these bytes, once on each connection, and then ends it.
    pub async fn answering_once(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |mut connection| {
            let answer = answer.clone();
            async move {
                connection.request().await;
                connection.send(&answer).await;
            }
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The next request that it got: its head, and its body when the head gives its length.
    pub async fn request(&mut self) -> String {
        in_time(self.requests.recv()).await.expect("the service listens")
    }

    /// Those that it got already and nobody asked for.
    pub fn further_requests(&mut self) -> usize {
        std::iter::from_fn(|| self.requests.try_recv().ok()).count()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Connection {
    /// Reads a request; none when the connection ends.
    pub async fn request(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                    let _nobody_asks = self.requests.send(text);
                    return Some(String::from_utf8_lossy(&bytes).into_owned());
                }
            }
            if self.stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A host that has seen enough may be gone.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Waits until the other side ends the connection.
    pub async fn until_closed(&mut self) {
        let mut bytes = Vec::new();
        let _reset = self.stream.read_to_end(&mut bytes).await;
    }
}

/// A whole answer with a body.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
