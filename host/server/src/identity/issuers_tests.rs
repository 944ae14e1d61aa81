//! Tokens of several issuers through one door: whose is taken, and what is remembered.

use std::io::Write;
use std::time::Duration;

use caplet_runtime::FakeClock;
use caplet_runtime::prometheus::Registry;
use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::*;
use crate::secret::Secret;

const NOW_S: u64 = 1_700_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Somebody with keys of two kinds, published in a file.
struct Signer {
    ed25519: Ed25519KeyPair,
    p256: EcdsaKeyPair,
    file: tempfile::NamedTempFile,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let ed25519 = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let p256 = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let signer = Self { ed25519, p256, file: tempfile::NamedTempFile::new().unwrap() };
        let mut file = signer.file.as_file();
        file.write_all(signer.public().to_string().as_bytes()).unwrap();
        signer
    }

    fn public(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let (x, y) = self.p256.public_key().as_ref()[1..].split_at(32);
        json!({"keys": [
            {"kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": text(self.ed25519.public_key().as_ref())},
            {"kid": "ec", "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)},
        ]})
    }

    fn sign(&self, header: Value, payload: Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&payload));
        let signature = match header["alg"].as_str() {
            Some("ES256") => {
                let signature = self.p256.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
                BASE64URL_NOPAD.encode(signature.as_ref())
            }
            _ => BASE64URL_NOPAD.encode(self.ed25519.sign(signed.as_bytes()).as_ref()),
        };
        format!("{signed}.{signature}")
    }

    fn issuer(&self, name: &str) -> Issuer {
        Issuer {
            issuer: name.to_owned(),
            audiences: vec!["caplet".to_owned()],
            key_file: Some(self.file.path().to_owned()),
            ..Issuer::default()
        }
    }
}

fn start(issuers: Vec<Issuer>) -> (Issuers, Arc<FakeClock>) {
    let auth = Auth { issuers, ..Auth::default() };
    let clock = Arc::new(FakeClock::new(NOW_S * 1_000));
    let own = Arc::new(Tokens::new(&Secret::new(SECRET), &auth, clock.clone()));
    let metrics = Metrics::new(&Registry::new()).unwrap();
    (Issuers::start(own, &auth, &metrics, clock.clone()).unwrap(), clock)
}

fn payload(changes: Value) -> Value {
    let mut payload =
        json!({"iss": "https://a.example", "aud": "caplet", "sub": "7", "exp": NOW_S + 60});
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload
}

fn is_refused(verified: &Result<Arc<Identity>, Unknown>) -> bool {
    matches!(verified, Err(Unknown::Refused(_)))
}

#[tokio::test]
async fn takes_each_algorithm_with_and_without_a_key_id() {
    let signer = Signer::new();
    let (issuers, _) = start(vec![signer.issuer("https://a.example")]);
    for header in [
        json!({"alg": "EdDSA", "kid": "ed"}),
        json!({"alg": "Ed25519", "typ": "at+jwt"}),
        json!({"alg": "ES256", "kid": "ec", "typ": "JWT"}),
        json!({"alg": "ES256"}),
    ] {
        let token = signer.sign(header.clone(), payload(json!({})));
        let identity = issuers.verify(&token).ok();
        assert_eq!(identity.map(|it| it.subject.clone()), Some("7".to_owned()), "{header}");
    }
}

