//! The folder in which a page's commands run. It has what a reader has there: `data` and `plugins`
//! of the host, and, on a page that builds a plugin, the checkout beside it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use caplet_tests::Place;
use tempfile::TempDir;

use crate::page::{Block, root};

/// Keeps cargo from taking the folder for a part of the workspace around it.
const WORKSPACE: &str =
    "[workspace]\nmembers = [\"plugin\"]\nexclude = [\"caplet\"]\nresolver = \"3\"\n";

/// A page's folder.
pub struct Workshop {
    folder: PathBuf,
    _temporary: Option<TempDir>,
}

impl Workshop {
    /// An empty folder that vanishes.
    pub fn temporary(place: &Place) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let folder = temporary.path().to_owned();
        link_host(&folder, place);
        Self { folder, _temporary: Some(temporary) }
    }

    /// An empty folder beside the checkout, in which a plugin is built. It lies in the target
    /// directory, so that the libraries are compiled once and not in each run.
    pub fn beside_checkout(place: &Place) -> Self {
        let documents = target().join("documents");
        let folder = documents.join("plugin");
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("the folder of the last run is removed");
        }
        fs::create_dir_all(&folder).expect("the folder is made");
        fs::create_dir_all(documents.join("target")).expect("the target folder is made");
        fs::write(documents.join("Cargo.toml"), WORKSPACE).expect("the workspace is written");
        fs::copy(root().join("Cargo.lock"), documents.join("Cargo.lock")).expect("it is copied");
        link(&root(), &documents.join("caplet"));
        link(Path::new("../target"), &folder.join("target"));
        link_host(&folder, place);
        Self { folder, _temporary: None }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the block to the file that it names, or to its end.
    pub fn write(&self, block: &Block, name: &str) {
        let path = self.folder.join(name);
        let parent = path.parent().expect("a file has a folder");
        fs::create_dir_all(parent).expect("the folder is made");
        let before =
            if block.has_word("+") { fs::read_to_string(&path) } else { Ok(String::new()) };
        let before = before.unwrap_or_else(|reason| panic!("{}: {name}: {reason}", block.place));
        fs::write(&path, before + &block.text).expect("the file is written");
    }
}

/// The target directory that this test was built in: it lies at `<target>/<profile>/deps/<test>`.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    test.ancestors().nth(3).expect("tests are built in a target directory").to_owned()
}

fn link_host(folder: &Path, place: &Place) {
    fs::create_dir_all(place.data()).expect("the data directory is made");
    link(&place.data(), &folder.join("data"));
    link(&place.plugins(), &folder.join("plugins"));
}

fn link(to: &Path, at: &Path) {
    if at.is_symlink() {
        fs::remove_file(at).expect("the old link is removed");
    }
    symlink(to, at).expect("the link is made");
}
