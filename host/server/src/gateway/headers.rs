//! Which headers pass between caller and service. What belongs to one connection stays there, what
//! the host says itself cannot be said by others, and the rest is the operator's to choose.

use http::header::{
    ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, LOCATION,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::options::{HeaderRules, Passing};
use super::target::Target;
use crate::correlation::TRACERESPONSE;

/// The caller's identity, signed by the host.
pub(crate) const IDENTITY: HeaderName = HeaderName::from_static("caplet-identity");

/// Another way in which callers prove to the host who they are.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// About one connection (RFC 9110, section 7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Written by the host in each request; `Expect` has been met by then.
const HOSTS_OWN: [HeaderName; 6] = [HOST, CONTENT_LENGTH, EXPECT, FORWARDED, X_REAL_IP, IDENTITY];

/// [`HeaderRules`], read.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pass: Option<Vec<HeaderName>>,
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
}

impl Rules {
    /// # Errors
    /// The name or value that no header can have, and those that are not the operator's to set.
    pub(crate) fn new(rules: &HeaderRules) -> Result<Self, String> {
        let set = rules.set.iter().map(|(name, value)| {
            let parsed = header_name(name)?;
            if HOP_BY_HOP.contains(&parsed) || HOSTS_OWN.contains(&parsed) {
                return Err(format!("`{name}` is set by the host alone"));
            }
            let value = HeaderValue::from_str(value).map_err(|_| {
                format!("the value of `{name}` has characters that no header may have")
            })?;
            Ok((parsed, value))
        });
        Ok(Self {
            pass: rules.pass.as_deref().map(header_names).transpose()?,
            remove: header_names(&rules.remove)?,
            set: set.collect::<Result<_, String>>()?,
        })
    }

    fn passes(&self, name: &HeaderName) -> bool {
        self.pass.as_ref().is_none_or(|pass| pass.contains(name)) && !self.remove.contains(name)
    }

    fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// Reads a header's name.
///
/// # Errors
/// That it is none.
pub(crate) fn header_name(name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| format!("`{name}` is no header's name"))
}

fn header_names(names: &[String]) -> Result<Vec<HeaderName>, String> {
    names.iter().map(|name| header_name(name)).collect()
}

/// What of a caller's request reaches a service, before the host adds its own.
pub(crate) fn of_request(
    headers: &HeaderMap,
    rules: &Rules,
    authorization: Passing,
    cookies: Passing,
) -> HeaderMap {
    let named = named_by_connection(headers);
    let passes = |name: &HeaderName| match *name {
        _ if *name == AUTHORIZATION || *name == API_KEY => {
            authorization == Passing::Pass && rules.passes(name)
        }
        COOKIE => cookies == Passing::Pass && rules.passes(name),
        _ => !is_hosts_own(name) && rules.passes(name),
    };
    let mut passed = filtered(headers, |name| {
        !HOP_BY_HOP.contains(name) && !named.contains(name) && passes(name)
    });
    rules.write(&mut passed);
    passed
}

/// What of a service's answer reaches the caller. Trailers are not passed on, nor is an invitation to
/// go around the host, nor the service's place in a trace, which is the host's to tell.
pub(crate) fn of_answer(headers: &HeaderMap, rules: &Rules, cookies: Passing) -> HeaderMap {
    let named = named_by_connection(headers);
    let mut passed = filtered(headers, |name| {
        !HOP_BY_HOP.contains(name)
            && !named.contains(name)
            && *name != ALT_SVC
            && *name != TRACERESPONSE
            && (*name != SET_COOKIE || cookies == Passing::Pass)
            && rules.passes(name)
    });
    rules.write(&mut passed);
    passed
}

/// Turns a `Location` below the service's URL into one below `prefix` on this host.
pub(crate) fn rewrite_location(headers: &mut HeaderMap, target: &Target, prefix: &str) {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let rewritten = location
        .and_then(|location| target.below(location))
        .map(|below| HeaderValue::try_from(format!("{prefix}{below}")));
    if let Some(Ok(value)) = rewritten {
        headers.insert(LOCATION, value);
    }
}

/// A name with an underscore is the same as one with a hyphen to many servers: it could pose as a
/// header of the host.
fn is_hosts_own(name: &HeaderName) -> bool {
    HOSTS_OWN.contains(name)
        || name.as_str().starts_with("x-forwarded-")
        || name.as_str().contains('_')
}

