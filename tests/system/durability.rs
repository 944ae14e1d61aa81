//! What was acknowledged survives `kill -9`: no entry lost, none from nowhere, none twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caplet_tests::{Place, Server};
use serde_json::Value;
use tokio::sync::Mutex;

const ROUNDS: u64 = 20;
const WRITERS: u64 = 8;
/// Acknowledged entries in a round before the host is killed.
const ACKNOWLEDGED_MIN: u64 = 200;

/// What the clients know.
#[derive(Default)]
struct Ledger {
    attempted: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_nothing_and_doubles_nothing_over_twenty_kills() {
    let place = Place::new();
    place.install("ledger", "ledger.wasm");
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    for round in 0..ROUNDS {
        let server = place.start(&[]).await;
        compare(&server, &ledger).await;
        write_until_killed(server, round, &ledger).await;
    }
    let server = place.start(&[]).await;
    compare(&server, &ledger).await;
    assert!(ledger.lock().await.acknowledged.len() as u64 >= ROUNDS * ACKNOWLEDGED_MIN);
}

/// Eight clients write until the host is gone.
async fn write_until_killed(server: Server, round: u64, ledger: &Arc<Mutex<Ledger>>) {
    let n_acknowledged = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let post = server.client().clone();
            let url = server.url("/api/ledger/entries");
            let (ledger, n_acknowledged) = (ledger.clone(), n_acknowledged.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    let id = format!("{round}-{writer}-{n}");
                    ledger.lock().await.attempted.insert(id.clone());
                    let sent =
                        post.post(format!("{url}/{id}")).header("idempotency-key", &id).send();
                    match sent.await {
                        Ok(answer) if answer.status() == 201 => {
                            ledger.lock().await.acknowledged.insert(id);
                            n_acknowledged.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(answer) => panic!("{id} was answered {}", answer.status()),
                        Err(_gone) => return,
                    }
                }
            })
        })
        .collect();
    // Another number each round, so that the kill falls on another moment.
    let enough = ACKNOWLEDGED_MIN + round * 7;
    server.until(|_| async { n_acknowledged.load(Ordering::Relaxed) >= enough }).await;
    server.kill().await;
    for client in clients {
        client.await.expect("the client only ends when the host is gone");
    }
}

/// Holds the database against the ledger, then sends once more what was not acknowledged.
async fn compare(server: &Server, ledger: &Arc<Mutex<Ledger>>) {
    let mut ledger = ledger.lock().await;
    let rows = rows(server).await;
    let lost: Vec<_> = ledger.acknowledged.iter().filter(|id| !rows.contains_key(*id)).collect();
    let phantom: Vec<_> = rows.keys().filter(|id| !ledger.attempted.contains(*id)).collect();
    let double: Vec<_> = rows.iter().filter(|(_, n)| **n > 1).collect();
    assert!(
        lost.is_empty() && phantom.is_empty() && double.is_empty(),
        "lost {lost:?}, phantom {phantom:?}, double {double:?}"
    );
    let unknown: Vec<String> = ledger.attempted.difference(&ledger.acknowledged).cloned().collect();
    for id in unknown {
        let url = server.url(&format!("/api/ledger/entries/{id}"));
        let answer = server.client().post(url).header("idempotency-key", &id).send().await;
        let body: Value = answer.expect("the host answers").json().await.expect("JSON");
        assert_eq!(body["rows"], 1, "{id} was written twice");
        ledger.acknowledged.insert(id);
    }
}

/// How often each entry is in the database.
async fn rows(server: &Server) -> BTreeMap<String, u32> {
    let mut rows = BTreeMap::new();
    let mut after = 0;
    loop {
        let (status, text) = server.get(&format!("/api/ledger/entries?after={after}")).await;
        assert_eq!(status, 200, "{text}");
        let page: Value = serde_json::from_str(&text).expect("JSON");
        let entries = page["rows"].as_array().expect("rows");
        for entry in entries {
            *rows.entry(entry[1].as_str().expect("an id").to_owned()).or_insert(0) += 1;
        }
        match entries.last() {
            Some(last) => after = last[0].as_u64().expect("a place"),
            None => return rows,
        }
    }
}
