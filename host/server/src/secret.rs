//! The secret that signs tokens: given by the operator, or made by the host and kept in a file that
//! only its owner may read. What is signed with it is in [`crate::token`].

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::Deserialize;

use crate::config::Auth;

/// The name of the file in the data directory that holds the host's own secret.
pub const FILE_NAME: &str = "token.key";

/// The shortest secret taken: RFC 7518, section 3.2, wants as many bits as the hash has.
pub const SECRET_BYTES_MIN: usize = 32;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Shorter than [`SECRET_BYTES_MIN`].
    #[error(
        "{place}: the secret has {bytes} bytes, but HS256 needs at least {SECRET_BYTES_MIN}; \
         make one with `openssl rand -hex 32`"
    )]
    TooShort {
        /// The setting or file it came from.
        place: String,
        /// How long it is.
        bytes: usize,
    },
    /// A file cannot be read or written.
    #[error("{}: {action}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// The secret is given twice.
    #[error("auth.hs256_secret and auth.hs256_secret_file are both given; keep one of them")]
    Twice,
    /// The operating system has no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Random(getrandom::Error),
}

/// Bytes that must never be shown: `Debug` hides them.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret of these bytes.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The bytes, for the one who signs.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// A secret of 32 random bytes, written as 64 hexadecimal digits. The digits themselves are the
    /// secret, so that it can be pasted into the settings of another program.
    ///
    /// # Errors
    /// [`Error::Random`] when the operating system gives none.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(Error::Random)?;
        Ok(Self(HEXLOWER.encode(&bytes)))
    }

    fn checked(self, place: impl Into<String>) -> Result<Self, Error> {
        let bytes = self.0.len();
        if bytes < SECRET_BYTES_MIN {
            return Err(Error::TooShort { place: place.into(), bytes });
        }
        Ok(self)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// The secret as `auth` says; without a word about it, the one kept in `data`, made when there is
/// none yet. Without `data` a new one that lasts as long as the process.
///
/// # Errors
/// Why there is none; the text names the setting or the file.
pub fn load(auth: &Auth, data: Option<&Path>) -> Result<Secret, Error> {
    match (&auth.hs256_secret, &auth.hs256_secret_file, data) {
        (Some(_), Some(_), _) => Err(Error::Twice),
        (Some(secret), None, _) => secret.clone().checked("auth.hs256_secret"),
        (None, Some(path), _) => read(path),
        (None, None, Some(data)) => keep(data),
        (None, None, None) => Secret::random(),
    }
}

fn keep(data: &Path) -> Result<Secret, Error> {
    let path = data.join(FILE_NAME);
    match make(data, &path) {
        Ok(()) => read(&path),
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            read(&path)
        }
        Err(error) => Err(error),
    }
}

/// Writes the file in one step, so that two processes that start together agree on one secret.
fn make(data: &Path, path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let failed = |action| move |source| Error::File { path: path.to_owned(), action, source };
    fs::create_dir_all(data).map_err(failed("cannot make its directory"))?;
    let secret = Secret::random()?;
    // A named temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(data).map_err(failed("cannot be made"))?;
    file.write_all(secret.expose())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed("cannot be written"))?;
    file.persist_noclobber(path).map(drop).map_err(|error| failed("cannot be written")(error.error))
}

fn read(path: &Path) -> Result<Secret, Error> {
    let failed = |source| Error::File { path: path.to_owned(), action: "cannot be read", source };
    let text = fs::read_to_string(path).map_err(failed)?;
    warn_when_others_may_read(path);
    Secret::new(text.trim_end_matches(['\r', '\n'])).checked(path.display().to_string())
}

#[cfg(unix)]
fn warn_when_others_may_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            "other users of this machine may read the token secret; run `chmod 600` on it"
        );
    }
}

#[cfg(not(unix))]
fn warn_when_others_may_read(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_secret_it_made() {
        let data = tempfile::tempdir().unwrap();
        let first = load(&Auth::default(), Some(data.path())).unwrap();
        let second = load(&Auth::default(), Some(data.path())).unwrap();
        assert_eq!(first, second);
        assert_eq!(first.expose().len(), 64);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(load(&Auth::default(), Some(other.path())).unwrap(), first);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        load(&Auth::default(), Some(data.path())).unwrap();
        let metadata = fs::metadata(data.path().join(FILE_NAME)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn takes_what_the_operator_gives() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("secret");
        fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
        let by_file = Auth { hs256_secret_file: Some(file), ..Auth::default() };
        let secret = load(&by_file, Some(data.path())).unwrap();
        assert_eq!(secret.expose(), b"0123456789abcdef0123456789abcdef");
        let both = Auth { hs256_secret: Some(secret), ..by_file };
        assert!(matches!(load(&both, None), Err(Error::Twice)));
        assert!(!data.path().join(FILE_NAME).exists());
    }

    #[test]
    fn refuses_short_and_missing_secrets_by_name() {
        let short = Auth { hs256_secret: Some(Secret::new("secret")), ..Auth::default() };
        let error = load(&short, None).unwrap_err().to_string();
        assert!(error.contains("auth.hs256_secret") && error.contains("32"), "{error}");
        let missing = Auth { hs256_secret_file: Some("/nowhere/secret".into()), ..Auth::default() };
        assert!(load(&missing, None).unwrap_err().to_string().contains("/nowhere/secret"));
    }

    #[test]
    fn never_shows_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
