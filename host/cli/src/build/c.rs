//! C and C++: Zig's compiler, which brings a C library and a linker, makes a core module of the plugin's
//! sources and of the SDK's.

use std::path::{Path, PathBuf};
use std::process::Command;

use semver::Version;

use super::component::componentize;
use super::language::{Purpose, Toolchain};
use super::project::{Project, SDK_FOLDER};
use super::tool::{self, Tool};
use super::world::world_of;
use crate::failure::Failure;

/// C's tools.
#[derive(Debug)]
pub struct C;

const INSTALL: &str = "pip install ziglang==0.17.1";

/// As it is called when Python's package brings it.
const PYTHON_ZIG: Tool = Tool {
    program: "python-zig",
    version_arguments: &["version"],
    at_least: (0, 17, 0),
    install: INSTALL,
};

/// As it is called when it was installed by itself.
const ZIG: Tool = Tool { program: "zig", ..PYTHON_ZIG };

/// What each file is compiled and the module linked with. The stack lies below the data, so that one that
/// is used up traps.
const FLAGS: &[&str] = &[
    "cc",
    "-target",
    "wasm32-wasi",
    "-mexec-model=reactor",
    "-Wall",
    "-Wextra",
    "-Wno-c23-extensions",
    "-Wno-missing-field-initializers",
    "-fno-exceptions",
    "-Wl,-z,stack-size=131072",
];

/// Endings of the files that are compiled.
const SOURCES: &[&str] = &["c", "cc", "cpp"];

impl Toolchain for C {
    fn check(&self) -> Result<(), Failure> {
        compiler().map(drop)
    }

    fn build(&self, project: &Project, purpose: Purpose) -> Result<Vec<u8>, Failure> {
        let (program, _) = compiler()?;
        let sdk = project.folder.join(SDK_FOLDER);
        let mut files = sources(&project.folder.join("src"))?;
        files.extend(sources(&sdk.join("src"))?);
        files.extend(sources(&sdk.join("generated"))?);
        let folder = tempfile::tempdir().map_err(|reason| {
            Failure::run_time(format!("no temporary folder can be made: {reason}"))
        })?;
        let module = folder.path().join("module.wasm");
        let mut compile = Command::new(program);
        compile.args(FLAGS).arg("-I").arg(sdk.join("include"));
        compile.args(match purpose {
            Purpose::Release => ["-Os", "-s"],
            Purpose::Trial => ["-O1", "-g"],
        });
        compile.arg("-o").arg(&module).args(files);
        tool::run(&mut compile, "the compiler")?;
        let module = std::fs::read(&module).map_err(|reason| {
            Failure::run_time(format!("what was compiled cannot be read: {reason}"))
        })?;
        componentize(&module, world_of(&module))
    }

    fn built_folders(&self) -> &'static [&'static str] {
        &[]
    }
}

/// Zig by either of its names, and its version.
fn compiler() -> Result<(&'static str, Version), Failure> {
    let found = |tool: Tool| tool.find().map(|version| (tool.program, version));
    found(PYTHON_ZIG).or_else(|missing| found(ZIG).map_err(|_| missing))
}

/// The sources directly in a folder, in the order of their names.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|reason| {
        Failure::run_time(format!("{} cannot be read: {reason}", folder.display()))
    })?;
    let is_source = |file: &PathBuf| {
        file.extension().and_then(|it| it.to_str()).is_some_and(|it| SOURCES.contains(&it))
    };
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_source).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::sources;

    #[test]
    fn only_sources_are_compiled() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.c", "a.cpp", "a.h", "notes.md"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = sources(folder.path()).unwrap();
        let names: Vec<_> = found.iter().filter_map(|file| file.file_name()?.to_str()).collect();
        assert_eq!(names, ["a.cpp", "b.c"]);
        assert!(sources(&folder.path().join("none")).is_err());
    }
}
