//! The plugin folder: each `.wasm` file in it is a plugin. A new file is loaded, a changed one
//! replaces its plugin, a removed one takes its plugin's routes away.
//!
//! The folder is looked at several times a second instead of being watched by the system: that is the
//! same on every file system and in every container, misses nothing, and costs a handful of system
//! calls. A file is read once it has kept its size and time for one look, so that a copy in progress
//! is left alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::load::Step;
use crate::runtime::Runtime;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(200);

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStatus {
    /// The file's name, without its folder.
    pub file: String,
    /// The plugin it serves, also when a newer content of the file was refused.
    pub plugin: Option<String>,
    /// Why its present content was not loaded.
    pub error: Option<String>,
}

/// What tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

struct File {
    /// As it was at the last look.
    seen: Stamp,
    /// As it was when it was last read; none before that.
    read: Option<Stamp>,
    plugin: Option<String>,
    error: Option<String>,
}

/// The folder being looked at. Looking ends when this is dropped, or with the runtime.
pub struct Folder {
    files: Arc<Mutex<BTreeMap<PathBuf, File>>>,
    scanned: watch::Receiver<bool>,
    looking: tokio::task::JoinHandle<()>,
}

impl Runtime {
    /// Loads what is in `folder` and follows its changes.
    ///
    /// # Errors
    /// When the folder cannot be read now. Later failures are logged, and leave what serves as it is.
    pub fn follow(&self, folder: PathBuf) -> std::io::Result<Folder> {
        std::fs::read_dir(&folder)?;
        let files = Arc::new(Mutex::new(BTreeMap::new()));
        let (done, scanned) = watch::channel(false);
        let look = Look { folder, files: files.clone(), inner: Arc::downgrade(&self.inner) };
        let looking = tokio::spawn(look.run(done));
        Ok(Folder { files, scanned, looking })
    }
}

impl Folder {
    /// Returns when every file that was there at the beginning has been loaded or refused.
    pub async fn first_scan(&self) {
        let mut scanned = self.scanned.clone();
        // The sender is gone only when looking has ended; then there is nothing to wait for.
        let _ = scanned.wait_for(|done| *done).await;
    }

    /// Whether the first scan is over.
    #[must_use]
    pub fn is_scanned(&self) -> bool {
        *self.scanned.borrow()
    }

