//! The components of all generations that are remembered, each kept once under its digest, so that a
//! restart, an approval and a rollback need nobody to bring the file again.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;
use tempfile::{NamedTempFile, TempDir};

use crate::digest::Digest;

/// A folder of components.
pub(crate) struct Components {
    folder: PathBuf,
    /// What was kept since then may belong to a generation that is about to be written down.
    opened: SystemTime,
    /// Held while a file comes, and while one goes.
    changing: Mutex<()>,
    /// Removes the folder with the host that has no other place.
    _temporary: Option<TempDir>,
}

/// Keeps a component like [`Components::keep`], on a thread where no request waits for the disk.
pub(crate) async fn keep(components: &Arc<Components>, component: Bytes) -> io::Result<Digest> {
    off_the_threads(components, move |components| {
        let digest = Digest::of(&component);
        components.keep(&digest, &component).map(|()| digest)
    })
    .await
}

/// Reads a component like [`Components::read`], on a thread where no request waits for the disk.
pub(crate) async fn read(components: &Arc<Components>, digest: &str) -> io::Result<Bytes> {
    let digest = digest.to_owned();
    off_the_threads(components, move |components| components.read(&digest).map(Bytes::from)).await
}

async fn off_the_threads<T: Send + 'static>(
    components: &Arc<Components>,
    work: impl FnOnce(&Components) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let components = components.clone();
    let done = tokio::task::spawn_blocking(move || work(&components)).await;
    done.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
}

impl Components {
    /// Opens `folder`, making it when it is missing; without one, a folder that ends with the host.
    pub(crate) fn open(folder: Option<&Path>) -> io::Result<Self> {
        let (folder, _temporary) = match folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                (folder.to_owned(), None)
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("caplet-components-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        Ok(Self { folder, opened: SystemTime::now(), changing: Mutex::new(()), _temporary })
    }

    /// Whether what is kept outlives the host.
    pub(crate) fn is_durable(&self) -> bool {
        self._temporary.is_none()
    }

    /// Keeps a component. It is whole and on the disk when this returns, also where a damaged one was.
    fn keep(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let digest = digest.to_string();
        let path = self.path(&digest);
        let _changing = self.changing.lock();
        if self.read(&digest).is_ok() {
            return File::open(&path)?.set_modified(SystemTime::now());
        }
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }

    /// The component of that digest, if it is kept and undamaged.
    fn read(&self, digest: &str) -> io::Result<Vec<u8>> {
        let bytes = std::fs::read(self.path(digest))?;
        if Digest::of(&bytes).to_string() == digest {
            Ok(bytes)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the file was damaged"))
        }
    }

    /// Removes those that no generation needs any more, but for what was kept since the folder was opened.
    pub(crate) fn retain(&self, needed: &HashSet<String>) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_component = path.extension().is_some_and(|extension| extension == "wasm");
            let is_needed = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|digest| needed.contains(digest));
            if is_component && !is_needed {
                self.remove_old(&path)?;
            }
        }
        Ok(())
    }

    fn remove_old(&self, path: &Path) -> io::Result<()> {
        let _changing = self.changing.lock();
        let is_old = std::fs::metadata(path)?.modified()? < self.opened;
        if is_old { std::fs::remove_file(path) } else { Ok(()) }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two components of an earlier start, in a folder that is opened anew.
    fn kept_before(folder: &Path) -> (Components, [Digest; 2]) {
        let components = Components::open(Some(folder)).unwrap();
        let before = SystemTime::now() - std::time::Duration::from_secs(60);
        let digests = [b"one", b"two"].map(|bytes| {
            let digest = Digest::of(bytes);
            components.keep(&digest, bytes).unwrap();
            let file = File::open(components.path(&digest.to_string())).unwrap();
            file.set_modified(before).unwrap();
            digest
        });
        (Components::open(Some(folder)).unwrap(), digests)
    }

    #[test]
    fn keeps_what_is_needed_and_what_was_just_brought() {
        let folder = tempfile::tempdir().unwrap();
        let (components, [one, two]) = kept_before(folder.path());
        let needed = HashSet::from([one.to_string()]);
        components.keep(&two, b"two").unwrap();
        components.retain(&needed).unwrap();
        assert_eq!(components.read(&two.to_string()).unwrap(), b"two");

        let (components, _) = kept_before(folder.path());
        components.retain(&needed).unwrap();
        assert_eq!(components.read(&one.to_string()).unwrap(), b"one");
        let gone = components.read(&two.to_string()).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn damage_is_noticed_and_mended_by_bringing_the_component_again() {
        let components = Components::open(None).unwrap();
        let digest = Digest::of(b"one");
        components.keep(&digest, b"one").unwrap();
        std::fs::write(components.path(&digest.to_string()), b"ones").unwrap();
        let damaged = components.read(&digest.to_string()).unwrap_err();
        assert_eq!(damaged.kind(), io::ErrorKind::InvalidData);
        components.keep(&digest, b"one").unwrap();
        assert_eq!(components.read(&digest.to_string()).unwrap(), b"one");
    }
}
