//! The components of all generations that are remembered, each kept once under its digest, so that a
//! restart, an approval and a rollback need nobody to bring the file again.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::digest::Digest;

/// A folder of components.
pub(crate) struct Components {
    folder: PathBuf,
    /// Removes the folder with the host that has no other place.
    _temporary: Option<TempDir>,
}

impl Components {
    /// Opens `folder`, making it when it is missing; without one, a folder that ends with the host.
    pub(crate) fn open(folder: Option<&Path>) -> io::Result<Self> {
        match folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                Ok(Self { folder: folder.to_owned(), _temporary: None })
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("caplet-components-").tempdir()?;
                Ok(Self { folder: temporary.path().to_owned(), _temporary: Some(temporary) })
            }
        }
    }

    /// Whether what is kept outlives the host.
    pub(crate) fn is_durable(&self) -> bool {
        self._temporary.is_none()
    }

    /// Keeps a component. It is whole and on the disk when this returns.
    pub(crate) fn keep(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(&digest.to_string());
        if path.exists() {
            return Ok(());
        }
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        std::fs::File::open(&self.folder)?.sync_all()
    }

    /// The component of that digest, if it is kept and undamaged.
    pub(crate) fn read(&self, digest: &str) -> io::Result<Vec<u8>> {
        let bytes = std::fs::read(self.path(digest))?;
        if Digest::of(&bytes).to_string() == digest {
            Ok(bytes)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the file was damaged"))
        }
    }

    /// Removes those that no generation needs any more, but for one that was just brought.
    pub(crate) fn retain(&self, needed: &HashSet<String>) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_component = path.extension().is_some_and(|extension| extension == "wasm");
            let is_needed = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|digest| needed.contains(digest));
            if is_component && !is_needed {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_needed_and_notices_damage() {
        let components = Components::open(None).unwrap();
        let digests = [b"one", b"two"].map(|bytes| {
            let digest = Digest::of(bytes);
            components.keep(&digest, bytes).unwrap();
            digest.to_string()
        });
        components.retain(&HashSet::from([digests[0].clone()])).unwrap();
        assert_eq!(components.read(&digests[0]).unwrap(), b"one");
        assert_eq!(components.read(&digests[1]).unwrap_err().kind(), io::ErrorKind::NotFound);

        std::fs::write(components.path(&digests[0]), b"ones").unwrap();
        assert_eq!(components.read(&digests[0]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
