//! The merged document, as those see it who validate documents, make clients from them, and search
//! for requests that a server does not answer as its document says.

use std::path::Path;

use caplet_tests::outside::{node, python, run, tool};
use caplet_tests::{Place, Server};
use tokio::process::Command;

/// The plugins whose documents are merged.
const PLUGINS: [&str; 2] = ["comments", "tags"];

/// What callers of these tests may do, so that every operation is reached.
const SCOPES: [&str; 6] = [
    "comments.moderate",
    "comments.transfer",
    "tags.assign",
    "tags.create",
    "tags.curate",
    "caplet.admin",
];

/// Requests that schemathesis makes up for each operation, at most, and for how long.
const EXAMPLES_MAX: &str = "12";
const SEARCH_S_MAX: &str = "120";

/// What would take away the plugins that are looked at, or what they may do; and components, which
/// nobody makes up.
const LEFT_OUT: [&str; 6] = [
    "admin.bring_component",
    "admin.disable_plugin",
    "admin.remove_plugin",
    "admin.revoke_right",
    "admin.roll_back_plugin",
    "admin.enable_plugin",
];

async fn start(place: &Place) -> Server {
    for plugin in PLUGINS {
        place.install(plugin, &format!("{plugin}.wasm"));
    }
    place.start(&[]).await
}

async fn token(server: &Server, tenant: &str) -> String {
    let mut arguments = vec!["--subject", "ada", "--tenant", tenant];
    arguments.extend(SCOPES.iter().flat_map(|scope| ["--scope", scope]));
    server.token(&arguments).await
}

#[tokio::test]
async fn the_document_is_one_of_openapi_3_1() {
    let place = Place::new();
    let server = start(&place).await;
    run(python("openapi/validate.py").arg(server.url("/openapi.json"))).await;
}

#[tokio::test]
async fn a_client_made_for_python_works() {
    let place = Place::new();
    let server = start(&place).await;
    let token = token(&server, "acme").await;
    run(python("openapi/python_client.py").args([server.url(""), token])).await;
}

#[tokio::test]
async fn a_client_made_for_typescript_works() {
    let place = Place::new();
    let server = start(&place).await;
    let token = token(&server, "acme").await;
    run(node("openapi/typescript_client.mjs").args([server.url(""), token])).await;
}

/// Two tenants at once, with valid and with broken data, and with chains of requests that build on
/// each other.
#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_answer_that_the_document_does_not_allow() {
    let place = Place::new();
    let server = start(&place).await;
    let (acme, globex) = (token(&server, "acme").await, token(&server, "globex").await);
    let (mut acme, mut globex) = (search(&server, &acme), search(&server, &globex));
    tokio::join!(run(&mut acme), run(&mut globex));
    assert!(server.answers("/readyz", 200).await);
}

fn search(server: &Server, token: &str) -> Command {
    let mut command = Command::new(tool("venv/bin/schemathesis"));
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/openapi/schemathesis.toml");
    // It keeps notes where it runs.
    command.current_dir(std::env::temp_dir()).arg("--config-file").arg(settings);
    command.args(["run", &server.url("/openapi.json"), "--no-color", "--continue-on-failure"]);
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    command.args(["--max-examples", EXAMPLES_MAX, "--max-time", SEARCH_S_MAX]);
    for operation in LEFT_OUT {
        command.args(["--exclude-operation-id", operation]);
    }
    command
}
