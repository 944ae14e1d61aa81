//! Where the outside sees this host. An application nests it below a path, a proxy strips one: what
//! the host routes by is the rest, but the paths in its answers begin with all of it.

use std::borrow::Cow;

use axum::extract::NestedPath;
use http::header::{CONTENT_LOCATION, LINK, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use crate::host::Shared;

/// A path that stands before all paths of a host as the outside sees them: empty, or such as
/// `/capabilities`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BasePath(String);

impl BasePath {
    /// The path, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BasePath {
    type Error = String;

    /// Takes nothing, or segments of letters, digits and `-._~`, each with a slash before it.
    fn try_from(text: String) -> Result<Self, String> {
        let segment_fits = |segment: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
        };
        let fits = match text.strip_prefix('/') {
            Some(segments) => segments.split('/').all(segment_fits),
            None => text.is_empty(),
        };
        if fits {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is not a path such as `/capabilities`, without a slash at its end"
            ))
        }
    }
}

/// What stands before the paths in the answer to a request: the configured base, and the path that
/// an axum application nests the host at. Nesting below a pattern (`/{tenant}`) is not seen, because
/// only the pattern is known here; the configured base has to say it then.
pub(crate) fn of<'a>(host: &'a Shared, parts: &'a Parts) -> Cow<'a, str> {
    let configured = host.public.base_path.as_str();
    let nested = parts.extensions.get::<NestedPath>().map_or("", NestedPath::as_str);
    let nested = if nested.contains('{') { "" } else { nested.trim_end_matches('/') };
    match (configured, nested) {
        (base, "") | ("", base) => Cow::Borrowed(base),
        (configured, nested) => Cow::Owned(format!("{configured}{nested}")),
    }
}

/// Puts `base` before the paths in the headers of a plugin's answer, which knows nothing of it.
pub(crate) fn rebase(headers: &mut HeaderMap, base: &str) {
    if base.is_empty() {
        return;
    }
    for name in [LOCATION, CONTENT_LOCATION] {
        let path =
            headers.get(&name).and_then(|value| value.to_str().ok()).filter(|it| is_path(it));
        let rebased = path.and_then(|path| HeaderValue::from_str(&format!("{base}{path}")).ok());
        if let Some(rebased) = rebased {
            headers.insert(name, rebased);
        }
    }
    if let http::header::Entry::Occupied(mut links) = headers.entry(LINK) {
        for value in links.iter_mut() {
            let rebased = value.to_str().ok().map(|link| rebase_links(link, base));
            if let Some(Ok(rebased)) = rebased.map(|link| HeaderValue::from_str(&link)) {
                *value = rebased;
            }
        }
    }
}

/// Whether a reference is a path from the root; `//host` names another host.
fn is_path(reference: &str) -> bool {
    reference.starts_with('/') && !reference.starts_with("//")
}

/// The targets of a `Link` header stand in angle brackets, outside of quotes.
fn rebase_links(links: &str, base: &str) -> String {
    let mut rebased = String::with_capacity(links.len() + base.len());
    let mut quoted = false;
    for (at, character) in links.char_indices() {
        rebased.push(character);
        match character {
            '"' => quoted = !quoted,
            '<' if !quoted && is_path(&links[at + 1..]) => rebased.push_str(base),
            _ => {}
        }
    }
    rebased
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_nothing_or_a_clean_path() {
        for path in ["", "/a", "/a/b-c.d_e~1"] {
            assert_eq!(BasePath::try_from(path.to_owned()).unwrap().as_str(), path);
        }
        for path in ["/", "a", "/a/", "//a", "/a//b", "/..", "/a/./b", "/a b", "/ä", "/a?b", "/<"]
        {
            let refused = BasePath::try_from(path.to_owned()).unwrap_err();
            assert!(refused.contains(path), "{refused}");
        }
    }

    #[test]
    fn paths_in_headers_get_the_base_and_other_references_stay() {
        for (name, value, expected) in [
            (LOCATION, "/api/notes/1", "/base/api/notes/1"),
            (CONTENT_LOCATION, "/api/notes/1", "/base/api/notes/1"),
            (LOCATION, "//elsewhere.example/x", "//elsewhere.example/x"),
            (LOCATION, "https://elsewhere.example/x", "https://elsewhere.example/x"),
            (LOCATION, "1", "1"),
            (
                LINK,
                r#"</api/a?x=1>; rel="next", <b>; title="</c>", <//d>"#,
                r#"</base/api/a?x=1>; rel="next", <b>; title="</c>", <//d>"#,
            ),
        ] {
            let mut headers = HeaderMap::from_iter([(name.clone(), value.parse().unwrap())]);
            rebase(&mut headers, "/base");
            assert_eq!(headers[&name], expected);
            rebase(&mut headers, "");
            assert_eq!(headers[&name], expected);
        }
    }
}
