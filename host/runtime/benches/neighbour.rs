//! What a plugin's callers notice of its neighbours: the latency of short calls, alone and beside eight
//! plugins that never stop computing, in three kinds: loops that end at their budget, and calls that end by
//! themselves before and after the second tick. Calls are sent at fixed times, whether the last was
//! answered or not. Prints median, 99th percentile and maximum in microseconds, as one JSON object.
//!
//! Needs the guests (`cargo xtask plugins`), in the folder that `CAPLET_GUESTS` names.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use caplet_runtime::{Call, Generation, Limits, Options, RouteMatch, Runtime};
use caplet_store::sqlite::{Options as Settings, Sqlite};
use http::Method;

const N_HOSTILE: usize = 8;
const CALLERS_OF_EACH: usize = 4;
const PERIOD: Duration = Duration::from_millis(2);
const N_CALLS: usize = 2_500;

fn main() {
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    threads.expect("threads start").block_on(async {
        let alone = measure(None).await;
        let loops = measure(Some(("loop-forever", "/"))).await;
        let short = measure(Some(("spin", "/8"))).await;
        let long = measure(Some(("spin", "/50"))).await;
        println!(
            "{{\"alone_us\":{alone},\"beside_loops_us\":{loops},\
             \"beside_8_ms_us\":{short},\"beside_50_ms_us\":{long}}}"
        );
    });
}

/// The latencies of a neighbour of eight plugins made of that guest, each called at that path.
async fn measure(hostile: Option<(&str, &str)>) -> String {
    // In quarantine nobody is hostile.
    let limits = Limits { faults_max: 0, ..Limits::default() };
    let store = Arc::new(Sqlite::open(Settings::temporary()).expect("a store in memory"));
    let runtime = Options { limits, ..Options::new(store) }.start().await.expect("it starts");
    let neighbour = runtime.load(guest("trap")).await.expect("the neighbour loads");
    let is_over = Arc::new(AtomicBool::new(false));
    if let Some((name, path)) = hostile {
        for index in 0..N_HOSTILE {
            let generation = load_as(&runtime, name, index).await;
            for _ in 0..CALLERS_OF_EACH {
                tokio::spawn(call_until(generation.clone(), path.to_owned(), is_over.clone()));
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let latencies = call_at_fixed_times(neighbour).await;
    is_over.store(true, Relaxed);
    runtime.shutdown(Duration::from_secs(30)).await;
    latencies
}

fn guest(name: &str) -> Vec<u8> {
    let folder =
        std::env::var_os("CAPLET_GUESTS").expect("CAPLET_GUESTS names the folder of the guests");
    let path = PathBuf::from(folder).join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask plugins`", path.display()))
}

/// Loads a guest under a name of the same length: its last letter gives way to a number.
async fn load_as(runtime: &Runtime, name: &str, index: usize) -> Arc<Generation> {
    let mut bytes = guest(name);
    let places: Vec<usize> = (0..bytes.len() - name.len())
        .filter(|&start| bytes[start..].starts_with(name.as_bytes()))
        .collect();
    for place in places {
        bytes[place + name.len() - 1] = b'0' + u8::try_from(index).expect("one digit");
    }
    let generation = runtime.load(bytes).await.expect("the hostile plugin loads");
    assert_ne!(generation.name(), name, "it is one more plugin");
    generation
}

async fn call_until(generation: Arc<Generation>, path: String, is_over: Arc<AtomicBool>) {
    while !is_over.load(Relaxed) {
        let refused = generation.clone().invoke(call(&generation, &path)).await.is_err();
        if refused {
            // As a client does that is told to come again later.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn call_at_fixed_times(generation: Arc<Generation>) -> String {
    let began = Instant::now();
    let mut running = Vec::with_capacity(N_CALLS);
    for index in 0..N_CALLS {
        let due = began + PERIOD * u32::try_from(index).unwrap_or(u32::MAX);
        tokio::time::sleep_until(due.into()).await;
        let generation = generation.clone();
        running.push(tokio::spawn(async move {
            generation.clone().invoke(call(&generation, "/ok")).await.expect("it is answered");
            due.elapsed()
        }));
    }
    let mut latencies = Vec::with_capacity(N_CALLS);
    for call in running {
        latencies.push(call.await.expect("it does not panic"));
    }
    latencies.sort_unstable();
    let at = |part: usize| latencies[(N_CALLS - 1) * part / 100].as_micros();
    format!("[{},{},{}]", at(50), at(99), at(100))
}

fn call(generation: &Generation, path: &str) -> Call {
    let RouteMatch::Found(matched) = generation.route(&Method::GET, path) else {
        panic!("the fixture has the route {path}");
    };
    Call {
        request_id: "bench".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        identity: None,
        tenant: "default".into(),
        route: matched.route,
        method: Method::GET,
        path: path.to_owned(),
        parameters: matched.parameters,
        query: Vec::new(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        idempotency_key: None,
    }
}
