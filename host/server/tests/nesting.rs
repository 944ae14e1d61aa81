//! A host inside an axum application: below a path, its answers name the paths that the outside sees.

use axum::Router;
use axum::body::Body;
use caplet_server::base::BasePath;
use caplet_server::runtime::{Identity, Kind};
use caplet_testing::TestHost;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

async fn get(application: &Router, path: &str) -> Response<Body> {
    let request = Request::get(path).body(Body::empty()).unwrap();
    application.clone().oneshot(request).await.unwrap()
}

async fn json(application: &Router, path: &str) -> Value {
    let answer = get(application, path).await;
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn text(application: &Router, path: &str) -> String {
    let answer = get(application, path).await;
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// The host below `/capabilities`, however it was put there.
async fn assert_nested(application: &Router, base: &str) {
    let index = json(application, "/capabilities").await;
    assert_eq!(index["openapi"], format!("{base}/openapi.json"));
    assert_eq!(index["plugins"][0]["path"], format!("{base}/api/ledger"));
    let document = json(application, "/capabilities/openapi.json").await;
    assert_eq!(document["servers"], serde_json::json!([{ "url": base }]));
    assert!(document["paths"]["/api/ledger/entries"].is_object());
    let docs = text(application, "/capabilities/docs").await;
    assert!(docs.contains(&format!("data-document=\"{base}/openapi.json\"")), "{docs}");
    assert!(docs.contains(&format!("src=\"{base}/-/reference.js?v=")), "{docs}");
    let request = Request::post("/capabilities/api/ledger/entries/a").body(Body::empty()).unwrap();
    assert_eq!(application.clone().oneshot(request).await.unwrap().status(), 201);
    assert_eq!(get(application, "/api/ledger/entries").await.status(), 404);
}

#[tokio::test]
async fn nested_as_a_router_or_as_a_service_it_knows_where_it_is() {
    let host = TestHost::with_plugin("ledger").await;
    let router = Router::new().nest("/capabilities", host.host().router());
    assert_nested(&router, "/capabilities").await;
    let host = TestHost::with_plugin("ledger").await;
    let service = Router::new().nest_service("/capabilities", host.host().clone());
    assert_nested(&service, "/capabilities").await;
    assert_eq!(json(&service, "/capabilities/").await["docs"], "/capabilities/docs");
}

#[tokio::test]
async fn nested_twice_and_behind_a_proxy_all_of_the_path_counts() {
    let base = BasePath::try_from("/outside".to_owned()).unwrap();
    let host = TestHost::builder()
        .plugin("ledger")
        .configure(|config| config.public.base_path = base)
        .start()
        .await;
    let inner = Router::new().nest("/capabilities", host.host().router());
    assert_nested(&inner, "/outside/capabilities").await;
    let host = TestHost::with_plugin("ledger").await;
    let inner = Router::new().nest_service("/inner", host.host().clone());
    let outer = Router::new().nest("/outer", inner);
    assert_eq!(json(&outer, "/outer/inner").await["docs"], "/outer/inner/docs");
}

#[tokio::test]
async fn one_host_may_be_mounted_twice() {
    let host = TestHost::with_plugin("ledger").await;
    let application =
        Router::new().nest("/a", host.host().router()).nest("/b", host.host().router());
    for base in ["/a", "/b", "/a"] {
        let document = json(&application, &format!("{base}/openapi.json")).await;
        assert_eq!(document["servers"][0]["url"], base);
    }
}

#[tokio::test]
async fn where_something_was_created_is_said_as_the_outside_sees_it() {
    let host = TestHost::with_plugin("notes").await;
    let token = caplet_server::Claims::user("ada");
    let token = host.host().issue_token(&token, std::time::Duration::from_secs(60)).unwrap();
    let application = Router::new().nest("/capabilities", host.host().router());
    let request = Request::post("/capabilities/api/notes")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(r#"{"body":"Bread"}"#))
        .unwrap();
    let answer = application.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 201);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(place.starts_with("/capabilities/api/notes/"), "{place}");
    assert_eq!(json(&application, &place).await["body"], "Bread");
}

#[tokio::test]
async fn the_application_may_say_who_calls() {
    let host = TestHost::with_plugin("echo").await;
    let application = Router::new().nest("/capabilities", host.host().router());
    let identity = Identity {
        subject: "ada".into(),
        kind: Kind::User,
        tenant: "acme".into(),
        roles: Vec::new(),
        teams: Vec::new(),
        scopes: vec!["echo.listen".into()],
    };
    let ask = |path: &str| Request::get(format!("/capabilities/api/echo/{path}"));
    let anonymous = ask("with-permission").body(Body::empty()).unwrap();
    assert_eq!(application.clone().oneshot(anonymous).await.unwrap().status(), 401);
    let known = ask("identity").extension(Arc::new(identity.clone())).body(Body::empty()).unwrap();
    let answer = application.clone().oneshot(known).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let seen: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&seen["caller"]["subject"], &seen["tenant"]), (&"ada".into(), &"acme".into()));
    let allowed = ask("with-permission").extension(Arc::new(identity)).body(Body::empty()).unwrap();
    assert_eq!(application.clone().oneshot(allowed).await.unwrap().status(), 200);
}
