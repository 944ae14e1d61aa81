//! Where the listening socket comes from: the running host (`--takeover`), the process that started
//! this one (`LISTEN_FDS`, as systemd's socket activation has it), or the address in the settings.

use std::io::ErrorKind;
use std::net::SocketAddr;

use caplet_server::Listener;
use listenfd::ListenFd;
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::settings::Listen;
use crate::takeover::Predecessor;

/// The socket that the process which started this one listens on; none when it passed none on.
///
/// # Errors
/// When it passed on something else than one socket that listens on TCP.
pub fn given() -> Result<Option<Listener>, Failure> {
    let mut given = ListenFd::from_env();
    let refused = |reason: String| Failure::usage(format!("LISTEN_FDS: {reason}"));
    match given.len() {
        0 => return Ok(None),
        1 => {}
        n => return Err(refused(format!("found {n} sockets, expected one"))),
    }
    let socket = given.take_tcp_listener(0).map_err(|error| refused(error.to_string()))?;
    let socket = socket.ok_or_else(|| refused("the socket was taken before".to_owned()))?;
    listening(socket).map(|socket| Some(Listener::shared(socket)))
}

/// A socket of this process's own.
///
/// # Errors
/// Why it cannot listen there, and what to do about it.
pub async fn bound(listen: &Listen) -> Result<Listener, Failure> {
    let bound = TcpListener::bind(&listen.0).await.map_err(|reason| {
        let remedy = match reason.kind() {
            ErrorKind::AddrInUse => "; another program listens there: choose another port",
            ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
            _ => "",
        };
        Failure::run_time(format!("cannot listen on {}: {reason}{remedy}", listen.0))
    })?;
    Ok(bound.into())
}

/// The socket of the host that is replaced, which must listen where the settings say.
///
/// # Errors
/// When it does not.
pub async fn taken_over(predecessor: &Predecessor, listen: &Listen) -> Result<Listener, Failure> {
    let address = predecessor.address();
    let addresses =
        tokio::net::lookup_host(&listen.0).await.map(Vec::from_iter).unwrap_or_default();
    // Port 0 takes any, and this one is as good.
    let fits = |wanted: &SocketAddr| wanted.port() == 0 || *wanted == address;
    if !addresses.iter().any(fits) {
        return Err(Failure::usage(format!(
            "listen: found {}, but the running host listens on {address}; another address needs a \
             stop and a start",
            listen.0
        )));
    }
    let socket = predecessor.socket().map_err(|reason| {
        Failure::run_time(format!("the socket of the running host cannot be used: {reason}"))
    })?;
    let socket = listening(socket)?;
    Ok(if predecessor.greeting().is_shared { Listener::shared(socket) } else { socket.into() })
}

fn listening(socket: std::net::TcpListener) -> Result<TcpListener, Failure> {
    let ready = socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket));
    ready.map_err(|reason| Failure::run_time(format!("the socket cannot be used: {reason}")))
}
