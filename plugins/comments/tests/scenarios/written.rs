//! The scenarios that are written down in `tests/comments.yaml`, run as `caplet test` runs those of authors.

use caplet_testing::scenario::assert_scenarios;

#[tokio::test]
async fn written_scenarios_hold_and_call_every_operation() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/comments.yaml");
    let coverage = assert_scenarios(file, "comments").await;
    assert_eq!(coverage.missing(), Vec::<&str>::new());
}
