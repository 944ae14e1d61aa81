//! Components of `wasi:http` that were made for any host of it: the smallest typical program of each
//! toolchain, written as its users write it and built by its own commands, dropped into the plugin folder.
//! All of them are asked the same.

mod build;
mod wit;

use std::fs;

use caplet_tests::{PATIENCE, Place, Server};
use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::join_all;
use reqwest::Body;

pub use wit::cargo;

macro_rules! toolchains {
    ($($test:ident $project:literal;)*) => {$(
        #[tokio::test]
        async fn $test() {
            is_served_as_it_is($project).await;
        }
    )*};
}

toolchains! {
    go_is_served "go";
    jco_is_served "jco";
    python_is_served "python";
    python_of_0_3_is_served "python-async";
    spin_is_served "spin";
    wasip3_is_served "wasip3";
    wstd_is_served "wstd";
}

/// A server with one component and no settings, and the component's name.
struct Greeter {
    server: Server,
    name: &'static str,
}

async fn is_served_as_it_is(name: &'static str) {
    let component = build::component(name).await;
    let place = Place::new();
    fs::copy(component, place.plugins().join(format!("{name}.wasm"))).expect("a copy");
    let greeter = Greeter { server: place.start(&[]).await, name };
    greeter.greets().await;
    greeter.echoes().await;
    greeter.answers_before_the_body_ended().await;
    greeter.reads_words().await;
    greeter.knows_what_it_serves().await;
    assert_eq!(greeter.server.stop().await, 0, "{name}");
}

impl Greeter {
    fn url(&self, path: &str) -> String {
        self.server.url(&format!("/api/{}{path}", self.name))
    }

    async fn greets(&self) {
        let path = format!("/api/{}", self.name);
        self.server.until(|server| server.answers(&path, 200)).await;
        let greeting = format!("Hello from {}!\n", self.name);
        assert_eq!(self.server.get(&path).await, (200, greeting));
    }

    async fn echoes(&self) {
        let large: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        let kind = "application/x-greeting";
        let sent = self.server.client().post(self.url("/echo")).header("content-type", kind);
        let answer = sent.body(large.clone()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{}", self.name);
        assert_eq!(answer.headers()["content-type"], kind, "{}", self.name);
        let echoed = answer.bytes().await.expect("a whole body");
        assert!(echoed == large, "{}: {} bytes came back", self.name, echoed.len());
    }

    /// What was sent comes back before more is sent.
    async fn answers_before_the_body_ended(&self) {
        let (parts, body) = mpsc::unbounded::<std::io::Result<&str>>();
        parts.unbounded_send(Ok("first")).expect("it is read");
        let sent = self.server.client().post(self.url("/echo"));
        let answer = sent.body(Body::wrap_stream(body)).send().await.expect("an answer");
        let mut echoed = answer.bytes_stream();
        for (n, part) in ["first", "second", "third"].into_iter().enumerate() {
            let came = tokio::time::timeout(PATIENCE, echoed.next()).await;
            let came = came.unwrap_or_else(|_| panic!("{}: part {n} is late", self.name));
            assert_eq!(came.expect("a part").expect("a part"), part, "{}", self.name);
            match n {
                0 => parts.unbounded_send(Ok("second")).expect("it is read"),
                1 => parts.unbounded_send(Ok("third")).expect("it is read"),
                _ => parts.close_channel(),
            }
        }
        let end = tokio::time::timeout(PATIENCE, echoed.next()).await.expect("it ends");
        assert!(end.is_none(), "{}: {end:?}", self.name);
    }

    /// Ten requests at once, with a header and a query each.
    async fn reads_words(&self) {
        let asked = (0..10).map(async |n| {
            let url = self.url(&format!("/words?number={n}&odd={}", n % 2));
            let sent = self.server.client().get(url).header("x-word", format!("good day {n}"));
            let answer = sent.send().await.expect("an answer");
            let word = answer.headers().get("x-word").cloned().unwrap_or_else(|| {
                panic!("{}: {answer:?} lacks a header", self.name);
            });
            (answer.status().as_u16(), word, answer.text().await.expect("a text"))
        });
        for (n, (status, word, text)) in join_all(asked).await.into_iter().enumerate() {
            let expected = format!("good day {n} number={n}&odd={}", n % 2);
            assert_eq!((status, text), (200, expected), "{}", self.name);
            assert_eq!(word, format!("good day {n}"), "{}", self.name);
        }
    }

    async fn knows_what_it_serves(&self) {
        for path in ["/nowhere", "/echo/deeper?a=b", "/words"] {
            let answer = self.server.client().post(self.url(path)).body("text").send().await;
            assert_eq!(answer.expect("an answer").status(), 404, "{}{path}", self.name);
        }
    }
}
