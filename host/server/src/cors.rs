//! Cross-origin requests (the Fetch standard, section 3.2): which pages of other origins may call this
//! host from a browser. The host answers for all of its plugins, which have no say in it. The admin API
//! is for no page of another origin.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use serde::Deserialize;

use crate::content::Content;
use crate::identity::Unfit;
use crate::problem::Answered;

/// Which pages of other origins may call this host from a browser.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// The origins: `https://shop.example`, `https://*.shop.example` for everything below a name, or
    /// `*` for all. Empty: none.
    pub origins: Vec<String>,
    /// The methods that may be used.
    pub methods: Vec<String>,
    /// The headers that may be sent.
    pub headers: Vec<String>,
    /// The headers of answers that may be read, besides those that always may.
    pub exposed_headers: Vec<String>,
    /// Whether browsers may send cookies and client certificates along. Never with the origin `*`.
    pub credentials: bool,
    /// How long a browser may remember what it was told, in seconds.
    pub max_age_s: u64,
}

impl Default for Cors {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            origins: Vec::new(),
            methods: list(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            headers: list(&[
                "authorization",
                "content-type",
                "idempotency-key",
                "if-match",
                "if-none-match",
                "traceparent",
                "x-api-key",
                "x-request-id",
            ]),
            exposed_headers: list(&[
                "etag",
                "idempotency-replayed",
                "link",
                "location",
                "retry-after",
                "x-request-id",
            ]),
            credentials: false,
            max_age_s: 600,
        }
    }
}

/// The rules at work.
pub(crate) struct Policy {
    origins: Origins,
    /// The headers of every answer to an allowed origin, and those of preflights.
    of_answers: HeaderMap,
    of_preflights: HeaderMap,
}

enum Origins {
    None,
    Any,
    Listed(Vec<Pattern>),
}

/// An origin, or all below a name.
enum Pattern {
    Exact(String),
    /// What stands before and behind the star.
    Below(String, String),
}

impl Policy {
    /// Checks the rules.
    ///
    /// # Errors
    /// The setting that does not fit.
    pub(crate) fn new(cors: &Cors) -> Result<Self, Unfit> {
        let mut of_answers = HeaderMap::new();
        let mut of_preflights = HeaderMap::new();
        let exposed = names::<HeaderName>("exposed_headers", &cors.exposed_headers)?;
        if !cors.exposed_headers.is_empty() {
            of_answers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        if cors.credentials {
            let yes = HeaderValue::from_static("true");
            of_answers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes.clone());
            of_preflights.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        let methods = names::<Method>("methods", &cors.methods)?;
        let headers = names::<HeaderName>("headers", &cors.headers)?;
        of_preflights.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        of_preflights.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
        of_preflights.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(cors.max_age_s));
        let origins = Origins::new(&cors.origins, cors.credentials)?;
        Ok(Self { origins, of_answers, of_preflights })
    }

    /// Whether any origin is allowed.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self.origins, Origins::None)
    }

    /// The answer to the question whether a request may be sent, when this is one. It needs no token:
    /// browsers send none with it.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<Answered> {
        let is_one = parts.method == Method::OPTIONS
            && parts.headers.contains_key(ORIGIN)
            && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !is_one || !self.is_on() {
            return None;
        }
        let mut response = Response::new(Content::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if let Some(allowed) = self.allowed(&parts.headers) {
            response.headers_mut().extend(self.of_preflights.clone());
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
        self.vary(response.headers_mut());
        Some(response)
    }

    /// Tells the browser whether the page may read this answer.
    pub(crate) fn finish(&self, parts: &Parts, headers: &mut HeaderMap) {
        if !self.is_on() || headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if let Some(allowed) = self.allowed(&parts.headers) {
            headers.extend(self.of_answers.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
        self.vary(headers);
    }

    /// Caches must not give one origin the answer to another, nor to none.
    fn vary(&self, headers: &mut HeaderMap) {
        if matches!(self.origins, Origins::Listed(_)) {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }

    /// What to say to the origin of a request, when it is allowed.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut values = headers.get_all(ORIGIN).iter();
        let origin = values.next().filter(|_| values.next().is_none())?;
        match &self.origins {
            Origins::None => None,
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Listed(patterns) => {
                let text = origin.to_str().ok()?;
                patterns.iter().any(|pattern| pattern.fits(text)).then(|| origin.clone())
            }
        }
    }
}

impl Origins {
    fn new(list: &[String], credentials: bool) -> Result<Self, Unfit> {
        let unfit = |reason: &str| Unfit::new("cors.origins", reason);
        if list.is_empty() {
            return Ok(Self::None);
        }
        if list.iter().any(|origin| origin == "*") {
            return if credentials {
                Err(unfit("`*` cannot be with credentials = true; name the origins"))
            } else if list.len() > 1 {
                Err(unfit("`*` stands alone"))
            } else {
                Ok(Self::Any)
            };
        }
        list.iter().map(|origin| Pattern::new(origin)).collect::<Result<_, _>>().map(Self::Listed)
    }
}

impl Pattern {
    /// Browsers write an origin in one way only; what is not written so would never fit.
    fn new(origin: &str) -> Result<Self, Unfit> {
        let unfit = || {
            let form = "expected https://shop.example, https://*.shop.example, or `*`";
            Unfit::new("cors.origins", format!("`{origin}` is no origin; {form}"))
        };
        let name = origin.replacen("://*.", "://", 1);
        let url = reqwest::Url::parse(&name).map_err(|_| unfit())?;
        let is_web = matches!(url.scheme(), "http" | "https") && !name.contains('*');
        if !is_web || url.origin().ascii_serialization() != name {
            return Err(unfit());
        }
        Ok(match origin.split_once('*') {
            Some((before, behind)) => Self::Below(before.to_owned(), behind.to_owned()),
            None => Self::Exact(name),
        })
    }

    fn fits(&self, origin: &str) -> bool {
        match self {
            Self::Exact(own) => own == origin,
            Self::Below(before, behind) => {
                let middle = origin
                    .strip_prefix(before.as_str())
                    .and_then(|rest| rest.strip_suffix(behind.as_str()));
                let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
                middle.is_some_and(|name| !name.is_empty() && name.bytes().all(letters))
            }
        }
    }
}

/// A list of names as one value, each of which is a `T`.
fn names<T: std::str::FromStr>(key: &str, list: &[String]) -> Result<HeaderValue, Unfit> {
    let key = format!("cors.{key}");
    if let Some(wrong) = list.iter().find(|name| name.parse::<T>().is_err()) {
        return Err(Unfit::new(key, format!("`{wrong}` cannot stand in a list of names")));
    }
    HeaderValue::from_str(&list.join(", ")).map_err(|error| Unfit::new(key, error.to_string()))
}

#[cfg(test)]
#[path = "cors_tests.rs"]
mod tests;
