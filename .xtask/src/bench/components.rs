//! Components of `wasi:http` against `wasmtime serve`, the server that the engine's makers ship: the same
//! files under the same load, both servers as they are by default.

use super::{
    contest::{Contest, Side},
    load::{Load, Request},
    report::{Bar, Report},
    stage::Stage,
};
use crate::{
    command::{artifacts, cargo, output, program, run as run_command},
    server::Server,
    tools::GUEST_TARGET,
};
use anyhow::{Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The release of `wasmtime-cli` whose engine is the host's.
const VERSION: &str = "48.0.8";

const CONNECTIONS: u32 = 16;

/// How long the text is that comes back, in bytes: more than one piece of a body.
const ECHOED_BYTES: usize = 64 << 10;

/// A component whose source is in `tests/outside/components`.
#[derive(Debug, PartialEq, Eq)]
pub struct Component {
    name: &'static str,
    greets: &'static str,
    echoes: &'static str,
}

/// One of `wasi:http` 0.2, one of 0.3.
static COMPONENTS: [Component; 2] = [
    Component { name: "wstd", greets: "wasi:http 0.2, greeting", echoes: "wasi:http 0.2, echo" },
    Component { name: "wasip3", greets: "wasi:http 0.3, greeting", echoes: "wasi:http 0.3, echo" },
];

impl Component {
    fn file(&self, stage: &Stage) -> PathBuf {
        stage.folder.join(format!("{}.wasm", self.name))
    }

    fn build(&self, stage: &Stage) -> Result<()> {
        println!("Building the component {}.", self.name);
        let source = stage.root.join("tests/outside/components").join(self.name);
        let mut command = cargo();
        command.args(["build", "--release", "--locked", "--target", GUEST_TARGET]);
        command.arg("--manifest-path").arg(source.join("Cargo.toml"));
        command.arg("--target-dir").arg(stage.folder.join("components"));
        let mut built = artifacts(&mut command)?.into_iter().flat_map(|it| it.filenames).rev();
        let built = built.find(|file| file.extension() == Some("wasm"));
        fs::copy(built.context("no component was built")?, self.file(stage))?;
        Ok(())
    }
}

/// `wasmtime serve`.
pub struct Wasmtime {
    program: PathBuf,
}

impl Wasmtime {
    /// Installs it into the user's cache, once.
    pub fn installed() -> Result<Self> {
        let home = env::var_os("HOME").context("HOME is not set")?;
        let folder = Path::new(&home).join(".cache/caplet/wasmtime").join(VERSION);
        let program = folder.join("bin/wasmtime");
        if !program.exists() {
            println!("Installing wasmtime-cli {VERSION}, which takes some 15 minutes once.");
            let install = ["install", "--locked", "wasmtime-cli", "--version", VERSION, "--root"];
            run_command(cargo().args(install).arg(folder))?;
        }
        Ok(Self { program })
    }

    /// Serves a component, which may use what the command line of a program has.
    pub fn start(&self, stage: &Stage, component: &Component) -> Result<Server> {
        // It says where it listens on the standard error.
        let mut command = program("sh");
        command.args(["-c", r#"exec "$0" "$@" 2>&1"#]).arg(&self.program);
        command.args(["serve", "--addr", "127.0.0.1:0", "-Scli"]).arg(component.file(stage));
        Server::start(&mut command, &stage.folder.join("rival.log"))
    }
}

/// Builds the components, measures them, and adds what came of it.
pub fn run(stage: &Stage, report: &mut Report) -> Result<()> {
    let said = output(program(Wasmtime::installed()?.program).arg("--version"))?;
    println!("The rival is {}.", said.trim());
    for component in &COMPONENTS {
        component.build(stage)?;
        stage.install_file(component.name, &component.file(stage))?;
    }
    for component in &COMPONENTS {
        let path = format!("/api/{}", component.name);
        let greeting = [path.clone(), "/".to_owned()].map(|path| Request::get(&path));
        let text = format!("\"{}\"", "echo ".repeat(ECHOED_BYTES / 5));
        let echo = [path + "/echo", "/echo".to_owned()]
            .map(|path| Request::anonymous_post(&path, text.clone()));
        for (name, requests) in [(component.greets, greeting), (component.echoes, echo)] {
            let loads = requests.map(|it| Load { requests: vec![it], connections: CONNECTIONS });
            let contest = Contest {
                name,
                sides: &[Side::Host, Side::Wasmtime(component)],
                loads: loads.into(),
                data: None,
                status: 200,
                differing: &[],
            };
            report.compare(&contest, &[Some(Bar::AtLeast(1.0))], &contest.run(stage)?);
        }
    }
    stage.install_all()
}
