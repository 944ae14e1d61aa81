//! A server of events in the way of wstd. Each of its streams has ten of them, takes a second, and says in each
//! event which release sends it.

use futures_lite::stream::unfold;
use wstd::http::{Body, Error, Request, Response};
use wstd::time::Duration;

/// The test writes another release into the component that was built.
const RELEASE: &str = "release 1";

const N_EVENTS: u32 = 10;
const PAUSE_MS: u64 = 100;

#[wstd::http_server]
async fn main(_request: Request<Body>) -> Result<Response<Body>, Error> {
    let events = unfold(0, async |number| {
        if number == N_EVENTS {
            return None;
        }
        wstd::task::sleep(Duration::from_millis(PAUSE_MS)).await;
        let data = format!(r#"{{"number":{number},"release":"{RELEASE}"}}"#);
        Some((format!("retry: 100\ndata: {data}\n\n"), number + 1))
    });
    let response = Response::builder().header("content-type", "text/event-stream");
    Ok(response.body(Body::from_stream(events))?)
}
