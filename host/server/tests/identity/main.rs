//! Who a caller is, through the whole host: tokens of an issuer whose keys come over HTTP (`issuers`),
//! API keys (`api_keys`), pages of other origins (`cors`). `issuer` is an issuer that does what the test
//! says.

mod api_keys;
mod cors;
mod issuer;
mod issuers;

use caplet_testing::{Answer, TestHost};

/// The answer to a caller with a bearer token.
async fn ask(host: &TestHost, token: &str) -> Answer {
    let request = host.get("/api/echo/identity");
    request.header("authorization", format!("Bearer {token}")).send().await
}

/// An answer without what is different in every answer.
fn shape(answer: &Answer) -> String {
    let mut headers: Vec<_> = answer
        .headers()
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort();
    let mut body = answer.json();
    body["request_id"] = "".into();
    format!("{} {headers:?} {body}", answer.status())
}
