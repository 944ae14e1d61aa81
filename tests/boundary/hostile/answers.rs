//! Rows D: what leaves the plugin by HTTP.

use caplet_runtime::{Fault, PluginOptions, Step};

use super::scene::Scene;
use crate::rig::{Rig, Setup, bytes_of};

pub async fn header_injection() {
    let scene = Scene::with("header-injection").await;
    for attack in ["crlf-in-value", "nul-in-value", "folded-value", "crlf-in-name", "colon-in-name"]
    {
        let outcome = scene.get(&format!("/{attack}")).await;
        assert!(matches!(outcome, Err(Fault::Answer(_))), "{attack}: {outcome:?}");
    }
    scene.settle().await;
}

pub async fn endless_bodies() {
    let scene = Scene::with("huge-body").await;
    let fault = scene.get("/?bytes=40000000").await.unwrap_err();
    assert_eq!(fault.status(), 502, "{fault:?}");
    scene.settle().await;
}

pub async fn headers_of_the_host() {
    let scene = Scene::with("header-injection").await;
    for attack in ["date", "request-id", "nosniff", "security-policy", "transport-security"] {
        let answer = scene.get(&format!("/{attack}")).await.unwrap();
        let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type"], "{attack}");
    }
    scene.settle().await;
}

pub async fn routes_of_others() {
    let scene = Scene::quiet().await;
    for guest in ["escaping-route", "overlapping-routes", "bad-name"] {
        let refused = scene.rig.runtime.load(bytes_of(guest)).await.expect_err(guest);
        assert_eq!(refused.step, Step::Check, "{guest}: {refused}");
    }
    assert!(["admin", "caplet", "host"].iter().all(|name| !caplet_runtime::is_plugin_name(name)));
    scene.settle().await;
}

pub async fn redirects_to_foreign_origins() {
    let redirected = async |rig: &Rig, to: &str| rig.get(&format!("/?to={to}")).await;
    let scene = Scene::with("redirect").await;
    for to in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
    {
        let outcome = redirected(&scene.rig, to).await;
        assert!(matches!(outcome, Err(Fault::Answer(_))), "{to}: {outcome:?}");
    }
    assert_eq!(redirected(&scene.rig, "/here").await.unwrap().status.as_u16(), 302);
    scene.settle().await;

    let with = |origin: &str| {
        let redirect_origins = vec![origin.to_owned()];
        let plugin = PluginOptions { redirect_origins, ..PluginOptions::default() };
        Setup { plugin, ..Setup::default() }
    };
    let rig = with("https://shop.example").load("redirect").await;
    assert!(redirected(&rig, "https://shop.example/a").await.is_ok());
    assert!(redirected(&rig, "https://shop.example.evil.example/").await.is_err());
    let refused = with("shop.example").try_load("redirect").await.err().unwrap();
    assert_eq!(refused.step, Step::Configure, "{refused}");
    assert!(refused.to_string().contains("redirect_origins"), "{refused}");
}
