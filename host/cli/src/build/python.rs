//! Python: `componentize-py` puts the interpreter, the plugin and what it imports into one component.

use std::process::Command;

use super::language::{Purpose, Toolchain};
use super::project::{Project, SDK_FOLDER};
use super::tool::{self, Tool};
use super::world::world;
use crate::failure::Failure;

/// Python's tools.
#[derive(Debug)]
pub struct Python;

const COMPONENTIZE_PY: Tool = Tool {
    program: "componentize-py",
    version_arguments: &["--version"],
    at_least: (0, 25, 1),
    install: "pip install componentize-py==0.25.1",
};

/// The module of the SDK that has the exports, and imports the author's `plugin`.
const MODULE: &str = "caplet_component";

/// The author's module that says what the plugin keeps about people. A plugin that has none does not
/// answer.
const SUBJECT_DATA: &str = "subject_data.py";

impl Toolchain for Python {
    fn check(&self) -> Result<(), Failure> {
        COMPONENTIZE_PY.find().map(drop)
    }

    fn build(&self, project: &Project, _purpose: Purpose) -> Result<Vec<u8>, Failure> {
        let sdk = project.folder.join(SDK_FOLDER);
        let folder = tempfile::tempdir().map_err(|reason| {
            Failure::run_time(format!("no temporary folder can be made: {reason}"))
        })?;
        let component = folder.path().join("component.wasm");
        let mut build = Command::new(COMPONENTIZE_PY.program);
        let world = world(project.folder.join(SUBJECT_DATA).is_file());
        build.args(["--quiet", "--world", world, "--wit-path"]);
        build.arg(sdk.join("wit")).args(["componentize", MODULE, "--python-path"]);
        build.arg(&project.folder).arg("--python-path").arg(&sdk).arg("--output").arg(&component);
        tool::run(&mut build, "componentize-py")?;
        std::fs::read(&component)
            .map_err(|reason| Failure::run_time(format!("what was built cannot be read: {reason}")))
    }

    fn built_folders(&self) -> &'static [&'static str] {
        &["__pycache__"]
    }
}
