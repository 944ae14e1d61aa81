//! What a request costs on its way through the host, without a socket: a constant by a plugin, the
//! call alone, and the same constant by a hand-written axum handler. Prints the median of each in
//! microseconds, as one JSON object.
//!
//! Needs the guests (`cargo xtask plugins`), in the folder that `CAPLET_GUESTS` names.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, Request, header};
use axum::routing::get;
use caplet_runtime::{Call, RouteMatch};
use caplet_server::Host;
use http_body_util::BodyExt;
use tower::Service;

/// Requests between two looks at the clock, and how often it is looked at.
const REQUESTS: u32 = 1_000;
const SAMPLES: usize = 101;

const ANSWER: &str = r#"{"message":"Hello, world","numbers":[1,2,3]}"#;
const PATH: &str = "/api/constant-json";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let host = Host::builder().build().await.expect("the host starts");
        let component = caplet_testing::component("constant-json");
        host.runtime().load(component).await.expect("the fixture loads");
        let call = median(async || call(&host).await).await;
        let request = median(async || through_host(&host).await).await;
        let mut router = rival();
        let axum = median(async || through_axum(&mut router).await).await;
        println!("{{\"call_us\":{call:.2},\"request_us\":{request:.2},\"axum_us\":{axum:.2}}}");
    });
}

/// The median time of one run of `work`, in microseconds.
async fn median(mut work: impl AsyncFnMut()) -> f64 {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let began = Instant::now();
        for _ in 0..REQUESTS {
            work().await;
        }
        times.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS));
    }
    times.sort_unstable_by(f64::total_cmp);
    times[SAMPLES / 2]
}

fn request() -> Request<Body> {
    Request::get(PATH)
        .header(header::HOST, "127.0.0.1:8080")
        .body(Body::empty())
        .expect("a request")
}

async fn through_host(host: &Host) {
    let answer = host.handle(request()).await;
    assert_eq!(answer.status(), 200);
    black_box(answer.into_body().collect().await.expect("a body"));
}

async fn through_axum(router: &mut Router) {
    let answer = Service::<Request<Body>>::call(router, request()).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    black_box(answer.into_body().collect().await.expect("a body"));
}

fn rival() -> Router {
    let json: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
    Router::new().route(PATH, get(move || async { (json, ANSWER) }))
}

async fn call(host: &Host) {
    let table = host.runtime().table();
    let generation = table.get("constant-json").expect("the fixture is loaded");
    let RouteMatch::Found(matched) = generation.route(&http::Method::GET, "/") else {
        panic!("the fixture has the route /");
    };
    let call = Call {
        request_id: Arc::from("bench"),
        trace_id: Arc::from("0af7651916cd43dd8448eb211c80319c"),
        identity: None,
        tenant: Arc::from("default"),
        route: matched.route,
        method: http::Method::GET,
        path: "/".to_owned(),
        parameters: matched.parameters,
        query: Vec::new(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        idempotency_key: None,
    };
    black_box(generation.clone().invoke(call).await.expect("an answer"));
}
