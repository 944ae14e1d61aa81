//! The routes of one plugin: which of them a request matches.
//!
//! Patterns follow the contract (`wit/guest.wit`): literal segments, `{parameter}`, a tail
//! `{*parameter}`; literal wins over parameter. Matching is `matchit`'s. Paths come in normalised: the
//! server refuses dot, empty and control segments before.

use http::Method;
use percent_encoding::percent_decode_str;

/// The index of a route in its plugin's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteId(pub usize);

/// What a method and a path come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteMatch {
    /// This route.
    Found(Matched),
    /// There are routes for this path, but only with these methods.
    MethodNotAllowed(Vec<Method>),
    /// There is no route for this path.
    NotFound,
}

/// A matched route and the values of its parameters, percent-decoded, in the pattern's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The route.
    pub route: RouteId,
    /// Name and value of each parameter.
    pub parameters: Vec<(String, String)>,
}

/// The methods a route may name.
pub(crate) const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
];

/// The compiled routes of one plugin: one tree of paths for all methods, so that a literal segment wins
/// whatever the method.
#[derive(Debug, Default, Clone)]
pub(crate) struct Routes {
    tree: matchit::Router<usize>,
    endpoints: Vec<Endpoint>,
}

/// The routes of one path, up to the names of its parameters.
#[derive(Debug, Default, Clone)]
struct Endpoint {
    /// The path as the tree knows it.
    shape: String,
    /// In the order of [`METHODS`].
    by_method: [Option<Target>; METHODS.len()],
    any: Option<Target>,
}

/// A route, and what it calls the parameters of its path.
#[derive(Debug, Clone)]
struct Target {
    route: RouteId,
    pattern: String,
    parameters: Vec<String>,
}

impl Routes {
    /// Adds a route. `method` is one of [`METHODS`] or `*`.
    ///
    /// # Errors
    /// Why the pattern is malformed, or the pattern it is ambiguous with.
    pub(crate) fn add(&mut self, id: RouteId, method: &str, pattern: &str) -> Result<(), String> {
        check_pattern(pattern)?;
        let place = METHODS.iter().position(|known| known.as_str() == method);
        if place.is_none() && method != "*" {
            return Err(format!(
                "`{method}` is not a method; use GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS or *"
            ));
        }
        let (shape, parameters) = shape(pattern);
        let endpoint = self.endpoint(shape).map_err(|error| match error {
            matchit::InsertError::Conflict { with } => {
                format!("`{method} {pattern}` is ambiguous with `{with}`")
            }
            other => format!("`{pattern}` is not a pattern: {other}"),
        })?;
        let slot = match place {
            Some(place) => &mut endpoint.by_method[place],
            None => &mut endpoint.any,
        };
        if let Some(Target { pattern: with, .. }) = slot {
            return Err(format!("`{method} {pattern}` is ambiguous with `{with}`"));
        }
        *slot = Some(Target { route: id, pattern: pattern.to_owned(), parameters });
        Ok(())
    }

    /// The endpoint of a shape, made when there is none.
    fn endpoint(&mut self, shape: String) -> Result<&mut Endpoint, matchit::InsertError> {
        let known = self.endpoints.iter().position(|endpoint| endpoint.shape == shape);
        let index = match known {
            Some(index) => index,
            None => {
                self.tree.insert(shape.as_str(), self.endpoints.len())?;
                self.endpoints.push(Endpoint { shape, ..Endpoint::default() });
                self.endpoints.len() - 1
            }
        };
        Ok(&mut self.endpoints[index])
    }

    /// The route for a request. A `GET` route also answers `HEAD`.
    pub(crate) fn find(&self, method: &Method, path: &str) -> RouteMatch {
        let Ok(found) = self.tree.at(path) else { return RouteMatch::NotFound };
        let endpoint = &self.endpoints[*found.value];
        let Some(target) = endpoint.target(method) else {
            return RouteMatch::MethodNotAllowed(endpoint.methods());
        };
        let mut parameters = Vec::with_capacity(found.params.len());
        for (name, (_, value)) in target.parameters.iter().zip(found.params.iter()) {
            let Ok(value) = percent_decode_str(value).decode_utf8() else {
                return RouteMatch::NotFound;
            };
            parameters.push((name.clone(), value.into_owned()));
        }
        RouteMatch::Found(Matched { route: target.route, parameters })
    }
}

impl Endpoint {
    fn target(&self, method: &Method) -> Option<&Target> {
        let own = |method: &Method| {
            let place = METHODS.iter().position(|known| known == method)?;
            self.by_method[place].as_ref()
        };
        let by_get = || if method == Method::HEAD { own(&Method::GET) } else { None };
        own(method).or_else(by_get).or(self.any.as_ref())
    }

    fn methods(&self) -> Vec<Method> {
        METHODS.iter().filter(|method| self.target(method).is_some()).cloned().collect()
    }
}

/// A pattern whose parameters have the names of their places, and the names it gave them.
fn shape(pattern: &str) -> (String, Vec<String>) {
    let mut names = Vec::new();
    let segments = pattern.split('/').map(|segment| {
        let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(inner) = inner else { return segment.to_owned() };
        let (star, name) = inner.strip_prefix('*').map_or(("", inner), |name| ("*", name));
        names.push(name.to_owned());
        format!("{{{star}p{}}}", names.len())
    });
    (segments.collect::<Vec<_>>().join("/"), names)
}

