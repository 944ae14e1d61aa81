//! The way of a request to a plugin: plugin, route, caller, access, query, body, call, answer. What
//! is checked here never reaches a plugin unchecked; what the request means is the plugin's.

use std::sync::Arc;

use bytes::Bytes;
use caplet_runtime::{
    Access, Call, Copied, Fault, Generation, Identity, Matched, Rollout, Route, RouteId,
    RouteMatch, body_bytes_max,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use crate::content::RequestBody;
use crate::gateway::forward;
pub(crate) use crate::identity::credential::authenticate;
use crate::metrics::RequestMetrics;
use crate::problem::{Answered, Problem};
use crate::request::{API, Exchange};
use crate::rollout::Chosen;
use crate::{answer, base, body, idempotency, query, rollout, stream, trace};

/// Where a plugin's assets lie below its own path.
const ASSETS: &str = "/-/";

/// What a request to a plugin comes to before its body is read.
pub(crate) enum Plan {
    /// It is answered already.
    Answer(Answered),
    /// The plugin has to be called.
    Call(PlannedCall),
    /// A component of `wasi:http` has to be called.
    Stream(Box<stream::Planned>),
    /// An outside service has to be asked.
    Forward(Box<forward::Planned>),
    /// It is for the admin API.
    Administer,
}

/// A call that lacks the body.
pub(crate) struct PlannedCall {
    generation: Arc<Generation>,
    call: Box<Call>,
    body_bytes_max: usize,
    /// Where a new version gets a copy.
    copy: Option<Box<(Arc<Rollout>, Copied)>>,
}

/// What a request comes to before its body is read, and what is known of it whatever comes of it.
pub(crate) struct Planned {
    /// The counters of its plugin or service, when there is one.
    pub(crate) metrics: Option<Arc<RequestMetrics>>,
    /// The headers by which its version was chosen, for caches: also of a refusal, which may be one version's
    /// alone.
    pub(crate) vary: Option<Box<HeaderValue>>,
    pub(crate) plan: Result<Plan, Problem>,
}

impl Planned {
    /// One for which nothing was chosen.
    pub(crate) fn of(plan: Result<Plan, Problem>) -> Self {
        Self { metrics: None, vary: None, plan }
    }
}

/// Looks at all of a request but its body. `rest` is the part of the normalised path below `/api/`.
pub(crate) fn plan(exchange: &Exchange<'_>, rest: &str) -> Planned {
    let (plugin, below) = rest.find('/').map_or((rest, "/"), |end| rest.split_at(end));
    // The one look at the table: whatever is loaded meanwhile, this request stays with this
    // generation to its end.
    let table = exchange.host.runtime.table();
    let Some(stable) = table.get(plugin) else {
        return plan_forward(exchange, plugin, &rest[plugin.len()..]);
    };
    let mut chosen = match table.rollout(plugin) {
        None => Chosen::only(stable.clone()),
        Some(rollout) => rollout::choose(exchange, stable, rollout),
    };
    let metrics = Some(exchange.host.metrics.plugin(plugin));
    let vary = chosen.vary.take();
    let plan = match below.strip_prefix(ASSETS) {
        Some(asset) => serve_asset(&chosen.generation, exchange.parts, asset).map(Plan::Answer),
        None => plan_call(exchange, chosen, below),
    };
    Planned { metrics, vary, plan }
}

/// What no plugin serves may be a service's, or that of a plugin which does not serve yet.
fn plan_forward(exchange: &Exchange<'_>, name: &str, below: &str) -> Planned {
    let Some(service) = exchange.host.gateway.get(name) else {
        let is_arriving = exchange.host.runtime.is_arriving(name);
        let problem = if is_arriving { Problem::plugin_loading() } else { Problem::not_found() };
        return Planned::of(Err(problem));
    };
    let metrics = Some(service.counters.requests.clone());
    let planned = forward::plan(exchange, service, below);
    let plan = planned.map(|planned| Plan::Forward(Box::new(planned)));
    Planned { metrics, vary: None, plan }
}

/// Reads the body and calls the plugin.
pub(crate) async fn call_plugin<B>(
    exchange: &Exchange<'_>,
    planned: PlannedCall,
    body: B,
) -> Result<Answered, Problem>
where
    B: RequestBody,
{
    let PlannedCall { generation, mut call, body_bytes_max, copy } = planned;
    if !body.is_end_stream() {
        // Most requests have no body. What waits for one is put aside, so that theirs stay small.
        call.body = Box::pin(body::read(body, body_bytes_max, &exchange.host.http)).await?;
    }
    let (route, authenticated) = (call.route, call.identity.is_some());
    match generation.clone().invoke(*call).await {
        Ok(answer) => {
            if let Some(copy) = copy {
                let (rollout, copied) = *copy;
                rollout.copy(copied, &answer);
            }
            let mut response = answer::of_plugin(answer, authenticated);
            base::rebase(response.headers_mut(), &base::of(exchange.host, exchange.parts));
            Ok(response)
        }
        Err(fault) => {
            report(exchange, &generation, route, &fault);
            Err(Problem::from(&fault))
        }
    }
}

fn serve_asset(generation: &Generation, parts: &Parts, path: &str) -> Result<Answered, Problem> {
    let path = crate::percent::decode(path).map_err(|_| Problem::not_found())?;
    let asset = generation.asset(&path).ok_or_else(Problem::not_found)?;
    let allowed = [Method::GET, Method::HEAD, Method::OPTIONS];
    match parts.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Ok(answer::options(&allowed)),
        _ => return Err(Problem::method_not_allowed(&allowed)),
    }
    let tag = format!("\"{}\"", generation.digest());
    let etag = HeaderValue::from_str(&tag).map_err(|_| Problem::internal())?;
    let media_type = HeaderValue::from_str(&asset.media_type).map_err(|_| Problem::internal())?;
    let content = Bytes::copy_from_slice(&asset.content);
    Ok(answer::cacheable(&parts.headers, etag, media_type, content))
}

