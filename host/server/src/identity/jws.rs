//! The compact form of a signed token (RFC 7515, section 7.1), read as strictly as it is defined: three
//! parts, base64url without padding, a header that says how it is signed. Whether the signature is
//! right is in [`super::key`]; what the claims mean, in [`super::claims`].

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json;
use crate::token::{Refused, TOKEN_BYTES_MAX};

/// The longest `kid` taken, in bytes.
const KEY_ID_BYTES_MAX: usize = 255;

/// The members of a header that bring a key, or tell where one is. A token may not choose the key that
/// it is verified with (RFC 8725, section 3.10).
const KEY_MEMBERS: [&str; 4] = ["jku", "jwk", "x5u", "x5c"];

/// How a token may be signed. There is no `none`, and a name in other letters is another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256, by the host's own secret alone.
    #[serde(skip)]
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 to 8192 bits.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519; in tokens also by its newer name `Ed25519` (RFC 9864).
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// All that a key of an issuer may be for.
    pub const OF_ISSUERS: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The algorithm of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }

    /// Its name in headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A token taken apart, not verified yet.
pub(crate) struct Jws<'a> {
    pub(crate) header: Header,
    /// Header and payload as they were signed.
    pub(crate) signed: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// What a header says that matters.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    /// `typ` in small letters, without `application/`.
    media_type: Option<String>,
    /// Which of [`KEY_MEMBERS`] it has.
    key_members: Vec<&'static str>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart. No work is done on one that is too long.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NOT_COMPACT)?;
        let (header, payload) = signed.split_once('.').ok_or(NOT_COMPACT)?;
        let signature = decode(signature)?;
        if signature.is_empty() {
            return Err(Refused::Malformed("it has no signature"));
        }
        let header = Header::parse(&decode(header)?)?;
        Ok(Self { header, signed, payload: decode(payload)?, signature })
    }
}

const NOT_COMPACT: Refused = Refused::Malformed("it is not three parts of base64url");

/// A dot is no letter of base64url, so that a fourth part is refused here, too.
fn decode(part: &str) -> Result<Vec<u8>, Refused> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| NOT_COMPACT)
}

impl Header {
    fn parse(text: &[u8]) -> Result<Self, Refused> {
        let members = json::object(text)
            .map_err(|error| Refused::Unverified(format!("its header: {error}")))?;
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(Refused::Malformed("it has extensions that must be understood"));
        }
        let algorithm = text_member(&members, "alg")?.and_then(Algorithm::named);
        let key_id = text_member(&members, "kid")?;
        if key_id.is_some_and(|id| id.len() > KEY_ID_BYTES_MAX || id.chars().any(char::is_control))
        {
            return Err(Refused::Malformed("its `kid` is too long, or no line of text"));
        }
        Ok(Self {
            algorithm: algorithm.ok_or(Refused::Malformed("its algorithm is not taken"))?,
            key_id: key_id.map(str::to_owned),
            media_type: text_member(&members, "typ")?.map(canonical_type),
            key_members: KEY_MEMBERS
                .into_iter()
                .filter(|name| members.contains_key(*name))
                .collect(),
        })
    }

    /// Whether the header brings no key but by the members in `ignored`, and `typ` is one of `types`,
    /// or missing where that is allowed (RFC 8725, section 3.11).
    pub(crate) fn check(&self, types: &Types, ignored: &[String]) -> Result<(), Refused> {
        let is_ignored = |member: &&str| ignored.iter().any(|name| name == *member);
        if !self.key_members.iter().all(is_ignored) {
            return Err(Refused::Malformed("its header brings a key of its own"));
        }
        match &self.media_type {
            Some(own) if types.taken.contains(own) => Ok(()),
            None if !types.required => Ok(()),
            _ => Err(Refused::Malformed("its `typ` is not taken")),
        }
    }
}

/// Which kinds of tokens are taken.
pub(crate) struct Types {
    taken: Vec<String>,
    required: bool,
}

