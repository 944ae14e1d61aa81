//! Sets of public keys: the JSON of an issuer (a JWK or a set of them, RFC 7517) and files of keys in
//! PEM. How a set is kept fresh is in [`super::keeper`].

use rustls::pki_types::pem::{self, PemObject, SectionKind};
use serde_json::Value;

use super::json;
use super::jws::Algorithm;
use super::key::PublicKey;

/// The largest set taken, in bytes. Those of large issuers have some 10 KiB.
pub(crate) const KEY_SET_BYTES_MAX: usize = 256 << 10;

/// The most keys of one set.
const KEYS_MAX: usize = 100;

/// How many keys are tried for one token. Without this, tokens without a key id would have anybody
/// occupy the host with a set's every key.
pub(crate) const KEYS_TRIED_MAX: usize = 4;

/// Why a text is no set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("it is neither JSON nor PEM: {0}")]
    Unreadable(String),
    #[error("it has {0} keys, more than {KEYS_MAX}")]
    TooMany(usize),
    #[error("it holds a private key: give the public one (`openssl pkey -in FILE -pubout`)")]
    Private,
    #[error("it holds a certificate: give its key (`openssl x509 -in FILE -pubkey -noout`)")]
    Certificate,
    #[error("it has no key for {algorithms}{reasons}")]
    NoKey { algorithms: String, reasons: String },
}

/// Reads a set, and keeps what is for `algorithms`. Keys for other purposes may stand beside.
pub(crate) fn parse(text: &[u8], algorithms: &[Algorithm]) -> Result<Vec<PublicKey>, Error> {
    let is_json = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let read = if is_json { from_json(text)? } else { from_pem(text)? };
    let mut keys = Vec::new();
    let mut reasons = String::new();
    for key in read {
        match key {
            Ok(key) if algorithms.contains(&key.algorithm()) => keys.push(key),
            Ok(key) => reasons.push_str(&format!("; one is for {}", key.algorithm().name())),
            Err(reason) => reasons.push_str(&format!("; one is left out: {reason}")),
        }
    }
    if keys.is_empty() {
        let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
        return Err(Error::NoKey { algorithms: names.join(", "), reasons });
    }
    Ok(keys)
}

type Read = Vec<Result<PublicKey, String>>;

fn from_json(text: &[u8]) -> Result<Read, Error> {
    let object = json::object(text).map_err(|error| Error::Unreadable(error.to_string()))?;
    let Some(list) = object.get("keys") else {
        return Ok(vec![PublicKey::from_jwk(&object)]);
    };
    let list = list.as_array().ok_or_else(|| Error::Unreadable("`keys` is no list".to_owned()))?;
    if list.len() > KEYS_MAX {
        return Err(Error::TooMany(list.len()));
    }
    let key = |value: &Value| {
        value.as_object().ok_or("it is no object".to_owned()).and_then(PublicKey::from_jwk)
    };
    Ok(list.iter().map(key).collect())
}

fn from_pem(text: &[u8]) -> Result<Read, Error> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        let (kind, der) =
            section.map_err(|error: pem::Error| Error::Unreadable(error.to_string()))?;
        match kind {
            SectionKind::PublicKey => keys.push(PublicKey::from_spki(&der)),
            SectionKind::Certificate => return Err(Error::Certificate),
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                return Err(Error::Private);
            }
            _ => keys.push(Err("it is no `PUBLIC KEY`".to_owned())),
        }
    }
    match keys.len() {
        0 => Err(Error::Unreadable("there is no `PUBLIC KEY` in it".to_owned())),
        n_keys if n_keys > KEYS_MAX => Err(Error::TooMany(n_keys)),
        _ => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ed25519(id: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": id})
    }

    fn set(keys: Value) -> Result<Vec<PublicKey>, Error> {
        parse(json!({ "keys": keys }).to_string().as_bytes(), &Algorithm::OF_ISSUERS)
    }

    #[test]
    fn keeps_the_keys_it_can_use_and_leaves_the_others_out() {
        let keys = set(json!([
            ed25519("a"),
            {"kty": "oct", "k": "c2VjcmV0"},
            {"kty": "OKP", "crv": "X25519", "x": X},
            {"kty": "OKP", "crv": "Ed25519", "x": X, "use": "enc"},
            {"kty": "OKP", "crv": "Ed25519", "x": X, "alg": "HS256"},
            {"kty": "OKP", "crv": "Ed25519", "x": X, "key_ops": ["sign"]},
            7,
            ed25519("b"),
        ]))
        .unwrap();
        let ids: Vec<_> = keys.iter().filter_map(|key| key.id.as_deref()).collect();
        assert_eq!(ids, ["a", "b"]);
    }

    #[test]
    fn a_single_key_is_a_set_of_one() {
        let keys = parse(ed25519("a").to_string().as_bytes(), &Algorithm::OF_ISSUERS).unwrap();
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn a_set_without_a_usable_key_says_why() {
        let error = set(json!([{"kty": "oct", "k": "AAAA"}])).unwrap_err().to_string();
        assert!(error.contains("RS256, ES256, EdDSA") && error.contains("oct"), "{error}");
        let only_rsa = parse(ed25519("a").to_string().as_bytes(), &[Algorithm::Rs256]);
        assert!(only_rsa.unwrap_err().to_string().contains("one is for EdDSA"));
        assert_eq!(set(json!(vec![ed25519("a"); 101])), Err(Error::TooMany(101)));
    }

    #[test]
    fn refuses_what_is_no_set() {
        for text in ["", "<html>", "{", "[]", r#"{"keys":1}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(parse(text.as_bytes(), &Algorithm::OF_ISSUERS).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_of_the_wrong_kind_names_the_remedy() {
        let pem = |label: &str| format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n");
        let parse = |label| parse(pem(label).as_bytes(), &Algorithm::OF_ISSUERS).unwrap_err();
        assert_eq!(parse("PRIVATE KEY"), Error::Private);
        assert_eq!(parse("RSA PRIVATE KEY"), Error::Private);
        assert_eq!(parse("CERTIFICATE"), Error::Certificate);
        assert!(parse("PUBLIC KEY").to_string().contains("no SubjectPublicKeyInfo"));
    }
}