/// Checks what the route asks for, in the order in which it costs least.
fn plan_call(
    exchange: &Exchange<'_>,
    Chosen { generation, authenticated, shadow, .. }: Chosen,
    below: &str,
) -> Result<Plan, Problem> {
    let method = &exchange.parts.method;
    let matched = match generation.route(method, below) {
        RouteMatch::Found(matched) => matched,
        RouteMatch::NotFound => return Err(Problem::not_found()),
        RouteMatch::MethodNotAllowed(mut allowed) => {
            allowed.push(Method::OPTIONS);
            return if method == Method::OPTIONS {
                Ok(Plan::Answer(answer::options(&allowed)))
            } else {
                Err(Problem::method_not_allowed(&allowed))
            };
        }
    };
    let route = generation.route_info(matched.route);
    trace::routed(exchange.span, method.as_str(), || {
        format!("{API}{}{}", generation.name(), route.pattern.trim_end_matches('/'))
    });
    let identity = authenticated.map_or_else(|| authenticate(exchange), |known| *known)?;
    check_access(&generation, &route.access, identity.as_deref())?;
    let body_bytes_max = usize::try_from(body_bytes_max(route)).unwrap_or(usize::MAX);
    if generation.is_wasi_http() {
        let operation = route.operation.clone();
        let planned = stream::plan(exchange, generation, (operation, identity), below)?;
        return Ok(Plan::Stream(Box::new(planned)));
    }
    body::check_headers(&exchange.parts.headers, body_bytes_max)?;
    let copy = shadow.map(|rollout| {
        let about = (route.operation.as_str(), identity.clone());
        let copied = rollout::copied(exchange, (&rollout, below), about);
        Box::new((rollout, copied))
    });
    let call = Box::new(call(exchange, route, matched, identity)?);
    Ok(Plan::Call(PlannedCall { generation, call, body_bytes_max, copy }))
}

