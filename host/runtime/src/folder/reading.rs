//! What is in the plugin folder, and in its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use crate::digest::Digest;

/// What tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    pub(super) modified: Option<SystemTime>,
}

/// Reads a component on a thread where no request waits for it.
pub(super) async fn read(path: PathBuf) -> std::io::Result<(Bytes, Digest)> {
    let reading = tokio::task::spawn_blocking(move || {
        std::fs::read(path).map(|component| (Digest::of(&component), component))
    });
    let (digest, component) = reading.await.map_err(std::io::Error::other)??;
    Ok((component.into(), digest))
}

pub(super) fn stamps(folder: &Path) -> std::io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // A file that vanished since it was listed is missing at this look already.
        if let Ok(metadata) = std::fs::metadata(&path)
            && metadata.is_file()
        {
            found.insert(path, Stamp { bytes: metadata.len(), modified: metadata.modified().ok() });
        }
    }
    Ok(found)
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
