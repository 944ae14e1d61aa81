//! Tokens: what the host's secret did not sign proves nothing, and what it did sign proves only what is
//! within the bounds of an identity.

use arbitrary::Unstructured;
use caplet_runtime::SystemClock;
use caplet_server::{config::Auth, secret::Secret, token::Tokens};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::{Arc, LazyLock};

const SECRET: &str = "a secret of thirty-two characters";

static TOKENS: LazyLock<Tokens> =
    LazyLock::new(|| Tokens::new(&Secret::new(SECRET), &Auth::default(), Arc::new(SystemClock)));

/// Reads the bytes as a token, and as the header and the claims of one that is signed.
///
/// # Panics
/// A token was taken that must not be.
pub fn run(bytes: &[u8]) {
    if let Ok(token) = std::str::from_utf8(bytes) {
        assert!(TOKENS.verify(token).is_err(), "{token:?} was signed by nobody");
    }
    let mut input = Unstructured::new(bytes);
    let Ok(is_usual) = input.arbitrary::<bool>() else { return };
    let usual: &[u8] = br#"{"typ":"JWT","alg":"HS256"}"#;
    let header = if is_usual { usual } else { part(&mut input) };
    let token = signed(header, input.take_rest());
    let Ok(identity) = TOKENS.verify(&token) else { return };
    let is_bounded = |text: &str| (1..=255).contains(&text.chars().count());
    assert!(is_bounded(&identity.subject), "{identity:?}");
    assert!((1..=64).contains(&identity.tenant.len()), "{identity:?}");
    for list in [&identity.roles, &identity.teams, &identity.scopes] {
        assert!(list.iter().all(|name| is_bounded(name)), "{identity:?}");
    }
    let mut forged = token.into_bytes();
    let last_but_one = forged.len() - 2;
    forged[last_but_one] = if forged[last_but_one] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("letters are letters");
    assert!(TOKENS.verify(&forged).is_err(), "{forged} is signed by nobody");
}

fn part<'a>(input: &mut Unstructured<'a>) -> &'a [u8] {
    let length = input.int_in_range(0..=200).unwrap_or(0).min(input.len());
    input.bytes(length).unwrap_or_default()
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let text = format!("{}.{}", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
    mac.update(text.as_bytes());
    format!("{text}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()))
}
