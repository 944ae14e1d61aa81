//! What the scenarios need: the host's program and the guests, built; a folder below the target directory
//! and so on a real disk; and places in it where hosts run.

use super::Options;
use crate::{command::program, guests, host_binary, server::Server, tools, workspace::Workspace};
use anyhow::{Context, Result};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Signs the tokens of the operator.
const SECRET: &str = "only-for-proofs-on-the-loopback-interface-00";

/// The plugin that the scenarios ask, under one name in all of its versions.
const PLUGIN_FILE: &str = "upgrade.wasm";

/// Everything that is ready to be run.
pub struct Stage {
    /// Where the report is written.
    pub folder: PathBuf,
    guests: PathBuf,
    caplet: PathBuf,
}

impl Stage {
    /// Builds what is missing, and empties the folder.
    pub fn build(workspace: &Workspace, options: &Options) -> Result<Self> {
        tools::ensure_wasm_target()?;
        let folder = workspace.target().join("prove");
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot empty the folder of the proofs")?;
        }
        fs::create_dir_all(&folder).context("cannot make the folder of the proofs")?;
        let guests = guests::collect(workspace)?;
        let caplet = match &options.program {
            Some(program) => fs::canonicalize(program)
                .with_context(|| format!("cannot find {}", program.display()))?,
            None => host_binary::build(workspace, !options.dev)?,
        };
        Ok(Self { folder, guests, caplet })
    }

    /// A place for one host, which is empty.
    pub fn place(&self, name: &str) -> Result<Place<'_>> {
        let place = Place { stage: self, folder: self.folder.join(name) };
        fs::create_dir_all(place.plugins())?;
        Ok(place)
    }

    /// A component.
    pub fn guest(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.guests.join(format!("{name}.wasm"));
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    }
}

/// The folders of one host, and of those that come after it.
pub struct Place<'a> {
    stage: &'a Stage,
    folder: PathBuf,
}

impl Place<'_> {
    /// Puts a version of the plugin into the plugin folder, in one step.
    pub fn install(&self, version: u8) -> Result<()> {
        let content = self.stage.guest(&format!("upgrade-v{version}"))?;
        let partial = self.plugins().join(".upgrade.partial");
        fs::write(&partial, content)?;
        Ok(fs::rename(partial, self.plugins().join(PLUGIN_FILE))?)
    }

    /// Starts a host, and waits until it is ready.
    pub fn start(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Result<Server> {
        let mut command = program(&self.stage.caplet);
        command.arg("serve").args(arguments).env("CAPLET_LISTEN", "127.0.0.1:0");
        command.env("CAPLET_DATA", self.data()).env("CAPLET_PLUGINS", self.plugins());
        command.env("CAPLET_AUTH__HS256_SECRET", SECRET);
        command.envs(settings.iter().map(|(name, value)| (name, OsStr::new(value))));
        let mut server = Server::start(&mut command, &self.log()?)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// A token of the operator.
    pub fn token(&self) -> Result<String> {
        let mut command = program(&self.stage.caplet);
        command.args(["token", "--subject", "prove", "--scope", "caplet.admin"]);
        command.env("CAPLET_DATA", self.data()).env("CAPLET_AUTH__HS256_SECRET", SECRET);
        Ok(crate::command::output(&mut command)?.trim().to_owned())
    }

    /// A log of its own for each host, so that one that is replaced does not lose its own.
    fn log(&self) -> Result<PathBuf> {
        let n_logs = fs::read_dir(&self.folder)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with("host"))
            .count();
        Ok(self.folder.join(format!("host-{n_logs}.log")))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn plugins(&self) -> PathBuf {
        self.folder.join("plugins")
    }

    /// The folder itself, for messages.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
