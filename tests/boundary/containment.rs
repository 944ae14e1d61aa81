//! What a guest does to be a nuisance, and what the host does about it: the call ends, with the right
//! fault, counted, and the next call of the same plugin and of its neighbours is answered.

use std::time::{Duration, Instant};

use caplet_runtime::{Fault, Limits, PluginOptions, Reuse};
use serde_json::json;

use crate::rig::{Rig, Setup, bytes_of, ended_by_cpu, ended_by_wall, text, until};

fn limits(change: impl FnOnce(&mut Limits)) -> Setup {
    let mut limits = Limits::default();
    change(&mut limits);
    Setup { limits, ..Setup::default() }
}

#[tokio::test]
async fn a_loop_ends_at_its_cpu_budget_while_others_run_on_the_same_thread() {
    let limits = ended_by_cpu(200);
    let rig = Setup { limits, ..Setup::default() }.load("loop-forever").await;
    let looping = tokio::spawn({
        let ask = rig.ask(http::Method::GET, "/");
        ask.send()
    });
    // This test has one thread: an answer means that the loop yielded.
    let mut n_answered = 0;
    while !looping.is_finished() {
        assert_eq!(text(&rig.get("/ok").await.unwrap()), "ok");
        n_answered += 1;
        tokio::task::yield_now().await;
    }
    assert!(n_answered > 1);
    assert_eq!(looping.await.unwrap().unwrap_err(), Fault::Cpu(200));
    assert_eq!(rig.limit_hits("plugin-cpu-exceeded"), 1.0);
    assert_eq!(text(&rig.get("/ok").await.unwrap()), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn loops_side_by_side_get_their_whole_budget_each_and_no_second_one() {
    const N_LOOPS: u8 = 8;
    let budget_s = 0.1;
    let limits = Limits { faults_max: 0, ..ended_by_cpu(100) };
    let rig = Setup { limits, ..Setup::default() }.load("loop-forever").await;
    let loops: Vec<_> =
        (0..N_LOOPS).map(|_| tokio::spawn(rig.ask(http::Method::GET, "/").send())).collect();
    for looping in loops {
        assert_eq!(looping.await.unwrap().unwrap_err(), Fault::Cpu(100));
    }
    let plugin = [("plugin", "loop-forever")];
    let used_s = rig.counted("caplet_invocation_cpu_seconds_total", &plugin) / f64::from(N_LOOPS);
    assert!((budget_s..budget_s * 2.0).contains(&used_s), "{used_s} s each");
}

#[tokio::test]
async fn a_wait_ends_at_the_wall_deadline() {
    let limits = ended_by_wall(500);
    let rig = Setup { limits, ..Setup::default() }.load("sleep").await;
    let began = Instant::now();
    assert_eq!(rig.get("/30").await.unwrap_err(), Fault::Wall(500));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(text(&rig.get("/0.01").await.unwrap()), "slept");
}

#[tokio::test]
async fn a_trap_ends_its_call_and_its_instance_only() {
    let rig = Rig::with("trap").await;
    for path in ["/unreachable", "/panic", "/exit"] {
        assert!(matches!(rig.get(path).await, Err(Fault::Trap(_))), "{path}");
    }
    assert_eq!(rig.limit_hits("plugin-failed"), 3.0);
    assert_eq!(text(&rig.get("/ok").await.unwrap()), "ok");
}

#[tokio::test]
async fn recursion_ends_at_the_stack_limit() {
    let rig = Rig::with("recurse").await;
    for path in ["/", "/linear"] {
        let fault = rig.get(path).await.unwrap_err();
        assert!(matches!(fault, Fault::Trap(_) | Fault::Memory(_)), "{path}: {fault:?}");
    }
}

#[tokio::test]
async fn memory_stops_growing_at_the_limit() {
    let rig = limits(|it| it.memory_bytes_max = 32 << 20).load("grow-memory").await;
    let answer = rig.get("/").await.unwrap();
    let bytes = crate::rig::json(&answer)["bytes"].as_u64().unwrap();
    assert!((16 << 20..32 << 20).contains(&bytes), "{bytes}");
    assert!(matches!(rig.get("/touch").await, Err(Fault::Memory(_))));
    assert_eq!(rig.limit_hits("plugin-memory-exceeded"), 1.0);
}

/// Memory for a few instances of the guest `sleep`.
fn few_instances(limits: &mut Limits) {
    limits.memory_total_bytes_max = 3 << 20;
}

#[tokio::test]
async fn calls_wait_while_others_have_the_memory_of_their_plugin() {
    let rig = limits(|it| {
        few_instances(it);
        it.queue_ms_max = 60_000;
    });
    let rig = rig.load("sleep").await;
    let calls: Vec<_> =
        (0..16).map(|_| tokio::spawn(rig.ask(http::Method::GET, "/0.1").send())).collect();
    for call in calls {
        assert_eq!(text(&call.await.unwrap().unwrap()), "slept");
    }
    let n_instances = rig.counted("caplet_instances", &[("plugin", "sleep")]);
    assert!((1.0..16.0).contains(&n_instances), "{n_instances} for 16 calls");
    assert_eq!(rig.limit_hits("plugin-busy"), 0.0);
}

#[tokio::test]
async fn calls_that_find_no_memory_in_time_are_refused() {
    let rig = limits(|it| {
        few_instances(it);
        it.queue_ms_max = 50;
        it.wall_ms_max = 60_000;
    });
    let rig = rig.load("sleep").await;
    let calls: Vec<_> =
        (0..16).map(|_| tokio::spawn(rig.ask(http::Method::GET, "/2").send())).collect();
    let mut n_busy = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => assert_eq!(text(&answer), "slept"),
            Err(fault) => {
                assert!(matches!(fault, Fault::Busy(_)), "{fault:?}");
                n_busy += 1;
            }
        }
    }
    assert!((1..16).contains(&n_busy), "{n_busy} of 16 were refused");
    assert_eq!(rig.limit_hits("plugin-busy"), f64::from(n_busy));
    assert_eq!(text(&rig.get("/0.01").await.unwrap()), "slept", "nobody waits any more");
}

