//! What the scenarios need: the host's program and the guests, built; a folder below the target directory
//! and so on a real disk; and places in it where hosts run.

use super::Options;
use crate::{command::program, guests, host_binary, server::Server, tools, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::{ffi::OsStr, fs, path::PathBuf};

/// Signs all tokens.
const SECRET: &str = "only-for-proofs-on-the-loopback-interface-00";

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
            None => host_binary::build(workspace, !options.is_development())?,
        };
        Ok(Self { folder, guests, caplet })
    }

    /// A later version of a bundled plugin: `tests/fixtures/revision` says how it stands in the
    /// component which one it is.
    pub fn revision(&self, plugin: &str, number: u8) -> Result<Vec<u8>> {
        let mut component = self.guest(&format!("{plugin}-revision"))?;
        let places: Vec<usize> = places_of(&component, REVISION).collect();
        let [place] = places[..] else {
            bail!("{plugin}-revision says {} times which version it is", places.len());
        };
        let digits = format!("{number:08}");
        component[place + REVISION.len()..][..digits.len()].copy_from_slice(digits.as_bytes());
        Ok(component)
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

/// What comes before the number in a component.
const REVISION: &[u8] = b"caplet-revision=";

/// Where a text begins.
fn places_of(bytes: &[u8], text: &'static [u8]) -> impl Iterator<Item = usize> {
    let windows = bytes.windows(text.len()).enumerate();
    windows.filter(move |(_, window)| *window == text).map(|(place, _)| place)
}

/// The folders of one host, and of those that come after it.
pub struct Place<'a> {
    stage: &'a Stage,
    folder: PathBuf,
}

impl Place<'_> {
    /// Puts guests into the plugin folder, each in one step.
    pub fn install(&self, guests: &[&str]) -> Result<()> {
        guests.iter().try_for_each(|guest| self.drop_in(guest, &self.stage.guest(guest)?))
    }

    /// Puts a component into the plugin folder under a name, in one step.
    pub fn drop_in(&self, name: &str, component: &[u8]) -> Result<()> {
        let partial = self.plugins().join(format!(".{name}.partial"));
        fs::write(&partial, component)?;
        Ok(fs::rename(partial, self.file(name))?)
    }

    /// Takes a component out of the plugin folder.
    pub fn take_out(&self, name: &str) -> Result<()> {
        Ok(fs::remove_file(self.file(name))?)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.plugins().join(format!("{name}.wasm"))
    }

    /// Starts a host, and waits until it is ready.
    pub fn start(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Result<Server> {
        let mut command = program(&self.stage.caplet);
        command.arg("serve").args(arguments).env("CAPLET_LISTEN", "127.0.0.1:0");
        command.env("CAPLET_DATA", self.data()).env("CAPLET_PLUGINS", self.plugins());
        command.env("CAPLET_AUTH__HS256_SECRET", SECRET);
        // What is ready has all that is to be measured.
        command.env("CAPLET_ENGINE__COMPILE_WAIT_MS", "300000");
        command.envs(settings.iter().map(|(name, value)| (name, OsStr::new(value))));
        let mut server = Server::start(&mut command, &self.log()?)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// A token for a subject, with scopes.
    pub fn token(&self, subject: &str, scopes: &[&str]) -> Result<String> {
        let mut command = program(&self.stage.caplet);
        command.args(["token", "--subject", subject]);
        command.args(scopes.iter().flat_map(|scope| ["--scope", scope]));
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
}
