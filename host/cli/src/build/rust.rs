//! Rust: `cargo build` for the target `wasm32-wasip2`, whose output is a component already.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::language::{Purpose, Toolchain};
use super::project::Project;
use super::tool::{self, Tool};
use crate::failure::Failure;

/// Rust's tools.
#[derive(Debug)]
pub struct Rust;

/// What cargo builds for.
const TARGET: &str = "wasm32-wasip2";

const CARGO: Tool = Tool {
    program: "cargo",
    version_arguments: &["--version"],
    at_least: (1, 95, 0),
    install: "curl https://sh.rustup.rs -sSf | sh, or, when rustup is there, rustup update stable",
};

impl Toolchain for Rust {
    fn check(&self) -> Result<(), Failure> {
        CARGO.find()?;
        let arguments = ["--print", "target-libdir", "--target", TARGET];
        let folder = tool::read(Command::new("rustc").args(arguments), "rustc")?;
        let folder = PathBuf::from(String::from_utf8_lossy(&folder).trim());
        if folder.is_dir() {
            return Ok(());
        }
        Err(Failure::run_time(format!(
            "Rust's target {TARGET} is missing: rustup target add {TARGET}"
        )))
    }

    fn build(&self, project: &Project, purpose: Purpose) -> Result<Vec<u8>, Failure> {
        let manifest = project.folder.join("Cargo.toml");
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--lib", "--target", TARGET, "--manifest-path"]).arg(&manifest);
        cargo.args(["--message-format", "json-render-diagnostics"]);
        if purpose == Purpose::Release {
            cargo.arg("--release");
        }
        let messages = tool::read(&mut cargo, "cargo build")?;
        let file = component(&messages, &manifest).ok_or_else(|| {
            Failure::run_time(format!(
                "cargo made no component; {} needs `crate-type = [\"cdylib\"]` below `[lib]`",
                manifest.display()
            ))
        })?;
        std::fs::read(&file).map_err(|reason| {
            Failure::run_time(format!("{} cannot be read: {reason}", file.display()))
        })
    }

    fn built_folders(&self) -> &'static [&'static str] {
        &["target"]
    }
}

/// A message of cargo's: those that tell of something built have these members.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The component that cargo says it made of the package.
fn component(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let manifest = manifest.canonicalize().ok()?;
    let messages = messages.split(|byte| *byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let own = messages.filter(|message| message.manifest_path == manifest);
    let is_component = |file: &PathBuf| file.extension().is_some_and(|it| it == "wasm");
    own.flat_map(|message| message.filenames).find(is_component)
}

#[cfg(test)]
mod tests {
    use super::component;

    #[test]
    fn the_component_is_the_one_of_the_package_itself() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        std::fs::write(&manifest, "").unwrap();
        let own = manifest.canonicalize().unwrap();
        let messages = format!(
            "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/x/Cargo.toml\",\"filenames\":[\"/x/a.wasm\"]}}\n\
             {{\"reason\":\"compiler-artifact\",\"manifest_path\":{own:?},\"filenames\":[\"/t/b.d\",\"/t/b.wasm\"]}}\n\
             {{\"reason\":\"build-finished\",\"success\":true}}\n"
        );
        let found = component(messages.as_bytes(), &manifest).unwrap();
        assert_eq!(found, std::path::Path::new("/t/b.wasm"));
        assert_eq!(component(b"", &manifest), None);
    }
}
