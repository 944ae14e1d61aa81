//! The predecessor's side of a takeover: a running host waits for the one that replaces it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use caplet_server::Listener;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::wire::Wire;
use super::{Greeting, HELLO, READY, RELEASED, SERVING, STEP_TIME_MAX, SURVEY, path};

/// A place where a successor can ask, until it is dropped.
pub struct Offer {
    socket: UnixListener,
    path: PathBuf,
}

impl Offer {
    /// Opens the place in the data directory. Whoever does holds the lock of the directory, so what
    /// is there was left behind.
    ///
    /// # Errors
    /// What the system says, such as that the path is longer than a socket's may be.
    pub fn open(data: &Path) -> io::Result<Self> {
        let path = path(data);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { socket, path })
    }

    /// Waits for a successor that is ready, and has handed the socket to it by then.
    pub async fn successor(
        &self,
        listener: &Listener,
        greeting: impl Fn() -> Greeting,
        busy: impl Fn() -> Option<String>,
    ) -> Successor {
        loop {
            let Ok((stream, _)) = self.socket.accept().await else {
                // Nearly always there are no more file descriptors.
                tokio::time::sleep(STEP_TIME_MAX).await;
                continue;
            };
            let talking = Successor::greet(stream, listener, (greeting(), busy()));
            match timeout(STEP_TIME_MAX, talking).await {
                Ok(Ok(Some(successor))) => return successor,
                Ok(Ok(None)) => tracing::info!("a new host has asked what is served"),
                Ok(Err(reason)) => tracing::warn!(%reason, "a new host did not take over"),
                Err(_) => tracing::warn!("a new host that asked to take over said nothing more"),
            }
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // When it is gone already, that is what is wanted.
        let _ = fs::remove_file(&self.path);
    }
}

/// The process that replaces this one.
pub struct Successor(Wire);

impl Successor {
    /// None is who only asks what is served.
    async fn greet(
        stream: UnixStream,
        listener: &Listener,
        (greeting, busy): (Greeting, Option<String>),
    ) -> io::Result<Option<Self>> {
        let mut wire = Wire::new(stream);
        if !wire.is_of_this_user()? {
            return Err(io::Error::other("another user of this machine asked"));
        }
        let hello = wire.hear().await?.unwrap_or_default();
        if hello == SURVEY {
            wire.tell(&serde_json::to_string(&greeting)?).await?;
            return Ok(None);
        }
        let unknown = || format!("found `{hello}`, expected `{HELLO}`");
        if let Some(refusal) = (hello != HELLO).then(unknown).or(busy) {
            // The first byte is where a socket would be.
            wire.tell(&format!("-{refusal}")).await?;
            return Err(io::Error::other(refusal));
        }
        wire.send_socket(listener.socket()).await?;
        wire.tell(&serde_json::to_string(&greeting)?).await?;
        match wire.hear().await?.as_deref() {
            Some(READY) => Ok(Some(Self(wire))),
            _ => Err(io::Error::other("it ended before it was ready")),
        }
    }

    /// Waits until it is gone. A successor that says something before its turn counts as gone.
    pub async fn gone(&mut self) {
        // An error is an end as well.
        let _ = self.0.hear().await;
    }

    /// Tells it that the databases are its own.
    pub async fn released(&mut self) {
        // When it is gone, the next step says so.
        let _ = self.0.tell(RELEASED).await;
    }

    /// Waits until it serves, or is gone. Returns whether it serves.
    pub async fn serves(&mut self) -> bool {
        matches!(self.0.hear().await, Ok(Some(line)) if line == SERVING)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::takeover::{claim, served};

    fn greeting() -> Greeting {
        let (plugins, components) = (vec!["echo".to_owned()], vec!["ab".repeat(32)]);
        Greeting { grace_ms: 1_000, is_shared: false, plugins, components }
    }

    async fn listener() -> Listener {
        TcpListener::bind("127.0.0.1:0").await.unwrap().into()
    }

    #[tokio::test]
    async fn a_host_that_cannot_give_its_databases_away_says_why() {
        let data = tempfile::tempdir().unwrap();
        let offer = Offer::open(data.path()).unwrap();
        let listener = listener().await;
        let busy = || Some("the data of `notes` are being migrated".to_owned());
        let refused = tokio::select! {
            _ = offer.successor(&listener, greeting, busy) => panic!("it gives them away"),
            claimed = claim(data.path()) => claimed.map(drop).unwrap_err(),
        };
        assert!(refused.text().contains("`notes` are being migrated"), "{}", refused.text());
    }

    #[tokio::test]
    async fn a_successor_gets_the_socket_and_says_that_it_serves() {
        let data = tempfile::tempdir().unwrap();
        let offer = Offer::open(data.path()).unwrap();
        let mode = fs::metadata(path(data.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let listener = listener().await;
        let address = listener.socket().local_addr().unwrap();
        let claiming = tokio::spawn({
            let data = data.path().to_owned();
            async move {
                assert_eq!(served(&data).await, ["ab".repeat(32)]);
                let mut predecessor = claim(&data).await.unwrap().expect("a host runs");
                assert_eq!(predecessor.address(), address);
                assert_eq!(predecessor.greeting().plugins, ["echo"]);
                predecessor.ready().await.unwrap();
                predecessor.released().await;
                predecessor.serving().await
            }
        });
        let mut successor = offer.successor(&listener, greeting, || None).await;
        successor.released().await;
        assert!(successor.serves().await);
        claiming.await.unwrap();
    }

    #[tokio::test]
    async fn a_successor_that_ends_early_is_passed_over_for_the_next() {
        let data = tempfile::tempdir().unwrap();
        let offer = Offer::open(data.path()).unwrap();
        let listener = listener().await;
        let data = data.path().to_owned();
        let claiming = tokio::spawn(async move {
            let _stranger = UnixStream::connect(path(&data)).await.map(drop);
            drop(claim(&data).await.unwrap().expect("a host runs"));
            let mut second = claim(&data).await.unwrap().expect("a host runs");
            second.ready().await.unwrap();
        });
        let mut successor = offer.successor(&listener, greeting, || None).await;
        claiming.await.unwrap();
        successor.gone().await;
        assert!(!successor.serves().await);
    }

    #[tokio::test]
    async fn without_a_host_there_is_nothing_to_take_over() {
        let data = tempfile::tempdir().unwrap();
        assert!(claim(data.path()).await.unwrap().is_none());
        assert!(served(data.path()).await.is_empty());
        let offer = Offer::open(data.path()).unwrap();
        // What a host that was killed leaves behind.
        fs::hard_link(path(data.path()), data.path().join("left")).unwrap();
        drop(offer);
        fs::rename(data.path().join("left"), path(data.path())).unwrap();
        assert!(claim(data.path()).await.unwrap().is_none());
        Offer::open(data.path()).unwrap();
    }
}
