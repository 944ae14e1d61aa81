//! A host that is told to stop, under load: no request that was begun is reset.

use std::net::TcpListener;

use caplet_tests::{Place, Server};
use nix::sys::signal::{Signal, kill};

use crate::load::Load;

const ROUNDS: u64 = 20;

fn place() -> Place {
    let place = Place::new();
    for guest in ["echo", "ledger", "sleep"] {
        place.install(guest, &format!("{guest}.wasm"));
    }
    place
}

/// What is in the ledger is what was acknowledged, and no request failed.
async fn assert_whole(server: &Server, load: Load) {
    let (written, wrong) = load.end().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    for id in written {
        let again = server.client().post(server.url(&format!("/api/ledger/entries/{id}")));
        let text = again.send().await.expect("an answer").text().await.expect("a text");
        assert!(text.contains("\"rows\":2"), "{id} was acknowledged and is lost: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_host_resets_nobody_over_twenty_rounds() {
    let place = place();
    for round in 0..ROUNDS {
        let server = place.start(&[]).await;
        let load = Load::begin(&server, true);
        // Another number each round, so that the signal falls on another moment.
        load.answers(100 + round * 7).await;
        kill(server.pid(), Signal::SIGTERM).expect("the signal is sent");
        assert_eq!(server.end().await, 0, "round {round}");
        let (_, wrong) = load.end().await;
        assert!(wrong.is_empty(), "round {round}: {wrong:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_on_a_socket_that_was_passed_on_is_not_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = place();
    let mut server = place.start_on(&listener).await;
    let address = listener.local_addr().expect("an address");
    assert_eq!(server.url(""), format!("http://{address}"));
    let load = Load::begin(&server, false);
    for _ in 0..2 {
        load.answers(100).await;
        assert_eq!(server.stop().await, 0);
        server = place.start_on(&listener).await;
    }
    load.answers(100).await;
    assert_whole(&server, load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_host_takes_over_without_anybody_noticing() {
    let place = place();
    let mut server = place.start(&[]).await;
    let load = Load::begin(&server, false);
    for _ in 0..2 {
        load.answers(100).await;
        let successor = place.take_over(&[]).await;
        assert_eq!(successor.url(""), server.url(""), "it is the same socket");
        assert_eq!(server.end().await, 0);
        server = successor;
    }
    load.answers(100).await;
    assert_whole(&server, load).await;
}
