//! Builds the projects beside this file by the commands of their toolchains. What was built is kept under a
//! digest of everything that it is made of, because that takes between a few seconds and minutes.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use caplet_tests::outside::{run, tool};
use tokio::process::Command;

use super::wit;
use crate::languages::workshop::{copy, path, read, repository};

/// A project's component.
pub async fn component(name: &str) -> PathBuf {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let project = folder.path().join("project");
    copy(&repository().join("tests/outside/components").join(name), &project);
    wit::provide(&project).await;
    let kept = kept().join(format!("greeter-{name}-{:016x}.wasm", digest(&project)));
    if !kept.exists() {
        let built = build(name, &project).await;
        let partial = kept.with_extension("partial");
        fs::copy(built, &partial).expect("what was built");
        fs::rename(partial, &kept).expect("it is kept");
    }
    kept
}

/// Where components are kept, and what cargo makes on the way to them.
fn kept() -> PathBuf {
    let kept = tool("").join("components");
    fs::create_dir_all(&kept).expect("a folder for components");
    kept
}

/// A digest of what a project is made of: with its WIT, and what builds it. The folder of the tools has the
/// versions of the others in its name.
fn digest(project: &Path) -> u64 {
    let mut files = BTreeMap::new();
    read(project, &mut files);
    let mut hasher = DefaultHasher::new();
    for (path, content) in files {
        (path.strip_prefix(project).expect("it is in the project"), content).hash(&mut hasher);
    }
    [include_str!("build.rs"), include_str!("../../../rust-toolchain.toml")].hash(&mut hasher);
    hasher.finish()
}

async fn build(name: &str, project: &Path) -> PathBuf {
    match name {
        "go" => go(project).await,
        "jco" => jco(project).await,
        "python" | "python-async" => python(project).await,
        name => rust(name, project).await,
    }
}

async fn rust(name: &str, project: &Path) -> PathBuf {
    cargo_build(project, &["--release", "--target", "wasm32-wasip2"]).await;
    kept().join(format!("target/wasm32-wasip2/release/greeter_{name}.wasm"))
}

async fn cargo_build(project: &Path, arguments: &[&str]) {
    let mut build = wit::cargo();
    build.args(["build", "--locked"]).args(arguments).current_dir(project);
    build.env("CARGO_TARGET_DIR", kept().join("target"));
    run(&mut build).await;
}

async fn jco(project: &Path) -> PathBuf {
    symlink(tool("node_modules"), project.join("node_modules")).expect("a link");
    let mut build = Command::new(project.join("node_modules/.bin/jco"));
    build.args(["componentize", "app.js", "--wit", "wit", "-n", "greeter", "-o", "greeter.wasm"]);
    run(build.current_dir(project)).await;
    project.join("greeter.wasm")
}

async fn python(project: &Path) -> PathBuf {
    let mut build = Command::new(tool("venv/bin/componentize-py"));
    build.args(["-d", "wit", "-w", "greeter", "componentize", "app", "-o", "greeter.wasm"]);
    run(build.current_dir(project)).await;
    project.join("greeter.wasm")
}

/// Stock Go. The module that its bindings need is taken from the crate that generates them.
async fn go(project: &Path) -> PathBuf {
    let tools = project.join("tool");
    cargo_build(&tools, &[]).await;
    let component = async |arguments: &[&str]| {
        let mut command = Command::new(kept().join("target/debug/go-component"));
        run(command.args(arguments).current_dir(project)).await;
    };
    let go = async |arguments: &[&str]| {
        let mut command = Command::new("go");
        command.args(arguments).current_dir(project).env("PATH", path());
        command.envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOFLAGS", "-mod=mod")]);
        run(&mut command).await;
    };
    let generator = wit::package(&tools.join("Cargo.toml"), "wit-bindgen-go").await;
    let module = generator.join("src/pkg").display().to_string();
    component(&["bindings", "wit", "."]).await;
    go(&["mod", "edit", &format!("-replace=go.bytecodealliance.org/pkg={module}")]).await;
    let flags = "-ldflags=-s -w -checklinkname=0";
    go(&["build", "-buildmode=c-shared", flags, "-o", "greeter.module", "."]).await;
    component(&["new", "wit", "greeter.module", "greeter.wasm"]).await;
    project.join("greeter.wasm")
}
