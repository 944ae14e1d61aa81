//! The scenarios that `caplet test` runs, among the project's own tests.

#[tokio::test]
async fn scenarios_hold_and_call_every_operation() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/notes.yaml");
    let coverage = caplet_testing::scenario::assert_scenarios(file, "notes").await;
    assert_eq!(coverage.missing(), Vec::<&str>::new());
}
