//! Compiled code on disk, so that a restart does not compile again.
//!
//! An entry is named by the component's digest and the engine's compatibility hash, and begins with
//! an HMAC-SHA-256 over both and the code, by a key that only this host has. Compiled code is machine
//! code: an entry that does not verify is ignored and written anew, and none is ever taken from
//! elsewhere. The cache holds nothing that cannot be made again; deleting it is always safe.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Digest;
use crate::engine::compatibility;

type Signature = Hmac<Sha256>;
const SIGNATURE_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

/// Entries that are kept: several versions of each of some forty plugins.
const ENTRIES_MAX: usize = 200;

/// The cache of one host.
pub(crate) struct Cache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
}

impl Cache {
    /// Opens the cache in `directory`, making it and its key when they are missing.
    pub(crate) fn open(directory: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(directory)?;
        let key = read_or_make_key(&directory.join("host.key"))?;
        Ok(Self { directory: directory.to_owned(), key })
    }

    /// Whether there is an entry for the component of that digest, in hexadecimal digits. Whether it
    /// verifies is found out by [`Self::get`].
    pub(crate) fn has(&self, engine: &Engine, digest: &str) -> bool {
        self.place(engine, digest).1.exists()
    }

    /// The component of that digest, if its code is kept. Reads a file: call it off the async
    /// threads.
    pub(crate) fn get(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let (name, path) = self.place(engine, &digest.to_string());
        self.read(engine, &name, &path)
    }

    /// Keeps the code of a component that was compiled by this host. Writes a file: call it off the
    /// async threads.
    pub(crate) fn keep(&self, engine: &Engine, digest: &Digest, code: &[u8]) {
        let (name, path) = self.place(engine, &digest.to_string());
        if let Err(error) = self.write(&name, &path, code) {
            let path = path.display();
            tracing::warn!(%error, %path, "compiled code is not kept, and compiled at each start");
        }
    }

    fn place(&self, engine: &Engine, digest: &str) -> (String, PathBuf) {
        let name = format!("{digest}-{}", compatibility(engine));
        let path = self.directory.join(format!("{name}.cwasm"));
        (name, path)
    }

    fn read(&self, engine: &Engine, name: &str, path: &Path) -> Option<Component> {
        let entry = fs::read(path).ok()?;
        let (signature, code) = entry.split_at_checked(SIGNATURE_BYTES)?;
        if self.signature(name, code).verify_slice(signature).is_err() {
            tracing::warn!(path = %path.display(), "compiled code does not verify; compiling again");
            return None;
        }
        mark_used(path);
        #[expect(unsafe_code, reason = "the signature proves that this host serialized the bytes")]
        // SAFETY: `code` was produced by `Component::serialize` of a compatible engine: both are
        // part of the name, and name and code are authenticated by a key that never leaves the host.
        let component = unsafe { Component::deserialize(engine, code) };
        component.ok()
    }

    fn write(&self, name: &str, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(&self.signature(name, code).finalize().into_bytes())?;
        file.write_all(code)?;
        file.persist(path).map_err(|error| error.error)?;
        self.drop_oldest()
    }

    /// Keeps the entries that were used last: the others belong to a component or an engine that is gone.
    fn drop_oldest(&self) -> std::io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == "cwasm") {
                entries.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        entries.sort();
        let n_over = entries.len().saturating_sub(ENTRIES_MAX);
        entries.iter().take(n_over).try_for_each(|(_, path)| fs::remove_file(path))
    }

    fn signature(&self, name: &str, code: &[u8]) -> Signature {
        let mut mac = Signature::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        mac
    }
}

/// What is used is not old, however long ago it was written. Where that cannot be noted, it may be compiled
/// again one day.
fn mark_used(path: &Path) {
    let marked = fs::File::options().write(true).open(path);
    let marked = marked.and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = marked {
        tracing::debug!(%error, path = %path.display(), "the use of compiled code is not noted");
    }
}

fn read_or_make_key(path: &Path) -> std::io::Result<[u8; KEY_BYTES]> {
    if let Ok(bytes) = fs::read(path)
        && let Ok(key) = bytes.try_into()
    {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(std::io::Error::other)?;
    let parent = path.parent().unwrap_or(Path::new("."));
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(&key)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_used_is_kept_however_old_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let path = |n: usize| folder.path().join(format!("{n}.cwasm"));
        for n in 0..=ENTRIES_MAX {
            let file = fs::File::create(path(n)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64)).unwrap();
        }
        mark_used(&path(0));
        cache.drop_oldest().unwrap();
        assert!(path(0).exists() && !path(1).exists() && path(2).exists());
    }
}
