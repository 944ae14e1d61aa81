//! The files of a project, and whether they have changed: by looking, several times a second, which is
//! the same on every file system and in every container.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(100);

/// The most files that are looked at.
const FILES_MAX: usize = 20_000;

/// When a file was changed, and how many bytes it has.
type Mark = (SystemTime, u64);

/// Watches a folder.
pub struct Watch {
    folder: PathBuf,
    /// Names of folders that hold nothing an author writes.
    ignored: Vec<String>,
    seen: BTreeMap<PathBuf, Mark>,
}

impl Watch {
    /// Begins to watch; what is there now is no change.
    pub fn new(folder: &Path, ignored: &[&str]) -> Self {
        let ignored = ignored.iter().map(ToString::to_string).collect();
        let mut watch = Self { folder: folder.to_owned(), ignored, seen: BTreeMap::new() };
        watch.seen = watch.look();
        watch
    }

    /// Waits until something has changed, and has then stayed the same for one look: an editor may
    /// write a file in several steps.
    pub async fn changed(&mut self) {
        let mut is_changed = false;
        loop {
            tokio::time::sleep(PERIOD).await;
            let now = self.look();
            let is_quiet = now == self.seen;
            self.seen = now;
            if is_quiet && is_changed {
                return;
            }
            is_changed |= !is_quiet;
        }
    }

    fn look(&self) -> BTreeMap<PathBuf, Mark> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with('.') || self.ignored.iter().any(|ignored| *ignored == name) {
                    continue;
                }
                // What is gone again is no file.
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else if files.len() < FILES_MAX {
                    let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    files.insert(entry.path(), (changed, metadata.len()));
                }
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, file: &str, content: &str) {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[tokio::test]
    async fn files_of_the_author_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "src/lib.rs", "one");
        let mut watch = Watch::new(folder.path(), &["target"]);
        write(folder.path(), "src/note.rs", "two");
        watch.changed().await;
        fs::remove_file(folder.path().join("src/lib.rs")).unwrap();
        watch.changed().await;
    }

    #[test]
    fn what_was_built_and_what_is_hidden_is_not_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "target/debug/notes.wasm", "");
        write(folder.path(), ".git/index", "");
        write(folder.path(), "notes.py", "");
        let watch = Watch::new(folder.path(), &["target"]);
        assert_eq!(watch.seen.keys().collect::<Vec<_>>(), [&folder.path().join("notes.py")]);
    }
}
