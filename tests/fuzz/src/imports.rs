//! Every function of the contract with arbitrary values: the fixture `any-arguments` calls what the bytes
//! say. Whatever it was told, the host answers the next call.

use bytes::Bytes;
use caplet_runtime::{Answer, Call, Fault, Generation, Limits, Options, RouteMatch, Runtime};
use caplet_store::sqlite::{Options as Place, Sqlite};
use http::Method;
use std::sync::{Arc, OnceLock};

/// A host with the fixture.
struct Ground {
    threads: tokio::runtime::Runtime,
    _runtime: Runtime,
    generation: Arc<Generation>,
}

static GROUND: OnceLock<Ground> = OnceLock::new();

/// Tells the fixture what to call. `component` gives its bytes the first time.
///
/// # Panics
/// The host does not answer afterwards, or a fault says that the host is broken.
pub fn run(bytes: &[u8], component: impl FnOnce() -> Vec<u8>) {
    let ground = GROUND.get_or_init(|| start(component()));
    let told = ground.call(Method::POST, "/", bytes.to_vec());
    if let Err(fault) = told {
        assert_ne!(fault.status(), 500, "{fault:?}");
    }
    let after = ground.call(Method::GET, "/ok", Vec::new());
    assert_eq!(after.map(|answer| answer.status.as_u16()), Ok(200), "the host answers");
}

fn start(component: Vec<u8>) -> Ground {
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let threads = threads.expect("threads start");
    let store = Sqlite::open(Place::temporary()).expect("a store in memory");
    // What fails again and again is to be called again and again here.
    let limits = Limits { faults_max: 0, sql_statement_ms_max: 50, ..Limits::default() };
    let options = Options { limits, ..Options::new(Arc::new(store)) };
    let runtime = threads.block_on(options.start()).expect("the engine starts");
    let generation = threads.block_on(runtime.load(component)).expect("the fixture loads");
    Ground { threads, _runtime: runtime, generation }
}

impl Ground {
    fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, Fault> {
        let RouteMatch::Found(matched) = self.generation.route(&method, path) else {
            panic!("the fixture has the route {path}");
        };
        let call = Call {
            request_id: "fuzz".into(),
            trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
            identity: None,
            tenant: "default".into(),
            route: matched.route,
            method,
            path: path.to_owned(),
            parameters: matched.parameters,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::from(body),
            idempotency_key: None,
        };
        self.threads.block_on(self.generation.clone().invoke(call))
    }
}
