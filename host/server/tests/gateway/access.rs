//! Who may call a service, what the service is told of them, and how services are set up and seen.

use caplet_server::Host;
use caplet_server::gateway::ServiceOptions;
use caplet_server::gateway::options::{Credentials, Passing, Scheme, ServiceAccess};
use caplet_server::secret::Secret;
use caplet_testing::{TestHost, json};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use crate::place::{Place, service};
use crate::upstream::{Upstream, ok};

const SHARED: &str = "0123456789abcdef0123456789abcdef";

async fn host(options: ServiceOptions) -> TestHost {
    TestHost::builder()
        .role("clerk", &["billing.use"])
        .configure(move |config| drop(config.services.insert("out".to_owned(), options)))
        .start()
        .await
}

#[tokio::test]
async fn services_are_for_those_with_a_token_unless_said_otherwise() {
    let mut upstream = Upstream::answering(ok("hello")).await;
    let host = host(ServiceOptions { url: upstream.url(), ..ServiceOptions::default() }).await;
    host.get("/api/out/x").send().await.expect_problem(401, "token-missing");
    let forged = host.get("/api/out/x").header("authorization", "Bearer forged");
    forged.send().await.expect_problem(401, "token-invalid");
    assert_eq!(upstream.further_requests(), 0);
    let answer = host.user("ada").get("/api/out/x").send().await;
    assert_eq!(answer.expect_status(200).text(), "hello");
    assert!(!upstream.request().await.contains("authorization"));
}

#[tokio::test]
async fn a_permission_may_be_asked_for() {
    let upstream = Upstream::answering(ok("hello")).await;
    let access = ServiceAccess::Permission("billing.use".to_owned());
    let host = host(service(&upstream.url(), |options| options.access = access)).await;
    host.get("/api/out").send().await.expect_problem(401, "token-missing");
    let ada = host.user("ada").get("/api/out").send().await;
    ada.expect_problem(403, "permission-missing");
    host.user("ben").role("clerk").get("/api/out").send().await.expect_status(200);
}

#[tokio::test]
async fn the_service_is_told_who_calls_in_a_token_of_its_own() {
    let mut upstream = Upstream::answering(ok("hello")).await;
    let host = host(service(&upstream.url(), |options| {
        options.identity.secret = Some(Secret::new(SHARED));
    }))
    .await;
    let ada = host.user("ada").tenant("acme").role("clerk");
    let request = ada.get("/api/out/x").header("caplet-identity", "forged");
    request.header("x-request-id", "order-7").send().await.expect_status(200);
    let seen = upstream.request().await;
    let token = seen.lines().find_map(|line| line.strip_prefix("caplet-identity: ")).unwrap();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["out"]);
    validation.set_issuer(&["caplet"]);
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(SHARED.as_bytes());
    let claims =
        jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation).unwrap().claims;
    let now_s = caplet_testing::START_MS / 1_000;
    assert_eq!(
        claims,
        json!({
            "iss": "caplet", "aud": "out", "sub": "ada", "kind": "user", "tenant": "acme",
            "roles": ["clerk"], "teams": [], "scopes": [],
            "iat": now_s, "exp": now_s + 60, "jti": "order-7",
        })
    );
    host.get("/api/out/x").header("caplet-identity", "forged").send().await.expect_status(200);
    assert!(!upstream.request().await.contains("caplet-identity"));
}

#[tokio::test]
async fn the_host_proves_who_it_is_and_callers_cannot() {
    let mut upstream = Upstream::answering(ok("hello")).await;
    let credentials = Credentials {
        scheme: Scheme::Header,
        username: None,
        header: Some("x-api-key".to_owned()),
        secret: Some(Secret::new("of-the-host")),
        secret_file: None,
        secret_env: None,
    };
    let place = Place::new(&upstream.url(), |options| {
        options.credentials = Some(credentials);
        options.authorization = Passing::Pass;
    })
    .await;
    let answer =
        place.ask("GET", "/api/out/x", "x-api-key: guessed\nauthorization: Basic own").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("of-the-host"), "{answer}");
    let request = upstream.request().await;
    assert!(request.contains("\r\nx-api-key: of-the-host\r\n"), "{request}");
    assert!(request.contains("\r\nauthorization: Basic own\r\n"), "{request}");
    assert!(!request.contains("guessed"), "{request}");
}

#[tokio::test]
async fn a_plugin_cannot_take_the_name_of_a_service() {
    let options = service("http://127.0.0.1:9", |_| {});
    let host = TestHost::builder()
        .configure(move |config| drop(config.services.insert("echo".to_owned(), options)))
        .start()
        .await;
    let refused = host.load("echo").await.unwrap_err().to_string();
    assert!(refused.contains("plugin `echo`") && refused.contains("`services.echo`"), "{refused}");
    assert!(host.host().runtime().table().get("echo").is_none());
}

#[tokio::test]
async fn services_that_cannot_be_served_stop_the_host_from_starting() {
    let start = async |name: &str, options: ServiceOptions| {
        let mut config = caplet_server::Config::default();
        config.services.insert(name.to_owned(), options);
        Host::builder().config(config).build().await.err().expect("it does not start").to_string()
    };
    for (name, change, said) in [
        ("Out", (|_| {}) as fn(&mut ServiceOptions), "services.Out: it is no name"),
        ("admin", |_| {}, "services.admin: it is no name"),
        ("out", |options| options.url = "ftp://h".into(), "services.out.url: its scheme"),
        ("out", |options| options.url = String::new(), "services.out.url"),
        ("out", |options| options.health.path = Some("x".into()), "services.out.health.path"),
        ("out", |options| options.failure_statuses = vec![200], "services.out.failure_statuses"),
        (
            "out",
            |options| options.tls_ca_file = Some("/nowhere".into()),
            "services.out.tls_ca_file",
        ),
        ("out", |options| options.request_headers.remove = vec!["a b".into()], "request_headers"),
        (
            "out",
            |options| options.identity.secret = Some(Secret::new("short")),
            "services.out.identity",
        ),
    ] {
        let mut options = service("https://h", |_| {});
        change(&mut options);
        let reason = start(name, options).await;
        assert!(reason.contains(said), "{said} is not in {reason}");
    }
}

#[tokio::test]
async fn operators_see_the_services() {
    let upstream = Upstream::answering(ok("hello")).await;
    let host = TestHost::builder()
        .role("operator", &["caplet.admin"])
        .configure(|config| {
            let out = service(&upstream.url(), |options| options.title = Some("Outside".into()));
            config.services.insert("out".to_owned(), out);
            config.services.insert("gone".to_owned(), service("http://127.0.0.1:9/base", |_| {}));
        })
        .start()
        .await;
    host.get("/api/out/x").send().await.expect_status(200);
    host.get("/api/gone/x").send().await.expect_problem(502, "upstream-unreachable");
    host.get("/admin/api/services").send().await.expect_problem(401, "token-missing");
    let operator = host.user("olga").role("operator");
    let services = operator.get("/admin/api/services").send().await.expect_status(200).json();
    assert_eq!(services["items"][0]["name"], "gone");
    assert_eq!(services["items"][0]["url"], "http://127.0.0.1:9/base");
    assert_eq!(services["items"][0]["failures"], json!({ "unreachable": 1 }));
    assert_eq!(
        services["items"][1],
        json!({
            "name": "out", "title": "Outside", "path": "/api/out", "url": upstream.url(),
            "health": "unknown", "circuit": "closed", "requests_running": 0, "upgrades_open": 0,
            "requests": 1, "retries": 0, "failures": {},
        })
    );
}
