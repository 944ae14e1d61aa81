//! The connection between two hosts: lines of text, and once a socket. What is said is in
//! [`crate::takeover`].

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;

/// The longest line: the names of more plugins than a host can have.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The byte that a socket comes with: there must be one.
const SOCKET: u8 = b'+';

/// One side of a conversation.
pub struct Wire(BufReader<UnixStream>);

impl Wire {
    pub fn new(stream: UnixStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Whether the process at the other end belongs to this user, or to the one who may do anything.
    pub fn is_of_this_user(&self) -> io::Result<bool> {
        let user = self.0.get_ref().peer_cred()?.uid();
        Ok(user == rustix::process::geteuid().as_raw() || user == 0)
    }

    /// Says a line.
    pub async fn tell(&mut self, line: &str) -> io::Result<()> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await
    }

    /// The next line; none when the other side has ended.
    pub async fn hear(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        (&mut self.0).take(LINE_BYTES_MAX).read_line(&mut line).await?;
        Ok(line.strip_suffix('\n').map(str::to_owned))
    }

    /// Hands over a copy of a socket.
    pub async fn send_socket(&self, socket: impl AsFd) -> io::Result<()> {
        let sockets = [socket.as_fd()];
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&sockets));
            let bytes = [IoSlice::new(&[SOCKET])];
            Ok(sendmsg(self.0.get_ref(), &bytes, &mut control, SendFlags::NOSIGNAL).map(drop)?)
        };
        self.0.get_ref().async_io(Interest::WRITABLE, send).await
    }

    /// Takes the socket that comes next. To be called before any line is heard.
    pub async fn receive_socket(&self) -> io::Result<OwnedFd> {
        let receive = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut byte = [0];
            let mut bytes = [IoSliceMut::new(&mut byte)];
            recvmsg(self.0.get_ref(), &mut bytes, &mut control, RecvFlags::CMSG_CLOEXEC)?;
            let sockets = control.drain().filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
                _ => None,
            });
            sockets.flatten().next().ok_or_else(|| ErrorKind::InvalidData.into())
        };
        self.0.get_ref().async_io(Interest::READABLE, receive).await
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_socket_passes_between_lines() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, mut other) = (Wire::new(one), Wire::new(other));
        assert!(one.is_of_this_user().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        one.send_socket(&listener).await.unwrap();
        one.tell("after it").await.unwrap();
        let copy = TcpListener::from(other.receive_socket().await.unwrap());
        assert_eq!(copy.local_addr().unwrap(), listener.local_addr().unwrap());
        assert_eq!(other.hear().await.unwrap().as_deref(), Some("after it"));
        drop(one);
        assert_eq!(other.hear().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_without_a_socket_is_no_socket() {
        let (one, other) = UnixStream::pair().unwrap();
        Wire::new(one).tell("refused").await.unwrap();
        let error = Wire::new(other).receive_socket().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
