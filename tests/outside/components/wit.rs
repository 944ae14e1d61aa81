//! The WIT of WASI, which no project here carries: it is taken from the crates `wasip2` and `wasip3`, which
//! fixtures of this workspace use.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use caplet_tests::outside::run;
use tokio::process::Command;

/// Cargo, as it was started for these tests.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// The folder of a package that a workspace depends on.
pub async fn package(manifest: &Path, name: &str) -> PathBuf {
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version", "1", "--locked", "--manifest-path"]);
    let said = run(metadata.arg(manifest)).await;
    let metadata: serde_json::Value = serde_json::from_str(&said).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.unwrap_or_else(|| panic!("nothing depends on {name}"));
    let manifest = Path::new(manifest["manifest_path"].as_str().expect("a path"));
    manifest.parent().expect("a folder").to_owned()
}

/// Puts WASI's WIT into `wit/deps` of a project, where its `wit/world.wit` names a version of it.
pub async fn provide(project: &Path) {
    let Ok(world) = fs::read_to_string(project.join("wit/world.wit")) else {
        return;
    };
    let version = |text: &str| {
        let (_, rest) = text.split_once("wasi:http")?;
        let (_, version) = rest.lines().next()?.split_once('@')?;
        Some(version.trim_end_matches(';').to_owned())
    };
    let wanted = version(&world).expect("the world names wasi:http");
    let crate_name = if wanted.starts_with("0.2.") { "wasip2" } else { "wasip3" };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let carried = package(&workspace, crate_name).await.join("wit/deps");
    let http = fs::read_to_string(carried.join("http.wit")).expect("a text");
    let carried_version = version(&http).expect("its package has a version");
    fs::create_dir(project.join("wit/deps")).expect("a folder");
    for entry in fs::read_dir(carried).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let mut text = fs::read_to_string(&entry).expect("a text");
        if wanted != carried_version {
            text = older(&text, &carried_version, &wanted);
        }
        let name = entry.file_name().expect("a name");
        fs::write(project.join("wit/deps").join(name), text).expect("it is written");
    }
}

/// What jco's engine has without a gate.
const UNGATED: &str = "@unstable(feature = network-error-code)";

/// The same text as an older release. The engine of jco has its own copy of that release, which a
/// project's has to equal.
fn older(text: &str, version: &str, wanted: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains(UNGATED));
    lines.map(|line| line.replace(version, wanted) + "\n").collect()
}