fn filtered(headers: &HeaderMap, passes: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut passed = HeaderMap::with_capacity(headers.len() + 8);
    for (name, value) in headers {
        if passes(name) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Whether a header that is a list of words has `word`.
pub(crate) fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(list: &[(&str, &str)]) -> HeaderMap {
        let entry = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())
        };
        let mut headers = HeaderMap::new();
        list.iter().map(entry).for_each(|(name, value): (HeaderName, HeaderValue)| {
            headers.append(name, value);
        });
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    fn rules(json: &str) -> Rules {
        Rules::new(&serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let headers = map(&[
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("accept", "a"),
            ("accept", "b"),
        ]);
        let passed = of_request(&headers, &rules("{}"), Passing::Pass, Passing::Pass);
        assert_eq!(names(&passed), ["accept"]);
        assert_eq!(passed.get_all("accept").iter().count(), 2);
        assert_eq!(names(&of_answer(&headers, &rules("{}"), Passing::Pass)), ["accept"]);
    }

    #[test]
    fn callers_cannot_speak_for_the_host() {
        let headers = map(&[
            ("x-forwarded-for", "6.6.6.6"),
            ("X-Forwarded-Anything", "x"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("caplet-identity", "forged"),
            ("caplet_identity", "forged"),
            ("x_forwarded_for", "6.6.6.6"),
            ("host", "evil"),
            ("authorization", "Bearer caller"),
            ("x-api-key", "of the caller"),
            ("cookie", "session=1"),
        ]);
        let passed = of_request(&headers, &rules("{}"), Passing::Drop, Passing::Drop);
        assert_eq!(names(&passed), [] as [&str; 0]);
        let passed = of_request(&headers, &rules("{}"), Passing::Pass, Passing::Pass);
        assert_eq!(names(&passed), ["authorization", "cookie", "x-api-key"]);
    }

    #[test]
    fn rules_pass_remove_and_set() {
        let headers = map(&[("accept", "a"), ("x-one", "1"), ("x-two", "2")]);
        let set = rules(r#"{"remove":["X-One"],"set":{"X-Two":"3","x-new":"4"}}"#);
        let passed = of_request(&headers, &set, Passing::Drop, Passing::Drop);
        assert_eq!(names(&passed), ["accept", "x-new", "x-two"]);
        assert_eq!(passed["x-two"], "3");
        let only = rules(r#"{"pass":["x-one","x-two"],"remove":["x-two"]}"#);
        assert_eq!(names(&of_answer(&headers, &only, Passing::Drop)), ["x-one"]);
    }

    #[test]
    fn rules_are_refused_by_name() {
        let refused = |json| Rules::new(&serde_json::from_str(json).unwrap()).unwrap_err();
        assert!(refused(r#"{"remove":["a b"]}"#).contains("`a b`"));
        assert!(refused(r#"{"set":{"x-a":"b\nc"}}"#).contains("`x-a`"));
        assert!(refused(r#"{"set":{"Content-Length":"5"}}"#).contains("by the host alone"));
    }

    #[test]
    fn cookies_of_answers_follow_their_rule() {
        let headers = map(&[("set-cookie", "a=b"), ("alt-svc", "h2=\"elsewhere:443\"")]);
        assert_eq!(names(&of_answer(&headers, &rules("{}"), Passing::Drop)), [] as [&str; 0]);
        assert_eq!(names(&of_answer(&headers, &rules("{}"), Passing::Pass)), ["set-cookie"]);
    }

    #[test]
    fn locations_lead_back_to_this_host() {
        let target = Target::parse("http://h:1/base").unwrap();
        let rewritten = |location: &str| {
            let mut headers = map(&[("location", location)]);
            rewrite_location(&mut headers, &target, "/api/billing");
            headers[LOCATION].to_str().unwrap().to_owned()
        };
        assert_eq!(rewritten("http://h:1/base/a?b"), "/api/billing/a?b");
        assert_eq!(rewritten("/base"), "/api/billing");
        assert_eq!(rewritten("https://elsewhere/base"), "https://elsewhere/base");
        assert_eq!(rewritten("next"), "next");
    }
}
