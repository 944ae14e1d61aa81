//! The host's pages in Debian's Chromium, judged by axe: light and dark, on a desktop and on a phone,
//! with a request tried from the reference.

use caplet_tests::Place;
use caplet_tests::outside::{node, run};

/// What the host asks of callers is left as it is; `CAPLET_SCREENSHOTS` names a folder for pictures.
async fn look(url: &str, token: &str, pages: &str) {
    run(node("pages/look.mjs").args([url, token, pages])).await;
}

#[tokio::test]
async fn pages_are_accessible_load_nothing_from_elsewhere_and_try_requests() {
    let place = Place::new();
    for plugin in ["comments", "hello", "notes"] {
        place.install(plugin, &format!("{plugin}.wasm"));
    }
    std::fs::write(place.plugins().join("broken.wasm"), "no component").expect("it is written");
    let server = place.start(&[]).await;
    let token = server.token(&["--subject", "ada"]).await;
    look(&server.url(""), &token, "front,reference").await;
}

#[tokio::test]
async fn what_strangers_see_is_accessible_too() {
    let place = Place::new();
    let server = place.start(&[("CAPLET_PUBLIC__STRANGERS", "health")]).await;
    look(&server.url(""), "", "front").await;
}

#[tokio::test]
async fn a_host_without_plugins_has_pages() {
    let server = Place::new().start(&[]).await;
    look(&server.url(""), "", "front").await;
}

#[tokio::test]
async fn the_viewer_is_the_package_unchanged() {
    run(node("pages/viewer.mjs").arg("../../host/server/assets")).await;
}
