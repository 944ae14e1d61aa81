//! The HTTP client for collectors, in the form that the library asks for. It is the host's own, so
//! that it trusts what the host trusts and sets no provider for the whole process.

use async_trait::async_trait;
use caplet_server::outbound;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// The longest answer that is read, in bytes: it says what was refused, and nobody shows more.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A client for a collector. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(pub reqwest::Client);

/// Makes the client.
///
/// # Errors
/// The operating system's certificates cannot be read.
pub fn new() -> Result<Client, String> {
    let builder = outbound::client().map_err(|error| format!("no certificates: {error}"))?;
    builder.build().map(Client).map_err(|error| format!("no HTTP client: {error}"))
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let mut answer = self.0.execute(request).await?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.extend(answer.headers().clone());
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await? {
            if body.len() + part.len() > ANSWER_BYTES_MAX {
                return Err("the collector's answer is too long".into());
            }
            body.extend_from_slice(&part);
        }
        Ok(response.body(body.into())?)
    }
}
