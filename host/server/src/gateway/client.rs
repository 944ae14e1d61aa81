//! The client of one service: connections over TCP or TLS, HTTP/1.1, kept open for a while. It
//! follows nothing, retries nothing that was sent, and asks no proxy.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tower::Service;

use super::options::ServiceOptions;
use crate::content::{Content, Error};
use crate::outbound;

/// How long a connection on which nothing is asked is kept; many servers close it after a minute.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// The least that the head of an answer may have, in bytes: what hyper reads at once.
pub(crate) const HEAD_BYTES_MIN: usize = 8 << 10;

/// Header fields of an answer; more is no answer.
const HEADERS_MAX: usize = 100;

/// Sends requests to one service.
pub(crate) type Client = legacy::Client<Connector, Content>;

/// # Errors
/// What is wrong with the certificates.
pub(crate) fn new(options: &ServiceOptions, encrypted: bool) -> Result<Client, String> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let inner = if encrypted {
        let tls = outbound::tls(roots(options.tls_ca_file.as_deref())?)
            .map_err(|reason| format!("the trusted certificates cannot be read: {reason}"))?;
        Inner::Encrypted(
            HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_only()
                .enable_http1()
                .wrap_connector(tcp),
        )
    } else {
        Inner::Plain(tcp)
    };
    let connector = Connector { inner, time_max: options.timeouts.connect() };
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIME_MAX)
        .pool_max_idle_per_host(options.limits.idle_connections_max)
        .http1_max_buf_size(options.limits.head_bytes_max.max(HEAD_BYTES_MIN))
        .http1_max_headers(HEADERS_MAX)
        .build(connector))
}

fn roots(file: Option<&Path>) -> Result<Option<RootCertStore>, String> {
    let Some(path) = file else { return Ok(None) };
    let refused = |reason: String| format!("{}: {reason}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| refused(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|reason| refused(reason.to_string()))?;
        roots.add(certificate).map_err(|reason| refused(reason.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("there is no certificate in it".to_owned()));
    }
    Ok(Some(roots))
}

/// Makes connections, within a time that spans names, TCP and TLS.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: Inner,
    time_max: Duration,
}

#[derive(Clone)]
enum Inner {
    Plain(HttpConnector),
    Encrypted(HttpsConnector<HttpConnector>),
}

type Stream = hyper_rustls::MaybeHttpsStream<hyper_util::rt::TokioIo<tokio::net::TcpStream>>;
type Connecting = Pin<Box<dyn Future<Output = Result<Stream, Error>> + Send>>;

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Error;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.inner {
            Inner::Plain(tcp) => tcp.poll_ready(context).map_err(Error::from),
            Inner::Encrypted(tls) => tls.poll_ready(context),
        }
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let connecting: Connecting = match &mut self.inner {
            Inner::Plain(tcp) => {
                let connecting = tcp.call(uri);
                Box::pin(async move { Ok(Stream::Http(connecting.await?)) })
            }
            Inner::Encrypted(tls) => tls.call(uri),
        };
        let time_max = self.time_max;
        Box::pin(async move {
            match tokio::time::timeout(time_max, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}