/// The call, without its body.
pub(crate) fn call(
    exchange: &Exchange<'_>,
    route: &Route,
    matched: Matched,
    identity: Option<Arc<Identity>>,
) -> Result<Call, Problem> {
    let Exchange { host, parts, ids, .. } = *exchange;
    let query =
        query::decode(parts.uri.query(), host.http.query_parameters_max).map_err(query_refused)?;
    let tenant = identity.as_ref().map_or_else(|| host.tenant.clone(), |who| who.tenant.clone());
    Ok(Call {
        request_id: ids.request_id.clone(),
        trace_id: ids.trace_id.clone(),
        identity,
        tenant,
        route: matched.route,
        method: parts.method.clone(),
        path: path_below_plugin(parts.uri.path()).to_owned(),
        parameters: matched.parameters,
        query,
        headers: asked_headers(&parts.headers, &route.headers)?,
        body: Bytes::new(),
        idempotency_key: idempotency_key(parts)?,
    })
}

fn query_refused(refused: query::Refused) -> Problem {
    let problem = Problem::malformed("query-malformed", refused.to_string());
    match refused {
        query::Refused::TooMany(_) => problem.at_limit("query-parameters"),
        query::Refused::Malformed(_) => problem,
    }
}

pub(crate) fn check_access(
    generation: &Generation,
    access: &Access,
    identity: Option<&Identity>,
) -> Result<(), Problem> {
    match (access, identity) {
        (Access::Public, _) | (Access::SignedIn, Some(_)) => Ok(()),
        (Access::SignedIn | Access::Permission(_), None) => Err(Problem::token_missing()),
        (Access::Permission(permission), Some(identity)) => {
            if generation.permitted(identity, permission) {
                Ok(())
            } else {
                Err(Problem::permission_missing(permission))
            }
        }
    }
}

/// The headers that a route asked for, in the route's order.
fn asked_headers(headers: &HeaderMap, asked: &[String]) -> Result<Vec<(String, String)>, Problem> {
    let mut found = Vec::new();
    for name in asked {
        for value in headers.get_all(name.as_str()) {
            let value = std::str::from_utf8(value.as_bytes()).map_err(|_| {
                Problem::malformed("header-malformed", format!("The header {name} is not UTF-8."))
            })?;
            found.push((name.clone(), value.to_owned()));
        }
    }
    Ok(found)
}

fn idempotency_key(parts: &Parts) -> Result<Option<String>, Problem> {
    if !matches!(parts.method, Method::POST | Method::PATCH) {
        return Ok(None);
    }
    idempotency::key(&parts.headers).map_err(|_| {
        let detail = "The Idempotency-Key must be one text of 1 to 255 visible ASCII characters.";
        Problem::malformed("idempotency-key-malformed", detail)
    })
}

/// What follows `/api/<plugin>` in a path, as it was sent.
fn path_below_plugin(path: &str) -> &str {
    path.match_indices('/').nth(2).map_or("/", |(begin, _)| &path[begin..])
}

/// Tells the operator what the caller is not told.
fn report(exchange: &Exchange<'_>, generation: &Generation, route: RouteId, fault: &Fault) {
    tell(exchange, generation, generation.route_info(route).operation.as_str(), fault);
}

/// The same, of an operation by its name.
pub(crate) fn tell(
    exchange: &Exchange<'_>,
    generation: &Generation,
    operation: &str,
    fault: &Fault,
) {
    if matches!(fault, Fault::Quarantined(_) | Fault::CpuShare) {
        // It is counted, and was told when it began: whoever calls often shall not fill the log.
        return;
    }
    tracing::warn!(
        request_id = %exchange.ids.request_id,
        plugin = generation.name(),
        version = generation.version(),
        operation,
        code = fault.code(),
        "{fault}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_path_below_the_plugin() {
        for (path, below) in [
            ("/api/comments", "/"),
            ("/api/comments/", "/"),
            ("/api/comments/%7E1/b", "/%7E1/b"),
            ("/%61pi/comments/x", "/x"),
        ] {
            assert_eq!(path_below_plugin(path), below);
        }
    }

    #[test]
    fn passes_on_only_what_was_asked_for() {
        let mut headers = HeaderMap::new();
        headers.append("accept", "a".parse().unwrap());
        headers.append("accept", "b".parse().unwrap());
        headers.append("cookie", "secret".parse().unwrap());
        let asked = asked_headers(&headers, &["accept".into(), "if-match".into()]).unwrap();
        assert_eq!(asked, [("accept".into(), "a".into()), ("accept".into(), "b".into())]);
        headers.append("if-match", HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(asked_headers(&headers, &["if-match".into()]).is_err());
    }
}
