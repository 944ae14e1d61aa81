//! The standard interfaces that ask for a right of the contract by another name: which, in which versions,
//! and what is said of one that is not served.

use super::{OUTBOUND_HTTP, RIGHTS, Right};

/// Interfaces of one version of a package that are served.
struct Standard {
    package: &'static str,
    /// One that ends with a dot stands for all releases that begin so, and for none of their drafts.
    version: &'static str,
    interfaces: &'static [&'static str],
    right: &'static str,
}

const fn standard(
    (package, version): (&'static str, &'static str),
    interfaces: &'static [&'static str],
    right: &'static str,
) -> Standard {
    Standard { package, version, interfaces, right }
}

const KEYVALUE: &[&str] = &["store", "atomics", "batch"];

const STANDARDS: &[Standard] = &[
    standard(("wasi:config", "0.2.0-rc.1"), &["store"], "settings"),
    standard(("wasi:config", "0.2.0-draft-2024-09-27"), &["store"], "settings"),
    standard(("wasi:config", "0.2.0-draft"), &["store", "runtime"], "settings"),
    standard(("wasi:http", "0.2."), &["outgoing-handler"], OUTBOUND_HTTP),
    standard(("wasi:http", "0.3."), &["client"], OUTBOUND_HTTP),
    standard(("wasi:keyvalue", "0.2.0-draft2"), KEYVALUE, "sql"),
    standard(("wasi:keyvalue", "0.2.0-draft"), KEYVALUE, "sql"),
    standard(("wasi:logging", "0.1.0-draft"), &["logging"], "log"),
];

/// The right behind a standard import such as `wasi:keyvalue/store@0.2.0-draft2`, for components that
/// were made for other hosts; none for all other imports.
#[must_use]
pub fn standard_right(import: &str) -> Option<Right> {
    let (package, rest) = import.split_once('/')?;
    let (interface, version) = rest.split_once('@')?;
    let served = STANDARDS.iter().find(|it| {
        it.package == package && it.interfaces.contains(&interface) && it.has(version)
    })?;
    RIGHTS.iter().copied().find(|right| right.name == served.right)
}

/// Whether a version is a release of WASI that begins with `line`, such as `0.2.`.
#[must_use]
pub fn is_release_of(line: &str, version: &str) -> bool {
    version.starts_with(line) && !version.contains('-')
}

/// What components of other hosts are served instead of an import that they are not, for people: the
/// interfaces of its package, or where none of them is served, all packages.
#[must_use]
pub fn instead_of(import: &str) -> String {
    let package = import.split_once('/').map_or(import, |(package, _)| package);
    let mut names: Vec<String> =
        STANDARDS.iter().filter(|it| it.package == package).flat_map(Standard::names).collect();
    if names.is_empty() {
        names.extend(["WASI 0.2 and 0.3".to_owned()]);
        names.extend(STANDARDS.iter().map(|it| format!("`{}`", it.package)));
        names.dedup();
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

impl Standard {
    fn has(&self, version: &str) -> bool {
        match self.version.ends_with('.') {
            true => is_release_of(self.version, version),
            false => version == self.version,
        }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let any = if self.version.ends_with('.') { "x" } else { "" };
        self.interfaces
            .iter()
            .map(move |it| format!("`{}/{it}@{}{any}`", self.package, self.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_interfaces_ask_for_the_rights_of_the_contract() {
        let name = |import| standard_right(import).map(|right| right.name);
        for (import, right) in [
            ("wasi:keyvalue/store@0.2.0-draft", Some("sql")),
            ("wasi:keyvalue/atomics@0.2.0-draft2", Some("sql")),
            ("wasi:keyvalue/store@0.2.0-draft3", None),
            ("wasi:keyvalue/watcher@0.2.0-draft2", None),
            ("wasi:config/store@0.2.0-draft-2024-09-27", Some("settings")),
            ("wasi:config/runtime@0.2.0-draft", Some("settings")),
            ("wasi:config/runtime@0.2.0-rc.1", None),
            ("wasi:http/outgoing-handler@0.2.4", Some("outbound-http")),
            ("wasi:http/client@0.3.0", Some("outbound-http")),
            ("wasi:http/client@0.3.0-rc-2025-09-16", None),
            ("wasi:http/types@0.2.4", None),
            ("wasi:keyvalue/store", None),
        ] {
            assert_eq!(name(import), right, "{import}");
        }
    }

    #[test]
    fn what_is_served_instead_is_of_the_same_package_where_there_is_any() {
        assert_eq!(instead_of("wasi:logging/logging"), "`wasi:logging/logging@0.1.0-draft`");
        assert_eq!(
            instead_of("wasi:http/handler@0.3.0"),
            "`wasi:http/outgoing-handler@0.2.x` and `wasi:http/client@0.3.x`"
        );
        let of_config = instead_of("wasi:config/store@0.2.0");
        assert!(of_config.contains("`wasi:config/runtime@0.2.0-draft`"), "{of_config}");
        assert_eq!(
            instead_of("spin:sqlite/sqlite@3.1.0"),
            "WASI 0.2 and 0.3, `wasi:config`, `wasi:http`, `wasi:keyvalue` and `wasi:logging`"
        );
    }
}
