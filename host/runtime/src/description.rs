//! What a plugin says of itself, checked: nothing of a description is used before all of it is
//! sound. Every fault is found and named in one go, so that an author mends them together.

use std::collections::BTreeSet;

use caplet_abi::{Access, Asset, Description, Migration, Permission, Route, Transaction};
use http::HeaderName;
use serde_json::Value;

use crate::limits::Limits;
use crate::openapi;
use crate::routes::{RouteId, Routes};

/// A checked description.
#[derive(Debug)]
pub(crate) struct Checked {
    pub description: Description,
    pub routes: Routes,
    /// The plugin's OpenAPI document, paths relative to its own root.
    pub openapi: Value,
}

const NAME_CHARS_MAX: usize = 40;
const TITLE_CHARS_MAX: usize = 80;
const SUMMARY_CHARS_MAX: usize = 1_000;
const ROUTES_MAX: usize = 200;
const OPENAPI_BYTES_MAX: usize = 1 << 20;
const MIGRATIONS_MAX: usize = 500;
const PERMISSIONS_MAX: usize = 100;
const ASSETS_MAX: usize = 200;
const ASSET_BYTES_MAX: usize = 4 << 20;
const ROUTE_HEADERS_MAX: usize = 32;
const BODY_BYTES_DEFAULT: u32 = 64 << 10;

/// Headers that never reach a plugin: credentials belong to the host, framing to the connection.
const HEADERS_WITHHELD: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The body a route takes at most, in bytes.
#[must_use]
pub fn body_bytes_max(route: &Route) -> u32 {
    route.body_max_bytes.unwrap_or(BODY_BYTES_DEFAULT)
}

/// Whether an invocation of this route by `method` may write.
pub(crate) fn transaction(route: &Route, method: &http::Method) -> Transaction {
    match route.transaction {
        Transaction::ByMethod if method.is_safe() => Transaction::Read,
        Transaction::ByMethod => Transaction::Write,
        chosen => chosen,
    }
}

/// Names that stand for parts of the host.
const RESERVED_NAMES: [&str; 3] = ["admin", "caplet", crate::host_database::HOST_DATABASE];

/// Whether `name` can be a plugin's name.
#[must_use]
pub fn is_plugin_name(name: &str) -> bool {
    let mut words = name.split('-');
    let begins_with_letter = name.starts_with(|first: char| first.is_ascii_lowercase());
    let plain = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let reserved = RESERVED_NAMES.contains(&name);
    !reserved
        && (2..=NAME_CHARS_MAX).contains(&name.len())
        && begins_with_letter
        && words.all(plain)
}

/// Whether a plugin that describes itself so would be loaded.
///
/// # Errors
/// Everything that is wrong with the description, one sentence each.
pub fn check_description(description: Description, limits: &Limits) -> Result<(), Vec<String>> {
    check(description, limits).map(|_| ())
}

/// Checks a description.
///
/// # Errors
/// Everything that is wrong with it, one sentence each.
pub(crate) fn check(description: Description, limits: &Limits) -> Result<Checked, Vec<String>> {
    let mut faults = Vec::new();
    check_head(&description, &mut faults);
    check_permissions(&description, &mut faults);
    check_migrations(&description.migrations, &mut faults);
    check_assets(&description.assets, &mut faults);
    let routes = check_routes(&description, limits, &mut faults);
    let openapi = match openapi::of_plugin(&description) {
        Ok(document) => document,
        Err(reasons) => {
            faults.extend(reasons);
            Value::Null
        }
    };
    if faults.is_empty() { Ok(Checked { description, routes, openapi }) } else { Err(faults) }
}

fn check_head(description: &Description, faults: &mut Vec<String>) {
    let Description { name, version, title, summary, openapi, .. } = description;
    if !is_plugin_name(name) {
        faults.push(format!(
            "name `{}`: use 2 to {NAME_CHARS_MAX} of `a-z`, `0-9` and single `-`, beginning with \
             a letter, and none of {}",
            shown(name),
            RESERVED_NAMES.join(", ")
        ));
    }
    if semver::Version::parse(version).is_err() {
        faults
            .push(format!("version `{}`: use a semantic version such as `1.4.0`", shown(version)));
    }
    if title.is_empty() || title.chars().count() > TITLE_CHARS_MAX {
        faults.push(format!("title: use 1 to {TITLE_CHARS_MAX} characters"));
    }
    if summary.chars().count() > SUMMARY_CHARS_MAX {
        faults.push(format!("summary: use at most {SUMMARY_CHARS_MAX} characters"));
    }
    if openapi.len() > OPENAPI_BYTES_MAX {
        faults.push(format!("openapi: the document has more than {OPENAPI_BYTES_MAX} bytes"));
    }
}

