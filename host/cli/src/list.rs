//! `caplet list`: what is in the plugin folder, and what a host would make of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use caplet_runtime::Runtime;

use crate::arguments::List;
use crate::dry;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::table::aligned;

/// Prints a table of the folder.
///
/// # Errors
/// When the folder cannot be read. A plugin that would not load is a row, not an error.
pub async fn run(options: &List) -> Result<(), Failure> {
    let settings = Settings::load(&options.common, None)?;
    let files = files(&settings.plugins)?;
    if files.is_empty() {
        let folder = settings.plugins.display();
        return output::print(&format!("There are no plugins in {folder}.\n"));
    }
    let progress = Progress::steps(files.len(), "plugins are compiled");
    let rows = progress.during(rows(&settings, &files, &progress)).await?;
    output::print(&aligned(0, &rows))
}

async fn rows(
    settings: &Settings,
    files: &[PathBuf],
    progress: &Progress,
) -> Result<Vec<[String; 5]>, Failure> {
    let runtime = dry::runtime(settings).await?;
    let mut rows = vec![["FILE", "PLUGIN", "VERSION", "ROUTES", "STATE"].map(str::to_owned)];
    let mut by_name = BTreeMap::new();
    for (n_done, file) in files.iter().enumerate() {
        progress.tell(n_done, file_name(file));
        rows.push(row(&runtime, file, &mut by_name).await);
    }
    Ok(rows)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// How many components are in a folder; none in one that cannot be read.
pub fn n_files(folder: &Path) -> usize {
    files(folder).map_or(0, |files| files.len())
}

/// The components in a folder, as a host would find them, by name.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |reason: std::io::Error| {
        let folder = folder.display();
        Failure::run_time(format!("the plugin folder {folder} cannot be read: {reason}"))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

async fn row(
    runtime: &Runtime,
    path: &Path,
    by_name: &mut BTreeMap<String, String>,
) -> [String; 5] {
    let file = file_name(path);
    let prepared = match dry::read(path) {
        Ok(bytes) => runtime
            .prepare(bytes, Some(&dry::name_of(path)))
            .await
            .map_err(|error| error.to_string()),
        Err(_) => Err("it cannot be read".to_owned()),
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(reason) => {
            return [file, "-".into(), "-".into(), "-".into(), format!("refused: {reason}")];
        }
    };
    let description = prepared.description();
    let state = match by_name.get(&description.name) {
        Some(other) => format!("refused: `{other}` has this name already"),
        None => "ok".to_owned(),
    };
    by_name.entry(description.name.clone()).or_insert_with(|| file.clone());
    let n_routes = description.routes.len().to_string();
    [file, description.name.clone(), description.version.clone(), n_routes, state]
}
