//! What fails again and again is left alone for a while, and nobody else is.

use std::sync::Arc;
use std::time::Duration;

use caplet_runtime::{Fault, Limits, Runtime};

use crate::rig::{Ask, Rig, Setup, bytes_of, text};

async fn ask(runtime: &Runtime, plugin: &str, path: &str) -> Result<String, Fault> {
    let generation = runtime.table().get(plugin).expect("the plugin is loaded").clone();
    let answer = Ask::to(generation, http::Method::GET, path).send().await;
    answer.map(|answer| text(&answer).to_owned())
}

async fn quarantined(guest: &str) -> Rig {
    let rig = Rig::with(guest).await;
    for _ in 0..5 {
        assert!(matches!(rig.get("/panic").await, Err(Fault::Trap(_))));
    }
    assert_eq!(rig.get("/ok").await.unwrap_err(), Fault::Quarantined(10));
    rig
}

#[tokio::test]
async fn what_fails_again_and_again_is_left_alone_and_its_neighbour_is_not() {
    let rig = quarantined("trap").await;
    rig.runtime.load(bytes_of("echo")).await.unwrap();
    assert!(ask(&rig.runtime, "echo", "/clock").await.is_ok());
    assert_eq!(rig.limit_hits("quarantine"), 1.0);
    assert_eq!(rig.counted("caplet_quarantined", &[("plugin", "trap")]), 1.0);
    assert_eq!(rig.counted("caplet_quarantines_total", &[("plugin", "trap")]), 1.0);
    let state = rig.generation().quarantined().unwrap();
    assert_eq!(state.until_ms, state.since_ms + 10_000);
    assert!(state.reason.contains("trapped"), "{state:?}");
}

#[tokio::test]
async fn one_call_finds_out_whether_it_is_well_again() {
    let rig = quarantined("trap").await;
    rig.clock.advance(Duration::from_secs(10));
    assert!(matches!(rig.get("/panic").await, Err(Fault::Trap(_))));
    assert_eq!(rig.get("/ok").await.unwrap_err(), Fault::Quarantined(20));
    rig.clock.advance(Duration::from_secs(20));
    for _ in 0..2 {
        assert_eq!(text(&rig.get("/ok").await.unwrap()), "ok");
    }
    assert_eq!(rig.counted("caplet_quarantined", &[("plugin", "trap")]), 0.0);
}

#[tokio::test]
async fn a_release_by_hand_and_a_new_generation_begin_anew() {
    let rig = quarantined("trap").await;
    assert!(rig.runtime.release("trap", "ada").await && !rig.runtime.release("trap", "ada").await);
    assert_eq!(text(&rig.get("/ok").await.unwrap()), "ok");

    let rig = quarantined("trap").await;
    let old = rig.generation();
    rig.runtime.load(bytes_of("trap")).await.unwrap();
    assert!(!Arc::ptr_eq(&old, &rig.generation()));
    assert_eq!(text(&rig.get("/ok").await.unwrap()), "ok");
}

#[tokio::test]
async fn zero_faults_never_put_anything_into_quarantine() {
    let limits = Limits { faults_max: 0, ..Limits::default() };
    let rig = Setup { limits, ..Setup::default() }.load("trap").await;
    for _ in 0..20 {
        assert!(matches!(rig.get("/panic").await, Err(Fault::Trap(_))));
    }
    assert_eq!(text(&rig.get("/ok").await.unwrap()), "ok");
}
