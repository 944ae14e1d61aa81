//! What people see of a host in a browser: the front page (`front`) over what is running
//! (`overview`), and the reference of the API (`reference`), with their files (`assets`). Programs get
//! the overview as JSON (`accept`). Pages run no script but the reference's own, load nothing from
//! elsewhere, and are shown in no other page.

mod accept;
pub(crate) mod assets;
mod front;
mod overview;
mod reference;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::Strangers;
use crate::problem::{Answered, Problem};
use crate::request::Exchange;
use crate::{answer, api, base};

use overview::Overview;
pub(crate) use overview::{health, step};

/// What somebody who asks may see of the host itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Everything that is not behind a permission.
    Everything,
    /// Whether it serves.
    Health,
}

/// What the one who asks may see, by [`crate::config::Public::strangers`].
///
/// # Errors
/// 401 for a token that does not verify, where tokens are looked at.
pub(crate) fn view(exchange: &Exchange<'_>) -> Result<View, Problem> {
    if exchange.host.public.strangers == Strangers::Everything {
        return Ok(View::Everything);
    }
    Ok(api::authenticate(exchange)?.map_or(View::Health, |_| View::Everything))
}

/// Refuses those who may see nothing but whether the host serves.
///
/// # Errors
/// 401 for them.
pub(crate) fn require_view(exchange: &Exchange<'_>) -> Result<(), Problem> {
    match view(exchange)? {
        View::Everything => Ok(()),
        View::Health => Err(Problem::token_missing()),
    }
}

/// The bare address: what is running, as a page for browsers and as JSON for programs.
pub(crate) fn index(exchange: &Exchange<'_>) -> Result<Answered, Problem> {
    let base = base::of(exchange.host, exchange.parts);
    let overview = Overview::of(exchange.host, view(exchange)?, &base);
    let mut response = if accept::prefers_html(&exchange.parts.headers) {
        page(front::render(&overview, &base).into_string(), front::POLICY)
    } else {
        answer::json(&overview.to_json(&base))
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_name(ACCEPT));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// The interactive reference of `/openapi.json`.
pub(crate) fn docs(exchange: &Exchange<'_>) -> Result<Answered, Problem> {
    require_view(exchange)?;
    let base = base::of(exchange.host, exchange.parts);
    let mut response = page(reference::render(&base).into_string(), reference::POLICY);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// A page that may do what `policy` says and no more.
fn page(html: String, policy: &'static str) -> Answered {
    let mut response = answer::content("text/html; charset=utf-8", html);
    harden(response.headers_mut(), policy);
    response
}

fn harden(headers: &mut HeaderMap, policy: &'static str) {
    const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
}

/// The address of a file of the pages; it changes with the file.
fn asset_url(base: &str, name: &str) -> String {
    format!("{base}{}{name}?v={}", assets::FOLDER, assets::version(name))
}
