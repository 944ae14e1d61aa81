//! The merged document, as those see it who validate documents, make clients from them, and search
//! for requests that a server does not answer as its document says.

use caplet_tests::Place;
use caplet_tests::outside::{python, run};

#[tokio::test]
async fn the_document_is_one_of_openapi_3_1() {
    let place = Place::new();
    place.install("comments", "comments.wasm");
    let server = place.start(&[]).await;
    run(python("openapi/validate.py").arg(server.url("/openapi.json"))).await;
}
