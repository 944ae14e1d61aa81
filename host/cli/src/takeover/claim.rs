//! The successor's side of a takeover: a new host asks the running one for its socket.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::socket_acceptconn;
use tokio::net::UnixStream;
use tokio::time::{Instant, interval_at, timeout};

use super::wire::Wire;
use super::{Greeting, HELLO, READY, SERVING, STEP_TIME_MAX, SURVEY, path};
use crate::failure::Failure;

/// How often it is said that the predecessor is still waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running host that has handed over its socket, and serves until it hears [`READY`].
pub struct Predecessor {
    wire: Wire,
    greeting: Greeting,
    socket: TcpListener,
    address: SocketAddr,
}

/// Asks the host that runs on a data directory for its socket; none when there is no such host.
///
/// # Errors
/// When there is one and it does not hand over its socket.
pub async fn claim(data: &Path) -> Result<Option<Predecessor>, Failure> {
    let path = path(data);
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        // The second is what a host that was killed leaves behind.
        Err(error)
            if [ErrorKind::NotFound, ErrorKind::ConnectionRefused].contains(&error.kind()) =>
        {
            return Ok(None);
        }
        Err(reason) => return Err(cannot(&path, &reason)),
    };
    match timeout(STEP_TIME_MAX, Predecessor::greet(stream)).await {
        Ok(Ok(predecessor)) => Ok(Some(predecessor)),
        Ok(Err(reason)) => Err(cannot(&path, &reason)),
        Err(_) => {
            let reason = "it does not answer; is another takeover under way?";
            Err(cannot(&path, &io::Error::other(reason)))
        }
    }
}

/// The components that the host serves which runs on a data directory, by digest; none when no host runs there,
/// or one that does not tell.
pub async fn served(data: &Path) -> Vec<String> {
    let asking = async {
        let mut wire = Wire::new(UnixStream::connect(path(data)).await?);
        wire.tell(SURVEY).await?;
        let told = wire.hear().await?.unwrap_or_default();
        let greeting: Greeting = serde_json::from_str(&told)?;
        Ok::<_, io::Error>(greeting.components)
    };
    timeout(STEP_TIME_MAX, asking).await.ok().and_then(Result::ok).unwrap_or_default()
}

fn cannot(path: &Path, reason: &io::Error) -> Failure {
    let path = path.display();
    Failure::run_time(format!("the running host cannot be taken over through {path}: {reason}"))
}

impl Predecessor {
    async fn greet(stream: UnixStream) -> io::Result<Self> {
        let mut wire = Wire::new(stream);
        wire.tell(HELLO).await?;
        let socket = match wire.receive_socket().await {
            Ok(socket) => TcpListener::from(socket),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                let said = wire.hear().await?.unwrap_or_default();
                return Err(io::Error::other(format!("it hands over no socket: {said}")));
            }
            Err(error) => return Err(error),
        };
        if !socket_acceptconn(&socket)? {
            return Err(io::Error::other("what it hands over does not listen"));
        }
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let greeting = serde_json::from_str(&wire.hear().await?.unwrap_or_default())?;
        Ok(Self { wire, greeting, socket, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says of itself.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Another handle of its socket.
    pub fn socket(&self) -> io::Result<TcpListener> {
        self.socket.try_clone()
    }

    /// Has it end. From now on nobody accepts connections.
    pub async fn ready(&mut self) -> io::Result<()> {
        self.wire.tell(READY).await
    }

    /// Waits until it has closed the databases, or is gone, in which case they are closed as well.
    /// Returns whether that was in time.
    pub async fn released(&mut self) -> bool {
        let grace = Duration::from_millis(self.greeting.grace_ms);
        let begun = Instant::now();
        let mut looks = interval_at(begun + PATIENCE, PATIENCE);
        let waiting = async {
            let mut heard = std::pin::pin!(self.wire.hear());
            loop {
                tokio::select! {
                    // An error is an end as well.
                    _ = &mut heard => return,
                    _ = looks.tick() => tracing::info!(
                        waited_s = begun.elapsed().as_secs(),
                        grace_s = grace.as_secs(),
                        "waiting for the running host to answer what it was asked"
                    ),
                }
            }
        };
        timeout(grace + STEP_TIME_MAX, waiting).await.is_ok()
    }

    /// Tells it that it is not needed any more.
    pub async fn serving(mut self) {
        // When it is gone, nobody has to be told.
        let _ = self.wire.tell(SERVING).await;
    }
}
