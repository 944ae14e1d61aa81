//! A runtime that only looks: plugins are compiled and described, their data is not touched.

use std::path::Path;
use std::sync::Arc;

use caplet_runtime::{EngineOptions, Options, Runtime, name_of_file};
use caplet_store::sqlite::{self, Sqlite};

use crate::compiler;
use crate::failure::Failure;
use crate::settings::Settings;

/// Instances at once: a plugin is described by one of them.
const INSTANCES_MAX: u32 = 16;

/// A runtime with the operator's limits, grants and plugin settings over a database that vanishes.
/// Compiled code is shared with a host that keeps its files in the same data directory.
///
/// # Errors
/// Why the engine cannot start.
pub async fn runtime(settings: &Settings) -> Result<Runtime, Failure> {
    let failed = |reason: String| Failure::run_time(reason);
    let store =
        Sqlite::open(sqlite::Options::temporary()).map_err(|reason| failed(reason.to_string()))?;
    let cache = settings.data.join("cache");
    let compiler = compiler::own()?;
    let options = |cache| Options {
        cache,
        compiler: compiler.clone(),
        engine: EngineOptions { instances_max: INSTANCES_MAX, ..settings.engine.clone() },
        limits: settings.limits.clone(),
        plugins: settings.plugin.clone(),
        ..Options::new(Arc::new(store.clone()))
    };
    // A cache that this user may not use is no reason not to look.
    if cache.is_dir()
        && let Ok(runtime) = options(Some(cache)).start().await
    {
        return Ok(runtime);
    }
    options(None).start().await.map_err(|reason| failed(reason.to_string()))
}

/// What a component that has no name of its own is called by its file.
pub fn name_of(file: &Path) -> String {
    name_of_file(&file.file_name().unwrap_or_default().to_string_lossy())
}

/// The bytes of a component.
///
/// # Errors
/// Why the file cannot be read.
pub fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file)
        .map_err(|reason| Failure::run_time(format!("{} cannot be read: {reason}", file.display())))
}
