//! Who an invocation acts for, and what that caller may do. How an identity is proved (tokens, keys)
//! is the server's; the runtime only carries it and asks an [`Authorizer`].

use std::collections::BTreeMap;
use std::sync::Arc;

/// The tenant of a caller whose token names none, and of callers without a token.
pub const DEFAULT_TENANT: &str = "default";

/// A verified caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Stable and unique within the tenant, 1 to 255 characters.
    pub subject: String,
    /// Person or program.
    pub kind: Kind,
    /// The tenant it belongs to.
    pub tenant: Arc<str>,
    /// Its roles within the tenant.
    pub roles: Vec<String>,
    /// Its teams within the tenant.
    pub teams: Vec<String>,
    /// What its token was limited to.
    pub scopes: Vec<String>,
}

/// What kind of party a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person.
    User,
    /// A program with a token of its own.
    Service,
}

/// Decides who holds which permission.
pub trait Authorizer: Send + Sync + 'static {
    /// Whether `identity` holds `permission`, a name such as `comments.moderate`.
    fn permitted(&self, identity: &Identity, permission: &str) -> bool;
}

/// Permissions from roles by a fixed table; a scope that equals the permission's name grants it too.
#[derive(Debug, Clone, Default)]
pub struct RolePermissions {
    roles: BTreeMap<String, Vec<String>>,
}

impl RolePermissions {
    /// From role to the permissions it grants. A permission `plugin.*` stands for all of a plugin's,
    /// `*` for all.
    #[must_use]
    pub fn new(roles: BTreeMap<String, Vec<String>>) -> Self {
        Self { roles }
    }
}

impl Authorizer for RolePermissions {
    fn permitted(&self, identity: &Identity, permission: &str) -> bool {
        identity.scopes.iter().any(|scope| scope == permission)
            || identity
                .roles
                .iter()
                .filter_map(|role| self.roles.get(role))
                .flatten()
                .any(|granted| covers(granted, permission))
    }
}

fn covers(granted: &str, permission: &str) -> bool {
    match granted.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => prefix.ends_with('.') && permission.starts_with(prefix),
        None => granted == permission,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(roles: &[&str], scopes: &[&str]) -> Identity {
        Identity {
            subject: "u1".into(),
            kind: Kind::User,
            tenant: DEFAULT_TENANT.into(),
            roles: roles.iter().map(ToString::to_string).collect(),
            teams: Vec::new(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn grants_by_role_by_wildcard_and_by_scope() {
        let table = BTreeMap::from([
            ("moderator".to_owned(), vec!["comments.*".to_owned()]),
            ("reader".to_owned(), vec!["comments.read".to_owned()]),
        ]);
        let rules = RolePermissions::new(table);
        assert!(rules.permitted(&caller(&["moderator"], &[]), "comments.moderate"));
        assert!(!rules.permitted(&caller(&["moderator"], &[]), "commentsx.moderate"));
        assert!(rules.permitted(&caller(&["reader"], &[]), "comments.read"));
        assert!(!rules.permitted(&caller(&["reader"], &[]), "comments.moderate"));
        assert!(rules.permitted(&caller(&[], &["comments.moderate"]), "comments.moderate"));
        assert!(!rules.permitted(&caller(&["unknown"], &[]), "comments.read"));
    }
}
