//! What a request brings to prove who its caller is, and what becomes of it.

use std::sync::Arc;

use caplet_runtime::Identity;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

use super::Unknown;
use super::api_key;
use super::metrics::Outcomes;
use crate::problem::Problem;
use crate::request::Exchange;
use crate::token::Refused;

/// Brings an API key, for programs that cannot set `Authorization`.
pub(crate) const API_KEY: &str = "x-api-key";
const X_API_KEY: HeaderName = HeaderName::from_static(API_KEY);

/// What a request brings.
#[derive(Debug, PartialEq, Eq)]
enum Credential<'a> {
    Token(&'a str),
    ApiKey(&'a str),
}

/// The caller; none when the request brings nothing. A refusal says nothing of its reason.
///
/// When an issuer has to be asked for a key, the problem is one to wait on, by [`Exchange::patience`];
/// after that the question is to be put again.
pub(crate) fn authenticate(exchange: &Exchange<'_>) -> Result<Option<Arc<Identity>>, Problem> {
    // Whom the application around the host signed in. Extensions come from code in this process
    // alone, never from the wire.
    if let Some(identity) = exchange.parts.extensions.get::<Arc<Identity>>() {
        return Ok(Some(identity.clone()));
    }
    let host = exchange.host;
    let Some(credential) = find(&exchange.parts.headers)? else { return Ok(None) };
    let (outcomes, verified) = match credential {
        Credential::Token(token) => (&host.identity_metrics.tokens, host.issuers.verify(token)),
        Credential::ApiKey(text) => {
            let found = host.api_keys.verify(text, host.clock.now_ms());
            (&host.identity_metrics.api_keys, found.map_err(Unknown::from))
        }
    };
    match verified {
        Ok(identity) => {
            outcomes.accepted.inc();
            Ok(Some(identity))
        }
        Err(unknown) => Err(refuse(exchange, outcomes, unknown)),
    }
}

/// The same, waiting where there is something to wait for.
pub(crate) async fn authenticate_patiently(
    exchange: &Exchange<'_>,
) -> Result<Option<Arc<Identity>>, Problem> {
    loop {
        let answer = authenticate(exchange);
        if answer.is_ok() || !exchange.patience.waited().await {
            return answer;
        }
    }
}

fn refuse(exchange: &Exchange<'_>, outcomes: &Outcomes, unknown: Unknown) -> Problem {
    let has_keys = match unknown {
        Unknown::Refused(reason) => return refused(exchange, outcomes, &reason),
        Unknown::Waiting { wait, has_keys } => {
            if exchange.patience.take(wait) {
                return Problem::token_invalid();
            }
            has_keys
        }
        Unknown::Unavailable => false,
    };
    if has_keys {
        return refused(exchange, outcomes, &Refused::UnknownKey);
    }
    outcomes.unavailable.inc();
    Problem::issuer_unavailable()
}

fn refused(exchange: &Exchange<'_>, outcomes: &Outcomes, reason: &Refused) -> Problem {
    outcomes.refused.inc();
    tracing::debug!(request_id = %exchange.ids.request_id, %reason, "credential refused");
    Problem::token_invalid()
}

/// The one credential of a request.
fn find(headers: &HeaderMap) -> Result<Option<Credential<'_>>, Problem> {
    let mut bearers = headers.get_all(AUTHORIZATION).iter();
    let mut keys = headers.get_all(X_API_KEY).iter();
    let (bearer, key) = (bearers.next(), keys.next());
    if bearers.next().is_some() || keys.next().is_some() || (bearer.is_some() && key.is_some()) {
        let detail = "The request has several Authorization or X-Api-Key headers.";
        return Err(Problem::malformed("authorization-ambiguous", detail));
    }
    let value = match (bearer, key) {
        (None, None) => return Ok(None),
        (Some(value), _) => value.to_str().ok().and_then(token_of).map(credential),
        (_, Some(value)) => value.to_str().ok().map(Credential::ApiKey),
    };
    value.ok_or_else(Problem::token_invalid).map(Some)
}

fn credential(text: &str) -> Credential<'_> {
    if text.starts_with(api_key::PREFIX) {
        Credential::ApiKey(text)
    } else {
        Credential::Token(text)
    }
}

/// The token of an `Authorization` header; the scheme's case does not matter.
fn token_of(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn finds_tokens_and_keys_where_they_may_stand() {
        for (list, found) in [
            (headers(&[]), None),
            (headers(&[("authorization", "Bearer abc")]), Some(Credential::Token("abc"))),
            (headers(&[("authorization", "bearer  abc ")]), Some(Credential::Token("abc"))),
            (headers(&[("authorization", "Bearer cap_a_b")]), Some(Credential::ApiKey("cap_a_b"))),
            (headers(&[("x-api-key", "cap_a_b")]), Some(Credential::ApiKey("cap_a_b"))),
        ] {
            assert_eq!(find(&list).unwrap(), found);
        }
    }

    #[test]
    fn refuses_other_schemes_and_more_than_one_credential() {
        for value in ["Basic abc", "abc", "Bearer", "", "Bearer\tabc"] {
            assert_eq!(find(&headers(&[("authorization", value)])), Err(Problem::token_invalid()));
        }
        let (bearer, key) = (("authorization", "Bearer a"), ("x-api-key", "cap_a_b"));
        for list in [[bearer, bearer], [key, key], [bearer, key]] {
            assert_eq!(find(&headers(&list)).unwrap_err().code(), "authorization-ambiguous");
        }
    }
}
