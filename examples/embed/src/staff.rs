//! Who works in the shop: an authentication of the application's own, in place of tokens, and an
//! authorizer of its own, in place of roles in a configuration.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use caplet_server::runtime::{Authorizer, Identity, Kind};

use crate::stock::ORDER;

/// Managers order; everybody else looks.
pub struct Staff {
    managers: Vec<String>,
}

impl Staff {
    /// The staff with these managers.
    #[must_use]
    pub fn new(managers: &[&str]) -> Self {
        Self { managers: managers.iter().map(ToString::to_string).collect() }
    }
}

impl Authorizer for Staff {
    fn permitted(&self, identity: &Identity, permission: &str) -> bool {
        permission == ORDER && self.managers.contains(&identity.subject)
    }
}

/// Signs callers in, as the shop's own sessions would: here by the headers `x-employee` and
/// `x-branch`, which only a demonstration may believe.
pub async fn sign_in(mut request: Request, next: Next) -> Response {
    if let Some(identity) = employee(request.headers()) {
        request.extensions_mut().insert(Arc::new(identity));
    }
    next.run(request).await
}

fn employee(headers: &HeaderMap) -> Option<Identity> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    Some(Identity {
        subject: header("x-employee")?.to_owned(),
        kind: Kind::User,
        tenant: header("x-branch")?.into(),
        roles: Vec::new(),
        teams: Vec::new(),
        scopes: Vec::new(),
    })
}
