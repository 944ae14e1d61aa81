//! Running other programs: `cargo` above all. What they print is seen as it comes.

use anyhow::{Context, Result, bail};
use cargo_metadata::{Artifact, Message};
use std::{
    env,
    ffi::OsStr,
    io::BufReader,
    process::{Command, Stdio},
};

/// A program with the environment that this one was started with, without what `cargo run` added:
/// build scripts that watch those variables would run again each time.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (key, _) in env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&key);
        }
    }
    command
}

/// The `cargo` that runs this.
pub fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command to its end. Fails when it cannot be started or does not end well.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed on its standard output. Its errors are shown.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        bail!("{} failed ({})", line(command), output.status);
    }
    String::from_utf8(output.stdout).context("the output is not UTF-8")
}

/// Runs a `cargo build` and returns what it made, or found fresh. Its messages for people are shown.
pub fn artifacts(build: &mut Command) -> Result<Vec<Artifact>> {
    build.args(["--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    let mut child = build.spawn().with_context(|| format!("cannot start {}", line(build)))?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut artifacts = Vec::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message? {
            artifacts.push(artifact);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{} failed ({status})", line(build));
    }
    Ok(artifacts)
}

/// Whether a command can be started and ends well, without showing anything.
pub fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The command as a person would type it, for messages.
fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}
