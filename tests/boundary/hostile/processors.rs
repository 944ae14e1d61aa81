//! Rows A: processor time and memory.

use caplet_runtime::{Answer, Fault, Step};

use super::scene::Scene;
use crate::rig::{bytes_of, found, in_time, json, text};

/// By the clock on the wall nothing ends: a busy machine gives greedy plugins little.
const LONG_MS: u64 = 600_000;

pub async fn loop_in_handler() {
    let scene = Scene::limited("loop-forever", |it| it.wall_ms_max = LONG_MS).await;
    let mut n_ended = 0.0;
    for outcome in scene.get_at_once(8, "/").await {
        match outcome.unwrap_err() {
            Fault::Cpu(100) => n_ended += 1.0,
            fault => assert_eq!(fault, Fault::CpuShare),
        }
    }
    assert!(n_ended > 0.0);
    assert_eq!(scene.rig.limit_hits("plugin-cpu-exceeded"), n_ended);
    assert_eq!(text(&patiently(&scene, "/ok").await), "ok");
    scene.settle().await;
}

/// Asks again while the plugin is over its share.
async fn patiently(scene: &Scene, path: &str) -> Answer {
    found("an answer", async || match scene.get(path).await {
        Err(Fault::CpuShare) => None,
        outcome => Some(outcome.expect("it answers")),
    })
    .await
}

pub async fn loop_in_start_or_describe() {
    let scene = Scene::quiet().await;
    for guest in ["loop-in-start", "loop-in-describe"] {
        let refused = scene.rig.runtime.load(bytes_of(guest)).await.expect_err(guest);
        assert_eq!(refused.step, Step::Describe, "{refused}");
        assert!(refused.to_string().contains("CPU time"), "{refused}");
        assert_eq!(scene.rig.runtime.table().iter().count(), 1);
    }
    scene.settle().await;
}

pub async fn many_calls_just_under_the_budget() {
    let scene = Scene::limited("spin", |it| it.wall_ms_max = LONG_MS).await;
    let refused = async {
        loop {
            let outcomes = scene.get_at_once(64, "/30").await;
            for outcome in outcomes {
                match outcome {
                    Ok(answer) => assert_eq!(text(&answer), "ok"),
                    Err(fault) => {
                        assert_eq!(fault, Fault::CpuShare);
                        assert_eq!((fault.status(), fault.retry_after_s()), (429, Some(1)));
                        return;
                    }
                }
            }
        }
    };
    in_time("it is over its share", refused).await;
    assert!(scene.rig.limit_hits("cpu-share") >= 1.0);
    scene.settle().await;
}

pub async fn memory_bomb() {
    let scene = Scene::limited("grow-memory", |it| it.memory_bytes_max = 32 << 20).await;
    let bytes = json(&scene.get("/").await.unwrap())["bytes"].as_u64().unwrap();
    assert!(bytes < 32 << 20, "{bytes}");
    assert!(matches!(scene.get("/touch").await, Err(Fault::Memory(_))));
    scene.settle().await;
}

pub async fn memory_in_parallel_instances() {
    let total = 64 << 20;
    let scene = Scene::limited("grow-memory", |it| it.memory_total_bytes_max = total).await;
    for outcome in scene.get_at_once(16, "/touch").await {
        let fault = outcome.unwrap_err();
        assert!(matches!(fault, Fault::Memory(_) | Fault::Busy(_)), "{fault:?}");
    }
    let held = scene.rig.counted("caplet_plugin_memory_bytes", &[("plugin", "grow-memory")]);
    assert!(held <= f64::from(total as u32), "{held}");
    scene.settle().await;
}

pub async fn endless_recursion() {
    let scene = Scene::with("recurse").await;
    for path in ["/", "/linear"] {
        for outcome in scene.get_at_once(4, path).await {
            let fault = outcome.unwrap_err();
            assert!(matches!(fault, Fault::Trap(_) | Fault::Memory(_)), "{path}: {fault:?}");
            assert_eq!(fault.status(), 502);
        }
    }
    scene.settle().await;
}
