//! Clients of several kinds that ask without pause while a host is stopped or replaced, and remember
//! what was not answered as it should be.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use caplet_server::outbound;
use caplet_tests::{PATIENCE, Server};
use reqwest::{Client, ClientBuilder};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// How long a client rests between two requests, so that its connections are sometimes quiet.
const REST: Duration = Duration::from_millis(2);

/// What all clients know.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    n_answered: AtomicU64,
    written: Mutex<BTreeSet<String>>,
}

/// Clients at work.
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<Result<(), String>>,
}

/// What one client does.
#[derive(Clone)]
struct Worker {
    shared: Arc<Shared>,
    client: Client,
    url: String,
    name: String,
    /// Whether it is no error that nobody listens.
    may_be_refused: bool,
}

impl Load {
    /// Begins to ask `echo` over HTTP/1.1, over HTTP/2 and over a new connection for each request, to
    /// write to `ledger`, and to wait for `sleep`. A client that is refused ends where it may be.
    pub fn begin(server: &Server, may_be_refused: bool) -> Self {
        let shared = Arc::new(Shared::default());
        let mut clients = JoinSet::new();
        let kinds: [fn(ClientBuilder) -> ClientBuilder; 3] = [
            |builder| builder.http1_only(),
            |builder| builder.http2_prior_knowledge(),
            |builder| builder.http1_only().pool_max_idle_per_host(0),
        ];
        for (kind, configure) in kinds.into_iter().enumerate() {
            let builder = outbound::client().expect("the machine's certificates");
            let client = configure(builder.timeout(PATIENCE)).build().expect("a client");
            for number in 0..4 {
                let worker = Worker {
                    shared: shared.clone(),
                    client: client.clone(),
                    url: server.url(""),
                    name: format!("{kind}-{number}"),
                    may_be_refused,
                };
                match number {
                    0 => clients.spawn(worker.write()),
                    1 => clients.spawn(worker.read("/api/sleep/0.1")),
                    _ => clients.spawn(worker.read("/api/echo/x")),
                };
            }
        }
        Self { shared, clients }
    }

    /// How many requests were answered so far.
    pub fn n_answered(&self) -> u64 {
        self.shared.n_answered.load(Ordering::Relaxed)
    }

    /// Waits until so many more requests were answered.
    pub async fn answers(&self, n_more: u64) {
        let enough = self.n_answered() + n_more;
        let asking = async {
            while self.n_answered() < enough {
                tokio::time::sleep(REST).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("requests are answered in time");
    }

    /// Ends the clients; returns what was written, and what went wrong.
    pub async fn end(mut self) -> (BTreeSet<String>, Vec<String>) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let mut wrong = Vec::new();
        while let Some(ended) = self.clients.join_next().await {
            wrong.extend(ended.expect("a client does not panic").err());
        }
        let written = std::mem::take(&mut *self.shared.written.lock().await);
        (written, wrong)
    }
}

impl Worker {
    async fn read(self, path: &'static str) -> Result<(), String> {
        while self.goes_on() {
            let request = self.client.get(format!("{}{path}", self.url));
            if !self.ask(request, 200).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn write(self) -> Result<(), String> {
        for number in 0.. {
            let id = format!("{}-{number}", self.name);
            let request = self.client.post(format!("{}/api/ledger/entries/{id}", self.url));
            if !self.goes_on() || !self.ask(request, 201).await? {
                break;
            }
            self.shared.written.lock().await.insert(id);
        }
        Ok(())
    }

    fn goes_on(&self) -> bool {
        !self.shared.is_over.load(Ordering::Relaxed)
    }

    /// Whether it was answered, as it should be. Everything else is an error, unless nobody listens.
    async fn ask(&self, request: reqwest::RequestBuilder, status: u16) -> Result<bool, String> {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() && self.may_be_refused => return Ok(false),
            Err(error) => return Err(format!("{}: {error:?}", self.name)),
        };
        let found = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| format!("{}: {error:?}", self.name))?;
        if found != status {
            return Err(format!("{}: {found}: {text}", self.name));
        }
        self.shared.n_answered.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(REST).await;
        Ok(true)
    }
}
