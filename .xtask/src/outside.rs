//! What the tests in `tests/outside` need: clients and suites that were written elsewhere, from PyPI and
//! npm. They are installed once for each set of versions, into the user's cache, where every checkout
//! finds them again.

use crate::{
    command::{program, run},
    workspace::Workspace,
};
use anyhow::{Context, Result, ensure};
use std::{
    env,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// What names the versions; a change of any makes a new folder.
const VERSIONS: [&str; 3] = ["requirements.txt", "package.json", "package-lock.json"];

/// Written last: a folder without it is one whose installation broke off.
const DONE: &str = "complete";

/// Installs what is missing. Returns the folder, for tests: `CAPLET_OUTSIDE`.
pub fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let source = workspace.root().join("tests/outside").into_std_path_buf();
    let cache = cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // Two checkouts may be tested at once.
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    let folder = cache.join(digest(&source)?);
    if !folder.join(DONE).exists() {
        println!("Installing the tools from outside into {}.", folder.display());
        install(&source, &folder)?;
    }
    link(&folder.join("node_modules"), &source.join("node_modules"))?;
    Ok(folder)
}

fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let base = base.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(base.join("caplet/outside"))
}

fn digest(source: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in VERSIONS {
        let path = source.join(file);
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        content.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn install(source: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for file in VERSIONS {
        fs::copy(source.join(file), folder.join(file))?;
    }
    run(program("python3").args(["-m", "venv"]).arg(folder.join("venv")))
        .context("Python 3 with its module venv is needed (Debian: python3-venv)")?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    run(program(folder.join("venv/bin/python")).args(pip).arg(folder.join("requirements.txt")))?;
    let npm = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    run(program("npm").args(npm).current_dir(folder))
        .context("npm is needed (Debian: nodejs, npm)")?;
    fs::write(folder.join(DONE), "")?;
    Ok(())
}

/// Modules of npm are looked for beside the script that imports them.
fn link(target: &Path, place: &Path) -> Result<()> {
    if fs::read_link(place).is_ok_and(|known| known == target) {
        return Ok(());
    }
    if place.symlink_metadata().is_ok() {
        ensure!(place.is_symlink(), "{} is in the way: remove it", place.display());
        fs::remove_file(place)?;
    }
    symlink(target, place).with_context(|| format!("cannot make {}", place.display()))
}