/// Refuses what could reach beyond the plugin's own paths, or what requests can never match.
fn check_pattern(pattern: &str) -> Result<(), String> {
    let refuse = |reason: &str| Err(format!("`{pattern}` is not a pattern: {reason}"));
    let Some(rest) = pattern.strip_prefix('/') else {
        return refuse("it must begin with `/`");
    };
    if pattern.len() > 512 {
        return refuse("it is longer than 512 characters");
    }
    if rest.is_empty() {
        return Ok(());
    }
    let n_segments = rest.split('/').count();
    for (index, segment) in rest.split('/').enumerate() {
        check_segment(segment, index + 1 == n_segments).or_else(|reason| refuse(&reason))?;
    }
    if rest == "-" || rest.starts_with("-/") {
        return refuse("paths below `/-/` belong to the plugin's assets");
    }
    Ok(())
}

fn check_segment(segment: &str, is_last: bool) -> Result<(), String> {
    if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let (name, tail) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        return match (is_name, tail && !is_last) {
            (false, _) => Err(format!("`{{{name}}}` is not a parameter; names are `a-z0-9_`")),
            (true, true) => Err("a tail parameter must be the last segment".to_owned()),
            (true, false) => Ok(()),
        };
    }
    match segment {
        "" => Err("it has an empty segment".to_owned()),
        "." | ".." => Err("dot segments reach outside".to_owned()),
        _ if segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@".contains(&b)) =>
        {
            Ok(())
        }
        _ => {
            Err(format!("segment `{segment}` has a character that a literal segment may not have"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(list: &[(&str, &str)]) -> Result<Routes, String> {
        let mut routes = Routes::default();
        for (index, (method, pattern)) in list.iter().enumerate() {
            routes.add(RouteId(index), method, pattern)?;
        }
        Ok(routes)
    }

    fn found(matched: RouteMatch) -> (usize, Vec<(String, String)>) {
        match matched {
            RouteMatch::Found(matched) => (matched.route.0, matched.parameters),
            other => panic!("no match: {other:?}"),
        }
    }

    #[test]
    fn literal_wins_over_parameter_and_tail_takes_the_rest() {
        let routes =
            routes(&[("GET", "/{id}"), ("GET", "/counts"), ("GET", "/files/{*path}")]).unwrap();
        assert_eq!(found(routes.find(&Method::GET, "/counts")).0, 1);
        assert_eq!(found(routes.find(&Method::GET, "/7")), (0, vec![("id".into(), "7".into())]));
        let tail = found(routes.find(&Method::GET, "/files/a/b%20c"));
        assert_eq!(tail, (2, vec![("path".into(), "a/b c".into())]));
        assert_eq!(routes.find(&Method::GET, "/a/b"), RouteMatch::NotFound);
    }

    #[test]
    fn literal_wins_whatever_the_method() {
        let routes = routes(&[("DELETE", "/{id}"), ("GET", "/counts"), ("GET", "/{key}")]).unwrap();
        let allowed = vec![Method::GET, Method::HEAD];
        assert_eq!(routes.find(&Method::DELETE, "/counts"), RouteMatch::MethodNotAllowed(allowed));
        let seven = |name: &str| vec![(name.to_owned(), "7".to_owned())];
        assert_eq!(found(routes.find(&Method::DELETE, "/7")), (0, seven("id")));
        assert_eq!(found(routes.find(&Method::GET, "/7")), (2, seven("key")));
    }

    #[test]
    fn names_the_methods_that_a_path_has() {
        let routes = routes(&[("GET", "/a"), ("POST", "/a")]).unwrap();
        let allowed = vec![Method::GET, Method::POST, Method::HEAD];
        assert_eq!(routes.find(&Method::DELETE, "/a"), RouteMatch::MethodNotAllowed(allowed));
        assert_eq!(found(routes.find(&Method::HEAD, "/a")).0, 0);
    }

    #[test]
    fn any_method_comes_after_a_named_one() {
        let routes = routes(&[("*", "/a"), ("GET", "/a")]).unwrap();
        assert_eq!(found(routes.find(&Method::GET, "/a")).0, 1);
        assert_eq!(found(routes.find(&Method::PUT, "/a")).0, 0);
    }

    #[test]
    fn refuses_ambiguous_escaping_and_malformed_patterns() {
        assert!(routes(&[("GET", "/{a}"), ("GET", "/{b}")]).unwrap_err().contains("ambiguous"));
        for pattern in [
            "",
            "a",
            "//",
            "/a//b",
            "/..",
            "/a/../b",
            "/.",
            "/%2e%2e/x",
            "/a b",
            "/{*rest}/x",
            "/{A}",
            "/{}",
            "/a{b}",
            "/-/style.css",
            "/-",
            "/a\\b",
            "/a?b",
            "/a#b",
            "/é",
        ] {
            assert!(routes(&[("GET", pattern)]).is_err(), "{pattern} was taken");
        }
        assert!(routes(&[("GRAB", "/a")]).is_err());
    }
}
