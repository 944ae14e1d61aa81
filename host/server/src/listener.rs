//! A socket that listens, and how it is closed without resetting who is about to connect.
//!
//! A connection that the kernel has accepted waits in the socket's queue, and the client has sent its
//! request already. Closing the socket would reset it. So no new connection is let in first, then the
//! queue is emptied, and then the socket is closed: whoever comes later is refused, which is an answer
//! that clients know how to take.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// How long nobody must come before the queue counts as empty.
const EMPTY_TIME: Duration = Duration::from_millis(50);

/// How long the queue is emptied at most, where newcomers cannot be kept out.
pub(crate) const EMPTYING_TIME_MAX: Duration = Duration::from_secs(1);

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    is_shared: bool,
}

impl From<TcpListener> for Listener {
    /// A socket that ends with the host.
    fn from(socket: TcpListener) -> Self {
        Self { socket, is_shared: false }
    }
}

impl Listener {
    /// A socket that another process holds as well, such as one of socket activation: it goes on
    /// listening when the host ends, and what waits in its queue is for the next.
    #[must_use]
    pub fn shared(socket: TcpListener) -> Self {
        Self { socket, is_shared: true }
    }

    /// The socket itself.
    #[must_use]
    pub fn socket(&self) -> &TcpListener {
        &self.socket
    }

    /// Whether another process holds it as well.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }

    /// Lets nobody in any more who has not begun to connect. Those are refused once the socket is
    /// closed, or served by whoever listens there next. A shared socket is left as it is.
    pub(crate) fn keep_out(&self) {
        if !self.is_shared
            && let Err(reason) = keep_out(&self.socket)
        {
            tracing::debug!(%reason, "newcomers cannot be kept out while the queue is emptied");
        }
    }

    /// The next connection of the queue; none when it is empty.
    pub(crate) async fn next_in_queue(&self) -> Option<TcpStream> {
        if self.is_shared {
            return None;
        }
        tokio::time::timeout(EMPTY_TIME, self.accept()).await.ok()?.ok()
    }
}

/// Has the kernel drop what begins a connection. Handshakes that are under way go on.
#[cfg(target_os = "linux")]
fn keep_out(socket: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    /// Where the flags are in the header of TCP, and the one of a connection's first packet.
    const FLAGS_OFFSET: u32 = 13;
    const SYN: u32 = 0x02;
    // The numbers are those of <linux/bpf_common.h>.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    SockRef::from(socket).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_OFFSET),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn keep_out(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn listener() -> (Listener, std::net::SocketAddr) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket.into(), address)
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_has_connected_is_served_and_who_has_not_is_kept_out() {
        let (listener, address) = listener().await;
        let early = TcpStream::connect(address).await.unwrap();
        listener.keep_out();
        let late = tokio::spawn(TcpStream::connect(address));
        let accepted = listener.next_in_queue().await.expect("the early one");
        assert_eq!(accepted.peer_addr().unwrap(), early.local_addr().unwrap());
        assert!(listener.next_in_queue().await.is_none());
        drop(listener);
        let refused = late.await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn the_queue_of_a_shared_socket_is_left_to_the_next() {
        let (listener, address) = listener().await;
        let shared = Listener::shared(listener.socket);
        let _waiting = TcpStream::connect(address).await.unwrap();
        shared.keep_out();
        assert!(shared.next_in_queue().await.is_none());
        let _another = TcpStream::connect(address).await.unwrap();
        assert!(shared.accept().await.is_ok() && shared.accept().await.is_ok());
    }
}
