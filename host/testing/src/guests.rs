//! Where the components of plugins and fixtures are: collected in one folder by the workspace's tool.

use std::path::PathBuf;

/// The variable that names the folder. Without it, the one beside the test's own build is taken.
const VARIABLE: &str = "CAPLET_GUESTS";

/// The folder's name in the target directory.
const FOLDER: &str = "caplet-guests";

/// The component of the plugin or fixture `name`.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn component(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|reason| {
        panic!("{}: {reason}; build the guests with `cargo xtask plugins`", path.display())
    })
}

/// Where compiled code is kept, so that each test does not compile again.
pub(crate) fn cache() -> PathBuf {
    folder().join(".compiled")
}

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return folder.into();
    }
    // A test is built as <target>/<profile>/deps/<test>.
    let test = std::env::current_exe().unwrap_or_default();
    let target = test.ancestors().nth(3).unwrap_or(&test);
    target.join(FOLDER)
}
