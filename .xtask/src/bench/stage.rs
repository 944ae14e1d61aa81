//! What the benchmarks need: the host, the rivals, the guests and the load generator, built or
//! installed; and the folders they run in, below the target directory and so on a real disk.

use super::{Options, benchmarks::Benchmark};
use crate::{
    command::{artifacts, cargo, output, program, run, succeeds},
    guests, host_binary,
    server::Server,
    tools,
    workspace::Workspace,
};
use anyhow::{Context, Result, bail};
use rustix::process::geteuid;
use std::{
    ffi::OsStr,
    fs,
    path::{self, Path, PathBuf},
    process::Command,
};

/// Signs the tokens that all sides take.
pub const SECRET: &str = "only-for-benchmarks-on-the-loopback-interface";

/// The plugins that come with the host.
pub const COMMENTS: &str = "comments";
pub const TAGS: &str = "tags";

/// Everything that is ready to be run.
pub struct Stage {
    /// The folder of the benchmarks.
    pub folder: PathBuf,
    /// The root of the repository.
    pub root: PathBuf,
    /// The folder of all guests.
    pub guests: PathBuf,
    /// How often each side is measured.
    pub rounds: u32,
    /// How long each side is measured in a round, in seconds.
    pub seconds: u32,
    caplet: PathBuf,
    /// None when none of the benchmarks wants them.
    rivals: Option<PathBuf>,
}

impl Stage {
    /// Builds and installs what is missing, and empties the folder of the benchmarks.
    pub fn build(workspace: &Workspace, options: &Options, chosen: &[Benchmark]) -> Result<Self> {
        ensure_wrk()?;
        tools::ensure_wasm_target()?;
        let folder = workspace.target().join("bench");
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot empty the folder of the benchmarks")?;
        }
        fs::create_dir_all(&folder).context("cannot make the folder of the benchmarks")?;
        let stage = Self {
            root: workspace.root().into(),
            guests: guests::collect(workspace)?,
            caplet: match &options.program {
                Some(program) => path::absolute(program)?,
                None => host_binary::build(workspace, !options.dev)?,
            },
            rivals: chosen
                .iter()
                .any(|it| it.wants_rivals())
                .then(|| build_rivals(workspace))
                .transpose()?,
            rounds: options.rounds,
            seconds: options.seconds,
            folder,
        };
        stage.install_all()?;
        Ok(stage)
    }

    /// Puts all plugins that any benchmark asks into the host's plugin folder.
    pub fn install_all(&self) -> Result<()> {
        self.install(&[COMMENTS, TAGS, "constant-json"])
    }

    /// Puts these plugins, and no others, into the host's plugin folder.
    pub fn install(&self, names: &[&str]) -> Result<()> {
        if self.plugins().exists() {
            fs::remove_dir_all(self.plugins())?;
        }
        fs::create_dir(self.plugins())?;
        names
            .iter()
            .try_for_each(|name| self.install_file(name, &self.guests.join(format!("{name}.wasm"))))
    }

    /// Puts a component into the host's plugin folder, beside those that are there.
    pub fn install_file(&self, name: &str, component: &Path) -> Result<()> {
        fs::copy(component, self.plugins().join(format!("{name}.wasm")))
            .with_context(|| format!("cannot install {name}"))?;
        Ok(())
    }

    /// The folder of the host's data.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where the rivals have their copy of the comments.
    pub fn rivals_database(&self) -> PathBuf {
        self.folder.join("rival/comments.db")
    }

    /// Starts the host with the settings it has by default, and waits until it is ready.
    pub fn host(&self) -> Result<Server> {
        let mut server = self.start_host(&[])?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts the host with other settings than the default, if any, and waits until it listens.
    pub fn start_host(&self, settings: &[(&str, &OsStr)]) -> Result<Server> {
        let mut command = self.caplet();
        command.arg("serve").env("CAPLET_LISTEN", "127.0.0.1:0");
        command.env("CAPLET_DATA", self.data()).env("CAPLET_PLUGINS", self.plugins());
        command.env("CAPLET_AUTH__HS256_SECRET", SECRET);
        // What is ready has all that is to be measured.
        command.env("CAPLET_ENGINE__COMPILE_WAIT_MS", "300000");
        command.envs(settings.iter().copied());
        Server::start(&mut command, &self.folder.join("host.log"))
    }

    /// Starts a rival.
    pub fn rival<I: AsRef<OsStr>>(&self, arguments: &[I]) -> Result<Server> {
        let mut command = program(self.rivals()?);
        command.args(arguments).env("RIVAL_SECRET", SECRET);
        Server::start(&mut command, &self.folder.join("rival.log"))
    }

    /// A token of a person, made by the host's own command.
    pub fn token(&self) -> Result<String> {
        let mut command = self.caplet();
        command.arg("token").env("CAPLET_DATA", self.data());
        let text = output(command.env("CAPLET_AUTH__HS256_SECRET", SECRET))?;
        let token = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        Ok(token.context("the host made no token")?.to_owned())
    }

    /// Runs the statements of a file on the database of a plugin that does not run.
    pub fn fill(&self, plugin: &str, statements: &Path) -> Result<()> {
        let database = self.data().join(format!("databases/{plugin}.db"));
        run(program(self.rivals()?).arg("fill").args([database.as_path(), statements]))
    }

    /// How long one commit takes here, in microseconds.
    pub fn commit_us(&self) -> Result<f64> {
        let text = output(program(self.rivals()?).arg("commit").arg(&self.folder))?;
        text.trim().parse().context("the time of a commit is not a number")
    }

    /// The host's program.
    pub fn caplet(&self) -> Command {
        program(&self.caplet)
    }

    fn rivals(&self) -> Result<&Path> {
        self.rivals.as_deref().context("a benchmark that uses the rivals has not asked for them")
    }

    fn plugins(&self) -> PathBuf {
        self.folder.join("plugins")
    }
}

/// They are a workspace of their own, with a target directory of their own.
fn build_rivals(workspace: &Workspace) -> Result<PathBuf> {
    println!("Building the rivals.");
    let mut command = cargo();
    command.args(["build", "--release", "--locked", "--manifest-path"]);
    command.arg(workspace.root().join("tests/rivals/Cargo.toml"));
    command.arg("--target-dir").arg(workspace.target().join("rivals"));
    let program = artifacts(&mut command)?.into_iter().find_map(|artifact| artifact.executable);
    Ok(program.context("the rivals have no program")?.into())
}

/// Installs the load generator when it is missing.
fn ensure_wrk() -> Result<()> {
    // Asked for its version it ends badly, so the shell is asked for it.
    if succeeds(program("sh").args(["-c", "command -v wrk"])) {
        return Ok(());
    }
    let install = ["install", "-y", "wrk"];
    if !geteuid().is_root() || !succeeds(program("apt-get").arg("--version")) {
        bail!("the load generator wrk is missing: `apt-get {}` installs it", install.join(" "));
    }
    println!("Installing wrk.");
    run(program("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive"))
        .context("the load generator wrk is missing and could not be installed")
}