#[tokio::test]
async fn nobody_signs_for_another() {
    let (a, b) = (Signer::new(), Signer::new());
    let (issuers, _) = start(vec![a.issuer("https://a.example"), b.issuer("https://b.example")]);
    let header = json!({"alg": "EdDSA"});
    let of_b = payload(json!({"iss": "https://b.example"}));
    assert!(issuers.verify(&b.sign(header.clone(), of_b.clone())).is_ok());
    assert!(issuers.verify(&a.sign(header.clone(), of_b)).is_err());
    let of_nobody = payload(json!({"iss": "https://c.example"}));
    assert!(is_refused(&issuers.verify(&a.sign(header, of_nobody))));
    let own = crate::Claims::user("7");
    assert!(issuers.verify(&issuers.own.issue(&own, Duration::from_secs(9)).unwrap()).is_ok());
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let claims = json!({"iss": "https://a.example", "sub": "7", "exp": NOW_S + 60});
    let forged = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    assert!(is_refused(&issuers.verify(&forged)), "the host's secret does not sign for others");
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let signer = Signer::new();
    let (issuers, _) = start(vec![signer.issuer("https://a.example")]);
    let public = signer.public();
    for secret in [public.to_string(), public["keys"][0]["x"].as_str().unwrap().to_owned()] {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        let header = jsonwebtoken::Header::default();
        let token = jsonwebtoken::encode(&header, &payload(json!({})), &key).unwrap();
        assert!(is_refused(&issuers.verify(&token)));
    }
}

#[tokio::test]
async fn an_issuer_speaks_for_its_tenants_only() {
    let signer = Signer::new();
    let tenants = vec!["acme".to_owned(), "shop".to_owned()];
    let issuer = Issuer { tenants, ..signer.issuer("https://a.example") };
    let (issuers, _) = start(vec![issuer]);
    let verify = |tenant: &str| {
        let payload = payload(json!({ "tenant": tenant }));
        issuers.verify(&signer.sign(json!({"alg": "EdDSA"}), payload))
    };
    assert_eq!(verify("shop").ok().map(|it| it.tenant.to_string()), Some("shop".to_owned()));
    assert!(is_refused(&verify("other")));
    assert!(is_refused(&issuers.verify(&signer.sign(json!({"alg": "EdDSA"}), payload(json!({}))))));
}

#[tokio::test]
async fn only_the_algorithms_that_are_named_are_taken() {
    let signer = Signer::new();
    let algorithms = vec![Algorithm::Es256];
    let issuer = Issuer { algorithms, ..signer.issuer("https://a.example") };
    let (issuers, _) = start(vec![issuer]);
    assert!(issuers.verify(&signer.sign(json!({"alg": "ES256"}), payload(json!({})))).is_ok());
    assert!(is_refused(&issuers.verify(&signer.sign(json!({"alg": "EdDSA"}), payload(json!({}))))));
}

#[tokio::test]
async fn what_is_remembered_ends_when_the_token_does() {
    let signer = Signer::new();
    let (issuers, clock) = start(vec![signer.issuer("https://a.example")]);
    let token = signer.sign(json!({"alg": "EdDSA"}), payload(json!({})));
    let first = issuers.verify(&token).ok().unwrap();
    assert!(Arc::ptr_eq(&first, &issuers.verify(&token).ok().unwrap()));
    clock.advance(Duration::from_secs(90));
    assert!(issuers.verify(&token).is_ok(), "clocks may be 30 s apart");
    clock.advance(Duration::from_millis(1));
    assert!(is_refused(&issuers.verify(&token)));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_at_the_start() {
    let signer = Signer::new();
    signer.file.as_file().set_len(0).unwrap();
    let auth = Auth { issuers: vec![signer.issuer("https://a.example")], ..Auth::default() };
    let clock = Arc::new(FakeClock::new(0));
    let own = Arc::new(Tokens::new(&Secret::new(SECRET), &auth, clock.clone()));
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let error = Issuers::start(own, &auth, &metrics, clock).err().unwrap();
    assert_eq!(error.key, "auth.issuers[0].key_file");
    assert!(error.reason.contains(&signer.file.path().display().to_string()), "{error}");
}

#[test]
fn clocks_are_not_too_far_apart() {
    let auth = Auth { clock_skew_s: 301, ..Auth::default() };
    assert_eq!(check(&auth).unwrap_err().key, "auth.clock_skew_s");
    assert!(check(&Auth { clock_skew_s: 300, ..Auth::default() }).is_ok());
}