fn check_permissions(description: &Description, faults: &mut Vec<String>) {
    let Description { name, permissions, .. } = description;
    if permissions.len() > PERMISSIONS_MAX {
        faults.push(format!("permissions: there are more than {PERMISSIONS_MAX}"));
    }
    let mut seen = BTreeSet::new();
    for Permission { name: permission, .. } in permissions {
        let own = permission.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.'));
        let sound = own.is_some_and(|own| {
            (1..=60).contains(&own.len())
                && own
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
        });
        if !sound {
            faults.push(format!(
                "permission `{}`: use `{name}.` and then `a-z`, `0-9`, `-`, `_` or `.`",
                shown(permission)
            ));
        }
        if !seen.insert(permission) {
            faults.push(format!("permission `{}` is there twice", shown(permission)));
        }
    }
}

fn check_migrations(migrations: &[Migration], faults: &mut Vec<String>) {
    if migrations.len() > MIGRATIONS_MAX {
        faults.push(format!("migrations: there are more than {MIGRATIONS_MAX}"));
    }
    let mut last = 0;
    for Migration { number, name, sql, .. } in migrations {
        if *number <= last {
            faults.push(format!("migration {number}: numbers must ascend from 1"));
        }
        if name.is_empty() || name.chars().count() > TITLE_CHARS_MAX {
            faults.push(format!(
                "migration {number}: its name must have 1 to {TITLE_CHARS_MAX} characters"
            ));
        }
        if sql.trim().is_empty() {
            faults.push(format!("migration {number} has no statements"));
        }
        last = *number;
    }
}

fn check_assets(assets: &[Asset], faults: &mut Vec<String>) {
    if assets.len() > ASSETS_MAX {
        faults.push(format!("assets: there are more than {ASSETS_MAX}"));
    }
    if assets.iter().map(|asset| asset.content.len()).sum::<usize>() > ASSET_BYTES_MAX {
        faults.push(format!("assets: they have more than {ASSET_BYTES_MAX} bytes together"));
    }
    let mut seen = BTreeSet::new();
    for Asset { path, media_type, .. } in assets {
        let plain = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        };
        if path.len() > 200 || !path.split('/').all(plain) {
            faults.push(format!(
                "asset `{}`: use a relative path of `A-Z a-z 0-9 - . _`",
                shown(path)
            ));
        }
        let header = http::HeaderValue::from_str(media_type);
        if !media_type.contains('/') || header.is_err() {
            faults.push(format!(
                "asset `{}`: `{}` is not a media type",
                shown(path),
                shown(media_type)
            ));
        }
        if !seen.insert(path) {
            faults.push(format!("asset `{}` is there twice", shown(path)));
        }
    }
}

fn check_routes(description: &Description, limits: &Limits, faults: &mut Vec<String>) -> Routes {
    let mut routes = Routes::default();
    let mut seen = BTreeSet::new();
    if description.routes.len() > ROUTES_MAX {
        faults.push(format!("routes: there are more than {ROUTES_MAX}"));
    }
    for (index, route) in description.routes.iter().enumerate() {
        let mut reasons = Vec::new();
        if !seen.insert(&route.operation) {
            reasons.push("another route has the same operation".to_owned());
        }
        check_route(route, &description.permissions, limits, &mut reasons);
        reasons.extend(routes.add(RouteId(index), &route.method, &route.pattern).err());
        let operation = shown(&route.operation);
        faults.extend(reasons.into_iter().map(|reason| format!("route `{operation}`: {reason}")));
    }
    routes
}

