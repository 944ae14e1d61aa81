//! Changing the plugins of a running host as an operator does, through the admin API. Each change is
//! waited for until it serves.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hyper::{Request, header, http};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

use super::{caller::Caller, question::Target, sent::Sent, stage::Place};

/// How long a change may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one question may wait for news, in milliseconds. It waits so long also when the news came
/// before the question, and that time would count as the change's.
const WAIT_MS: u32 = 10;

/// How long each step of a change took, in milliseconds, for people.
pub type Steps = String;

/// One who changes plugins.
pub struct Operator {
    caller: Caller,
    url: String,
    token: String,
}

impl Operator {
    /// The operator of the host at `url`, which runs at a place.
    pub fn new(place: &Place<'_>, url: &str) -> Result<Self> {
        let token = place.token("prove", &["caplet.admin"])?;
        Ok(Self { caller: Caller::new(), url: url.to_owned(), token })
    }

    /// Has a component serve, whatever it wants more than the one before.
    pub async fn upgrade(&self, component: Vec<u8>) -> Result<Steps> {
        let (status, kept) = self.post("/components", component.into()).await?;
        let digest = kept["digest"].as_str().with_context(|| format!("{status}: {kept}"))?;
        let install = json!({ "component": digest, "approve": true });
        self.operate("/plugins", &install).await
    }

    /// Has the version before serve again.
    pub async fn roll_back(&self, target: Target) -> Result<Steps> {
        self.operate(&format!("/plugins/{}/rollback", target.name()), &json!({})).await
    }

    /// Begins an operation, and waits until requests see what came of it.
    async fn operate(&self, path: &str, body: &Value) -> Result<Steps> {
        let (status, begun) = self.post(path, body.to_string().into()).await?;
        let id = begun["id"].as_str().with_context(|| format!("{path}: {status}: {begun}"))?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let (_, operation) = self.get(&format!("/operations/{id}?wait_ms={WAIT_MS}")).await?;
            match operation["outcome"].as_str() {
                None => {}
                Some("serving") => return Ok(steps(&operation)),
                Some(other) => bail!("{path}: {other}: {operation}"),
            }
        }
        bail!("{path}: not done after {PATIENCE:?}")
    }

    async fn post(&self, path: &str, body: Bytes) -> Result<(u16, Value)> {
        let media_type =
            if path == "/components" { "application/wasm" } else { "application/json" };
        let request = self.request("POST", path).header(header::CONTENT_TYPE, media_type);
        self.caller.json(request.body(Sent::at_once(body))?).await
    }

    async fn get(&self, path: &str) -> Result<(u16, Value)> {
        self.caller.json(self.request("GET", path).body(Sent::default())?).await
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let url = format!("{}/admin/api{path}", self.url);
        let token = format!("Bearer {}", self.token);
        Request::builder().method(method).uri(url).header(header::AUTHORIZATION, token)
    }
}

fn steps(operation: &Value) -> Steps {
    let steps = operation["steps"].as_array().into_iter().flatten();
    let told = steps.filter_map(|it| Some((it["step"].as_str()?, it["took_ms"].as_f64()?)));
    told.map(|(step, took_ms)| format!("{step} {took_ms:.1}")).collect::<Vec<_>>().join(", ")
}
