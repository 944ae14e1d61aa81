//! Public keys of issuers: each is for one algorithm, from where it was read to where it verifies, so
//! that no token can have it used for another (RFC 8725, sections 2.1 and 3.1). Sets of keys are in
//! [`super::key_set`].

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use rustls::pki_types::alg_id;
use serde_json::{Map, Value};

use super::jws::Algorithm;

/// The sizes of RSA keys that are taken, in bytes: 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// A point on P-256: a byte that says that it is not compressed, and two coordinates.
const P256_COORDINATE_BYTES: usize = 32;
const POINT_IS_UNCOMPRESSED: u8 = 4;

const ED25519_BYTES: usize = 32;

/// The tags of ASN.1 that occur in public keys.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// A key that verifies signatures of one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// Not every key has one: it then fits any token of its algorithm.
    pub(crate) id: Option<String>,
    numbers: Numbers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Numbers {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Why something is no key for here.
pub(crate) type Unusable = String;

impl PublicKey {
    /// The only algorithm it is for.
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.numbers {
            Numbers::Rsa { .. } => Algorithm::Rs256,
            Numbers::P256(_) => Algorithm::Es256,
            Numbers::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Whether a token of this algorithm and key id may be verified with it.
    pub(crate) fn fits(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let same_id = match (&self.id, id) {
            (Some(own), Some(asked)) => own == asked,
            _ => true,
        };
        same_id && self.algorithm() == algorithm
    }

    /// Whether its owner signed `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.numbers {
            Numbers::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            Numbers::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Numbers::Ed25519(bytes) => {
                UnparsedPublicKey::new(&ED25519, bytes).verify(message, signature)
            }
        };
        verified.is_ok()
    }

    /// A key from the members of a JWK (RFC 7517).
    pub(crate) fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, Unusable> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|usage| usage != "sig") {
            return Err("it is not for signatures".to_owned());
        }
        if jwk.contains_key("d") {
            return Err("it is a private key: give the public one".to_owned());
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|list| !list.iter().any(|item| item == "verify")) {
            return Err("it is not for verifying".to_owned());
        }
        let number = |name: &str| {
            let bytes = text(name).and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
            bytes.ok_or_else(|| format!("`{name}` is missing, or not base64url"))
        };
        let numbers = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => Numbers::rsa(&number("n")?, &number("e")?)?,
            (Some("EC"), Some("P-256")) => Numbers::p256(&number("x")?, &number("y")?)?,
            (Some("OKP"), Some("Ed25519")) => Numbers::ed25519(&number("x")?)?,
            (kind, curve) => {
                let kind = [kind.unwrap_or("no `kty`"), curve.unwrap_or_default()].join(" ");
                return Err(format!("it is of another kind: {}", kind.trim_end()));
            }
        };
        let key = Self { id: text("kid").map(str::to_owned), numbers };
        match text("alg") {
            Some(name) if Algorithm::named(name) != Some(key.algorithm()) => {
                Err(format!("it is for another algorithm: {name}"))
            }
            _ => Ok(key),
        }
    }

    /// A key from a `SubjectPublicKeyInfo` (RFC 5280), which is what `PUBLIC KEY` in a PEM file holds.
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, Unusable> {
        let key = || {
            let mut outer = element(&mut &*der, SEQUENCE)?;
            let algorithm = element(&mut outer, SEQUENCE)?;
            // The first byte tells that no bits at the end are left out.
            let bits = element(&mut outer, BIT_STRING)?.strip_prefix(&[0])?;
            Some((algorithm, bits))
        };
        let (algorithm, bits) = key().ok_or("it is no SubjectPublicKeyInfo")?;
        let is = |id: alg_id::AlgorithmIdentifier| algorithm == id.as_ref();
        let numbers = if is(alg_id::RSA_ENCRYPTION) {
            let mut numbers = element(&mut &*bits, SEQUENCE).ok_or("its numbers are cut off")?;
            let mut number = || element(&mut numbers, INTEGER).ok_or("its numbers are cut off");
            Numbers::rsa(number()?, number()?)?
        } else if is(alg_id::ECDSA_P256) {
            let point =
                bits.strip_prefix(&[POINT_IS_UNCOMPRESSED]).ok_or("its point is compressed")?;
            let (x, y) = point.split_at(point.len().min(P256_COORDINATE_BYTES));
            Numbers::p256(x, y)?
        } else if is(alg_id::ED25519) {
            Numbers::ed25519(bits)?
        } else {
            return Err("it is neither RSA, nor on P-256, nor Ed25519".to_owned());
        };
        Ok(Self { id: None, numbers })
    }
}

impl Numbers {
    fn rsa(n: &[u8], e: &[u8]) -> Result<Self, Unusable> {
        let (n, e) = (without_zeros(n), without_zeros(e));
        if !RSA_BYTES.contains(&n.len()) {
            return Err(format!("it has {} bits, but RSA needs 2048 to 8192", n.len() * 8));
        }
        Ok(Self::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    fn p256(x: &[u8], y: &[u8]) -> Result<Self, Unusable> {
        if [x.len(), y.len()] != [P256_COORDINATE_BYTES; 2] {
            return Err("its coordinates are not of 32 bytes".to_owned());
        }
        Ok(Self::P256([&[POINT_IS_UNCOMPRESSED], x, y].concat()))
    }

    fn ed25519(x: &[u8]) -> Result<Self, Unusable> {
        if x.len() != ED25519_BYTES {
            return Err("it is not of 32 bytes".to_owned());
        }
        Ok(Self::Ed25519(x.to_vec()))
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

/// The content of the next element, when it has this tag; `rest` goes on behind it.
fn element<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&first, after) = rest.strip_prefix(&[tag])?.split_first()?;
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        // Keys are shorter than 64 KiB, so that two bytes are enough.
        0x81 | 0x82 => {
            let (bytes, after) = after.split_at_checked(usize::from(first & 0x0f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), after)
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(content)
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
