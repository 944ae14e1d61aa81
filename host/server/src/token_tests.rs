//! Which tokens are taken and which are not.

use caplet_runtime::FakeClock;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;

const NOW_S: u64 = 1_700_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn tokens(auth: &Auth) -> Tokens {
    Tokens::new(&Secret::new(SECRET), auth, Arc::new(FakeClock::new(NOW_S * 1_000)))
}

fn signed(payload: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), payload, &key).unwrap()
}

fn verify(payload: Value) -> Result<Identity, Refused> {
    tokens(&Auth::default()).verify(&signed(&payload))
}

/// A valid payload with `changes` on top; null takes a member away.
fn payload(changes: Value) -> Value {
    let mut payload = json!({"sub": "u1", "exp": NOW_S + 60});
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    payload
}

#[test]
fn reads_the_whole_identity() {
    let identity = verify(payload(json!({
        "tenant": "acme",
        "kind": "service",
        "roles": ["editor"],
        "teams": ["t1", "t2"],
        "scope": "a b",
        "scopes": ["c"],
    })))
    .unwrap();
    assert_eq!(identity.subject, "u1");
    assert_eq!(&*identity.tenant, "acme");
    assert_eq!(identity.kind, Kind::Service);
    assert_eq!(identity.roles, ["editor"]);
    assert_eq!(identity.teams, ["t1", "t2"]);
    assert_eq!(identity.scopes, ["c", "a", "b"]);
}

#[test]
fn a_bare_token_is_a_user_of_the_default_tenant() {
    let identity = verify(payload(json!({}))).unwrap();
    assert_eq!((&*identity.tenant, identity.kind), ("default", Kind::User));
    assert!(identity.roles.is_empty() && identity.teams.is_empty() && identity.scopes.is_empty());
}

#[test]
fn follows_the_clock_of_the_host_within_the_skew() {
    for (changes, taken) in [
        (json!({"exp": NOW_S - 30}), true),
        (json!({"exp": NOW_S - 31}), false),
        (json!({"exp": (NOW_S as f64) - 31.5}), false),
        (json!({"nbf": NOW_S + 30}), true),
        (json!({"nbf": NOW_S + 31}), false),
        (json!({"exp": 1}), false),
        (json!({"exp": -5}), false),
    ] {
        assert_eq!(verify(payload(changes.clone())).is_ok(), taken, "{changes}");
    }
}

#[test]
fn refuses_claims_out_of_bounds() {
    let many = vec!["r"; 101];
    for changes in [
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "x".repeat(256)}),
        json!({"sub": "a\nb"}),
        json!({"exp": null}),
        json!({"exp": "soon"}),
        json!({"nbf": "soon"}),
        json!({"tenant": ""}),
        json!({"tenant": "a/b"}),
        json!({"tenant": "größe"}),
        json!({"tenant": "t".repeat(65)}),
        json!({"kind": "root"}),
        json!({"roles": {"admin": true}}),
        json!({"roles": [""]}),
        json!({"roles": [1]}),
        json!({"roles": many}),
        json!({"teams": many}),
        json!({"scopes": many}),
        json!({"aud": "another-program"}),
    ] {
        assert!(verify(payload(changes.clone())).is_err(), "{changes} was taken");
    }
    assert!(verify(payload(json!({"sub": "ö".repeat(255)}))).is_ok());
}

#[test]
fn refuses_other_algorithms_keys_and_broken_texts() {
    let tokens = tokens(&Auth::default());
    let valid = signed(&payload(json!({})));
    assert!(tokens.verify(&valid).is_ok());
    let (unsigned, _) = valid.rsplit_once('.').unwrap();
    let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
    let claims = valid.split('.').nth(1).unwrap();
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let hs384 =
        jsonwebtoken::encode(&Header::new(Algorithm::HS384), &payload(json!({})), &key).unwrap();
    let other_key = EncodingKey::from_secret(b"another secret of thirty-two bytes!");
    let foreign =
        jsonwebtoken::encode(&Header::default(), &payload(json!({})), &other_key).unwrap();
    for token in [
        String::new(),
        "a.b.c".to_owned(),
        unsigned.to_owned(),
        format!("{unsigned}."),
        format!("{none}.{claims}."),
        format!("{valid}A"),
        format!("{valid}.{valid}"),
        hs384,
        foreign,
        "x".repeat(TOKEN_BYTES_MAX + 1),
    ] {
        assert!(tokens.verify(&token).is_err(), "{token} was taken");
    }
}