impl Types {
    pub(crate) fn new(taken: &[String], required: bool) -> Self {
        Self { taken: taken.iter().map(|name| canonical_type(name)).collect(), required }
    }
}

/// `application/` may be left out, and letters' case means nothing (RFC 7515, section 4.1.9).
fn canonical_type(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("application/").map_or_else(|| name.clone(), str::to_owned)
}

/// A member that is a text when it is there.
fn text_member<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, Refused> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refused::Malformed("a member of its header is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Header, Refused> {
        Header::parse(text.as_bytes())
    }

    fn types(taken: &[&str], required: bool) -> Types {
        Types::new(&taken.iter().map(ToString::to_string).collect::<Vec<_>>(), required)
    }

    #[test]
    fn takes_three_strict_parts_and_nothing_else() {
        let head = BASE64URL_NOPAD.encode(br#"{"alg":"HS256"}"#);
        assert!(Jws::parse(&format!("{head}.e30.AAAA")).is_ok());
        for token in [
            String::new(),
            head.clone(),
            format!("{head}.e30"),
            format!("{head}.e30."),
            format!("{head}.e30.AAAA."),
            format!("{head}.e30.AAAA.AAAA"),
            format!("{head}.e30.AAAA="),
            format!("{head}.e3A=.AAAA"),
            format!("{head}.e31.AAAA"),
            format!("{head}. e30.AAAA"),
            format!("{head}.e30.+/AA"),
            format!("{head}.e30.{}", "A".repeat(TOKEN_BYTES_MAX)),
        ] {
            assert!(Jws::parse(&token).is_err(), "{token}");
        }
    }

    #[test]
    fn knows_algorithms_by_their_exact_names() {
        for name in ["none", "None", "hs256", "HS384", "RS512", "PS256", "ES384", ""] {
            assert!(header(&format!(r#"{{"alg":"{name}"}}"#)).is_err(), "{name}");
        }
        for text in
            ["{}", r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, r#"{"alg":"HS256","alg":"x"}"#]
        {
            assert!(header(text).is_err(), "{text}");
        }
        for algorithm in Algorithm::OF_ISSUERS {
            assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
        }
    }

    #[test]
    fn refuses_extensions_and_key_ids_that_are_no_names() {
        for member in [
            r#""crit":["exp"]"#.to_owned(),
            r#""crit":[]"#.to_owned(),
            r#""b64":true"#.to_owned(),
            r#""kid":7"#.to_owned(),
            r#""kid":"a\u0000b""#.to_owned(),
            format!(r#""kid":"{}""#, "k".repeat(256)),
            r#""typ":["JWT"]"#.to_owned(),
        ] {
            assert!(header(&format!(r#"{{"alg":"RS256",{member}}}"#)).is_err(), "{member}");
        }
    }

    #[test]
    fn refuses_keys_that_a_token_brings_unless_told_to_overlook_them() {
        for member in KEY_MEMBERS {
            let header = header(&format!(r#"{{"alg":"RS256","{member}":"https://a"}}"#)).unwrap();
            let types = types(&["JWT"], false);
            assert!(header.check(&types, &[]).is_err());
            assert!(header.check(&types, &[member.to_owned()]).is_ok());
        }
    }

    #[test]
    fn takes_the_types_it_is_told_to() {
        let check = |typ: &str, types: &Types| {
            header(&format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#)).unwrap().check(types, &[])
        };
        let both = types(&["JWT", "at+jwt"], false);
        for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT"] {
            assert!(check(typ, &both).is_ok(), "{typ}");
        }
        for typ in ["", "JOSE", "logout+jwt", "dpop+jwt", "application/application/jwt"] {
            assert!(check(typ, &both).is_err(), "{typ}");
        }
        let untyped = header(r#"{"alg":"RS256"}"#).unwrap();
        assert!(untyped.check(&both, &[]).is_ok());
        assert!(untyped.check(&types(&["JWT"], true), &[]).is_err());
    }
}
