//! Texts that are encrypted where they are kept: ChaCha20-Poly1305 by keys that only this host has, bound to
//! what they are about, so that a sealed text cannot be put in another's place.
//!
//! The keys are in a file of their own, one a line. The first seals, all open: a new first line and a
//! restart change the key, and the host seals anew what others sealed (see
//! [`crate::lifecycle`]). What is sealed, and when, is its owner's.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

const KEY_BYTES: usize = 32;

/// Of the SHA-256 of a key, by which a sealed text names the key that opens it.
const KEY_NAME_BYTES: usize = 4;

/// Why a sealed text cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOpened {
    #[error("it was encrypted by another key; put the line of that key back into `secrets.key`")]
    OtherKey,
    #[error("it does not verify: it was changed, or belongs elsewhere")]
    Changed,
}

/// The keys of one host. Never empty.
pub(crate) struct Keys(Vec<Key>);

struct Key {
    name: String,
    key: LessSafeKey,
}

impl Keys {
    /// Reads the keys in the file at `path`, which is made when it is missing. Without a path, a key
    /// that lasts as long as the process.
    ///
    /// # Errors
    /// The file cannot be read or made, or holds something else.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self(vec![Key::new(&random()?)])) };
        if !path.try_exists()? {
            make(path)?;
        }
        let text = fs::read_to_string(path)?;
        warn_when_others_may_read(path);
        let keys = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys: Option<Vec<Key>> = keys.map(parse).collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(Self(keys)),
            _ => Err(io::Error::other("expected keys of 64 hexadecimal digits, one a line")),
        }
    }

    /// Encrypts a text that is about `about`.
    ///
    /// # Errors
    /// The operating system has no random numbers.
    pub(crate) fn seal(&self, about: &str, text: &str) -> io::Result<String> {
        let key = &self.0[0];
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let mut sealed = text.as_bytes().to_vec();
        let about = Aad::from(about.as_bytes());
        let unique = Nonce::assume_unique_for_key(nonce);
        key.key
            .seal_in_place_append_tag(unique, about, &mut sealed)
            .map_err(|_| io::Error::other("too long to be encrypted"))?;
        sealed.splice(..0, nonce);
        Ok(format!("{}.{}", key.name, BASE64URL_NOPAD.encode(&sealed)))
    }

    /// What [`Self::seal`] was given.
    ///
    /// # Errors
    /// It was sealed by a key that is not here, was changed, or is about something else.
    pub(crate) fn unseal(&self, about: &str, sealed: &str) -> Result<String, NotOpened> {
        let (name, sealed) = sealed.split_once('.').ok_or(NotOpened::Changed)?;
        let key = self.0.iter().find(|key| key.name == name).ok_or(NotOpened::OtherKey)?;
        let changed = |_| NotOpened::Changed;
        let mut sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(changed)?;
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN).ok_or(NotOpened::Changed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOpened::Changed)?;
        let opened = key.key.open_in_place(nonce, Aad::from(about.as_bytes()), text);
        let opened = opened.map_err(|_| NotOpened::Changed)?;
        String::from_utf8(opened.to_vec()).map_err(|_| NotOpened::Changed)
    }

    /// Whether a text was sealed by the key that seals now.
    pub(crate) fn is_current(&self, sealed: &str) -> bool {
        sealed.split_once('.').is_some_and(|(name, _)| name == self.0[0].name)
    }
}

impl Key {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let name = HEXLOWER.encode(&Sha256::digest(bytes)[..KEY_NAME_BYTES]);
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).expect("a key of the right length");
        Self { name, key: LessSafeKey::new(key) }
    }
}

fn parse(line: &str) -> Option<Key> {
    let bytes = HEXLOWER_PERMISSIVE.decode(line.as_bytes()).ok()?;
    Some(Key::new(&bytes.try_into().ok()?))
}

fn random() -> io::Result<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Writes the file in one step, so that two processes that start together agree on one key.
fn make(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    writeln!(file, "{}", HEXLOWER.encode(&random()?))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        // The only key must not be lost with the entry of its folder, whoever of two made it.
        _ => fs::File::open(parent)?.sync_all(),
    }
}

#[cfg(unix)]
fn warn_when_others_may_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            "other users of this machine may read the key of the plugins' secrets; run `chmod 600` on it"
        );
    }
}

#[cfg(not(unix))]
fn warn_when_others_may_read(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_sealed_only_where_it_belongs() {
        let keys = Keys::open(None).unwrap();
        let sealed = keys.seal("comments 3", "hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_ne!(sealed, keys.seal("comments 3", "hunter2").unwrap());
        assert_eq!(keys.unseal("comments 3", &sealed).unwrap(), "hunter2");
        assert_eq!(keys.unseal("comments 4", &sealed), Err(NotOpened::Changed));
        let other = Keys::open(None).unwrap();
        assert_eq!(other.unseal("comments 3", &sealed), Err(NotOpened::OtherKey));
        for broken in ["", ".", "x", &sealed[..sealed.len() - 2], &sealed[..12]] {
            assert!(keys.unseal("comments 3", broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_new_first_line_seals_and_the_old_one_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        let old = Keys::open(Some(&path)).unwrap();
        let sealed = old.seal("a", "text").unwrap();
        let line = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{}\n{line}", "ab".repeat(32))).unwrap();
        let keys = Keys::open(Some(&path)).unwrap();
        assert_eq!(keys.unseal("a", &sealed).unwrap(), "text");
        assert!(old.is_current(&sealed) && !keys.is_current(&sealed));
        assert!(keys.is_current(&keys.seal("a", "text").unwrap()));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_file_and_what_is_no_key_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        Keys::open(Some(&path)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for text in ["", "abc\n", "# a remark\n"] {
            fs::write(&path, text).unwrap();
            assert!(Keys::open(Some(&path)).is_err(), "{text:?} was taken");
        }
    }
}
