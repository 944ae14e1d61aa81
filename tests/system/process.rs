//! Start, stop and the errors a person sees.

use std::process::Command;

use caplet_tests::{Place, binary};

/// Runs the binary and returns its exit code and what it said on stderr.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let output = Command::new(binary())
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), said)
}

#[tokio::test]
async fn stops_gracefully_and_keeps_its_data() {
    let place = Place::new();
    place.install("ledger", "ledger.wasm");
    let server = place.start(&[]).await;
    let entry = server.url("/api/ledger/entries/kept");
    let answer = server.client().post(entry).send().await.expect("the host answers");
    assert_eq!(answer.status(), 201);
    assert_eq!(server.stop().await, 0);

    let server = place.start(&[]).await;
    assert!(server.get("/api/ledger/entries").await.1.contains("kept"));
}

#[tokio::test]
async fn finishes_what_runs_before_it_stops() {
    let place = Place::new();
    place.install("sleep", "sleep.wasm");
    let server = place.start(&[]).await;
    let slow = tokio::spawn(server.client().get(server.url("/api/sleep/1")).send());
    let running = "caplet_instances{plugin=\"sleep\"} 1";
    server.until(|server| async { server.get("/metrics").await.1.contains(running) }).await;
    assert_eq!(server.stop().await, 0);
    let answer = slow.await.expect("the client runs").expect("the request is answered");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_data_directory_serves_one_host_only() {
    let place = Place::new();
    let _server = place.start(&[]).await;
    let (data, plugins) = (place.data(), place.plugins());
    let (code, said) = run(
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            &data.to_string_lossy(),
            "--plugins",
            &plugins.to_string_lossy(),
        ],
        &[],
    );
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&*data.to_string_lossy()), "{said}");
}

#[test]
fn a_bad_setting_names_its_key_and_the_expected_form() {
    let place = Place::new();
    let data = place.data();
    let serve = ["serve", "--data", &*data.to_string_lossy()];
    let (code, said) = run(&serve, &[("CAPLET_LISTEN", "nowhere")]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("listen"), "{said}");
    let (code, said) = run(&serve, &[("CAPLET_LIMITS__CPU_MS_MAX", "soon")]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("cpu_ms_max"), "{said}");
}
