//! Tags against django-taggit: both parse the same strings and go through the same merges.

use caplet_tests::outside::{python, run};
use caplet_tests::{Place, Server};

/// Printed by the scripts, so that a run can be repeated with another one.
const SEED: &str = "20260101";

async fn host(place: &Place) -> Server {
    place.install("tags", "tags.wasm");
    place.start(&[]).await
}

#[tokio::test]
async fn tag_strings_are_parsed_as_taggit_parses_them() {
    let place = Place::new();
    let server = host(&place).await;
    let mut script = python("tags/parse.py");
    let said = run(script.arg(server.url("")).args(["4000", SEED])).await;
    assert!(said.contains("compared 40") && said.contains(" 0 differences"), "{said}");
}

#[tokio::test]
async fn items_have_the_same_tags_after_the_same_merges() {
    let place = Place::new();
    let server = host(&place).await;
    let token = server.token(&["--subject", "mia", "--scope", "tags.curate"]).await;
    let mut script = python("tags/merge.py");
    let said = run(script.arg(server.url("")).arg(token).args(["300", SEED])).await;
    assert!(said.contains(" 0 differences"), "{said}");
}
