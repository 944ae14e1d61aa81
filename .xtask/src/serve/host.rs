//! The host as a child process: started, awaited, ended with this program.
//!
//! It gets a process group of its own, so that Ctrl-C reaches it once, through this program, and as
//! the signal that means a graceful stop.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often the host and the signals are looked at.
const POLL_TIME: Duration = Duration::from_millis(50);

/// When it is said that the host is not ready yet. It is awaited on: a person decides.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one question to the host may take.
const QUESTION_TIME: Duration = Duration::from_secs(2);

/// How much of an answer is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Where the host listens.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    /// What the host is told.
    pub listen: String,
    /// Where this machine reaches it. None when the address means nothing here or is taken: then
    /// somebody else would answer, and the host's own error is what should be seen.
    pub url: Option<SocketAddr>,
}

impl Address {
    /// Reads the setting, and chooses a free port for port 0.
    pub fn choose(listen: &str) -> Result<Self> {
        let resolved = listen.to_socket_addrs().ok().and_then(|mut all| all.next());
        let Some(listener) = resolved.and_then(|address| TcpListener::bind(address).ok()) else {
            return Ok(Self { listen: listen.to_owned(), url: None });
        };
        let bound = listener.local_addr().context("cannot read the address")?;
        let chosen = resolved.is_some_and(|address| address.port() == 0);
        let listen = if chosen { bound.to_string() } else { listen.to_owned() };
        Ok(Self { listen, url: Some(reachable(bound)) })
    }
}

/// An address that means every interface is reached through the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// A running host.
pub struct Host {
    child: Child,
    signals: Signals,
    n_signals: u32,
}

impl Host {
    /// Starts the host. From here on signals to this program are the host's.
    pub fn start(command: &mut Command) -> Result<Self> {
        let signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot watch signals")?;
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        Ok(Self { child: child.context("cannot start the host")?, signals, n_signals: 0 })
    }

    /// Waits until the host says that it is ready. False when it ended instead.
    pub fn wait_until_ready(&mut self, address: &SocketAddr) -> Result<bool> {
        let mut complaint = Some(Instant::now() + PATIENCE);
        while self.ended()?.is_none() {
            if is_ready(address).unwrap_or(false) {
                return Ok(true);
            }
            if complaint.is_some_and(|time| Instant::now() > time) {
                println!("The host is not ready yet: http://{address}/readyz says why.");
                complaint = None;
            }
            thread::sleep(POLL_TIME);
        }
        Ok(false)
    }

    /// Waits for the host's end and returns its exit code; for a signal 128 and its number.
    pub fn wait(mut self) -> Result<ExitCode> {
        loop {
            if let Some(status) = self.ended()? {
                let code = status.code().or(status.signal().map(|signal| 128 + signal));
                let code = code.and_then(|code| u8::try_from(code).ok());
                return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
            }
            thread::sleep(POLL_TIME);
        }
    }

    /// Passes on the signals that have come, and looks whether the host has ended.
    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait().context("cannot look at the host")?;
        if status.is_none() {
            for _ in self.signals.pending() {
                self.n_signals += 1;
                // Who asks twice wants it now.
                let signal = if self.n_signals == 1 { Signal::TERM } else { Signal::KILL };
                kill_process(Pid::from_child(&self.child), signal)
                    .context("cannot end the host")?;
            }
        }
        Ok(status)
    }
}

/// A host does not outlive this program, whatever ended it early.
impl Drop for Host {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None))
            && kill_process(Pid::from_child(&self.child), Signal::TERM).is_ok()
        {
            // Nothing is left to be done about an error.
            let _ = self.child.wait();
        }
    }
}

fn is_ready(address: &SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(address, QUESTION_TIME)?;
    stream.set_read_timeout(Some(QUESTION_TIME))?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    // Hanging up on the rest would reset the connection while the host still writes. The status is
    // known, whatever comes of the rest.
    let _ = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut Vec::new());
    Ok(line == *b"HTTP/1.1 200")
}

#[cfg(test)]
mod tests {
    use super::{Address, Host, Pid, is_ready, reachable};
    use rustix::process::test_kill_process;
    use std::{
        io::{Read, Write},
        net::TcpListener,
        process::{Command, ExitCode},
        thread,
    };

    #[test]
    fn port_0_becomes_a_free_port() {
        let address = Address::choose("127.0.0.1:0").unwrap();
        let url = address.url.unwrap();
        assert_ne!(url.port(), 0);
        assert_eq!(address.listen, url.to_string());
    }

    #[test]
    fn a_taken_or_senseless_address_is_left_to_the_host() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let listener = TcpListener::bind(&taken).unwrap();
        assert_eq!(Address::choose(&taken).unwrap(), Address { listen: taken, url: None });
        assert_eq!(Address::choose("nonsense").unwrap().url, None);
        drop(listener);
    }

    #[test]
    fn every_interface_is_reached_through_the_loopback_one() {
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()).to_string(), "127.0.0.1:80");
        assert_eq!(reachable("[::]:80".parse().unwrap()).to_string(), "[::1]:80");
        assert_eq!(reachable("10.0.0.1:80".parse().unwrap()).to_string(), "10.0.0.1:80");
    }

    #[test]
    fn the_hosts_exit_code_is_passed_on() {
        let mut command = Command::new("sh");
        let mut host = Host::start(command.args(["-c", "exit 3"])).unwrap();
        assert!(!host.wait_until_ready(&"127.0.0.1:9".parse().unwrap()).unwrap());
        assert_eq!(host.wait().unwrap(), ExitCode::from(3));
    }

    #[test]
    fn a_host_ends_with_this_program() {
        let host = Host::start(Command::new("sleep").arg("600")).unwrap();
        let pid = Pid::from_child(&host.child);
        assert!(test_kill_process(pid).is_ok());
        drop(host);
        assert!(test_kill_process(pid).is_err());
    }

    #[test]
    fn only_status_200_means_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            for status in ["503 Service Unavailable", "200 OK"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).unwrap() > 0);
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
        assert!(!is_ready(&address).unwrap());
        assert!(is_ready(&address).unwrap());
        server.join().unwrap();
    }
}