#[tokio::test]
async fn host_calls_are_counted_and_end() {
    let rig = Rig::with("many-host-calls").await;
    assert_eq!(text(&rig.get("/?calls=4000").await.unwrap()), "4000");
    assert_eq!(rig.get("/?calls=10000000").await.unwrap_err(), Fault::HostCalls(5_000));
    assert_eq!(rig.limit_hits("plugin-host-calls-exceeded"), 1.0);
}

#[tokio::test]
async fn randomness_is_bounded_in_each_call() {
    let rig = Rig::with("random-flood").await;
    assert_eq!(text(&rig.get("/65536").await.unwrap()), "65536");
    for path in ["/", "/65537"] {
        assert!(matches!(rig.get(path).await, Err(Fault::Trap(_))), "{path}");
    }
}

#[tokio::test]
async fn a_log_flood_is_dropped_and_counted() {
    let rig = Rig::with("log-flood").await;
    let began = Instant::now();
    rig.get("/?lines=2000&bytes=10").await.unwrap();
    // Beside those that are let through at once, a hundred are each second.
    let n_let_through = 500 + 100 * (began.elapsed().as_secs() + 1);
    let n_dropped = rig.limit_hits("log-rate");
    assert!(n_dropped >= 2_000.0 - n_let_through as f64, "{n_dropped}");

    let rig = Rig::with("log-flood").await;
    rig.get("/?lines=20&bytes=1000000").await.unwrap();
    assert_eq!(rig.limit_hits("log-bytes"), 12.0, "eight lines of 8 KiB fill 64 KiB");
    rig.get("/control").await.unwrap();
    rig.get("/fields").await.unwrap();
}

#[tokio::test]
async fn overload_is_refused_before_it_costs_memory() {
    let setup = limits(|it| {
        it.concurrency_max = 2;
        it.queue_max = 2;
    });
    let rig = setup.load("sleep").await;
    let calls: Vec<_> =
        (0..8).map(|_| tokio::spawn(rig.ask(http::Method::GET, "/1").send())).collect();
    let mut n_busy = 0;
    for call in calls {
        n_busy += usize::from(matches!(call.await.unwrap(), Err(Fault::Busy(_))));
    }
    assert_eq!(n_busy, 4, "two run and two wait");
    assert_eq!(rig.limit_hits("queue"), 4.0);
}

#[tokio::test]
async fn a_neighbour_is_unharmed() {
    let limits = ended_by_cpu(50);
    let rig = Setup { limits, ..Setup::default() }.load("loop-forever").await;
    rig.runtime.load(bytes_of("trap")).await.unwrap();
    let neighbour = rig.runtime.table().get("trap").unwrap().clone();
    let looping: Vec<_> =
        (0..4).map(|_| tokio::spawn(rig.ask(http::Method::GET, "/").send())).collect();
    for _ in 0..20 {
        let answer = ok(&neighbour).await.unwrap();
        assert_eq!(text(&answer), "ok");
    }
    for call in looping {
        assert_eq!(call.await.unwrap().unwrap_err(), Fault::Cpu(50));
    }
}

async fn ok(
    generation: &std::sync::Arc<caplet_runtime::Generation>,
) -> Result<caplet_runtime::Answer, Fault> {
    crate::rig::Ask::to(generation.clone(), http::Method::GET, "/ok").send().await
}

#[tokio::test]
async fn warm_instances_are_reused_and_fresh_ones_are_not() {
    let rig = Rig::with("counter-in-memory").await;
    for n in ["1", "2", "3"] {
        assert_eq!(text(&rig.get("/").await.unwrap()), n);
    }
    let plugin = PluginOptions { instances: Reuse::Fresh, ..PluginOptions::default() };
    let rig = Setup { plugin, ..Setup::default() }.load("counter-in-memory").await;
    for _ in 0..3 {
        assert_eq!(text(&rig.get("/").await.unwrap()), "1");
    }
}

#[tokio::test]
async fn an_instance_is_replaced_after_so_many_calls() {
    let rig = limits(|it| it.reuse_max = 2).load("counter-in-memory").await;
    let mut counts = Vec::new();
    for _ in 0..5 {
        counts.push(text(&rig.get("/").await.unwrap()).to_owned());
    }
    assert_eq!(counts, ["1", "2", "1", "2", "1"]);
}

#[tokio::test]
async fn idle_instances_are_dropped() {
    let rig = limits(|it| it.idle_ms_max = 1).load("counter-in-memory").await;
    rig.get("/").await.unwrap();
    let alive = || rig.counted("caplet_instances", &[("plugin", "counter-in-memory")]);
    assert_eq!(alive(), 1.0);
    until("it is dropped", async || alive() == 0.0).await;
    let memory = rig.counted("caplet_plugin_memory_bytes", &[("plugin", "counter-in-memory")]);
    assert_eq!(memory, 0.0);
}

#[tokio::test]
async fn single_limits_of_a_plugin_lie_over_the_hosts() {
    let plugin = PluginOptions {
        limits: [("host_calls_max".to_owned(), json!(10))].into(),
        ..PluginOptions::default()
    };
    let rig = Setup { plugin, ..Setup::default() }.load("many-host-calls").await;
    assert_eq!(rig.get("/?calls=11").await.unwrap_err(), Fault::HostCalls(10));
}
