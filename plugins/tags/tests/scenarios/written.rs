//! The scenarios that are written down in `tests/tags.yaml`, run as `caplet test` runs those of authors.

use caplet_testing::scenario::assert_scenarios;

#[tokio::test]
async fn written_scenarios_hold_and_call_every_operation() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tags.yaml");
    let coverage = assert_scenarios(file, "tags").await;
    assert_eq!(coverage.missing(), Vec::<&str>::new());
}
