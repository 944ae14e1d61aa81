//! The plugin folder: each `.wasm` file in it is a plugin. A new file is loaded, a changed one
//! replaces its plugin, a removed one takes its plugin's routes away.
//!
//! The folder is looked at several times a second instead of being watched by the system: that is the
//! same on every file system and in every container, misses nothing, and costs a handful of system
//! calls. A file is read once it has kept its size and time for one look, so that a copy in progress
//! is left alone. What has to be compiled is compiled ahead, while the other files are looked at.

mod file;
mod reading;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use self::file::{File, NotLoaded};
use self::reading::{Stamp, file_name, read, stamps};
use crate::compiler::ahead::Ahead;
use crate::lifecycle::{
    Change, ChangeKind, Difference, FileSource, Outcome, PluginRecord, Presence,
};
use crate::load::Step;
use crate::runtime::Runtime;
use crate::wasi_http::name_of_file;

/// Who changes plugins when their files change.
const FOLDER: &str = "folder";

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(200);

/// Before a file is read again whose plugin another change was changing.
const PUT_OFF: Duration = Duration::from_secs(1);

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

/// How often the folder was looked at so far.
#[derive(Default)]
struct Looks {
    n: u64,
    /// Whether all that was there at the beginning has been loaded or refused, or takes too long.
    is_scanned: bool,
}

/// The folder being looked at. Looking ends when this is dropped, or with the runtime.
pub struct Folder {
    files: Arc<Mutex<BTreeMap<PathBuf, File>>>,
    looks: watch::Receiver<Looks>,
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
        let (looked, looks) = watch::channel(Looks::default());
        let look = Look {
            folder,
            files: files.clone(),
            known: Mutex::default(),
            leaving: Mutex::default(),
            compiled: self.inner.ahead.news.clone(),
            inner: Arc::downgrade(&self.inner),
        };
        let looking = tokio::spawn(look.run(looked));
        Ok(Folder { files, looks, looking })
    }
}

impl Folder {
    /// Returns when every file that was there at the beginning has been loaded or refused, but for those
    /// that are compiled for longer than [`crate::EngineOptions::compile_wait_ms`].
    pub async fn first_scan(&self) {
        self.until(|looks| looks.is_scanned).await;
    }

    /// Returns when the folder has been looked at so many times more, by looks that begin after this is
    /// called. A file that was copied before is read by the second of them, if nothing is in the way.
    pub async fn looked(&self, n_times: u64) {
        // One look may be going on.
        let n = self.looks.borrow().n + 1 + n_times;
        self.until(|looks| looks.n >= n).await;
    }

    async fn until(&self, is_so: impl FnMut(&Looks) -> bool) {
        // The sender is gone only when looking has ended; then there is nothing to wait for.
        let _ = self.looks.clone().wait_for(is_so).await;
    }

