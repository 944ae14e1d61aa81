//! Building guests, and putting them where hosts and tests look for them.
//!
//! One target directory serves host and guests; the guests have the profile `plugin`.

use crate::{
    command::{artifacts, cargo},
    tools::GUEST_TARGET,
    workspace::{Guest, Origin, Workspace},
};
use anyhow::{Context, Result};
use cargo_metadata::Artifact;
use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

/// A guest and the component that cargo made of it.
pub struct Built {
    pub guest: Guest,
    pub file: PathBuf,
}

/// Builds all guests and collects them in [`Workspace::guests_folder`], which holds nothing else
/// afterwards. Returns the folder.
pub fn collect(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.guests_folder();
    let built = build(&workspace.guests()?)?;
    let changed = copy(&built, &folder)?;
    remove_others(&built, &folder)?;
    println!("Guests in {}: {}, new or changed: {changed}.", folder.display(), built.len());
    Ok(folder)
}

/// Builds guests.
pub fn build(guests: &[Guest]) -> Result<Vec<Built>> {
    let (fixtures, libraries): (Vec<_>, Vec<_>) =
        guests.iter().cloned().partition(|guest| guest.origin == Origin::Fixture);
    let mut built = build_with("--lib", libraries)?;
    built.extend(build_with("--examples", fixtures)?);
    Ok(built)
}

/// `cargo <subcommand>` for guests of one kind of target.
pub fn cargo_for(subcommand: &str, kind: &str, guests: &[Guest]) -> Command {
    let mut packages: Vec<&str> = guests.iter().map(|guest| guest.package.as_str()).collect();
    packages.dedup();
    let mut command = cargo();
    command.args([subcommand, kind, "--target", GUEST_TARGET]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    command
}

fn build_with(kind: &str, guests: Vec<Guest>) -> Result<Vec<Built>> {
    if guests.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = cargo_for("build", kind, &guests);
    let artifacts = artifacts(command.args(["--profile", "plugin"]))?;
    let mut files: HashMap<String, PathBuf> = artifacts.into_iter().filter_map(component).collect();
    let find = |guest: Guest| {
        let file = files.remove(&guest.target);
        let file = file.with_context(|| format!("cargo made no component of {}", guest.name))?;
        Ok(Built { guest, file })
    };
    guests.into_iter().map(find).collect()
}

/// The name of a target and the component made of it.
fn component(artifact: Artifact) -> Option<(String, PathBuf)> {
    let file = artifact.filenames.into_iter().find(|file| is_wasm(file.as_std_path()))?;
    Some((artifact.target.name, file.into()))
}

/// Copies components to `<folder>/<name>.wasm`. Returns how many were new or changed.
pub fn copy(built: &[Built], folder: &Path) -> Result<usize> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut changed = 0;
    for Built { guest, file } in built {
        let copied = copy_if_changed(file, &folder.join(format!("{}.wasm", guest.name)));
        changed += usize::from(copied.with_context(|| format!("cannot copy {}", guest.name))?);
    }
    Ok(changed)
}

/// A reader of `to`, such as a host that watches the folder, sees the old file or the new one, never
/// a part.
fn copy_if_changed(from: &Path, to: &Path) -> Result<bool> {
    let content = fs::read(from)?;
    match fs::read(to) {
        Ok(current) if current == content => return Ok(false),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let partial = to.with_extension("partial");
    fs::write(&partial, content)?;
    fs::rename(&partial, to)?;
    Ok(true)
}

fn remove_others(built: &[Built], folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let known = built.iter().any(|built| path.file_stem() == Some(built.guest.name.as_ref()));
        if is_wasm(&path) && !known {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn is_wasm(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

#[cfg(test)]
mod tests {
    use super::copy_if_changed;
    use std::fs;

    #[test]
    fn copies_what_is_new_or_changed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.wasm"), folder.path().join("b.wasm"));
        fs::write(&from, "one").unwrap();
        assert!(copy_if_changed(&from, &to).unwrap());
        assert!(!copy_if_changed(&from, &to).unwrap());
        fs::write(&from, "two").unwrap();
        assert!(copy_if_changed(&from, &to).unwrap());
        assert_eq!(fs::read(&to).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no partial file is left");
    }
}
