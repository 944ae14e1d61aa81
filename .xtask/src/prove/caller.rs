//! One request to a host, and what came back. What is asked and what is a good answer is in
//! [`super::question`].

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, http};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{fmt, sync::Arc, time::Duration};

use super::{question::Question, sent::Sent};

/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered as it should be, by this version of the plugin.
    Good(u8),
    /// The host refused it, and said when to come again.
    Refused,
    /// It was answered with an error of the host's side.
    Error(u16, String),
    /// It was answered, and not as it should be.
    Wrong(String),
    /// Its answer says two versions.
    Mixed(String),
    /// It was not sent: nobody took the connection.
    Unreached(String),
    /// It was not answered.
    Dropped(String),
}

/// Clients of both versions of HTTP, which keep their connections.
#[derive(Clone)]
pub struct Caller {
    http1: Client<HttpConnector, Sent>,
    http2: Client<HttpConnector, Sent>,
    /// Who asks, where that matters.
    token: Arc<str>,
}

impl Caller {
    /// Nobody in particular.
    pub fn new() -> Self {
        Self::with_token("")
    }

    /// The bearer of a token.
    pub fn with_token(token: &str) -> Self {
        let connector = || {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            connector
        };
        let builder = || Client::builder(TokioExecutor::new());
        Self {
            http1: builder().build(connector()),
            http2: builder().http2_only(true).build(connector()),
            token: token.into(),
        }
    }

    /// Asks a host, over HTTP/2 where the number is odd.
    pub async fn ask(&self, url: &str, question: Question, number: u64) -> Outcome {
        let request = || question.request(url, number, &self.token);
        self.send(request, number, |answer| question.judge(&answer)).await
    }

    /// Asks for anything, over HTTP/2 where the number is odd.
    pub async fn send(
        &self,
        request: impl Fn() -> http::Result<Request<Sent>>,
        number: u64,
        judge: impl FnOnce(Answer) -> Outcome,
    ) -> Outcome {
        let client = if number % 2 == 1 { &self.http2 } else { &self.http1 };
        let asking = async {
            let made = || request().map_err(|error| Outcome::Wrong(error.to_string()));
            let answer = match client.request(made()?).await {
                // The host said before that it takes no more on this connection, and has not seen the
                // request: clients send it again on another one (RFC 9113, section 8.7).
                Err(error) if is_goodbye(&error) => client.request(made()?).await,
                other => other,
            };
            let answer = answer.map_err(|error| match error.is_connect() {
                true => Outcome::Unreached(chain(&error)),
                false => Outcome::Dropped(chain(&error)),
            })?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| Outcome::Dropped(chain(&error)))?;
            Ok(Answer(Response::from_parts(head, body.to_bytes())))
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(answer)) => judge(answer),
            Ok(Err(outcome)) => outcome,
            Err(_) => Outcome::Dropped(format!("no answer within {PATIENCE:?}")),
        }
    }

    /// The status of a request for a path, whose answer is read to its end; none when there is no answer.
    pub async fn status(&self, url: &str) -> Option<u16> {
        let request = Request::builder().uri(url).body(Sent::default()).ok()?;
        let answer =
            tokio::time::timeout(PATIENCE, self.http1.request(request)).await.ok()?.ok()?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await.ok()?;
        Some(status)
    }

    /// The JSON that comes back from a request of the operator's.
    pub async fn json(&self, request: Request<Sent>) -> anyhow::Result<(u16, serde_json::Value)> {
        let answer: Response<Incoming> = self.http1.request(request).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

/// An answer that came to its end.
pub struct Answer(pub Response<Bytes>);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub fn body(&self) -> &[u8] {
        self.0.body()
    }

    /// The beginning of its body, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).chars().take(300).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok()
    }

    /// What a status says where it is not the one that is wanted.
    pub fn not_as_wanted(&self) -> Outcome {
        match self.status() {
            429 | 503 if self.header("retry-after").is_some() => Outcome::Refused,
            status @ 500.. => Outcome::Error(status, self.text()),
            status => Outcome::Wrong(format!("{status}: {}", self.text())),
        }
    }
}

/// Whether the other side took no more requests on the connection, and nothing was wrong with it.
fn is_goodbye(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_goodbye = |error: &h2::Error| {
        error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
    };
    causes(error).filter_map(|error| error.downcast_ref::<h2::Error>()).any(is_goodbye)
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// An error with its causes, which say what happened.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(version) => write!(formatter, "answered by version {version}"),
            Self::Refused => formatter.write_str("refused"),
            Self::Error(status, text) => write!(formatter, "{status}: {text}"),
            Self::Wrong(text) => write!(formatter, "a wrong answer: {text}"),
            Self::Mixed(text) => write!(formatter, "two versions in one answer: {text}"),
            Self::Unreached(reason) => write!(formatter, "no connection: {reason}"),
            Self::Dropped(reason) => write!(formatter, "no answer: {reason}"),
        }
    }
}
