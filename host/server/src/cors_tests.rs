//! Who may read what from a browser.

use super::*;

fn cors(origins: &[&str]) -> Cors {
    Cors { origins: origins.iter().map(ToString::to_string).collect(), ..Cors::default() }
}

fn policy(origins: &[&str]) -> Policy {
    Policy::new(&cors(origins)).unwrap()
}

fn parts(method: Method, headers: &[(HeaderName, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).uri("/api/comments");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// What a page of `origin` is told.
fn told(policy: &Policy, origin: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    policy.finish(&parts(Method::GET, &[(ORIGIN, origin)]), &mut headers);
    headers
}

fn asks(origin: &str) -> Parts {
    parts(Method::OPTIONS, &[(ORIGIN, origin), (ACCESS_CONTROL_REQUEST_METHOD, "PATCH")])
}

#[test]
fn is_off_unless_origins_are_named() {
    let off = policy(&[]);
    assert!(told(&off, "https://shop.example").is_empty());
    assert!(off.preflight(&asks("https://shop.example")).is_none());
}

#[test]
fn allows_the_named_origins_and_no_others() {
    let policy =
        policy(&["https://shop.example", "http://localhost:3000", "https://*.shop.example"]);
    for (origin, allowed) in [
        ("https://shop.example", true),
        ("http://localhost:3000", true),
        ("https://a.shop.example", true),
        ("https://a.b.shop.example", true),
        ("http://shop.example", false),
        ("https://shop.example:8443", false),
        ("https://shop.example.evil.example", false),
        ("https://evilshop.example", false),
        ("https://.shop.example", false),
        ("https://evil.example/.shop.example", false),
        ("https://evil.example#.shop.example", false),
        ("https://shop.example ", false),
        ("null", false),
        ("", false),
    ] {
        let headers = told(&policy, origin);
        let said = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(said.is_some(), allowed, "{origin}");
        assert!(said.is_none_or(|said| said == origin), "{origin}");
        assert_eq!(headers[VARY], "origin");
        assert_eq!(headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS), allowed);
    }
}

#[test]
fn a_star_is_for_everybody_and_never_with_credentials() {
    let headers = told(&policy(&["*"]), "https://any.example");
    assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    assert!(!headers.contains_key(VARY));
    let with_credentials = Cors { credentials: true, ..cors(&["*"]) };
    let error = Policy::new(&with_credentials).err().unwrap().to_string();
    assert!(error.starts_with("cors.origins: ") && error.contains("credentials"), "{error}");
    let listed = Cors { credentials: true, ..cors(&["https://shop.example"]) };
    let headers = told(&Policy::new(&listed).unwrap(), "https://shop.example");
    assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
}

#[test]
fn answers_preflights_and_only_those() {
    let policy = policy(&["https://shop.example"]);
    let response = policy.preflight(&asks("https://shop.example")).unwrap();
    let headers = response.headers();
    assert_eq!(response.status(), 204);
    assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");
    assert!(headers[ACCESS_CONTROL_ALLOW_METHODS].to_str().unwrap().contains("PATCH"));
    assert!(headers[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().contains("idempotency-key"));
    assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "600");
    let stranger = policy.preflight(&asks("https://evil.example")).unwrap();
    assert!(!stranger.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    assert!(!stranger.headers().contains_key(ACCESS_CONTROL_ALLOW_METHODS));
    let origin = (ORIGIN, "https://shop.example");
    assert!(policy.preflight(&parts(Method::OPTIONS, std::slice::from_ref(&origin))).is_none());
    let method = (ACCESS_CONTROL_REQUEST_METHOD, "GET");
    assert!(policy.preflight(&parts(Method::OPTIONS, std::slice::from_ref(&method))).is_none());
    assert!(policy.preflight(&parts(Method::GET, &[origin, method])).is_none());
}

#[test]
fn names_what_is_no_origin_no_method_and_no_header() {
    for origin in [
        "shop.example",
        "https://shop.example/",
        "https://shop.example:443",
        "https://Shop.example",
        "https://*",
        "https://*.*.example",
        "https://a.*.example",
        "ftp://shop.example",
        "null",
        "",
    ] {
        let error = Policy::new(&cors(&[origin])).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains(&format!("`{origin}`"))), "{origin}");
    }
    let bad_header = Cors { headers: vec!["a b".into()], ..Cors::default() };
    assert_eq!(Policy::new(&bad_header).err().unwrap().key, "cors.headers");
    let bad_method = Cors { methods: vec!["GE T".into()], ..Cors::default() };
    assert_eq!(Policy::new(&bad_method).err().unwrap().key, "cors.methods");
}
