//! Who the invocation acts for: always what the host verified, never a token.
//!
//! As handler parameters: [`Caller`] (401 without one), `Option<Caller>` and [`Tenant`].

use crate::host;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};

pub use crate::bindings::caplet::plugin::identity::{Caller, Kind};

/// The caller, or none when the request had no token.
pub fn caller() -> Option<Caller> {
    host::caller()
}

/// The tenant of the invocation, 1 to 64 characters: the token's, or `default` without one.
///
/// Statements do not need it: the host binds `$tenant`.
pub fn tenant() -> String {
    host::tenant()
}

/// Whether the caller holds a permission, by the operator's rules. False without a caller.
pub fn permitted(permission: &str) -> bool {
    host::permitted(permission)
}

/// Answers 403 unless the caller holds the permission.
///
/// # Errors
/// A 403 problem that names the permission.
pub fn require(permission: &str) -> Result<(), Problem> {
    if permitted(permission) {
        return Ok(());
    }
    let detail = format!("This needs the permission {permission}.");
    Err(Problem::forbidden(detail).with_code("permission-missing"))
}

impl FromRequest for Caller {
    fn from_request(_request: &mut Request) -> Result<Self, Problem> {
        caller().ok_or_else(|| Problem::unauthorized("This needs a bearer token."))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.problem(401, "There is no valid token.");
    }
}

impl FromRequest for Option<Caller> {
    fn from_request(_request: &mut Request) -> Result<Self, Problem> {
        Ok(caller())
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.reads_identity();
    }
}

/// The tenant of the invocation, as a handler parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant(pub String);

impl FromRequest for Tenant {
    fn from_request(_request: &mut Request) -> Result<Self, Problem> {
        Ok(Self(tenant()))
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.reads_identity();
    }
}
