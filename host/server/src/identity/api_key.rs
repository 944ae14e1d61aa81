//! The text of an API key: `cap_<id>_<secret><checksum>`. The id is no secret: it finds the key and
//! names it in lists and logs. The secret is 200 random bits. The checksum tells a slip of the pen, and
//! a string that only looks like a key, without a look at the table; it also lets programs that search
//! for leaked secrets be sure of what they found.
//!
//! What is kept of the secret is its SHA-256. A slow hash (argon2, bcrypt) protects secrets that people
//! choose, of which a thief of the table could try the likely ones; of 2^200 equally likely ones none is
//! worth trying, and each request would pay for the slowness.

// Base32 in digits and small letters: a double click selects all of a part.
use data_encoding::BASE32_DNSSEC as LETTERS;
use ring::digest::{SHA256, digest};

/// What every key begins with.
pub(crate) const PREFIX: &str = "cap_";

/// The lengths of the parts, in bytes; all are whole letters of base32.
const ID_BYTES: usize = 10;
const SECRET_BYTES: usize = 25;
const CHECKSUM_BYTES: usize = 5;

/// The length of the id, in letters.
pub(crate) const ID_LETTERS: usize = 16;
const CHECKSUM_LETTERS: usize = 8;

/// A new key, which is shown once.
pub(crate) struct NewKey {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) hash: Vec<u8>,
}

/// The parts of a key that a caller sent.
pub(crate) struct Presented<'a> {
    pub(crate) id: &'a str,
    secret: &'a str,
}

impl NewKey {
    /// A key of random numbers.
    ///
    /// # Errors
    /// The operating system gives none.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        let (id, secret) = bytes.split_at(ID_BYTES);
        let (id, secret) = (LETTERS.encode(id), LETTERS.encode(secret));
        let checksum = checksum(&id, &secret);
        let text = format!("{PREFIX}{id}_{secret}{checksum}");
        Ok(Self { hash: hash(&secret), id, text })
    }
}

impl<'a> Presented<'a> {
    /// The parts, when the text is a key.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let (secret, given) = rest.split_at_checked(rest.len().checked_sub(CHECKSUM_LETTERS)?)?;
        let is_key = id.len() == ID_LETTERS && checksum(id, secret) == given;
        is_key.then_some(Self { id, secret })
    }

    /// Whether it is the key of which `kept` is the hash.
    pub(crate) fn matches(&self, kept: &[u8]) -> bool {
        let own = hash(self.secret);
        // All bytes are looked at, so that the time tells nothing of where they differ.
        let difference = own.iter().zip(kept).fold(0, |sum, (own, kept)| sum | (own ^ kept));
        own.len() == kept.len() && difference == 0
    }
}

fn hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

fn checksum(id: &str, secret: &str) -> String {
    let all = digest(&SHA256, format!("{PREFIX}{id}_{secret}").as_bytes());
    LETTERS.encode(&all.as_ref()[..CHECKSUM_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_made() {
        let key = NewKey::random().unwrap();
        assert_eq!(key.text.len(), 4 + 16 + 1 + 40 + 8);
        assert!(
            key.text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        );
        let presented = Presented::parse(&key.text).unwrap();
        assert_eq!(presented.id, key.id);
        assert!(presented.matches(&key.hash));
        let other = NewKey::random().unwrap();
        assert!(!presented.matches(&other.hash) && !presented.matches(&[]));
        assert_ne!(other.text, key.text);
    }

    #[test]
    fn tells_every_slip_of_the_pen() {
        let key = NewKey::random().unwrap().text;
        for at in 0..key.len() {
            let mut changed = key.clone().into_bytes();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(Presented::parse(&changed).is_none(), "{changed}");
            assert!(Presented::parse(&key[..at]).is_none());
        }
        for text in ["", "cap_", "cap__", "cap_a_b", "cap_ä_ö", &key.to_uppercase()] {
            assert!(Presented::parse(text).is_none(), "{text}");
        }
    }
}
