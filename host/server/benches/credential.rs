//! What it costs to know who is asking, on the way of a request through the host: without a token, with
//! one that is remembered, and with one that is verified each time. Prints the median of each in
//! microseconds, as one JSON object.
//!
//! Needs the guests (`cargo xtask plugins`), in the folder that `CAPLET_GUESTS` names.

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use caplet_server::identity::Issuer;
use caplet_server::{Claims, Config, Host};
use data_encoding::BASE64URL_NOPAD;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// Requests between two looks at the clock, and how often it is looked at.
const REQUESTS: u32 = 500;
const SAMPLES: usize = 41;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let signer = Signer::new();
        let mut results = serde_json::Map::new();
        for (name, tokens_cached_max) in [("remembered", 10_000), ("anew", 0)] {
            let host = host(&signer, tokens_cached_max).await;
            let hs256 = host.issue_token(&Claims::user("ada"), Duration::from_secs(3_600));
            let tokens = [
                ("none", None),
                ("hs256", Some(hs256.expect("a token"))),
                ("es256", Some(signer.token("ES256"))),
                ("eddsa", Some(signer.token("EdDSA"))),
            ];
            for (kind, token) in tokens {
                let time_us = median(async || ask(&host, token.as_deref()).await).await;
                let time_us = (time_us * 100.0).round() / 100.0;
                results.insert(format!("{kind}_{name}_us"), json!(time_us));
            }
        }
        println!("{}", Value::Object(results));
    });
}

async fn host(signer: &Signer, tokens_cached_max: usize) -> Host {
    let mut config = Config::default();
    config.auth.tokens_cached_max = tokens_cached_max;
    config.auth.issuers.push(Issuer {
        issuer: "https://id.example".to_owned(),
        audiences: vec!["caplet".to_owned()],
        key_file: Some(signer.file.path().to_owned()),
        ..Issuer::default()
    });
    let host = Host::builder().config(config).build().await.expect("the host starts");
    let component = caplet_testing::component("constant-json");
    host.runtime().load(component).await.expect("the fixture loads");
    host
}

async fn ask(host: &Host, token: Option<&str>) {
    let mut request = Request::get("/api/constant-json").header(header::HOST, "127.0.0.1:8080");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let answer = host.handle(request.body(Empty::new()).expect("a request")).await;
    assert_eq!(answer.status(), 200);
    black_box(answer.into_body().collect().await.expect("a body"));
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

/// An issuer with keys of two kinds in a file.
struct Signer {
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    file: tempfile::NamedTempFile,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let ed25519 = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let p256 = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        let (x, y) = p256.public_key().as_ref()[1..].split_at(32);
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let keys = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)},
            {"kty": "OKP", "crv": "Ed25519", "x": text(ed25519.public_key().as_ref())},
        ]});
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(keys.to_string().as_bytes()).expect("it is written");
        Self { p256, ed25519, file }
    }

    fn token(&self, algorithm: &str) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time");
        let claims = json!({"iss": "https://id.example", "aud": "caplet", "sub": "ada",
            "exp": now.as_secs() + 3_600, "roles": ["editor"], "scope": "a b"});
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&json!({ "alg": algorithm })), part(&claims));
        let signature = if algorithm == "ES256" {
            let signature = self.p256.sign(&SystemRandom::new(), signed.as_bytes());
            BASE64URL_NOPAD.encode(signature.expect("a signature").as_ref())
        } else {
            BASE64URL_NOPAD.encode(self.ed25519.sign(signed.as_bytes()).as_ref())
        };
        format!("{signed}.{signature}")
    }
}