    /// What became of each file, by name.
    #[must_use]
    pub fn statuses(&self) -> Vec<FileStatus> {
        let files = self.files.lock();
        let status = |(path, file): (&PathBuf, &File)| FileStatus {
            file: file_name(path),
            plugin: file.plugin.clone(),
            error: file.error.clone(),
        };
        files.iter().map(status).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

struct Look {
    folder: PathBuf,
    files: Arc<Mutex<BTreeMap<PathBuf, File>>>,
    inner: std::sync::Weak<crate::runtime::Inner>,
}

impl Look {
    async fn run(self, done: watch::Sender<bool>) {
        // What is there at the beginning is not waited for: nobody is copying into a stopped host.
        let mut settled_at_once = true;
        while let Some(inner) = self.inner.upgrade() {
            let runtime = Runtime { inner };
            match stamps(&self.folder) {
                Ok(found) => self.look(&runtime, &found, settled_at_once).await,
                Err(error) => {
                    tracing::warn!(%error, folder = %self.folder.display(), "cannot read the plugin folder");
                }
            }
            drop(runtime);
            settled_at_once = false;
            done.send_replace(true);
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn look(&self, runtime: &Runtime, found: &BTreeMap<PathBuf, Stamp>, settled: bool) {
        self.remove_missing(runtime, found).await;
        for (path, stamp) in found {
            if self.is_due(path, *stamp, settled) {
                self.load(runtime, path, *stamp).await;
            }
        }
    }

    /// Notes the file's stamp and says whether it has to be read now.
    fn is_due(&self, path: &Path, stamp: Stamp, settled: bool) -> bool {
        let mut files = self.files.lock();
        let file = files.entry(path.to_owned()).or_insert(File {
            seen: Stamp { bytes: u64::MAX, modified: None },
            read: None,
            plugin: None,
            error: None,
        });
        let is_settled = settled || file.seen == stamp;
        file.seen = stamp;
        is_settled && file.read != Some(stamp)
    }

    async fn remove_missing(&self, runtime: &Runtime, found: &BTreeMap<PathBuf, Stamp>) {
        let missing: Vec<(PathBuf, Option<String>)> = {
            let mut files = self.files.lock();
            let gone: Vec<PathBuf> =
                files.keys().filter(|path| !found.contains_key(*path)).cloned().collect();
            gone.into_iter()
                .map(|path| {
                    let plugin = files.remove(&path).and_then(|file| file.plugin);
                    (path, plugin)
                })
                .collect()
        };
        for (path, plugin) in missing {
            if let Some(plugin) = plugin {
                runtime.remove(&plugin).await;
                tracing::info!(plugin, file = file_name(&path), "removed");
            }
            self.retry_refused();
        }
    }

    /// A name that was taken may be free now.
    fn retry_refused(&self) {
        for file in self.files.lock().values_mut() {
            if file.plugin.is_none() {
                file.read = None;
            }
        }
    }

    async fn load(&self, runtime: &Runtime, path: &Path, stamp: Stamp) {
        let loaded = self.try_load(runtime, path).await;
        let before = self.files.lock().get(path).and_then(|file| file.plugin.clone());
        let (plugin, error) = match loaded {
            Ok(plugin) => (Some(plugin), None),
            Err(reason) => (before.clone(), Some(reason)),
        };
        if before.is_some() && before != plugin {
            let old = before.as_deref().unwrap_or_default();
            runtime.remove(old).await;
            tracing::info!(
                plugin = old,
                file = file_name(path),
                "removed: the file holds another plugin now"
            );
        }
        report(&file_name(path), plugin.as_deref(), error.as_deref());
        if let Some(file) = self.files.lock().get_mut(path) {
            file.read = Some(stamp);
            file.plugin = plugin;
            file.error = error;
        }
    }

    async fn try_load(&self, runtime: &Runtime, path: &Path) -> Result<String, String> {
        let bytes_max = runtime.limits().component_bytes_max as u64;
        let metadata = tokio::fs::metadata(path).await.map_err(|error| error.to_string())?;
        if metadata.len() > bytes_max {
            return Err(format!("it has {} bytes, the limit is {bytes_max}", metadata.len()));
        }
        let bytes = tokio::fs::read(path).await.map_err(|error| error.to_string())?;
        let prepared = runtime.prepare(bytes).await.map_err(|error| error.to_string())?;
        if let Some(other) = self.holder(prepared.name(), path) {
            return Err(Step::name_taken(prepared.name(), &other).to_string());
        }
        let generation = runtime.activate(prepared).await.map_err(|error| error.to_string())?;
        Ok(generation.name().to_owned())
    }

    /// The other file that serves the plugin of that name.
    fn holder(&self, plugin: &str, path: &Path) -> Option<String> {
        let files = self.files.lock();
        let other = files.iter().find(|(other, file)| {
            other.as_path() != path && file.plugin.as_deref() == Some(plugin)
        });
        other.map(|(other, _)| file_name(other))
    }
}

fn report(file: &str, plugin: Option<&str>, error: Option<&str>) {
    match (plugin, error) {
        (Some(plugin), None) => tracing::info!(plugin, file, "loaded"),
        (Some(plugin), Some(error)) => {
            tracing::error!(plugin, file, "not loaded, the old one serves on: {error}");
        }
        (None, error) => {
            tracing::error!(file, "not loaded: {}", error.unwrap_or_default());
        }
    }
}

fn stamps(folder: &Path) -> std::io::Result<BTreeMap<PathBuf, Stamp>> {
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

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
