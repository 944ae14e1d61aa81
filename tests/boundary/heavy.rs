//! Guests that take much: memory when they start, time until they can be asked anything. What they may take
//! is said by name, and what was started at some cost is kept.

use std::collections::BTreeMap;

use caplet_runtime::{Limits, LoadError, Part, PluginOptions, Step};
use caplet_tests::wasm::starting_slowly;
use serde_json::json;

use crate::rig::changes::merge;
use crate::rig::{Rig, Setup, bytes_of, until};

/// As many take longer than the 20 ms of CPU time that a call may take below.
const STEPS: u32 = 100_000_000;

/// What every guest needs is more than this.
const TOO_LITTLE_BYTES: usize = 1 << 20;

fn of_one_plugin(limits: &[(&str, serde_json::Value)]) -> PluginOptions {
    let limits = limits.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    PluginOptions { limits: limits.collect::<BTreeMap<_, _>>(), ..PluginOptions::default() }
}

fn assert_names_the_limit(error: &LoadError, limit: &str) {
    let told = error.to_string();
    assert!(told.contains("it wants ") && told.contains(" bytes of memory"), "{told}");
    assert!(
        told.contains(&format!("`limits.{limit}` is {TOO_LITTLE_BYTES}; raise that")),
        "{told}"
    );
}

#[tokio::test]
async fn a_guest_that_needs_more_memory_to_start_is_refused_by_the_name_of_the_limit() {
    let limits = Limits { memory_bytes_max: TOO_LITTLE_BYTES, ..Limits::default() };
    let setup = || Setup { limits: limits.clone(), ..Setup::default() };
    let error = setup().try_load("echo").await.err().expect("it is refused");
    assert_eq!(error.step, Step::Describe);
    assert_names_the_limit(&error, "memory_bytes_max");

    // The limit of one plugin is enough, also while it has not said its name.
    let plugin = of_one_plugin(&[("memory_bytes_max", json!(64 << 20))]);
    let rig = Setup { plugin, ..setup() }.load("echo").await;
    rig.get("/settings").await.expect("it serves");

    let plugin = of_one_plugin(&[("memory_bytes_max", json!(TOO_LITTLE_BYTES))]);
    let error = Setup { plugin, ..Setup::default() }.try_load("echo").await.err();
    let error = error.expect("it is refused");
    assert_eq!(error.step, Step::Warm);
    assert_names_the_limit(&error, "memory_bytes_max");
}

#[tokio::test]
async fn a_limit_that_is_too_small_for_what_serves_is_refused_and_it_serves_on() {
    let rig = Rig::with("echo").await;
    for limit in ["memory_bytes_max", "memory_total_bytes_max"] {
        let kind = merge("echo", Part::Limits, json!({ limit: TOO_LITTLE_BYTES }));
        let outcome = rig.begin(kind).outcome().await;
        let error = outcome.expect_err("it is refused");
        assert_eq!(error.step, Step::Warm, "{error}");
        if limit == "memory_bytes_max" {
            assert_names_the_limit(&error, limit);
        }
        rig.get("/settings").await.expect("it serves on");
    }
    assert_eq!(rig.generation().number(), 1);
}

/// How many instances of a plugin are alive.
fn n_instances(rig: &Rig, plugin: &str) -> f64 {
    rig.counted("caplet_instances", &[("plugin", plugin)])
}

#[tokio::test]
async fn the_last_instance_of_a_guest_that_starts_slowly_is_kept() {
    let limits = Limits { idle_ms_max: 1, cpu_ms_max: 20, ..Limits::default() };
    let rig = Setup { limits, ..Setup::default() }.load("echo").await;
    let slow = starting_slowly(&bytes_of("counter-in-memory"), STEPS);
    let slow = rig.runtime.load(slow).await.expect("a start may take longer than a call");
    let name = slow.name().to_owned();
    // Both have been idle for long; the other one, which starts quickly, goes.
    until("an idle instance is dropped", async || n_instances(&rig, "echo") == 0.0).await;
    assert_eq!(n_instances(&rig, &name), 1.0);
}
