//! Where a request goes: the service's URL with the request's path below its own. The query is passed
//! on byte by byte; of paths, those are refused that a service might read as leading above its URL.

use std::borrow::Cow;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use percent_encoding::percent_decode_str;

/// How often a path is decoded in the search for what it could mean to a service that decodes it
/// more often than it should.
const DECODINGS: usize = 2;

/// A service's URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    scheme: Scheme,
    authority: Authority,
    /// Begins with a slash and does not end with one; empty for the root.
    base: String,
}

/// Why a path is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("The path has a dot segment in disguise.")]
    Escapes,
    #[error("The path cannot be passed on.")]
    Malformed,
}

impl Target {
    /// Reads a service's URL.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let expected = "expected an address such as `http://127.0.0.1:9000` or `https://host/path`";
        let refused = |reason: &str| format!("{reason}, {expected}");
        let uri: Uri = url.parse().map_err(|_| refused("it is no URL"))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(refused("it has no scheme or no host"));
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(refused("its scheme is neither http nor https"));
        }
        if authority.as_str().contains('@') {
            return Err("it holds a user's name; use `credentials` instead".to_owned());
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        if path.query().is_some() || url.contains('#') {
            return Err(refused("it has a query or a fragment"));
        }
        let base = path.path().trim_end_matches('/').to_owned();
        if !base.is_empty() && crate::path::normalise(&base).ok().as_deref() != Some(base.as_str())
        {
            return Err(refused("its path is not in its plain form"));
        }
        Ok(Self { scheme, authority, base })
    }

    /// The address of `path`, which is normalised and begins with a slash or is empty, below the
    /// service's URL.
    pub(crate) fn uri(&self, path: &str, query: Option<&str>) -> Result<Uri, Refused> {
        if may_escape(path) {
            return Err(Refused::Escapes);
        }
        let mut below = String::with_capacity(self.base.len() + path.len() + 1);
        below.push_str(&self.base);
        below.push_str(path);
        if below.is_empty() {
            below.push('/');
        }
        if let Some(query) = query {
            below.push('?');
            below.push_str(query);
        }
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(below)
            .build()
            .map_err(|_| Refused::Malformed)
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The path below the service's URL that an address in an answer means; none when it leads
    /// elsewhere.
    pub(crate) fn below<'a>(&self, address: &'a str) -> Option<&'a str> {
        let path = match address.strip_prefix(self.scheme.as_str()) {
            Some(rest) => rest.strip_prefix("://")?.strip_prefix(self.authority.as_str())?,
            None => address,
        };
        let below = path.strip_prefix(self.base.as_str())?;
        let ends_well = below.is_empty() || below.starts_with(['/', '?', '#']);
        // Two slashes at the beginning name another host.
        (ends_well && !path.starts_with("//") && !address.is_empty()).then_some(below)
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}://{}{}", self.scheme, self.authority, self.base)
    }
}

/// Whether a path that has no plain dot segments gets some when escapes are decoded, when an escaped
/// slash is taken for one, or when what follows a semicolon is left out, as some servers do.
fn may_escape(path: &str) -> bool {
    let mut text = Cow::Borrowed(path);
    for _ in 0..DECODINGS {
        text = Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned());
        if text.split(['/', '\\']).any(is_dots) {
            return true;
        }
    }
    path.split('/').any(is_dots)
}

fn is_dots(segment: &str) -> bool {
    let name = segment.split_once(';').map_or(segment, |(name, _)| name);
    matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    fn address(url: &str, path: &str, query: Option<&str>) -> String {
        target(url).uri(path, query).unwrap().to_string()
    }

    #[test]
    fn puts_paths_below_the_url() {
        assert_eq!(address("http://h:1", "", None), "http://h:1/");
        assert_eq!(address("http://h:1/", "/a/", None), "http://h:1/a/");
        assert_eq!(address("http://h/base/", "", None), "http://h/base");
        assert_eq!(address("https://h/b/c", "/a%2Fb", None), "https://h/b/c/a%2Fb");
        let query = "a='b'&c=%zz&d=%2e%2e/../&&=";
        assert_eq!(address("http://h/b", "/a", Some(query)), format!("http://h/b/a?{query}"));
        assert_eq!(address("http://h", "/a", Some("")), "http://h/a?");
    }

    #[test]
    fn refuses_paths_that_could_lead_above_the_url() {
        for path in [
            "/a%2F..%2Fb",
            "/..%2Fb",
            "/..;/b",
            "/a/..;x=1/b",
            "/.;/b",
            "/%252e%252e/b",
            "/%252e%252e%252fb",
            "/a%255c..%255cb",
            "/a%5C..%5Cb",
            "/%25ff%252f..%252f",
        ] {
            assert_eq!(target("http://h/base").uri(path, None), Err(Refused::Escapes), "{path}");
        }
        for path in ["/a..b", "/...", "/a;..", "/100%25", "/a%2Fb", "/..a/b", "/%25zz"] {
            assert!(target("http://h/base").uri(path, None).is_ok(), "{path}");
        }
    }

    proptest! {
        /// Whatever a service decodes and resolves, it stays below its URL.
        #[test]
        fn no_path_leads_above_the_url(path in r"(/[a.%25eEfF;\\]{0,8}){1,4}") {
            let Ok(normal) = crate::path::normalise(&path) else { return Ok(()) };
            let Ok(uri) = target("http://h/base").uri(&normal, None) else { return Ok(()) };
            let mut seen = uri.path().to_owned();
            for _ in 0..=DECODINGS {
                let mut depth = 0_i32;
                for segment in seen.split(['/', '\\']).filter(|segment| !segment.is_empty()) {
                    match segment.split(';').next().unwrap_or_default() {
                        ".." => depth -= 1,
                        "." | "" => {}
                        _ => depth += 1,
                    }
                    prop_assert!(depth > 0, "{path} became {seen}");
                }
                seen = percent_decode_str(&seen).decode_utf8_lossy().into_owned();
            }
        }
    }

    #[test]
    fn refuses_urls_by_what_is_wrong_with_them() {
        for (url, wrong) in [
            ("", "no URL"),
            ("billing", "no scheme"),
            ("/path", "no scheme"),
            ("ftp://h/", "neither http nor https"),
            ("http://ada:secret@h/", "`credentials`"),
            ("http://h/?a=b", "query"),
            ("http://h/a/../b", "plain form"),
            ("http://h//a", "plain form"),
        ] {
            let reason = Target::parse(url).unwrap_err();
            assert!(reason.contains(wrong) && !reason.contains("secret"), "{url}: {reason}");
        }
    }

    #[test]
    fn knows_its_own_addresses() {
        let target = target("http://h:1/base");
        assert_eq!(target.below("http://h:1/base/a?b"), Some("/a?b"));
        assert_eq!(target.below("/base"), Some(""));
        assert_eq!(target.below("/base/a"), Some("/a"));
        for elsewhere in ["/other", "/basement", "http://h:2/base/a", "https://h:1/base", "a", ""] {
            assert_eq!(target.below(elsewhere), None, "{elsewhere}");
        }
        let root = Target::parse("http://h").unwrap();
        assert_eq!(root.below("/a"), Some("/a"));
        assert_eq!(root.below("//evil/a"), None);
        assert_eq!(root.below("http://h.evil/a"), None);
        assert_eq!(root.below("http://h//a"), None);
    }
}
