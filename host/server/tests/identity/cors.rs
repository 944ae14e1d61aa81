//! Pages of other origins: asked and answered by the host, for plugins too.

use caplet_testing::{Method, TestHost};

const SHOP: &str = "https://shop.example";

async fn host(origins: &[&str]) -> TestHost {
    let origins = origins.iter().map(ToString::to_string).collect();
    let host = TestHost::builder().plugin("echo");
    host.configure(|config| config.cors.origins = origins).start().await
}

#[tokio::test]
async fn nothing_is_said_unless_origins_are_named() {
    let host = host(&[]).await;
    let answer = host.get("/api/echo/identity").header("origin", SHOP).send().await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("vary"), None);
    let preflight = host.anonymous().request(Method::OPTIONS, "/healthz");
    let preflight = preflight.header("origin", SHOP).header("access-control-request-method", "GET");
    let answer = preflight.send().await.expect_status(204);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(answer.header("allow").is_some(), "it is an OPTIONS like any other");
}

#[tokio::test]
async fn preflights_are_answered_without_a_token_wherever_they_ask() {
    let host = host(&[SHOP]).await;
    for path in ["/api/echo/with-permission", "/api/nothing", "/openapi.json", "/"] {
        let preflight = host.anonymous().request(Method::OPTIONS, path);
        let preflight = preflight
            .header("origin", SHOP)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        let answer = preflight.send().await.expect_status(204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(SHOP), "{path}");
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization") && headers.contains("content-type"));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
}

#[tokio::test]
async fn errors_can_be_read_by_the_page_too() {
    let host = host(&[SHOP]).await;
    for path in ["/api/echo/signed-in", "/api/nothing", "/api//x"] {
        let answer = host.get(path).header("origin", SHOP).send().await;
        assert!(answer.status() >= 400);
        assert_eq!(answer.header("access-control-allow-origin"), Some(SHOP), "{path}");
        assert!(answer.header("access-control-expose-headers").unwrap().contains("x-request-id"));
    }
}

#[tokio::test]
async fn the_admin_api_is_for_no_page_of_another_origin() {
    let host = host(&["*"]).await;
    for path in ["/admin/api/plugins", "/%61dmin/api/plugins"] {
        for method in [Method::OPTIONS, Method::GET] {
            let request = host.anonymous().request(method, path).header("origin", SHOP);
            let request = request.header("access-control-request-method", "GET");
            let answer = request.send().await;
            assert_eq!(answer.status(), 401);
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }
}

#[tokio::test]
async fn a_plugin_has_no_say_in_it() {
    let host = TestHost::builder().plugin("header-injection");
    let origins = vec![SHOP.to_owned()];
    let host = host.configure(|config| config.cors.origins = origins).start().await;
    let answer =
        host.get("/api/header-injection").header("origin", "https://evil.example").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
