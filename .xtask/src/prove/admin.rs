//! Changing the plugin of a running host as an operator does: through the admin API where the host has
//! it, else through its plugin folder. Each change is waited for until requests see it.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::{
    caller::{Caller, Kind, Outcome},
    stage::{Place, Stage},
};

/// How long a change may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one question may wait for news, in milliseconds. It waits so long also when the news came
/// before the question, and that time would count as the change's.
const WAIT_MS: u32 = 10;

/// Between two looks at the version, where a host is changed through its folder.
const LOOK_TIME: Duration = Duration::from_millis(2);

/// One who changes the plugin.
pub struct Operator<'a> {
    stage: &'a Stage,
    place: &'a Place<'a>,
    caller: Caller,
    url: String,
    token: String,
    /// Whether the host can be asked to roll back.
    has_api: bool,
}

impl<'a> Operator<'a> {
    /// Finds out what the host at `url` can be asked.
    pub async fn new(stage: &'a Stage, place: &'a Place<'a>, url: &str) -> Result<Self> {
        let token = place.token()?;
        let caller = Caller::new();
        let mut operator =
            Self { stage, place, caller, url: url.to_owned(), token, has_api: false };
        let (status, _) = operator.post("/components", Bytes::new()).await?;
        operator.has_api = status != 404;
        Ok(operator)
    }

    /// Whether it can roll back.
    pub fn can_roll_back(&self) -> bool {
        self.has_api
    }

    /// Has another version serve.
    pub async fn upgrade(&self, to: u8) -> Result<()> {
        if !self.has_api {
            self.place.install(to)?;
            return self.seen(to).await;
        }
        let component = self.stage.guest(&format!("upgrade-v{to}"))?;
        let (status, kept) = self.post("/components", component.into()).await?;
        let digest = kept["digest"].as_str().with_context(|| format!("{status}: {kept}"))?;
        let install = json!({ "component": digest, "approve": true });
        self.operate("/plugins", &install).await
    }

    /// Has the version before serve again.
    pub async fn roll_back(&self) -> Result<()> {
        self.operate("/plugins/upgrade/rollback", &json!({})).await
    }

    /// Begins an operation, and waits until requests see what came of it.
    async fn operate(&self, path: &str, body: &Value) -> Result<()> {
        let (status, begun) = self.post(path, body.to_string().into()).await?;
        let id = begun["id"].as_str().with_context(|| format!("{path}: {status}: {begun}"))?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let (_, operation) = self.get(&format!("/operations/{id}?wait_ms={WAIT_MS}")).await?;
            match operation["outcome"].as_str() {
                None => {}
                Some("serving") => return Ok(()),
                Some(other) => bail!("{path}: {other}: {operation}"),
            }
        }
        bail!("{path}: not done after {PATIENCE:?}")
    }

    /// Waits until all that follows the last change is done, as far as the host tells.
    async fn seen(&self, version: u8) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.caller.ask(&self.url, Kind::Fast, 0).await == Outcome::Good(version) {
                return Ok(());
            }
            sleep(LOOK_TIME).await;
        }
        let folder = self.place.folder().display();
        bail!("version {version} does not serve after {PATIENCE:?}: see {folder}")
    }

    async fn post(&self, path: &str, body: Bytes) -> Result<(u16, Value)> {
        let media_type =
            if path == "/components" { "application/wasm" } else { "application/json" };
        let request = self.request("POST", path).header(header::CONTENT_TYPE, media_type);
        self.caller.json(request.body(Full::new(body))?).await
    }

    async fn get(&self, path: &str) -> Result<(u16, Value)> {
        self.caller.json(self.request("GET", path).body(Full::default())?).await
    }

    fn request(&self, method: &str, path: &str) -> hyper::http::request::Builder {
        let url = format!("{}/admin/api{path}", self.url);
        let token = format!("Bearer {}", self.token);
        Request::builder().method(method).uri(url).header(header::AUTHORIZATION, token)
    }
}
