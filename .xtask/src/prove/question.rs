//! What is asked of a host: of which plugin, what kind of request, and what a good answer to it is.
//! Every answer is looked at: its status, its content, and which version of the plugin it says it is of.

use bytes::Bytes;
use hyper::{Request, header, http};
use serde_json::{Value, json};
use std::{sync::LazyLock, time::Duration};

use super::{
    caller::{Answer, Outcome},
    feed,
    sent::Sent,
};

/// How much is uploaded to the fixture, in bytes.
const UPLOAD_BYTES: usize = 60_000;

/// How long a comment is that is uploaded, in characters, each written as an escape of six bytes.
const LONG_COMMENT_CHARS: usize = 9_900;

/// How many tags an item gets that is uploaded.
const N_TAGS: usize = 40;

/// How long slow requests take, and in how many parts their bodies come.
const SLOW_TIME: Duration = Duration::from_secs(2);
const N_PARTS: u32 = 5;

/// The header in which a plugin says its version.
const VERSION: &str = "x-version";

/// The version of bundled plugins, which do not say it.
pub const BUNDLED: u8 = 1;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The fixture that says its version in head and body of each answer.
    Upgrade,
    /// The bundled plugins.
    Comments,
    Tags,
    /// An outside service.
    Feed,
}

impl Target {
    /// The name of the plugin.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Comments => "comments",
            Self::Tags => "tags",
            Self::Feed => "feed",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What costs the plugin little.
    Fast,
    /// What takes two seconds: a fixture that sleeps, or a body that comes so slowly.
    Slow,
    /// A large body.
    Upload,
    /// A new row.
    Write,
    /// A stream of events from an outside service.
    Stream,
}

/// A request that can be made again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub of: Target,
    pub kind: Kind,
}

impl Question {
    /// What it is called in the report.
    pub fn name(self) -> String {
        let kind = match self.kind {
            Kind::Fast => "fast",
            Kind::Slow => "slow, 2 s",
            Kind::Upload => "upload",
            Kind::Write => "write",
            Kind::Stream => "event stream",
        };
        format!("{}, {kind}", self.of.name())
    }

