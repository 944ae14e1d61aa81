//! Comments, as those see them who parse Markdown, show HTML, read feeds and move in from elsewhere.

use caplet_tests::outside::{node, python, run};
use caplet_tests::{Place, Server};

const PAGE_URL: &str = "CAPLET_PLUGIN__COMMENTS__SETTINGS__PAGE_URL";

async fn host(place: &Place) -> Server {
    place.install("comments", "comments.wasm");
    place.start(&[(PAGE_URL, "https://example.org/{type}/{id}")]).await
}

/// A token of somebody who may do everything with comments.
async fn token(server: &Server, tenant: &str) -> String {
    let scopes = ["--scope", "comments.moderate", "--scope", "comments.transfer"];
    let tenant = ["--tenant", tenant];
    server.token(&[&scopes[..], &tenant[..]].concat()).await
}

#[tokio::test]
async fn the_examples_of_common_mark_render_as_it_says() {
    let place = Place::new();
    let server = host(&place).await;
    let token = token(&server, "default").await;
    run(node("comments/commonmark.mjs").arg(server.url("")).arg(token)).await;
}

#[tokio::test]
async fn hostile_comments_are_inert_in_a_browser() {
    let place = Place::new();
    let server = host(&place).await;
    let token = token(&server, "default").await;
    run(node("comments/hostile.mjs").arg(server.url("")).arg(token)).await;
}

#[tokio::test]
async fn feeds_are_read_by_a_parser_from_elsewhere() {
    let place = Place::new();
    let server = host(&place).await;
    let token = token(&server, "default").await;
    run(python("comments/feeds.py").arg(server.url("")).arg(token)).await;
}

#[tokio::test]
async fn comments_move_in_from_elsewhere() {
    let place = Place::new();
    let server = host(&place).await;
    let (here, there) = (token(&server, "default").await, token(&server, "other").await);
    run(python("comments/moving.py").arg(server.url("")).arg(here).arg(there)).await;
}
