//! A full disk: writes are refused with the reason, reads go on, nothing is lost or half done, and
//! when there is room again the host goes on without a restart.

use std::fs::File;
use std::io::Write;

use caplet_tests::{Place, Server};
use serde_json::Value;

async fn write(server: &Server, id: u32) -> (u16, Value) {
    let url = server.url(&format!("/api/ledger/entries/{id}"));
    let answer = server.client().post(url).send().await.expect("the host answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn entries(server: &Server) -> Vec<String> {
    let (status, text) = server.get("/api/ledger/entries").await;
    assert_eq!(status, 200, "{text}");
    let page: Value = serde_json::from_str(&text).expect("JSON");
    let rows = page["rows"].as_array().expect("rows");
    rows.iter().map(|row| row[1].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn writes_are_refused_and_reads_go_on_until_there_is_room_again() {
    let place = Place::new();
    place.install("ledger", "ledger.wasm");
    let server = place.start_on_small_disk(16).await;
    assert_eq!(write(&server, 0).await.0, 201);

    let filler = server.inside(&place.data().join("filler"));
    fill(&filler);
    let mut acknowledged = vec!["0".to_owned()];
    let mut id = 1;
    let refused = loop {
        let (status, body) = write(&server, id).await;
        if status != 201 {
            break (status, body);
        }
        acknowledged.push(id.to_string());
        id += 1;
        assert!(id < 1_000, "a full disk takes a thousand writes");
    };
    assert_eq!((refused.0, &refused.1["code"]), (507, &Value::from("storage-full")));
    assert_eq!(entries(&server).await, acknowledged);

    std::fs::remove_file(filler).expect("there is room again");
    server.until(|server| async { write(server, 5_000).await.0 == 201 }).await;
    acknowledged.push("5000".to_owned());
    assert_eq!(entries(&server).await, acknowledged);
}

/// Writes to a file until the disk is full.
fn fill(path: &std::path::Path) {
    let mut file = File::create(path).expect("the disk can be reached");
    for block in [vec![0; 64 << 10], vec![0; 512]] {
        while file.write_all(&block).is_ok() {}
    }
}
