//! The tools of the languages, and the components that they made.
//!
//! Building takes the toolchains between a second and a minute. What was built is kept under a digest
//! of everything that it is made of, in the folder of the tools.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use caplet_tests::binary;
use caplet_tests::outside::tool;
use tokio::process::Command;

/// Files that name the versions of the tools and of the libraries.
const VERSIONS: [&str; 3] =
    ["tests/outside/requirements.txt", "tests/outside/package-lock.json", "Cargo.lock"];

/// What a component is made of.
pub struct Recipe<'a> {
    /// No other component is called so.
    pub name: &'a str,
    /// As `plugin.toml` has it.
    pub language: &'a str,
    /// Files and folders, besides the language's SDK.
    pub sources: &'a [&'a Path],
    /// What is set besides.
    pub settings: &'a str,
}

impl Recipe<'_> {
    /// Where the component is, when it was made before.
    pub fn kept(&self) -> PathBuf {
        let folder = tool("").join("components");
        fs::create_dir_all(&folder).expect("a folder for components");
        folder.join(format!("{}-{:016x}.wasm", self.name, self.digest()))
    }

    /// Keeps the component. Returns where.
    pub fn keep(&self, component: &Path) -> PathBuf {
        let kept = self.kept();
        let partial = kept.with_extension("partial");
        fs::copy(component, &partial).expect("what was built");
        fs::rename(partial, &kept).expect("it is kept");
        kept
    }

    fn digest(&self) -> u64 {
        let root = repository();
        let mut files = BTreeMap::new();
        let sdk = root.join("plugins/sdk").join(self.language);
        let places = [sdk, root.join("wit"), root.join("host/cli/src/build")];
        let versions = VERSIONS.map(|file| root.join(file));
        for place in self.sources.iter().copied().chain(places.iter().map(PathBuf::as_path)) {
            read(place, &mut files);
        }
        versions.iter().for_each(|file| read(file, &mut files));
        let mut hasher = DefaultHasher::new();
        (files, self.settings).hash(&mut hasher);
        hasher.finish()
    }
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

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a folder of it")
}

/// `caplet` in a folder, with the tools that were installed for these tests before all others. What
/// cargo builds of libraries is shared by all of these tests.
pub fn caplet(folder: &Path) -> Command {
    let program = binary();
    let target = program.ancestors().nth(2).expect("a target directory").join("authoring");
    let mut command = Command::new(program);
    command.current_dir(folder).env("PATH", path());
    command.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true");
    command
}

/// Where programs are looked for: those that were installed for these tests first.
pub fn path() -> OsString {
    let before = std::env::var_os("PATH").unwrap_or_default();
    let own = [tool("venv/bin")];
    std::env::join_paths(own.into_iter().chain(std::env::split_paths(&before))).expect("a path")
}

/// Gives a plugin what its author would install in its folder: the packages of npm, and the versions
/// of Rust's libraries that the project itself uses, so that nothing is looked up.
pub fn equip(plugin: &Path) {
    symlink(tool("node_modules"), plugin.join("node_modules")).expect("a link");
    fs::copy(repository().join("Cargo.lock"), plugin.join("Cargo.lock")).expect("the versions");
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
