//! The running host, spoken to through its admin API. The command line proves who it is with a token
//! that it signs for itself with the host's secret, or with one that it is given.

use std::sync::Arc;
use std::time::Duration;

use caplet_runtime::{Kind, SystemClock};
use caplet_server::token::Tokens;
use caplet_server::{ADMIN_PERMISSION, Claims, outbound, secret};
use clap::Args;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::arguments::Common;
use crate::failure::Failure;
use crate::settings::Settings;

/// How long the host may take to answer.
const TIME_MAX: Duration = Duration::from_secs(30);

/// How long the token is valid that the command line signs for itself.
const TOKEN_TIME: Duration = Duration::from_secs(10 * 60);

/// Which host is meant, for every command that speaks to a running one.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    #[command(flatten)]
    pub common: Common,
    /// Where the host is [default: the address in the settings]
    #[arg(long, value_name = "URL", env = "CAPLET_URL")]
    pub url: Option<String>,
    /// A token with the permission caplet.admin [default: one signed with the host's secret]
    #[arg(long, value_name = "TOKEN", env = "CAPLET_ADMIN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// A running host.
pub struct Remote {
    client: Client,
    base: Url,
    token: String,
}

/// What a problem document says.
#[derive(serde::Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Remote {
    /// Finds the host and the token. Does not connect yet.
    ///
    /// # Errors
    /// Settings that do not fit, or no secret to sign with.
    pub fn new(target: &Target) -> Result<Self, Failure> {
        let settings = Settings::load(&target.common, None)?;
        let base = base(&settings, target.url.as_deref())?;
        let token = match &target.token {
            Some(token) => token.clone(),
            None => own_token(&settings)?,
        };
        let client = outbound::client()
            .map_err(|error| Failure::run_time(format!("no certificates: {error}")))?
            .timeout(TIME_MAX)
            .build()
            .map_err(|error| Failure::run_time(format!("no HTTP client: {error}")))?;
        Ok(Self { client, base, token })
    }

    /// What is at `path` below `/admin/api`, such as `/plugins`.
    ///
    /// # Errors
    /// The host cannot be reached, or what it says is wrong.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    /// Asks with a method and a body, and reads the answer.
    ///
    /// # Errors
    /// As [`Remote::get`].
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let response = self.send(method, path, body).await?;
        response.json().await.map_err(|error| self.unexpected(&error))
    }

    /// Brings bytes of a media type to `path`.
    ///
    /// # Errors
    /// As [`Remote::get`].
    pub async fn bring<T: DeserializeOwned>(
        &self,
        path: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<T, Failure> {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, media_type).body(bytes);
        let response = self.answered(request).await?;
        response.json().await.map_err(|error| self.unexpected(&error))
    }

    /// Asks with a method and a body, and leaves the answer's body to the caller. The answer is a
    /// success.
    ///
    /// # Errors
    /// As [`Remote::get`].
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response, Failure> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answered(request).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/admin/api{path}", self.base.as_str().trim_end_matches('/'));
        self.client.request(method, url).bearer_auth(&self.token)
    }

    /// Sends a request whose answer has to be a success.
    async fn answered(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        Err(match serde_json::from_str::<Problem>(&text) {
            Ok(Problem { code, detail }) => {
                Failure::run_time(format!("{detail} ({status}, {code})"))
            }
            Err(_) => Failure::run_time(format!("{} answered {status}", self.base)),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let reason = match error {
            error if error.is_timeout() => format!("no answer in {} s", TIME_MAX.as_secs()),
            error if error.is_connect() => "nothing listens there; is the host running?".to_owned(),
            error => error.to_string(),
        };
        Failure::run_time(format!("cannot reach {}: {reason} (--url says where it is)", self.base))
    }

    fn unexpected(&self, error: &reqwest::Error) -> Failure {
        let versions = "are host and command line of the same version?";
        Failure::run_time(format!("{} answered something else: {error}; {versions}", self.base))
    }
}

/// Where a host is: at the given address, or where the settings say that it listens.
///
/// # Errors
/// Settings that do not fit, or what is no address.
pub fn address(common: &Common, url: Option<&str>) -> Result<Url, Failure> {
    base(&Settings::load(common, None)?, url)
}

fn base(settings: &Settings, url: Option<&str>) -> Result<Url, Failure> {
    let url = url.map_or_else(|| url_of(&settings.listen.0), str::to_owned);
    let base = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    base.ok_or_else(|| {
        Failure::usage(format!("--url: `{url}` is no address such as http://127.0.0.1:8080"))
    })
}

/// The address to reach a host that listens on `listen`: one that listens everywhere is also here.
fn url_of(listen: &str) -> String {
    let here = listen.replacen("0.0.0.0:", "127.0.0.1:", 1).replacen("[::]:", "[::1]:", 1);
    format!("http://{here}")
}

fn own_token(settings: &Settings) -> Result<String, Failure> {
    let secret = secret::load(&settings.auth, Some(&settings.data))
        .map_err(|error| Failure::run_time(error.to_string()))?;
    let claims = Claims {
        kind: Kind::Service,
        scopes: vec![ADMIN_PERMISSION.to_owned()],
        ..Claims::user("caplet-cli")
    };
    Tokens::new(&secret, &settings.auth, Arc::new(SystemClock))
        .issue(&claims, TOKEN_TIME)
        .map_err(|refused| Failure::run_time(format!("no token for the admin API: {refused}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaches_a_host_that_listens_everywhere_here() {
        assert_eq!(url_of("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(url_of("[::]:80"), "http://[::1]:80");
        assert_eq!(url_of("10.0.0.7:80"), "http://10.0.0.7:80");
    }
}
