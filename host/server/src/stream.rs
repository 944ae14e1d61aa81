//! The way of a request to a component of `wasi:http`: it gets the path below its name, the headers without
//! credentials, who the caller is, and the body as it comes; its answer is sent on as it comes.

use std::sync::{Arc, LazyLock};

use caplet_runtime::{Generation, HttpCall, Identity};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::BodyExt;

use crate::content::{Content, RequestBody};
use crate::gateway::options::{HeaderRules, Passing};
use crate::gateway::upload::{Progress, Upload};
use crate::gateway::{forwarded, headers};
use crate::problem::{Answered, Problem};
use crate::request::{API, Exchange};
use crate::{answer, api, base, body};

/// What a component is told of its caller begins so, and what callers send under such names is dropped.
const OWN_PREFIX: &str = "caplet-";

const SUBJECT: HeaderName = HeaderName::from_static("caplet-subject");
const ROLES: HeaderName = HeaderName::from_static("caplet-roles");
const TENANT: HeaderName = HeaderName::from_static("caplet-tenant");

/// What is passed on where no operator says otherwise.
static RULES: LazyLock<headers::Rules> =
    LazyLock::new(|| headers::Rules::new(&HeaderRules::default()).unwrap_or_default());

/// The host of a request that names none, as HTTP/1.0 allows.
const NO_HOST: Authority = Authority::from_static("localhost");

/// A request that lacks its body.
pub(crate) struct Planned {
    generation: Arc<Generation>,
    operation: String,
    identity: Option<Arc<Identity>>,
    tenant: Arc<str>,
    head: Request<()>,
}

/// Looks at all of a request but its body. `below` is the normalised path below the component's name.
pub(crate) fn plan(
    exchange: &Exchange<'_>,
    generation: Arc<Generation>,
    (operation, identity): (String, Option<Arc<Identity>>),
    below: &str,
) -> Result<Planned, Problem> {
    let Exchange { host, parts, .. } = *exchange;
    body::check_headers(&parts.headers, generation.limits().request_bytes_max)?;
    let tenant = identity.as_ref().map_or_else(|| host.tenant.clone(), |who| who.tenant.clone());
    let mut head = Request::new(());
    *head.method_mut() = parts.method.clone();
    *head.uri_mut() = uri(exchange, below)?;
    *head.headers_mut() = told(exchange, generation.name(), identity.as_deref(), &tenant);
    Ok(Planned { generation, operation, identity, tenant, head })
}

fn uri(exchange: &Exchange<'_>, below: &str) -> Result<Uri, Problem> {
    let malformed = |_| Problem::malformed("path-malformed", "The path cannot be passed on.");
    let path = match exchange.parts.uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{below}?{query}")),
        None => PathAndQuery::try_from(below),
    };
    let asked = forwarded::host(exchange.parts).and_then(|host| host.parse().ok());
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(asked.unwrap_or(NO_HOST));
    parts.path_and_query = Some(path.map_err(malformed)?);
    Uri::from_parts(parts)
        .map_err(|_| Problem::malformed("path-malformed", "The path cannot be passed on."))
}

/// The headers that the component gets.
fn told(
    exchange: &Exchange<'_>,
    name: &str,
    identity: Option<&Identity>,
    tenant: &str,
) -> HeaderMap {
    let Exchange { host, parts, ids, .. } = *exchange;
    let mut told = headers::of_request(&parts.headers, &RULES, Passing::Drop, Passing::Drop);
    let own: Vec<HeaderName> =
        told.keys().filter(|name| name.as_str().starts_with(OWN_PREFIX)).cloned().collect();
    for name in own {
        told.remove(name);
    }
    let (peer, prefix) = (forwarded::peer(exchange.peer, parts), format!("{API}{name}"));
    forwarded::write(&mut told, parts, peer, &host.http.trusted_proxies, Some(&prefix));
    ids.pass_on(&mut told);
    let mut write = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            told.insert(name, value);
        }
    };
    write(TENANT, tenant);
    if let Some(who) = identity {
        write(SUBJECT, &who.subject);
        write(ROLES, &who.roles.join(","));
    }
    told
}

/// Calls the component.
pub(crate) async fn forward<B: RequestBody>(
    exchange: &Exchange<'_>,
    planned: Planned,
    body: B,
) -> Result<Answered, Problem> {
    let Planned { generation, operation, identity, tenant, head } = planned;
    let progress = Progress::new();
    let bytes_max = generation.limits().request_bytes_max as u64;
    let upload = Upload::new(body, bytes_max, &exchange.host.http, progress.clone());
    let authenticated = identity.is_some();
    let call = HttpCall {
        request_id: exchange.ids.request_id.clone(),
        trace_id: exchange.ids.trace_id.clone(),
        identity,
        tenant,
        operation: operation.clone(),
        request: head.map(|()| upload.boxed_unsync()),
    };
    match generation.clone().forward(call).await {
        Ok(response) => {
            let mut response = answer::of_component(response.map(Content::stream), authenticated);
            base::rebase(response.headers_mut(), &base::of(exchange.host, exchange.parts));
            Ok(response)
        }
        Err(fault) => {
            // A body that was too large or too slow is the caller's fault, whatever the component did then.
            if let Some(problem) = progress.fault() {
                return Err(problem);
            }
            api::tell(exchange, &generation, &operation, &fault);
            Err(Problem::from(&fault))
        }
    }
}
