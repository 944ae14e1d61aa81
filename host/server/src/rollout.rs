//! Which of two versions of a plugin a request goes to while one is rolled out: the one place where that
//! is chosen, once for each request. The rules are the runtime's; what of a request they look at is
//! decided here.

use std::sync::Arc;

use caplet_runtime::{Caller, Copied, Generation, Identity, Rollout, RouteMatch, Stage};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::api;
use crate::identity::credential::{API_KEY, authenticate};
use crate::problem::Problem;
use crate::request::Exchange;

/// By what a caller without a token is known again, if it says so.
const ROLLOUT_KEY: &str = "x-rollout-key";

/// What a request was found to be when its version was chosen.
pub(crate) type Authenticated = Result<Option<Arc<Identity>>, Problem>;

/// The version that answers a request.
pub(crate) struct Chosen {
    pub(crate) generation: Arc<Generation>,
    /// Who calls, where the choice depended on it.
    pub(crate) authenticated: Option<Box<Authenticated>>,
    /// The rollout whose new version gets a copy.
    pub(crate) shadow: Option<Arc<Rollout>>,
    /// The headers of the request that the choice depended on.
    pub(crate) vary: Option<Box<HeaderValue>>,
}

impl Chosen {
    /// The only version there is.
    pub(crate) fn only(generation: Arc<Generation>) -> Self {
        Self { generation, authenticated: None, shadow: None, vary: None }
    }
}

/// Chooses between the version that serves and the one that is rolled out. Callers whose credential is
/// refused, or cannot be looked at yet, are the business of the one that serves.
pub(crate) fn choose(
    exchange: &Exchange<'_>,
    stable: &Arc<Generation>,
    rollout: &Arc<Rollout>,
) -> Chosen {
    let authenticated = authenticate(exchange);
    let mut chosen = Chosen::only(stable.clone());
    if let Ok(identity) = &authenticated {
        let key = key(exchange);
        let caller = Caller {
            tenant: identity.as_ref().map_or(&*exchange.host.tenant, |who| &*who.tenant),
            subject: identity.as_ref().map(|who| who.subject.as_str()),
            key: &key,
            headers: &exchange.parts.headers,
        };
        if rollout.answers(&caller) {
            chosen.generation = rollout.candidate().clone();
        } else if rollout.copies(&caller) && is_safe(exchange) {
            chosen.shadow = Some(rollout.clone());
        }
    }
    chosen.authenticated = Some(Box::new(authenticated));
    chosen.vary = vary(rollout.stage());
    chosen
}

/// The headers of requests that a stage looks at, for caches. Where a connection comes from is no header; a
/// cache that many share is itself where it comes from.
fn vary(stage: &Stage) -> Option<Box<HeaderValue>> {
    if stage.shadow {
        return None;
    }
    let mut names: Vec<&str> = stage.header_names().map(HeaderName::as_str).collect();
    if stage.tells_callers_apart() {
        names.extend([AUTHORIZATION.as_str(), API_KEY, ROLLOUT_KEY]);
    }
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    HeaderValue::from_str(&names).ok().map(Box::new)
}

/// By what a caller is known again that has no token: what it says, where it is, or else nothing but
/// the request itself.
fn key(exchange: &Exchange<'_>) -> String {
    let said = exchange.parts.headers.get(ROLLOUT_KEY).map(HeaderValue::as_bytes);
    match (said, exchange.peer) {
        (Some(said), _) => String::from_utf8_lossy(said).into_owned(),
        (None, Some(peer)) => peer.ip().to_string(),
        (None, None) => exchange.ids.request_id.to_string(),
    }
}

/// Whether a request may be run twice: one that only reads, and has no body to be kept for the copy.
fn is_safe(exchange: &Exchange<'_>) -> bool {
    let headers = &exchange.parts.headers;
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    matches!(exchange.parts.method, Method::GET | Method::HEAD) && !has_body
}

/// The request as the new version would be asked it.
pub(crate) fn copied(
    exchange: &Exchange<'_>,
    (rollout, below): (&Rollout, &str),
    (operation, identity): (&str, Option<Arc<Identity>>),
) -> Copied {
    let candidate = rollout.candidate();
    let call = match candidate.route(&exchange.parts.method, below) {
        RouteMatch::NotFound => Err(StatusCode::NOT_FOUND),
        RouteMatch::MethodNotAllowed(_) => Err(StatusCode::METHOD_NOT_ALLOWED),
        RouteMatch::Found(matched) => {
            let route = candidate.route_info(matched.route);
            api::check_access(candidate, &route.access, identity.as_deref())
                .and_then(|()| api::call(exchange, route, matched, identity))
                .map(Box::new)
                .map_err(|problem| problem.status())
        }
    };
    Copied { operation: operation.to_owned(), request_id: exchange.ids.request_id.clone(), call }
}
