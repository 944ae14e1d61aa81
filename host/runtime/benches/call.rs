//! What one invocation costs, without HTTP: a warm instance, a fresh one, and a fresh runtime's load.
//! Prints the median and the 99th percentile of each in microseconds, as one JSON object.
//!
//! Needs the guests (`cargo xtask plugins`), in the folder that `CAPLET_GUESTS` names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_runtime::{Call, Generation, Options, PluginOptions, Reuse, RouteMatch, Runtime};
use caplet_store::sqlite::{Options as Settings, Sqlite};
use http::Method;

const CALLS: usize = 50_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let warm = calls(generation(Reuse::Warm).await, CALLS).await;
        let fresh = calls(generation(Reuse::Fresh).await, CALLS / 10).await;
        println!("{{\"warm_us\":{warm},\"fresh_us\":{fresh}}}");
    });
}

fn guest(name: &str) -> Vec<u8> {
    let folder =
        std::env::var_os("CAPLET_GUESTS").expect("CAPLET_GUESTS names the folder of the guests");
    let path = PathBuf::from(folder).join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask plugins`", path.display()))
}

async fn generation(instances: Reuse) -> (Runtime, Arc<Generation>) {
    let mut options =
        Options::new(Arc::new(Sqlite::open(Settings::temporary()).expect("a store in memory")));
    let plugin = PluginOptions { instances, ..PluginOptions::default() };
    options.plugins = BTreeMap::from([("loop-forever".to_owned(), plugin)]);
    let runtime = options.start().await.expect("the engine starts");
    let generation = runtime.load(guest("loop-forever")).await.expect("the fixture loads");
    (runtime, generation)
}

/// The route `/ok` of the fixture answers a constant without any host call.
fn call(generation: &Generation) -> Call {
    let RouteMatch::Found(matched) = generation.route(&Method::GET, "/ok") else {
        panic!("the fixture has the route /ok");
    };
    Call {
        request_id: "bench".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        identity: None,
        tenant: "default".into(),
        route: matched.route,
        method: Method::GET,
        path: "/ok".into(),
        parameters: matched.parameters,
        query: Vec::new(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        idempotency_key: None,
    }
}

async fn calls((_runtime, generation): (Runtime, Arc<Generation>), n: usize) -> String {
    let call = call(&generation);
    let mut times = Vec::with_capacity(n);
    for _ in 0..n {
        let began = Instant::now();
        let answer = generation.clone().invoke(call.clone()).await.expect("the fixture answers");
        times.push(began.elapsed());
        assert_eq!(answer.status, 200);
    }
    times.sort_unstable();
    let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
    let (median, p99) = (microseconds(times[n / 2]), microseconds(times[n * 99 / 100]));
    format!("{{\"median\":{median:.2},\"p99\":{p99:.2}}}")
}
