//! An issuer on a socket of its own: it signs tokens, and publishes its keys well or badly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use caplet_server::identity;
use caplet_testing::{START_MS, TestHost, json};
use data_encoding::BASE64URL_NOPAD;
use futures::StreamExt;
use http::StatusCode;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::Value;

/// What the issuer does when it is asked for its keys.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Publishes the keys of these ids.
    Publish(Vec<&'static str>),
    /// Answers with this status.
    Status(u16),
    /// Sends the asker to where good keys are.
    Redirect,
    /// Answers with this text.
    Text(String),
    /// Begins to answer and never ends.
    Endless,
    /// Takes the question and says nothing.
    Silent,
}

/// An issuer.
#[derive(Clone)]
pub struct Issuer {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    manner: Mutex<Manner>,
    n_asked: AtomicU64,
    n_asked_elsewhere: AtomicU64,
    /// One for each id, made when it is needed.
    keys: Mutex<Vec<(&'static str, Arc<Ed25519KeyPair>)>>,
}

impl Issuer {
    pub async fn start(manner: Manner) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            manner: Mutex::new(manner),
            n_asked: AtomicU64::new(0),
            n_asked_elsewhere: AtomicU64::new(0),
            keys: Mutex::default(),
        });
        let router = axum::Router::new()
            .route("/keys", axum::routing::get(keys))
            .fallback(elsewhere)
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, address }
    }

    /// Its name, which is also where it is.
    pub fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    pub fn publish(&self, ids: &[&'static str]) {
        self.behave(Manner::Publish(ids.to_vec()));
    }

    /// How often it was asked for its keys.
    pub fn n_asked(&self) -> u64 {
        self.shared.n_asked.load(Ordering::Relaxed)
    }

    /// How often it was asked for anything else.
    pub fn n_asked_elsewhere(&self) -> u64 {
        self.shared.n_asked_elsewhere.load(Ordering::Relaxed)
    }

    /// A token for a caller, signed with the key of an id.
    pub fn token(&self, id: &'static str, subject: &str) -> String {
        self.signed(id, json!({"alg": "EdDSA", "kid": id}), json!({ "sub": subject }))
    }

    /// A token with a header, and with these claims over the usual ones.
    pub fn signed(&self, id: &'static str, header: Value, changes: Value) -> String {
        let exp = START_MS / 1_000 + 3_600;
        let mut claims = json!({"iss": self.name(), "aud": "caplet", "sub": "ada", "exp": exp});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.shared.key(id).sign(signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    /// What the host is told of it.
    pub fn settings(&self) -> identity::Issuer {
        identity::Issuer {
            issuer: self.name(),
            audiences: vec!["caplet".to_owned()],
            jwks_url: Some(format!("{}/keys", self.name())),
            ..identity::Issuer::default()
        }
    }

    /// A host that trusts it.
    pub async fn host(&self) -> TestHost {
        let settings = self.settings();
        let host = TestHost::builder().plugin("echo");
        host.configure(|config| config.auth.issuers.push(settings)).start().await
    }
}

impl Shared {
    fn key(&self, id: &'static str) -> Arc<Ed25519KeyPair> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = keys.iter().find(|(own, _)| *own == id) {
            return key.clone();
        }
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Arc::new(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap());
        keys.push((id, key.clone()));
        key
    }

    fn set(&self, ids: &[&'static str]) -> Value {
        let jwk = |id: &&'static str| {
            let x = BASE64URL_NOPAD.encode(self.key(id).public_key().as_ref());
            json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x, "use": "sig"})
        };
        json!({ "keys": ids.iter().map(jwk).collect::<Vec<_>>() })
    }
}

async fn keys(State(shared): State<Arc<Shared>>) -> Response {
    shared.n_asked.fetch_add(1, Ordering::Relaxed);
    let manner = shared.manner.lock().unwrap().clone();
    match manner {
        Manner::Publish(ids) => axum::Json(shared.set(&ids)).into_response(),
        Manner::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Manner::Redirect => Redirect::temporary("/elsewhere").into_response(),
        Manner::Text(text) => text.into_response(),
        Manner::Endless => {
            let parts = futures::stream::repeat_with(|| Ok(Bytes::from_static(&[b' '; 4_096])));
            Body::from_stream(parts.map(|part: Result<_, std::convert::Infallible>| part))
                .into_response()
        }
        Manner::Silent => std::future::pending().await,
    }
}

async fn elsewhere(State(shared): State<Arc<Shared>>) -> Response {
    shared.n_asked_elsewhere.fetch_add(1, Ordering::Relaxed);
    axum::Json(shared.set(&["a", "evil"])).into_response()
}
