//! The names of the contract's interfaces, as they stand in a component's imports and exports. Those that
//! components of other hosts import are in `standard`.

mod standard;

pub use standard::{instead_of, is_release_of, standard_right};

/// The package and version that this host serves.
pub const PACKAGE: &str = "caplet:plugin@0.1.0";

/// The interface every plugin exports.
pub const GUEST: &str = "caplet:plugin/guest@0.1.0";

/// The interface of a plugin that serves routes.
pub const HTTP_HANDLER: &str = "caplet:plugin/http-handler@0.1.0";

/// The interface of a plugin that answers for the personal data it keeps.
pub const SUBJECT_DATA: &str = "caplet:plugin/subject-data@0.1.0";

/// An interface that a plugin may import: a right it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The interface's name within the package, such as `sql`.
    pub name: &'static str,
    /// What a plugin that has it may do, for the people who grant it.
    pub meaning: &'static str,
}

/// The right to send requests. It is asked for by standard interfaces only; the contract has none for it.
pub const OUTBOUND_HTTP: &str = "outbound-http";

/// All rights that this host knows, in the order they are shown.
pub const RIGHTS: &[Right] = &[
    Right { name: "sql", meaning: "keep data in a database of its own" },
    Right { name: "identity", meaning: "see who calls it: subject, roles, teams, tenant, scopes" },
    Right { name: "settings", meaning: "read its own settings" },
    Right { name: "log", meaning: "write log lines" },
    Right { name: "clock", meaning: "read the time, to the millisecond" },
    Right { name: "random", meaning: "draw random numbers" },
    Right {
        name: OUTBOUND_HTTP,
        meaning: "send HTTP requests to the origins that the operator lists for it",
    },
];

/// What the exports of a component for any host of `wasi:http` begin with.
pub const WASI_HTTP_HANDLERS: [&str; 2] =
    ["wasi:http/incoming-handler@0.2.", "wasi:http/handler@0.3."];

/// The right behind an import such as `caplet:plugin/sql@0.1.0`; none for another package, another
/// version or an unknown interface.
#[must_use]
pub fn right(import: &str) -> Option<Right> {
    let name = import.strip_prefix("caplet:plugin/")?.strip_suffix("@0.1.0")?;
    RIGHTS.iter().copied().find(|right| right.name == name && name != OUTBOUND_HTTP)
}

#[cfg(test)]
mod tests {
    use super::right;

    #[test]
    fn knows_the_rights_of_this_version_only() {
        assert_eq!(right("caplet:plugin/sql@0.1.0").map(|right| right.name), Some("sql"));
        assert_eq!(right("caplet:plugin/sql@0.2.0"), None);
        assert_eq!(right("caplet:plugin/guest@0.1.0"), None);
        assert_eq!(right("wasi:cli/stdout@0.2.6"), None);
    }
}
