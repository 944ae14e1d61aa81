//! The plugins of a language: begun, built and checked by `caplet`, with the tools that the tests from
//! outside have.

use super::Language;
use crate::{bench::stage::Stage, command::run};
use anyhow::{Context, Result};
use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// What makes plugins.
pub struct Maker<'a> {
    pub stage: &'a Stage,
    /// The folder of the tools.
    pub tools: &'a Path,
    /// Where all is made; it is empty at first.
    pub folder: PathBuf,
}

/// The plugins of a language.
pub struct Made {
    pub language: &'static Language,
    /// A folder of its own.
    pub folder: PathBuf,
    /// What `caplet new` begins, built.
    pub notes: PathBuf,
    /// What does everything that the contract has, built.
    pub conformance: PathBuf,
    /// How long `caplet new` and `caplet build` took, the check of what was built included.
    pub build_time: Duration,
    /// How long `caplet check` takes, which compiles the component.
    pub compile_time: Duration,
}

impl Made {
    /// What the plugin is called that `caplet new` began.
    pub fn name(&self) -> String {
        format!("notes-{}", self.language.id)
    }

    /// The request for 20 notes.
    pub fn list(&self) -> String {
        format!("/api/{}?limit=20", self.name())
    }
}

impl Maker<'_> {
    /// Makes the plugins of a language, from nothing.
    pub fn make(&self, language: &'static Language) -> Result<Made> {
        println!("Building the plugins in {}.", language.title);
        let folder = self.folder.join(language.id);
        fs::create_dir_all(&folder)?;
        let name = format!("notes-{}", language.id);
        let notes = folder.join(&name);
        let began = Instant::now();
        run(self
            .caplet(&folder)
            .args(["new", &name, "--lang", language.word])
            .stdout(log(&folder)?))?;
        self.equip(&notes, language)?;
        let built = self.build(&notes, &name)?;
        let build_time = began.elapsed();
        // What is edited later is built into the same place.
        let notes = folder.join("notes.wasm");
        fs::copy(built, &notes)?;
        let conformance = folder.join("conformance");
        copy(&self.stage.root.join("tests/conformance").join(language.word), &conformance)?;
        self.equip(&conformance, language)?;
        let conformance = self.build(&conformance, "conformance")?;
        let began = Instant::now();
        run(self.caplet(&folder).arg("check").arg(&notes).stdout(log(&folder)?))?;
        let compile_time = began.elapsed();
        Ok(Made { language, folder, notes, conformance, build_time, compile_time })
    }

    fn build(&self, plugin: &Path, name: &str) -> Result<PathBuf> {
        run(self.caplet(plugin).arg("build").stdout(log(plugin)?))?;
        Ok(plugin.join(format!("build/{name}.wasm")))
    }

    /// `caplet` in a folder without data, so that nothing compiled is found.
    pub fn caplet(&self, folder: &Path) -> Command {
        let mut command = self.stage.caplet();
        command.current_dir(folder).env("PATH", self.path());
        command.env("CARGO_TARGET_DIR", self.folder.join("target"));
        command
    }

    fn path(&self) -> OsString {
        let before = env::var_os("PATH").unwrap_or_default();
        let own = self.tools.join("venv/bin").into_os_string();
        [own, before].join(&OsString::from(":"))
    }

    /// Gives a plugin its engine, and what its author would install: the packages of npm, and the
    /// versions of Rust's libraries that the project itself uses.
    fn equip(&self, plugin: &Path, language: &Language) -> Result<()> {
        symlink(self.tools.join("node_modules"), plugin.join("node_modules"))?;
        fs::copy(self.stage.root.join("Cargo.lock"), plugin.join("Cargo.lock"))?;
        let Some(engine) = language.engine else { return Ok(()) };
        let manifest = plugin.join("plugin.toml");
        let text = fs::read_to_string(&manifest)?;
        let others = text.lines().filter(|line| !line.starts_with("engine"));
        let text =
            others.chain([&*format!("engine = \"{engine}\"\n")]).collect::<Vec<_>>().join("\n");
        Ok(fs::write(manifest, text)?)
    }
}

/// What the tools say is of interest only when they fail.
fn log(folder: &Path) -> Result<fs::File> {
    let file = fs::File::options().create(true).append(true).open(folder.join("log"));
    file.context("cannot open the log of the tools")
}

/// Copies a folder, and what links in it lead to.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
