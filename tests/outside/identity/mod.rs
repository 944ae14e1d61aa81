//! Identity, as libraries that were written elsewhere see it: tokens of PyJWT, joserfc and npm's `jose`
//! are taken, hostile ones are refused without a word of why, and a browser's pages of other origins
//! may do what the configuration says. `keys.py` is an issuer that publishes its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use caplet_tests::outside::{node, python, run};
use caplet_tests::{PATIENCE, Place, Server};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// An issuer, and a host that trusts it.
struct Scene {
    place: Place,
    server: Server,
    keys: tempfile::TempDir,
    /// The names of issuers by the places of their keys, as the scripts take them.
    issuers: Value,
    url: String,
    _issuer: Child,
}

impl Scene {
    async fn start() -> Self {
        let keys = tempfile::tempdir().expect("a temporary directory");
        let mut issuer = python("identity/keys.py")
            .arg(keys.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the issuer starts");
        let output = issuer.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let port = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let port = port.expect("it starts in time").expect("a text").expect("a line");
        let url = format!("http://127.0.0.1:{port}/jwks.json");
        let pem = ALGORITHMS.map(|name| (name, format!("https://{name}.example")));
        let issuers = json!({
            "everywhere": {"url": "https://url.example", "file": "https://file.example"},
            "pem": BTreeMap::from(pem),
        });
        let place = Place::new();
        place.install("echo", "echo.wasm");
        let file = keys.path().join("caplet.toml");
        std::fs::write(&file, configuration(&keys, &url)).expect("the configuration is written");
        let file = file.display().to_string();
        let settings = [("CAPLET_CONFIG", file.as_str()), ("CAPLET_AUTH__HS256_SECRET", SECRET)];
        let server = place.start(&settings).await;
        Self { place, server, keys, issuers, url, _issuer: issuer }
    }

    /// What a script that makes tokens prints.
    async fn tokens(&self, mut script: tokio::process::Command) -> Value {
        script.arg(self.keys.path()).arg(self.issuers.to_string()).args([SECRET, &self.url]);
        serde_json::from_str(&run(&mut script).await).expect("the script prints JSON")
    }

    async fn ask(&self, token: &str) -> Response {
        let request = self.server.client().get(self.server.url("/api/echo/identity"));
        request.bearer_auth(token).send().await.expect("the host answers")
    }

    async fn all_are_accepted(&self, tokens: &Value) -> usize {
        let tokens = tokens.as_array().expect("a list");
        for token in tokens {
            let name = &token["name"];
            let answer = self.ask(token["token"].as_str().expect("a text")).await;
            assert_eq!(answer.status(), 200, "{name}");
            let seen: Value = answer.json().await.expect("JSON");
            assert_eq!(seen["caller"]["subject"], token["subject"], "{name}");
            assert_eq!(seen["caller"]["roles"], json!(["editor"]), "{name}");
            assert_eq!(seen["tenant"], "acme", "{name}");
        }
        tokens.len()
    }
}

fn configuration(keys: &tempfile::TempDir, url: &str) -> String {
    let file = |name: &str| keys.path().join(name).display().to_string();
    let issuer = |name: &str, key: &str, value: &str| {
        format!(
            "[[auth.issuers]]\nissuer = \"{name}\"\naudiences = [\"caplet\"]\n{key} = \"{value}\"\n"
        )
    };
    let mut text = issuer("https://url.example", "jwks_url", url);
    text += &issuer("https://file.example", "key_file", &file("jwks.json"));
    for name in ALGORITHMS {
        let pem = file(&format!("{name}.public.pem"));
        text += &issuer(&format!("https://{name}.example"), "key_file", &pem);
    }
    text
}

#[tokio::test]
async fn tokens_of_pyjwt_joserfc_and_jose_are_accepted() {
    let scene = Scene::start().await;
    let of_python = scene.tokens(python("identity/mint.py")).await;
    let of_node = scene.tokens(node("identity/mint.mjs")).await;
    let n_python = scene.all_are_accepted(&of_python).await;
    let n_node = scene.all_are_accepted(&of_node).await;
    assert_eq!((n_python, n_node), (28, 10), "each algorithm by each place of the keys");
}

#[tokio::test]
async fn hostile_tokens_are_refused_in_one_shape() {
    let scene = Scene::start().await;
    // The issuer is known and its keys are there, so that nothing is refused for their want.
    scene.all_are_accepted(&scene.tokens(python("identity/mint.py")).await).await;
    let hostile = scene.tokens(python("identity/hostile.py")).await;
    let hostile = hostile.as_object().expect("tokens by name");
    assert!(hostile.len() >= 60, "only {}", hostile.len());
    let mut shapes = BTreeMap::<String, BTreeSet<&str>>::new();
    for (name, token) in hostile {
        let answer = scene.ask(token.as_str().expect("a text")).await;
        shapes.entry(shape(answer).await).or_default().insert(name);
    }
    assert_eq!(shapes.len(), 1, "{shapes:#?}");
    let shape = shapes.keys().next().expect("one shape");
    assert!(shape.starts_with("401 ") && shape.contains("token-invalid"), "{shape}");
    let (_, ready) = scene.server.get("/readyz").await;
    assert!(ready.contains("ready") && scene.place.plugins().exists());
}

/// An answer without what is different in every answer.
async fn shape(answer: Response) -> String {
    let status = answer.status().as_u16();
    let changing = ["x-request-id", "date"];
    let headers = answer.headers().iter().filter(|(name, _)| !changing.contains(&name.as_str()));
    let headers: BTreeSet<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    let text = answer.text().await.expect("a text");
    let mut body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    body["request_id"] = Value::Null;
    format!("{status} {headers:?} {body}")
}

#[tokio::test]
async fn a_browser_lets_pages_of_named_origins_call_the_host() {
    let place = Place::new();
    place.install("echo", "echo.wasm");
    let allowed = "http://localhost:4321";
    let origins = format!("[\"{allowed}\"]");
    let server = place.start(&[("CAPLET_CORS__ORIGINS", origins.as_str())]).await;
    let token = server.token(&["--subject", "ada", "--scope", "caplet.admin"]).await;
    run(node("identity/cors.mjs").args([server.url("").as_str(), &token, allowed])).await;
}