fn check_route(route: &Route, known: &[Permission], limits: &Limits, reasons: &mut Vec<String>) {
    let operation = &route.operation;
    let sound = (1..=80).contains(&operation.len())
        && operation.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !sound {
        reasons.push("operations are 1 to 80 of `A-Z a-z 0-9 _ - .`".to_owned());
    }
    if let Access::Permission(permission) = &route.access
        && !known.iter().any(|own| own.name == *permission)
    {
        reasons.push(format!("permission `{}` is not one of the plugin's own", shown(permission)));
    }
    if body_bytes_max(route) as usize > limits.request_bytes_max {
        reasons.push(format!("`body-max-bytes` is over the host's {}", limits.request_bytes_max));
    }
    if route.headers.len() > ROUTE_HEADERS_MAX {
        reasons.push(format!("it asks for more than {ROUTE_HEADERS_MAX} headers"));
    }
    for header in &route.headers {
        let is_name = HeaderName::from_lowercase(header.as_bytes()).is_ok();
        if !is_name || HEADERS_WITHHELD.contains(&header.as_str()) {
            reasons.push(format!("header `{}` cannot be asked for", shown(header)));
        }
    }
}

/// A guest's text as it may stand in a message: short, and without control characters.
fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().count() > 80 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use caplet_abi::Phase;

    use super::*;

    fn route(operation: &str, method: &str, pattern: &str) -> Route {
        Route {
            operation: operation.into(),
            method: method.into(),
            pattern: pattern.into(),
            access: Access::Public,
            transaction: Transaction::ByMethod,
            body_max_bytes: None,
            headers: Vec::new(),
        }
    }

    fn description() -> Description {
        Description {
            name: "notes".into(),
            version: "1.0.0".into(),
            title: "Notes".into(),
            summary: String::new(),
            routes: vec![route("list", "GET", "/"), route("one", "GET", "/{id}")],
            openapi: String::new(),
            migrations: Vec::new(),
            permissions: vec![Permission { name: "notes.edit".into(), description: "x".into() }],
            settings_schema: String::new(),
            assets: Vec::new(),
        }
    }

    fn faults(change: impl FnOnce(&mut Description)) -> Vec<String> {
        let mut description = description();
        change(&mut description);
        check(description, &Limits::default()).err().unwrap_or_default()
    }

    #[test]
    fn takes_a_sound_description() {
        assert_eq!(faults(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn finds_all_faults_at_once() {
        let found = faults(|d| {
            d.name = "Notes!".into();
            d.version = "one".into();
            d.title = String::new();
            d.permissions.clear();
            d.routes.push(route("one", "GET", "/{other}"));
        });
        assert_eq!(found.len(), 5, "{found:#?}");
    }

    #[test]
    fn refuses_what_belongs_to_others() {
        let cases: [fn(&mut Description); 6] = [
            |d| d.permissions[0].name = "comments.edit".into(),
            |d| d.routes[0].access = Access::Permission("comments.edit".into()),
            |d| d.routes[0].headers = vec!["authorization".into()],
            |d| d.routes[0].pattern = "/../comments".into(),
            |d| d.routes[0].body_max_bytes = Some(1 << 30),
            |d| {
                d.assets = vec![Asset {
                    path: "../x".into(),
                    media_type: "text/css".into(),
                    content: Vec::new(),
                }]
            },
        ];
        for (index, case) in cases.into_iter().enumerate() {
            assert!(!faults(case).is_empty(), "case {index} was taken");
        }
    }

    #[test]
    fn migrations_ascend() {
        let migration = |number| Migration {
            number,
            name: "step".into(),
            phase: Phase::Expand,
            sql: "CREATE TABLE a (b TEXT)".into(),
            postgres: None,
        };
        assert!(faults(|d| d.migrations = vec![migration(1), migration(3)]).is_empty());
        assert!(!faults(|d| d.migrations = vec![migration(2), migration(2)]).is_empty());
        assert!(!faults(|d| d.migrations = vec![migration(0)]).is_empty());
    }

    #[test]
    fn plugin_names() {
        for good in ["comments", "two-factor", "s3"] {
            assert!(is_plugin_name(good), "{good}");
        }
        for bad in ["", "a", "A", "-a", "a-", "a--b", "1a", "a_b", "a.b", "é", &"a".repeat(41)] {
            assert!(!is_plugin_name(bad), "{bad}");
        }
    }
}
