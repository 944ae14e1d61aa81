//! One request to a host, and what came back. Every answer is looked at: its status, its content, and
//! which version of the plugin it says it is of.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{fmt, time::Duration};

use super::feed;

/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much is uploaded, in bytes.
const UPLOAD_BYTES: usize = 60_000;

/// The header in which a plugin says its version.
const VERSION: &str = "x-version";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What costs the plugin nothing.
    Fast,
    /// What takes two seconds.
    Slow,
    /// A body that is counted.
    Upload,
    /// A new row.
    Write,
    /// A stream of events from an outside service.
    Stream,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Fast, Self::Slow, Self::Upload, Self::Write, Self::Stream];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow, 2 s",
            Self::Upload => "upload",
            Self::Write => "write",
            Self::Stream => "event stream",
        }
    }
}

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
    http1: Client<HttpConnector, Full<Bytes>>,
    http2: Client<HttpConnector, Full<Bytes>>,
    upload: Bytes,
}

impl Caller {
    pub fn new() -> Self {
        let connector = || {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            connector
        };
        let builder = || Client::builder(TokioExecutor::new());
        Self {
            http1: builder().build(connector()),
            http2: builder().http2_only(true).build(connector()),
            upload: vec![b'x'; UPLOAD_BYTES].into(),
        }
    }

    /// Asks a host for something of the plugin `upgrade`, over HTTP/2 where the number is odd.
    pub async fn ask(&self, url: &str, kind: Kind, number: u64) -> Outcome {
        let (method, path, body) = match kind {
            Kind::Fast => (Method::GET, "/api/upgrade/version".to_owned(), Bytes::new()),
            Kind::Slow => (Method::GET, "/api/upgrade/slow?ms=2000".to_owned(), Bytes::new()),
            Kind::Upload => (Method::POST, "/api/upgrade/upload".to_owned(), self.upload.clone()),
            Kind::Write => (Method::POST, format!("/api/upgrade/notes/n{number}"), Bytes::new()),
            Kind::Stream => (Method::GET, "/api/feed/events".to_owned(), Bytes::new()),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{url}{path}"))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(body));
        match request {
            Ok(request) => self.send(request, number, |answer| judge(kind, answer)).await,
            Err(error) => Outcome::Wrong(error.to_string()),
        }
    }

    /// Asks for anything, over HTTP/2 where the number is odd.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        number: u64,
        judge: impl FnOnce(Answer) -> Outcome,
    ) -> Outcome {
        let client = if number % 2 == 1 { &self.http2 } else { &self.http1 };
        let asking = async {
            let answer = match client.request(request.clone()).await {
                // The host said before that it takes no more on this connection, and has not seen the
                // request: clients send it again on another one (RFC 9113, section 8.7).
                Err(error) if is_goodbye(&error) => client.request(request).await,
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

    /// The JSON that comes back from a request of the operator's.
    pub async fn json(
        &self,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<(u16, serde_json::Value)> {
        let answer: Response<Incoming> = self.http1.request(request).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

/// An answer that came to its end.
pub struct Answer(Response<Bytes>);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.0.body()).chars().take(300).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
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

fn judge(kind: Kind, answer: Answer) -> Outcome {
    let wanted = if kind == Kind::Write { 201 } else { 200 };
    if answer.status() != wanted {
        return answer.not_as_wanted();
    }
    if kind == Kind::Stream {
        let is_whole = answer.0.body().as_ref() == feed::all_events().as_bytes();
        return if is_whole { Outcome::Good(0) } else { Outcome::Wrong(answer.text()) };
    }
    let header = answer.header(VERSION).and_then(major);
    let text = answer.text();
    let said = match kind {
        Kind::Fast => major(&text),
        _ => serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .filter(|said| kind != Kind::Upload || said["bytes"] == UPLOAD_BYTES)
            .and_then(|said| major(said["version"].as_str()?)),
    };
    match (header, said) {
        (Some(header), Some(said)) if header == said => Outcome::Good(said),
        (Some(header), Some(said)) => Outcome::Mixed(format!("{header} in the head, {said} below")),
        _ => Outcome::Wrong(text),
    }
}

/// The first number of a version.
fn major(version: &str) -> Option<u8> {
    version.split('.').next()?.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::{Answer, Kind, Outcome, judge};
    use hyper::Response;

    fn answer(status: u16, version: &str, body: &str) -> Answer {
        let builder = Response::builder().status(status).header("x-version", version);
        Answer(builder.body(body.to_owned().into()).unwrap())
    }

    #[test]
    fn an_answer_is_of_one_version() {
        assert_eq!(judge(Kind::Fast, answer(200, "2.0.0", "2.0.0")), Outcome::Good(2));
        let slow = r#"{"version":"3.0.0"}"#;
        assert_eq!(judge(Kind::Slow, answer(200, "3.0.0", slow)), Outcome::Good(3));
        assert!(matches!(judge(Kind::Slow, answer(200, "2.0.0", slow)), Outcome::Mixed(_)));
        assert!(matches!(judge(Kind::Fast, answer(200, "x", "2.0.0")), Outcome::Wrong(_)));
    }

    #[test]
    fn an_upload_is_whole() {
        let part = r#"{"version":"1.0.0","bytes":59999}"#;
        assert!(matches!(judge(Kind::Upload, answer(200, "1.0.0", part)), Outcome::Wrong(_)));
        let whole = r#"{"version":"1.0.0","bytes":60000}"#;
        assert_eq!(judge(Kind::Upload, answer(200, "1.0.0", whole)), Outcome::Good(1));
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        assert!(matches!(judge(Kind::Fast, answer(503, "", "")), Outcome::Error(503, _)));
        let mut refusal = answer(503, "", "");
        refusal.0.headers_mut().insert("retry-after", "1".parse().unwrap());
        assert_eq!(judge(Kind::Fast, refusal), Outcome::Refused);
    }
}
