//! The admin API: who may use it, what it says, and that it fails like the rest of the host.

use caplet_testing::{TestHost, json};

/// A host with the plugin `echo`.
async fn host() -> TestHost {
    TestHost::with_plugin("echo").await
}

#[tokio::test]
async fn is_for_those_with_the_permission_only() {
    let host = host().await;
    let path = "/admin/api/plugins";
    let nobody = host.get(path).send().await.expect_status(401);
    assert_eq!(nobody.json()["code"], "token-missing");
    let user = host.user("ada").get(path).send().await.expect_status(403);
    assert_eq!(user.json()["code"], "permission-missing");
    host.user("ada").permission("caplet.admin").get(path).send().await.expect_status(200);
}

#[tokio::test]
async fn tells_strangers_nothing_of_what_is_there() {
    let host = host().await;
    for path in ["/admin/api", "/admin/api/", "/admin/api/plugins", "/admin/api/nothing"] {
        host.get(path).send().await.expect_status(401);
    }
    host.get("/admin/apis").send().await.expect_status(404);
}

#[tokio::test]
async fn lists_what_is_loaded() {
    let host = host().await;
    let answer = host.user("ada").permission("caplet.admin").get("/admin/api/plugins").send().await;
    let body = answer.expect_status(200).json();
    assert_eq!(body["items"][0]["name"], "echo");
    assert_eq!(body["items"][0]["version"], "1.0.0");
    assert_eq!(body["failed"], json!([]));
}

#[tokio::test]
async fn shows_and_ends_a_quarantine() {
    let host = TestHost::with_plugin("trap").await;
    let admin = || host.user("ada").permission("caplet.admin");
    for _ in 0..5 {
        host.get("/api/trap/panic").send().await.expect_status(502);
    }
    let refused = host.get("/api/trap/ok").send().await.expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("10"));
    assert_eq!(refused.json()["code"], "plugin-quarantined");
    let plugins = admin().get("/admin/api/plugins").send().await.json();
    let quarantine = &plugins["items"][0]["quarantine"];
    assert_eq!(quarantine["since"], "2026-01-01T00:00:00.000Z");
    assert_eq!(quarantine["until"], "2026-01-01T00:00:10.000Z");
    assert!(quarantine["reason"].as_str().unwrap().contains("trapped"), "{quarantine}");
    let front = host.get("/").send().await.json();
    assert_eq!(front["plugins"][0]["health"], "quarantined");
    let ready = host.get("/readyz").send().await.expect_status(200).json();
    assert_eq!(ready["plugins"][0]["health"], "quarantined");

    let path = "/admin/api/plugins/trap/quarantine";
    host.user("eve").delete(path).send().await.expect_status(403);
    admin().delete(path).send().await.expect_status(204);
    host.get("/api/trap/ok").send().await.expect_status(200);
    admin().delete(path).send().await.expect_status(404);
}

#[tokio::test]
async fn takes_components_up_to_the_limit_for_them() {
    let host = host().await;
    let bring = async |mebibytes: usize| {
        let mut component = b"\0asm".to_vec();
        component.resize(mebibytes << 20, 0);
        let bringing = host.user("ada").permission("caplet.admin").post("/admin/api/components");
        bringing.body(component).send().await
    };
    assert!(bring(5).await.expect_status(201).json()["digest"].is_string());
    assert_eq!(bring(33).await.expect_status(413).json()["code"], "body-too-large");
}

#[tokio::test]
async fn fails_with_problem_documents() {
    let host = host().await;
    let missing =
        host.user("ada").permission("caplet.admin").get("/admin/api/nothing").send().await;
    assert_eq!(missing.expect_status(404).json()["code"], "not-found");
    let method =
        host.user("ada").permission("caplet.admin").delete("/admin/api/plugins").send().await;
    let method = method.expect_status(405);
    assert_eq!(method.json()["code"], "method-not-allowed");
    assert_eq!(method.header("allow"), Some("GET,HEAD,POST"));
}

#[tokio::test]
async fn stands_in_the_openapi_document() {
    let host = host().await;
    let document = host.get("/openapi.json").send().await.expect_status(200).json();
    let list = &document["paths"]["/admin/api/plugins"]["get"];
    assert_eq!(list["operationId"], "admin.list");
    assert_eq!(list["tags"], json!(["admin"]));
    assert_eq!(list["x-caplet-permission"], "caplet.admin");
    assert_eq!(list["security"], json!([{ "bearer": [] }]));
    let schema = &list["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(schema["$ref"], "#/components/schemas/admin.Plugins");
    assert!(document["components"]["schemas"]["admin.Plugins"].is_object());
}

#[tokio::test]
async fn no_plugin_can_take_the_names_of_the_host() {
    for name in ["admin", "caplet", "host"] {
        assert!(!caplet_runtime::is_plugin_name(name), "{name}");
    }
}