    /// The request; the number tells it apart from all others.
    pub fn request(self, url: &str, number: u64, token: &str) -> http::Result<Request<Sent>> {
        let (method, path) = match self.of {
            Target::Upgrade => self.to_fixture(number),
            Target::Comments if self.kind == Kind::Fast => ("GET", format!("?target={COMMENTED}")),
            Target::Comments => ("POST", String::new()),
            Target::Tags if self.kind == Kind::Fast => ("GET", "/popular".to_owned()),
            Target::Tags => ("PUT", format!("/items/post/p{}", number % 500)),
            Target::Feed => ("GET", "/events".to_owned()),
        };
        let mut request = Request::builder().method(method);
        request = request.uri(format!("{url}/api/{}{path}", self.of.name()));
        if matches!(self.of, Target::Comments | Target::Tags) && self.kind != Kind::Fast {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.body(self.body(number))
    }

    fn to_fixture(self, number: u64) -> (&'static str, String) {
        match self.kind {
            Kind::Slow => ("GET", format!("/slow?ms={}", SLOW_TIME.as_millis())),
            Kind::Upload => ("POST", "/upload".to_owned()),
            Kind::Write => ("POST", format!("/notes/n{number}")),
            Kind::Fast | Kind::Stream => ("GET", "/version".to_owned()),
        }
    }

    fn body(self, number: u64) -> Sent {
        static UPLOAD: LazyLock<Bytes> = LazyLock::new(|| vec![b'x'; UPLOAD_BYTES].into());
        let body: Bytes = match (self.of, self.kind) {
            (Target::Upgrade, Kind::Upload) => UPLOAD.clone(),
            (Target::Upgrade | Target::Feed, _) | (_, Kind::Fast | Kind::Stream) => Bytes::new(),
            (Target::Comments, kind) => comment(kind, number).into(),
            (Target::Tags, kind) => tags(kind, number).into(),
        };
        match (self.of, self.kind) {
            (Target::Comments | Target::Tags, Kind::Slow) => Sent::over(SLOW_TIME, N_PARTS, &body),
            _ => Sent::at_once(body),
        }
    }

    /// What an answer to it is.
    pub fn judge(self, answer: &Answer) -> Outcome {
        let is_new = self.of == Target::Comments && self.kind != Kind::Fast
            || self.of == Target::Upgrade && self.kind == Kind::Write;
        if answer.status() != if is_new { 201 } else { 200 } {
            return answer.not_as_wanted();
        }
        match self.of {
            Target::Feed if answer.body() == feed::all_events().as_bytes() => Outcome::Good(0),
            Target::Feed => Outcome::Wrong(answer.text()),
            Target::Upgrade => of_fixture(self.kind, answer),
            Target::Comments | Target::Tags => self.of_bundled(answer),
        }
    }

    /// A plugin that is shipped says its version only when it was made for the proof.
    fn of_bundled(self, answer: &Answer) -> Outcome {
        let version = match answer.header(VERSION) {
            None => Some(BUNDLED),
            Some(text) => major(text),
        };
        let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let is_right = match (self.of, self.kind) {
            (_, Kind::Fast) => said["items"].is_array(),
            (Target::Comments, Kind::Upload) => {
                said["body"].as_str().is_some_and(|body| body.len() == LONG_COMMENT_CHARS)
            }
            (Target::Comments, _) => said["id"].is_string(),
            (_, Kind::Upload) => said["tags"].as_array().is_some_and(|tags| tags.len() == N_TAGS),
            _ => said["tags"].as_array().is_some_and(|tags| tags.len() == 2),
        };
        match version {
            Some(version) if is_right => Outcome::Good(version),
            _ => Outcome::Wrong(answer.text()),
        }
    }
}

/// What comments are listed of; few write to it, so that the list stays as it is.
const COMMENTED: &str = "post:0";

fn comment(kind: Kind, number: u64) -> String {
    let target = format!("post:{}", 1 + number % 100);
    if kind == Kind::Upload {
        let body = "\\u0061".repeat(LONG_COMMENT_CHARS);
        return format!(r#"{{"target":"{target}","body":"{body}"}}"#);
    }
    json!({ "target": target, "body": format!("It is **number {number}**.") }).to_string()
}

fn tags(kind: Kind, number: u64) -> String {
    let tags: Vec<String> = match kind {
        Kind::Upload => (0..N_TAGS).map(|tag| format!("tag {tag}")).collect(),
        _ => vec![format!("tag {}", number % 50), "all of them".to_owned()],
    };
    json!({ "tags": tags }).to_string()
}

fn of_fixture(kind: Kind, answer: &Answer) -> Outcome {
    let header = answer.header(VERSION).and_then(major);
    let text = answer.text();
    let said = match kind {
        Kind::Fast => major(&text),
        _ => serde_json::from_str::<Value>(&text)
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

#[cfg(test)]
mod tests {
    use super::{Kind, Question, Target};
    use crate::prove::caller::{Answer, Outcome};
    use hyper::Response;

    fn judge(of: Target, kind: Kind, status: u16, version: &str, body: &str) -> Outcome {
        let builder = Response::builder().status(status).header("x-version", version);
        let answer = Answer(builder.body(body.to_owned().into()).unwrap());
        Question { of, kind }.judge(&answer)
    }

    #[test]
    fn an_answer_is_of_one_version() {
        let judge = |kind, version, body| judge(Target::Upgrade, kind, 200, version, body);
        assert_eq!(judge(Kind::Fast, "2.0.0", "2.0.0"), Outcome::Good(2));
        let slow = r#"{"version":"3.0.0"}"#;
        assert_eq!(judge(Kind::Slow, "3.0.0", slow), Outcome::Good(3));
        assert!(matches!(judge(Kind::Slow, "2.0.0", slow), Outcome::Mixed(_)));
        assert!(matches!(judge(Kind::Fast, "x", "2.0.0"), Outcome::Wrong(_)));
    }

    #[test]
    fn an_upload_is_whole() {
        let judge = |body| judge(Target::Upgrade, Kind::Upload, 200, "1.0.0", body);
        assert!(matches!(judge(r#"{"version":"1.0.0","bytes":59999}"#), Outcome::Wrong(_)));
        assert_eq!(judge(r#"{"version":"1.0.0","bytes":60000}"#), Outcome::Good(1));
        let tags = judge_tags(r#"{"tags":[{}]}"#);
        assert!(matches!(tags, Outcome::Wrong(_)), "{tags:?}");
    }

    fn judge_tags(body: &str) -> Outcome {
        judge(Target::Tags, Kind::Upload, 200, "2.0.0", body)
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let refused = judge(Target::Comments, Kind::Fast, 503, "", "");
        assert!(matches!(refused, Outcome::Error(503, _)));
        let answer = Response::builder().status(503).header("retry-after", "1");
        let answer = Answer(answer.body("".into()).unwrap());
        let question = Question { of: Target::Comments, kind: Kind::Fast };
        assert_eq!(question.judge(&answer), Outcome::Refused);
    }

    #[test]
    fn every_question_is_a_request() {
        for of in [Target::Upgrade, Target::Comments, Target::Tags, Target::Feed] {
            for kind in [Kind::Fast, Kind::Slow, Kind::Upload, Kind::Write, Kind::Stream] {
                let request = Question { of, kind }.request("http://127.0.0.1:1", 7, "t").unwrap();
                assert!(request.uri().path().starts_with(&format!("/api/{}", of.name())));
            }
        }
    }
}
