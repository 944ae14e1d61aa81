//! What the limits cost: a call of a plugin by the runtime, with all of them, and the same call of the
//! same component by an engine without any (no questions for the time in the code, no tick, no bounds of
//! memory, handles and host calls, no admission, no account of the processors). The difference is more
//! than their price, because counters, checks of answers and the route's work are in it, too. And what
//! the questions for the time alone cost in code that computes: a plugin describing itself.
//!
//! Prints medians in microseconds as one JSON object. Needs the guests (`cargo xtask plugins`), in the
//! folder that `CAPLET_GUESTS` names.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_abi::Request;
use caplet_abi::exports::{guest, http_handler};
use caplet_runtime::{Call, Generation, Options, RouteMatch, Runtime};
use caplet_store::sqlite::{Options as Settings, Sqlite};
use http::Method;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

const ROUNDS: usize = 5;
const CALLS: usize = 20_000;
const DESCRIPTIONS: usize = 300;

/// The route `/ok` of this fixture answers a constant without any host call.
const GUEST: &str = "trap";

fn main() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio.expect("a runtime starts").block_on(async {
        let (_runtime, generation) = limited().await;
        let mut bare = Bare::new(GUEST, false).await;
        let mut describing =
            [Bare::new("comments", false).await, Bare::new("comments", true).await];
        let mut times: [Vec<f64>; 4] = Default::default();
        // In turns, so that what else the machine does meets all of them.
        for _ in 0..ROUNDS {
            times[0].push(invocations(&generation).await);
            times[1].push(bare.handle().await);
            for (side, times) in describing.iter_mut().zip(&mut times[2..]) {
                times.push(side.describe().await);
            }
        }
        let [limited, bare, code_bare, code_limited] = times.map(median);
        println!(
            "{{\"limited_us\":{limited:.3},\"bare_us\":{bare:.3},\
             \"code_limited_us\":{code_limited:.3},\"code_bare_us\":{code_bare:.3}}}"
        );
    });
}

fn component(name: &str) -> Vec<u8> {
    let folder =
        std::env::var_os("CAPLET_GUESTS").expect("CAPLET_GUESTS names the folder of the guests");
    let path = PathBuf::from(folder).join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask plugins`", path.display()))
}

async fn limited() -> (Runtime, Arc<Generation>) {
    let store = Sqlite::open(Settings::temporary()).expect("a store in memory");
    let runtime = Options::new(Arc::new(store)).start().await.expect("the engine starts");
    let generation = runtime.load(component(GUEST)).await.expect("the fixture loads");
    (runtime, generation)
}

async fn invocations(generation: &Arc<Generation>) -> f64 {
    let RouteMatch::Found(matched) = generation.route(&Method::GET, "/ok") else {
        panic!("the fixture has the route /ok");
    };
    let call = Call {
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
    };
    let began = Instant::now();
    for _ in 0..CALLS {
        let answer = generation.clone().invoke(call.clone()).await.expect("the fixture answers");
        assert_eq!(answer.status, 200);
    }
    microseconds(began.elapsed(), CALLS)
}

/// A component in an engine that bounds nothing, or asks for the time and goes on.
struct Bare {
    store: Store<()>,
    guest: guest::Guest,
    handler: http_handler::Guest,
}

impl Bare {
    async fn new(name: &str, asks_for_time: bool) -> Self {
        let mut config = Config::new();
        config.concurrency_support(false).epoch_interruption(asks_for_time);
        let engine = Engine::new(&config).expect("an engine");
        let code = Component::new(&engine, component(name)).expect("it compiles");
        let mut linker = Linker::<()>::new(&engine);
        define_seed(&mut linker, &engine, &code).expect("a number for maps");
        linker.define_unknown_imports_as_traps(&code).expect("imports that nobody calls");
        let template = linker.instantiate_pre(&code).expect("it links");
        let mut store = Store::new(&engine, ());
        if asks_for_time {
            store.set_epoch_deadline(u64::MAX >> 1);
        }
        let instance = template.instantiate_async(&mut store).await.expect("it starts");
        let guest = guest::GuestIndices::new(&template).expect("it describes itself");
        let guest = guest.load(&mut store, &instance).expect("it describes itself");
        let handler = http_handler::GuestIndices::new(&template).expect("it handles requests");
        let handler = handler.load(&mut store, &instance).expect("it handles requests");
        Self { store, guest, handler }
    }

    async fn handle(&mut self) -> f64 {
        let request = Request {
            operation: "ok".into(),
            method: "GET".into(),
            path: "/ok".into(),
            parameters: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let began = Instant::now();
        for _ in 0..CALLS {
            let answer = self.handler.call_handle(&mut self.store, &request).await;
            assert_eq!(answer.expect("the fixture answers").status, 200);
        }
        microseconds(began.elapsed(), CALLS)
    }

    async fn describe(&mut self) -> f64 {
        let began = Instant::now();
        for _ in 0..DESCRIPTIONS {
            let description = self.guest.call_describe(&mut self.store).await;
            assert!(!description.expect("it describes itself").routes.is_empty());
        }
        microseconds(began.elapsed(), DESCRIPTIONS)
    }
}

/// The one import that describing oneself calls: maps begin with a number.
fn define_seed(linker: &mut Linker<()>, engine: &Engine, code: &Component) -> wasmtime::Result<()> {
    let imports = code.component_type();
    let mut names = imports.imports(engine).map(|(name, _)| name);
    let Some(name) = names.find(|name| name.starts_with("wasi:random/insecure-seed@")) else {
        return Ok(());
    };
    let mut instance = linker.instance(name)?;
    instance.func_wrap("insecure-seed", |_, (): ()| Ok(((1_u64, 2_u64),)))
}

fn microseconds(time: Duration, n: usize) -> f64 {
    time.as_secs_f64() * 1e6 / n as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