    /// Whether the first scan is over.
    #[must_use]
    pub fn is_scanned(&self) -> bool {
        self.looks.borrow().is_scanned
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

/// What was read in a file before the host was started.
struct Known {
    name: String,
    digest: String,
    is_enabled: bool,
}

struct Look {
    folder: PathBuf,
    /// By file; an entry is taken out when its file is looked at for the first time.
    known: Mutex<HashMap<String, Known>>,
    files: Arc<Mutex<BTreeMap<PathBuf, File>>>,
    /// Plugins that are to be removed when another change of theirs has ended, each with its file's path.
    leaving: Mutex<Vec<(String, PathBuf)>>,
    /// Told when something is compiled.
    compiled: Arc<Notify>,
    inner: std::sync::Weak<crate::runtime::Inner>,
}

impl Look {
    async fn run(self, looked: watch::Sender<Looks>) {
        let began = Instant::now();
        if let Some(inner) = self.inner.upgrade() {
            self.begin(&Runtime { inner }).await;
        }
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
            settled_at_once = false;
            let inner = &runtime.inner;
            let is_scanned = inner.arrivals.is_empty() || began.elapsed() >= inner.compile_wait;
            looked.send_modify(|looks| {
                looks.n += 1;
                looks.is_scanned |= is_scanned;
            });
            drop(runtime);
            // Looking may begin earlier, when there is something new to be found.
            let _ = tokio::time::timeout(PERIOD, self.compiled.notified()).await;
        }
    }

    /// Brings back what served before, and removes the plugins whose files went meanwhile.
    async fn begin(&self, runtime: &Runtime) {
        let known = known_files(runtime).await;
        for (file, plugin) in &known {
            if !self.folder.join(file).is_file() {
                self.remove(runtime, &plugin.name, &self.folder.join(file)).await;
            }
        }
        *self.known.lock() = known;
        runtime.restore().await;
    }

    async fn look(&self, runtime: &Runtime, found: &BTreeMap<PathBuf, Stamp>, settled: bool) {
        self.remove_leaving(runtime).await;
        self.remove_missing(runtime, found).await;
        self.forget_approved(runtime);
        self.notice_new(runtime, found);
        for (path, stamp) in found {
            let is_due = self.is_due(path, *stamp, settled);
            if is_due && !self.is_behind(runtime, path) && !self.returns(runtime, path) {
                self.load(runtime, path, *stamp).await;
            }
        }
    }

    /// Counts files that were not there before among what is on its way.
    fn notice_new(&self, runtime: &Runtime, found: &BTreeMap<PathBuf, Stamp>) {
        let mut files = self.files.lock();
        for path in found.keys().filter(|path| !files.contains_key(*path)).collect::<Vec<_>>() {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            let arriving = runtime.inner.arrivals.begin(&name.unwrap_or_default(), false);
            files.insert(path.clone(), File::new(arriving));
        }
    }

    /// Whether the plugin that the file served before is still being brought back.
    fn returns(&self, runtime: &Runtime, path: &Path) -> bool {
        let known = self.known.lock();
        known.get(&file_name(path)).is_some_and(|it| runtime.inner.arrivals.returns(&it.name))
    }

    /// Whether the file waits for the end of another change of its plugin. A rollout may take days, and each
    /// attempt is an entry in the audit log.
    fn is_behind(&self, runtime: &Runtime, path: &Path) -> bool {
        let behind = self.files.lock().get(path).and_then(|file| file.behind.clone());
        behind.is_some_and(|plugin| runtime.is_changing(&plugin))
    }

    /// Notes the file's stamp and says whether it has to be read now.
    fn is_due(&self, path: &Path, stamp: Stamp, settled: bool) -> bool {
        let mut files = self.files.lock();
        let Some(file) = files.get_mut(path) else { return false };
        let is_settled = settled || file.seen == stamp;
        file.seen = stamp;
        let is_put_off = file.again.is_some_and(|again| Instant::now() < again);
        is_settled && !is_put_off && file.read != Some(stamp) && !file.compiles(stamp)
    }

    async fn remove_missing(&self, runtime: &Runtime, found: &BTreeMap<PathBuf, Stamp>) {
        let gone: Vec<(PathBuf, Option<String>)> = {
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
        for (path, plugin) in gone {
            if let Some(plugin) = plugin {
                self.remove(runtime, &plugin, &path).await;
            }
            self.retry_refused();
        }
    }

    /// Removes the plugins that could not be removed at once, unless their files came back.
    async fn remove_leaving(&self, runtime: &Runtime) {
        let leaving = std::mem::take(&mut *self.leaving.lock());
        for (plugin, path) in leaving {
            let serves = |file: &File| file.plugin.as_ref() == Some(&plugin);
            if self.files.lock().get(&path).is_some_and(serves) {
                continue;
            }
            match runtime.has_turn(&plugin) {
                true => self.leaving.lock().push((plugin, path)),
                false => self.remove(runtime, &plugin, &path).await,
            }
        }
    }

    /// What waited for approval and serves now has nothing to be said against it any more.
    fn forget_approved(&self, runtime: &Runtime) {
        let table = runtime.table();
        for file in self.files.lock().values_mut().filter(|file| file.waits.is_some()) {
            let serving = file.plugin.as_deref().and_then(|plugin| table.get(plugin));
            if serving.map(|it| it.digest()) == file.waits {
                (file.waits, file.error) = (None, None);
            }
        }
    }

    /// Removes the plugin of a file that is gone, now or when another change of it has ended.
    async fn remove(&self, runtime: &Runtime, plugin: &str, path: &Path) {
        let file = file_name(path);
        let kind = ChangeKind::Remove { plugin: plugin.to_owned(), file_is_gone: true };
        match runtime.begin(Change::approved(kind, FOLDER)).outcome().await {
            Ok(_) => tracing::info!(plugin, file, "removed"),
            Err(error) if error.step == Step::Turn => {
                tracing::info!(plugin, file, "not removed yet: {error}");
                self.leaving.lock().push((plugin.to_owned(), path.to_owned()));
            }
            Err(error) => tracing::error!(plugin, file, "not removed: {error}"),
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
        let name = file_name(path);
        // What was compiled ahead is kept until it is used.
        let compiled = self.files.lock().get_mut(path).and_then(|file| file.compiling.take());
        let compiled = compiled.filter(|(of, _)| *of == stamp);
        let loaded = self.try_load(runtime, path, compiled.is_some()).await;
        drop(compiled);
        let before = self.files.lock().get(path).and_then(|file| file.plugin.clone());
        let (plugin, error, waits) = match loaded {
            Ok(plugin) => (Some(plugin), None, None),
            Err(NotLoaded::Later { reason, plugin }) => {
                return self.put_off(path, (reason, plugin));
            }
            Err(NotLoaded::Compiling(ahead)) => {
                return self.wait_until_compiled(runtime, path, (stamp, ahead));
            }
            Err(NotLoaded::Refused { reason, waits }) => (before.clone(), Some(reason), waits),
        };
        if let Some(old) = before.as_deref().filter(|_| before != plugin) {
            self.remove(runtime, old, path).await;
        }
        report(&name, plugin.as_deref(), error.as_deref());
        if let Some(file) = self.files.lock().get_mut(path) {
            let (seen, read) = (file.seen, Some(stamp));
            let (again, behind, compiling, arriving) = (None, None, None, None);
            *file = File { seen, read, plugin, error, waits, again, behind, compiling, arriving };
        }
    }

    /// Leaves the file unread until its content is compiled.
    fn wait_until_compiled(&self, runtime: &Runtime, path: &Path, compiling: (Stamp, Ahead)) {
        if let Some(file) = self.files.lock().get_mut(path) {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            let name = file.plugin.clone().or(stem).unwrap_or_default();
            let begin = || runtime.inner.arrivals.begin(&name, false);
            file.arriving.get_or_insert_with(begin).compiles(true);
            file.compiling = Some(compiling);
        }
    }

    /// Leaves the file unread, so that a later look reads it again.
    fn put_off(&self, path: &Path, (reason, plugin): (String, Option<String>)) {
        tracing::info!(file = file_name(path), "not loaded yet: {reason}");
        if let Some(file) = self.files.lock().get_mut(path) {
            file.again = Some(Instant::now() + PUT_OFF);
            file.error = Some(reason);
            file.behind = plugin;
            file.arriving = None;
        }
    }

    /// The plugin that the file serves now, or why its content was not loaded.
    async fn try_load(
        &self,
        runtime: &Runtime,
        path: &Path,
        is_compiled: bool,
    ) -> Result<String, NotLoaded> {
        let bytes_max = runtime.limits().component_bytes_max as u64;
        let metadata = tokio::fs::metadata(path).await.map_err(NotLoaded::because)?;
        if metadata.len() > bytes_max {
            let bytes = metadata.len();
            return Err(NotLoaded::because(format!(
                "it has {bytes} bytes, the limit is {bytes_max}"
            )));
        }
        let (component, digest) = read(path.to_owned()).await.map_err(NotLoaded::because)?;
        let file = file_name(path);
        self.known.lock().remove(&file);
        // A file that is written anew with what was read in it last says nothing new: whatever became of
        // that, by a rollback for instance, stands.
        let known = known_files(runtime).await.remove(&file);
        // What is enabled and does not serve could not be brought back, and is loaded again to say why.
        let is_as_wanted = |it: &Known| !it.is_enabled || runtime.table().get(&it.name).is_some();
        let is_same = |it: &Known| it.digest == digest.to_string();
        if let Some(plugin) = known.filter(|it| is_same(it) && is_as_wanted(it)) {
            return Ok(plugin.name);
        }
        let ahead = || Ahead::begin(&runtime.inner, digest, &component);
        if let Some(ahead) = (!is_compiled).then(ahead).flatten() {
            return Err(NotLoaded::Compiling(ahead));
        }
        let called = Some(name_of_file(&file));
        let kind = ChangeKind::Install { component, file: Some(FileSource { file }), called };
        let change =
            Change { kind, by: FOLDER.to_owned(), approved: false, dry_run: false, stage: None };
        let operation = runtime.begin(change);
        let outcome = operation.outcome().await?;
        let plugin = operation.progress().plugin.unwrap_or_default();
        match outcome {
            Outcome::Waiting(number, differences) => {
                let reason = waits(&plugin, number, &differences);
                Err(NotLoaded::Refused { reason, waits: Some(digest) })
            }
            _ => Ok(plugin),
        }
    }
}

/// What to do about a file that waits for approval.
fn waits(plugin: &str, number: u32, differences: &[Difference]) -> String {
    let texts: Vec<&str> = differences
        .iter()
        .filter(|difference| difference.needs_approval())
        .map(|difference| difference.text.as_str())
        .collect();
    let command = format!("caplet approve {plugin} --generation {number}");
    format!("it waits for approval, by `{command}`: {}", texts.join("; "))
}

/// What the ledger says was read in each file last.
async fn known_files(runtime: &Runtime) -> HashMap<String, Known> {
    let plugins = runtime.plugins().await.unwrap_or_else(|error| {
        tracing::error!(%error, "what was read in the plugin folder before cannot be looked up");
        Vec::new()
    });
    let plugins = plugins.into_iter().filter(|plugin| !plugin.file.is_empty());
    let known = |it: PluginRecord| {
        let is_enabled = it.state == Presence::Enabled;
        (it.file, Known { name: it.name, digest: it.file_digest, is_enabled })
    };
    plugins.map(known).collect()
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
