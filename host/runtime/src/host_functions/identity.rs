//! `identity`: the caller, as the server verified it.

use caplet_abi::imports::identity::{Caller, Host, Kind};

use crate::guest::Guest;
use crate::identity;

impl Host for Guest {
    fn current(&mut self) -> wasmtime::Result<Option<Caller>> {
        self.enter_serving("identity")?;
        Ok(self.invocation.identity.as_deref().map(|identity| Caller {
            subject: identity.subject.clone(),
            kind: match identity.kind {
                identity::Kind::User => Kind::User,
                identity::Kind::Service => Kind::Service,
            },
            roles: identity.roles.clone(),
            teams: identity.teams.clone(),
            scopes: identity.scopes.clone(),
        }))
    }

    fn tenant(&mut self) -> wasmtime::Result<String> {
        self.enter_serving("identity")?;
        Ok(self.invocation.tenant.to_string())
    }

    fn permitted(&mut self, permission: String) -> wasmtime::Result<bool> {
        self.enter_serving("identity")?;
        let identity = self.invocation.identity.as_deref();
        Ok(identity.is_some_and(|it| self.context.authorizer.permitted(it, &permission)))
    }
}
