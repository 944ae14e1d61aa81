//! `cargo xtask serve`: from a checkout to a host that answers, with a token and lines to paste.
//!
//! The host is started as an operator would start it, by its own settings in `CAPLET_…`. What it
//! says, it says itself: when it does not start, its error is what the person sees.

mod greeting;
mod host;

use crate::{
    command::{output, program},
    guests, host_binary, tools,
    workspace::{Origin, Workspace},
};
use anyhow::{Result, bail};
use greeting::greeting;
use host::{Address, Host};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// What `cargo xtask serve` can be told. Each setting is the host's own of the same name.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Build the host as it is shipped: the build is longer, the host faster.
    #[arg(long)]
    release: bool,
    /// The address to listen on. With port 0 a free port is chosen.
    #[arg(long, env = "CAPLET_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The folder of the host's data [default: caplet/data in the target directory].
    #[arg(long, env = "CAPLET_DATA")]
    data: Option<PathBuf>,
    /// The folder of the plugins; the bundled ones are copied into it [default: caplet/plugins in
    /// the target directory].
    #[arg(long, env = "CAPLET_PLUGINS")]
    plugins: Option<PathBuf>,
    /// More arguments for `caplet serve`, after `--`.
    #[arg(last = true)]
    rest: Vec<OsString>,
}

/// Builds and starts the host, and stays until it ends. Returns the host's own exit code.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    refuse_own_settings(&options.rest)?;
    let home = workspace.target().join("caplet");
    let data = options.data.clone().unwrap_or_else(|| home.join("data"));
    let plugins = options.plugins.clone().unwrap_or_else(|| home.join("plugins"));
    tools::ensure_wasm_target()?;
    install_plugins(workspace, &plugins)?;
    let binary = host_binary::build(workspace, options.release)?;

    let address = Address::choose(&options.listen)?;
    let caplet = || {
        let mut command = program(&binary);
        command.env("CAPLET_LISTEN", &address.listen);
        command.env("CAPLET_DATA", &data).env("CAPLET_PLUGINS", &plugins);
        command
    };
    println!("Starting the host; its data is in {}. Ctrl-C ends it.", data.display());
    let mut command = caplet();
    command.arg("serve").args(&options.rest);
    let mut host = Host::start(&mut command)?;
    if let Some(url) = &address.url
        && host.wait_until_ready(url)?
    {
        println!("\n{}", greeting(url, token(&mut caplet()).as_deref()));
    }
    host.wait()
}

/// These would reach the host behind the back of this program, which has to know them.
fn refuse_own_settings(rest: &[OsString]) -> Result<()> {
    for name in ["--listen", "--data", "--plugins"] {
        if rest.iter().any(|word| word.to_string_lossy().starts_with(name)) {
            bail!("write {name} before `--`: `cargo xtask serve {name} …`");
        }
    }
    Ok(())
}

fn install_plugins(workspace: &Workspace, folder: &Path) -> Result<()> {
    println!("Building the bundled plugins.");
    let mut bundled = workspace.guests()?;
    bundled.retain(|guest| guest.origin == Origin::Plugin);
    let changed = guests::copy(&guests::build(&bundled)?, folder)?;
    println!("Plugins in {}: {}, new or changed: {changed}.", folder.display(), bundled.len());
    Ok(())
}

/// A token made by the host's own command; none when it makes none, as when the host is told to
/// trust tokens of somebody else.
fn token(caplet: &mut Command) -> Option<String> {
    let text = output(caplet.arg("token")).ok()?;
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::refuse_own_settings;

    #[test]
    fn settings_it_has_to_know_are_refused_after_the_dashes() {
        assert!(refuse_own_settings(&["--config".into(), "caplet.toml".into()]).is_ok());
        let error = refuse_own_settings(&["--listen=127.0.0.1:1".into()]).unwrap_err();
        assert!(error.to_string().contains("--listen"), "{error}");
    }
}
