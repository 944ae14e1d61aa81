//! Where a plugin may send its callers: to paths of this host, and to the origins that the operator
//! named for it. A plugin that takes the target from a request would else lend the host's good name to
//! whoever writes links.

use http::Uri;

/// The origins, beside this host's own, to which a plugin may redirect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redirects {
    /// `scheme://host[:port]`, in lower case.
    origins: Vec<String>,
}

impl Redirects {
    /// # Errors
    /// The origin that is none.
    pub(crate) fn new(origins: &[String]) -> Result<Self, String> {
        Ok(Self { origins: checked_origins(origins)? })
    }

    /// Whether a browser that follows `location` stays where it may be sent.
    pub(crate) fn allow(&self, location: &str) -> bool {
        // Browsers read `\` as `/` and leave out what cannot be seen.
        if location.bytes().any(|byte| byte == b'\\' || byte <= b' ' || byte == 0x7f) {
            return false;
        }
        if location.starts_with("//") {
            return false;
        }
        let before_path = location.split(['/', '?', '#']).next().unwrap_or_default();
        if !before_path.contains(':') {
            return true;
        }
        let uri: Option<Uri> = location.parse().ok();
        uri.as_ref().and_then(origin_of).is_some_and(|origin| self.origins.contains(&origin))
    }
}

/// Origins as the operator wrote them, in lower case.
///
/// # Errors
/// The one that is none.
pub(crate) fn checked_origins(origins: &[String]) -> Result<Vec<String>, String> {
    let checked = origins.iter().map(|origin| {
        let uri: Option<Uri> = origin.parse().ok();
        let is_origin = |uri: &Uri| uri.path_and_query().is_none_or(|path| path == "/");
        uri.filter(is_origin)
            .as_ref()
            .and_then(origin_of)
            .filter(|_| !origin.ends_with('/'))
            .ok_or_else(|| format!("`{origin}` is not of the form `https://example.com`"))
    });
    checked.collect()
}

/// The origin of a web address without user information.
pub(crate) fn origin_of(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority().filter(|it| !it.as_str().contains('@'))?;
    Some(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_host_are_allowed() {
        let redirects = Redirects::default();
        for location in
            ["/", "/a/b?c=d:e#f", "a", "../a", "?a=http://b", "#a", "a/b:c", "", "./a:b"]
        {
            assert!(redirects.allow(location), "{location}");
        }
    }

    #[test]
    fn foreign_origins_are_not_however_they_are_written() {
        let redirects = Redirects::new(&["https://shop.example".to_owned()]).unwrap();
        for location in [
            "https://evil.example/",
            "http://shop.example/",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "https://shop.example:444/",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "\t//evil.example",
            " //evil.example",
            "https:evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "HTTPS://EVIL.EXAMPLE",
        ] {
            assert!(!redirects.allow(location), "{location}");
        }
        for location in
            ["https://shop.example", "https://shop.example/a?b", "https://SHOP.example/"]
        {
            assert!(redirects.allow(location), "{location}");
        }
    }

    #[test]
    fn only_origins_can_be_named() {
        for origin in
            ["shop.example", "https://shop.example/", "https://shop.example/a", "ftp://a", "*", ""]
        {
            assert!(Redirects::new(&[origin.to_owned()]).is_err(), "{origin}");
        }
    }
}