#[test]
fn refuses_critical_extensions_it_does_not_know() {
    let header = Header { crit: Some(vec!["b64".to_owned()]), ..Header::default() };
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&header, &payload(json!({})), &key).unwrap();
    assert!(tokens(&Auth::default()).verify(&token).is_err());
}

#[test]
fn asks_for_issuer_and_audience_when_they_are_set() {
    let auth = Auth {
        issuer: Some("https://id.example".into()),
        audience: Some("caplet".into()),
        ..Auth::default()
    };
    let tokens = tokens(&auth);
    let verify = |changes: Value| tokens.verify(&signed(&payload(changes)));
    assert!(verify(json!({"iss": "https://id.example", "aud": "caplet"})).is_ok());
    assert!(verify(json!({"iss": "https://id.example", "aud": ["x", "caplet"]})).is_ok());
    assert!(verify(json!({"iss": "https://id.example"})).is_err());
    assert!(verify(json!({"aud": "caplet"})).is_err());
    assert!(verify(json!({"iss": "https://evil.example", "aud": "caplet"})).is_err());
    assert!(verify(json!({"iss": "https://id.example", "aud": "other"})).is_err());
}

#[test]
fn issues_tokens_that_it_takes_itself() {
    let auth = Auth { issuer: Some("i".into()), audience: Some("a".into()), ..Auth::default() };
    let tokens = tokens(&auth);
    let claims = Claims {
        tenant: "acme".into(),
        kind: Kind::Service,
        roles: vec!["editor".into()],
        scopes: vec!["comments.moderate".into()],
        ..Claims::user("robot")
    };
    let token = tokens.issue(&claims, Duration::from_secs(60)).unwrap();
    let identity = tokens.verify(&token).unwrap();
    assert_eq!((identity.subject.as_str(), &*identity.tenant), ("robot", "acme"));
    assert_eq!(identity.scopes, ["comments.moderate"]);
    let refused = tokens.issue(&Claims::user(""), Duration::from_secs(60));
    assert_eq!(refused, Err(Refused::Claim("sub")));
}

#[test]
fn refuses_other_types_ambiguous_texts_and_times_ahead() {
    let tokens = tokens(&Auth::default());
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let typed = |typ: Option<&str>| {
        let header = Header { typ: typ.map(str::to_owned), ..Header::default() };
        jsonwebtoken::encode(&header, &payload(json!({})), &key).unwrap()
    };
    for (typ, taken) in
        [(None, true), (Some("jwt"), true), (Some("at+jwt"), true), (Some("logout+jwt"), false)]
    {
        assert_eq!(tokens.verify(&typed(typ)).is_ok(), taken, "{typ:?}");
    }
    let head = data_encoding::BASE64URL_NOPAD.encode(HEADER);
    let twice = format!(r#"{{"sub":"a","sub":"admin","exp":{}}}"#, NOW_S + 60);
    let signed = format!("{head}.{}", data_encoding::BASE64URL_NOPAD.encode(twice.as_bytes()));
    let signature =
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    let signature = data_encoding::BASE64URL_NOPAD.encode(signature.as_ref());
    assert!(tokens.verify(&format!("{signed}.{signature}")).is_err());
    assert!(verify(payload(json!({"iat": NOW_S + 31}))).is_err());
    assert!(verify(payload(json!({"iat": NOW_S + 30}))).is_ok());
    assert!(verify(payload(json!({"iat": "now"}))).is_err());
}
