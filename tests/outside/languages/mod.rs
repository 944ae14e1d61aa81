//! Plugins in other languages than Rust: each language's conformance plugin, built by `caplet build` from
//! `tests/conformance`, answers the same script as every other one.
//!
//! Building takes the toolchains between a second and a minute. What was built is kept under a digest of
//! everything that it is made of.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use caplet_tests::binary;
use caplet_tests::outside::{python, run, tool};
use tokio::process::Command;

macro_rules! languages {
    ($($name:ident $language:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let component = built($language).await;
            let mut script = python("languages/conformance.py");
            let said = run(script.arg(binary()).arg(component)).await;
            assert!(said.contains("it conforms"), "{said}");
        }
    )*};
}

languages! {
    c_conforms "c";
    go_conforms "go";
    python_conforms "python";
    typescript_conforms "typescript";
}

/// The language's conformance plugin.
async fn built(language: &str) -> PathBuf {
    let sources = repository().join("tests/conformance").join(language);
    let kept = tool("").join("components");
    fs::create_dir_all(&kept).expect("a folder for components");
    let component = kept.join(format!("{language}-{:016x}.wasm", digest(language)));
    if component.exists() {
        return component;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&sources, folder.path());
    symlink(tool("node_modules"), folder.path().join("node_modules")).expect("a link");
    run(Command::new(binary()).arg("build").arg(folder.path()).env("PATH", path())).await;
    let partial = component.with_extension("partial");
    fs::copy(folder.path().join("build/conformance.wasm"), &partial).expect("what was built");
    fs::rename(partial, &component).expect("it is kept");
    component
}

/// The root of the workspace.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a folder of it")
}

/// Where programs are looked for: those that were installed for these tests first.
pub fn path() -> OsString {
    let before = std::env::var_os("PATH").unwrap_or_default();
    let own = [tool("venv/bin")];
    std::env::join_paths(own.into_iter().chain(std::env::split_paths(&before))).expect("a path")
}

/// A digest of what a language's conformance plugin is made of.
fn digest(language: &str) -> u64 {
    let mut files = BTreeMap::new();
    for folder in ["tests/conformance", "plugins/sdk"] {
        read(&repository().join(folder).join(language), &mut files);
    }
    for place in ["wit", "host/cli/src/build"] {
        read(&repository().join(place), &mut files);
    }
    for versions in ["requirements.txt", "package-lock.json"] {
        read(&repository().join("tests/outside").join(versions), &mut files);
    }
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    hasher.finish()
}

/// The files at a place by their paths. Links are left out: they lead to what is read by itself.
pub fn read(place: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let kind = place.symlink_metadata().expect("it is there").file_type();
    if kind.is_file() {
        files.insert(place.to_owned(), fs::read(place).expect("a file"));
    } else if kind.is_dir() {
        for entry in fs::read_dir(place).expect("a folder") {
            read(&entry.expect("an entry").path(), files);
        }
    }
}

/// Copies a folder, and what links in it lead to.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let to = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, to).expect("a copy");
        }
    }
}
